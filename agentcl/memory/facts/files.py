"""Reading facts that another program extracted: HippoRAG's JSON, JSON lines, and TSV of triples."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from agentcl.errors import TransferError
from agentcl.retrieval.graph.names import Extracted, Triple
from agentcl.retrieval.graph.phrases import normalise
from agentcl.store.records import Passage
from agentcl.store.rows import content_hash
from agentcl.text.json_values import fault_of_line
from agentcl.text.parsing import parsed_json
from agentcl.text.paths import unread
from agentcl.text.saving import opened

_MOST_BYTES: Final = 500_000_000  # of a file, unpacked
_LAYOUTS: Final = (
    'HippoRAG\'s JSON ({"docs": [{"passage": "…", "extracted_triples": [["s", "p", "o"]]}]}), JSON lines '
    '({"text": "…", "facts": [["s", "p", "o"]], "phrases": ["…"]}), or .tsv with the columns text, '
    "subject, predicate, object"
)


@dataclass(frozen=True, slots=True)
class OpenieDocument:
    """A text as another program has it, and what it found there."""

    text: str  # with its title as the first line, if it has one
    found: Extracted
    malformed: int = 0  # entries that are no triple of strings


def read(path: Path) -> list[OpenieDocument]:
    """Read a file of extracted facts.

    Raises:
        TransferError: naming what is wrong and where; nothing of the file is returned then.
    """
    try:
        with opened(path) as file, _unpacked(file, path) as plain:
            data = plain.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise TransferError(
                f"{path} holds more than {_MOST_BYTES // 1_000_000:,} megabytes, unpacked; split it, and import "
                "the parts one after the other"
            )
        text = data.decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise TransferError(f"{path} cannot be read: {unread(error)}") from error
    if path.name.removesuffix(".gz").endswith(".tsv"):
        return list(_tsv(path, text))
    try:
        # Each entry is made a document as soon as it is read: so many lists at once would keep Python's
        # garbage collector busy with everything else that the process holds.
        whole = parsed_json(text, object_hook=_as_document)
    except ValueError:
        return list(_json_lines(path, text))
    if isinstance(whole, dict) and isinstance(whole.get("docs"), list):
        return [_checked(path, number, entry) for number, entry in enumerate(whole["docs"])]
    return list(_json_lines(path, text))


def _unpacked(file: BinaryIO, path: Path) -> AbstractContextManager[BinaryIO]:
    """Return a file as it is read: unpacked, if its name says that it is packed."""
    if path.suffix != ".gz":
        return nullcontext(file)
    return cast(AbstractContextManager[BinaryIO], gzip.GzipFile(fileobj=file))


class Places:
    """Finds the passages that texts of another program stand for.

    A text is found whole, as a passage or as a document of several passages. In these a fact goes to the
    first passage that has subject and object, else to one that has either, else to the first.

    Args:
        passages: where to look.
    """

    def __init__(self, passages: Iterable[Passage]) -> None:
        self._whole: dict[bytes, list[Passage]] = {}
        parts: dict[str, list[Passage]] = {}
        for passage in passages:
            self._whole.setdefault(content_hash(passage.search_text()), []).append(passage)
            parts.setdefault(passage.document_id, []).append(passage)
        for of_document in parts.values():
            if len(of_document) > 1:
                own = sorted(of_document, key=lambda passage: passage.ordinal)
                text, title = "".join(passage.text for passage in own), own[0].title
                self._whole.setdefault(content_hash(f"{title}\n{text}" if title else text), own)

    def find(self, document: OpenieDocument) -> list[tuple[Passage, Extracted]]:
        """Return the passages of a text, each with what is found in it; none if it is unknown."""
        passages = self._whole.get(content_hash(document.text), [])
        if len({passage.document_id for passage in passages}) == len(passages):
            return [
                (passage, document.found) for passage in passages
            ]  # the same text, several times
        texts = [normalise(passage.search_text()) for passage in passages]
        facts: dict[int, list[Triple]] = {}
        for fact in document.found.facts:
            place = _place(texts, normalise(fact.subject), normalise(fact.object))
            facts.setdefault(place, []).append(fact)
        phrases: dict[int, list[str]] = {}
        for phrase in document.found.phrases:
            place = _place(texts, normalise(phrase), "")
            phrases.setdefault(place, []).append(phrase)
        return [
            (passage, Extracted(tuple(phrases.get(n, ())), tuple(facts.get(n, ()))))
            for n, passage in enumerate(passages)
        ]


def _place(texts: Sequence[str], subject: str, object_: str) -> int:
    scores = [(subject in text) + (object_ in text) for text in texts]
    return max(range(len(texts)), key=lambda place: (scores[place], -place))


def _as_document(row: dict[str, Any]) -> OpenieDocument | dict[str, Any]:
    """Return an entry of HippoRAG's `docs`; any other JSON object as it is."""
    text = row.get("passage")
    if not isinstance(text, str):
        return row
    return _document(text, row.get("extracted_triples"), row.get("extracted_entities"))


def _checked(path: Path, number: int, entry: object) -> OpenieDocument:
    if not isinstance(entry, OpenieDocument):
        raise TransferError(f"{path}: entry {number} of `docs` has no text `passage`")
    return entry


def _json_lines(path: Path, text: str) -> Iterator[OpenieDocument]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = parsed_json(line)
        except ValueError as error:
            raise TransferError(
                f"{path}: line {number} is not JSON ({fault_of_line(error)}); expected {_LAYOUTS}"
            ) from error
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise TransferError(f"{path}: line {number} has no `text`; expected {_LAYOUTS}")
        title = row.get("title")
        whole = f"{title}\n{row['text']}" if isinstance(title, str) and title else row["text"]
        yield _document(whole, row.get("facts"), row.get("phrases"))


def _tsv(path: Path, text: str) -> Iterator[OpenieDocument]:
    found: dict[str, list[Any]] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        columns = line.removesuffix("\r").split("\t")
        if len(columns) != 4:
            raise TransferError(
                f"{path}: line {number} has {len(columns)} columns, not text, subject, predicate, object"
            )
        # A line break inside the text cannot stand in TSV; it is written as \n.
        found.setdefault(columns[0].replace("\\n", "\n"), []).append(columns[1:])
    for whole, facts in found.items():
        yield _document(whole, facts, None)


def _document(text: str, facts: object, phrases: object) -> OpenieDocument:
    listed = facts if isinstance(facts, list) else []
    triples = [Triple(*fact) for fact in listed if _is_triple(fact)]
    malformed = len(listed) - len(triples)
    named = [p for p in phrases if isinstance(p, str)] if isinstance(phrases, list) else []
    return OpenieDocument(text, Extracted(tuple(named), tuple(triples)), malformed)


def _is_triple(fact: object) -> bool:
    if not isinstance(fact, list) or len(fact) != 3:
        return False
    subject, predicate, object_ = fact
    return isinstance(subject, str) and isinstance(predicate, str) and isinstance(object_, str)
