"""The graph's contents in one file, so that a large memory need not be read again on every start.

A cache like every index: when the file is missing, damaged or of another version, the contents are derived
from the journal. It holds text of the records (names, and passages not yet looked through for names), so it
is deleted when one of them is forgotten.
"""

from __future__ import annotations

import json
import logging
import struct
import zipfile
import zlib
from array import array
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from agentcl.retrieval import folders
from agentcl.retrieval.graph.adjacency import Ints
from agentcl.retrieval.graph.columns import (
    Columns,
    check_among,
    check_below,
    check_ends,
    check_rising,
    read_columns,
)
from agentcl.retrieval.graph.contents import Contents, Held, HeldPassage, HeldReading
from agentcl.retrieval.graph.fact_columns import FactColumns
from agentcl.retrieval.graph.names import Extractor
from agentcl.retrieval.graph.view import NO_PAIRS, PassagePart
from agentcl.retrieval.index import Entry
from agentcl.store.records import Scope
from agentcl.text.saving import make_folder, saving

logger = logging.getLogger(__name__)
FILE: Final = "graph.npz"
_VERSION: Final = 4
_KINDS: Final = ("passage", "extraction")
_NONE: Final = int(np.iinfo(np.int64).min)  # stands for None; times before 1970 are negative
# Of `FactColumns`, as its method `add` wants them, but for the ids.
_FACT_COLUMNS: Final = ("seqs", "passages", "subjects", "objects", "begins", "ends")
_NO_PART: Final = PassagePart(NO_PAIRS.ravel(), NO_PAIRS)
# Every array of the file, and its dtype.
_COLUMNS: Final = {
    **dict.fromkeys(("head", "spelling", "other", "unread", "fact_ids", "stated_by"), "|u1"),
    **dict.fromkeys(("spelled", "tenant_of", "scope", "nodes", "phrases", "pairs", "read"), "<i4"),
    **dict.fromkeys(("passages", "subjects", "objects"), "<i4"),
    **dict.fromkeys(("seq", "created_at", "ended_at", "valid_from", "valid_to"), "<i8"),
    **dict.fromkeys(("phrases_ends", "pairs_ends", "read_ends", "seqs", "begins", "ends"), "<i8"),
    "kind": "|i1",
    "id": "|S26",
    "failed": "|b1",
}
# What reading a file raises that is damaged, or was made to do harm.
_UNREADABLE: Final = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    EOFError,
    MemoryError,
    RecursionError,
    NotImplementedError,
    SyntaxError,  # of a header, which numpy reads as Python
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)


def save(path: Path, contents: Contents, watermark: int, *, mode: int | None = None) -> None:
    """Write contents to a file, a new one of this mode; a full disk leaves the one before."""
    contents.read_texts()
    held = contents.every()
    passages = [one for one in held if isinstance(one, HeldPassage)]
    readings = [one for one in held if isinstance(one, HeldReading)]
    head = {
        "version": _VERSION,
        "extractor": contents.extractor_name,
        "watermark": watermark,
        "nodes": contents.nodes,
        "scopes": [[s.tenant, s.user, s.agent, s.session] for s in contents.scopes],
        "tenants": contents.tenants,
    }
    columns: dict[str, NDArray[Any]] = {
        "head": _text(json.dumps(head)),
        "spelling": _text("\n".join(contents.spelling.values())),
        "spelled": np.array(list(contents.spelling), np.int32),
        "tenant_of": np.array(list(contents.tenant_of.values()), np.int32),
        **_entries(held, contents.scopes),
        "nodes": np.array([p.node for p in passages], np.int32),
        "unread": _text(json.dumps([p.text if p.text_part is None else None for p in passages])),
        **_lists("phrases", [(p.text_part or _NO_PART).phrases for p in passages]),
        **_lists("pairs", [(p.text_part or _NO_PART).pairs.ravel() for p in passages]),
        **_facts(contents.facts),
        **_lists("read", [r.phrases for r in readings]),
        "failed": np.array([r.is_failed for r in readings], bool),
    }
    try:
        make_folder(path.parent)
        with saving(path, mode=mode) as file:
            np.savez(file, **columns)  # type: ignore[arg-type]  # its stub has a flag among the arrays
    except OSError as error:
        logger.warning("the graph is not kept in %s: %s", path, error)


def load(path: Path, extractor: Extractor) -> tuple[Contents, int] | None:
    """Return the contents of a file and their watermark; None when it cannot be used."""
    try:
        return _read(read_columns(path, _COLUMNS), extractor)
    except FileNotFoundError:
        return None
    except _UNREADABLE as error:
        logger.warning("%s cannot be used (%s); it is made anew", path, error)
        return None


def delete(path: Path) -> None:
    """Take the file away, and what was left of writing it when a process was killed."""
    if path.parent.is_dir():
        folders.delete(folders.ours(path.parent, "graph"))


def _read(columns: Columns, extractor: Extractor) -> tuple[Contents, int] | None:
    head = json.loads(_string(columns["head"]))
    if (head["version"], head["extractor"]) != (_VERSION, extractor.name):
        return None
    _check(head, columns)
    contents = Contents(extractor)
    words = _string(columns["spelling"]).split("\n") if len(columns["spelled"]) else []
    contents.restore_phrases(
        columns["spelled"].tolist(), words, columns["tenant_of"].tolist(), head["tenants"]
    )
    contents.nodes = head["nodes"]
    contents.seq_of = array("q", bytes(8 * contents.nodes))
    scopes = [Scope(*fields) for fields in head["scopes"]]
    contents.scopes.update({scope: number for number, scope in enumerate(scopes)})
    phrases, pairs = _parts(columns, "phrases"), _parts(columns, "pairs")
    read, unread = _parts(columns, "read"), json.loads(_string(columns["unread"]))
    nodes, failed = (columns[name].tolist() for name in ("nodes", "failed"))
    counts = [0, 0]
    if not all(text is None or type(text) is str for text in unread):
        raise ValueError("its texts are none")
    for kind, entry, ended_at in _read_entries(columns, scopes):
        number = counts[kind]
        counts[kind] += 1
        held: Held
        if kind == 0:
            part = PassagePart(phrases[number], pairs[number].reshape(-1, 2))
            text = unread[number]
            held = HeldPassage(
                entry,
                ended_at,
                node=nodes[number],
                text=text or "",
                text_part=part if text is None else None,
            )
        else:
            held = HeldReading(entry, ended_at, phrases=read[number], is_failed=failed[number])
        contents.hold(held)
    _read_facts(columns, contents.facts)
    return contents, int(head["watermark"])


def _check(head: Mapping[str, Any], columns: Columns) -> None:
    """Raise ValueError unless everything that is named is there."""
    nodes, spelled = columns["nodes"], columns["spelled"]
    both = np.concatenate((nodes, spelled))
    count, watermark, names = head["nodes"], head["watermark"], head["tenants"]
    if type(count) is not int or type(watermark) is not int or count != len(both):
        raise ValueError("its counts do not fit")
    check_below(both, count)
    check_rising(np.sort(both))
    for name in ("phrases", "pairs", "read", "subjects", "objects"):
        check_among(columns[name], spelled)
    if sorted(names.values()) != list(range(len(names))):
        raise ValueError("its tenants have no numbers")
    check_below(columns["tenant_of"], len(names))
    scopes = head["scopes"]
    if not all(len(one) == 4 and all(type(part) is str for part in one) for one in scopes):
        raise ValueError("its scopes are none")
    check_below(columns["scope"], len(scopes))
    kinds = columns["kind"]
    check_below(kinds, len(_KINDS))
    passages = int((kinds == 0).sum())
    if (np.diff(kinds) < 0).any() or passages != len(nodes):
        raise ValueError("its kinds do not fit")
    for of_kind in (columns["seq"][:passages], columns["seq"][passages:]):
        check_rising(of_kind)
        check_below(of_kind, watermark + 1)
    for name, wanted in (
        ("phrases", passages),
        ("pairs", passages),
        ("read", len(kinds) - passages),
    ):
        check_ends(columns[f"{name}_ends"], columns[name], wanted)
    if (np.diff(columns["pairs_ends"]) % 2).any():
        raise ValueError("its pairs are none")
    check_rising(columns["seqs"])
    check_below(columns["passages"], len(_string(columns["stated_by"]).split("\n")))


def _facts(facts: FactColumns) -> dict[str, NDArray[Any]]:
    return {
        "fact_ids": _text("\n".join(facts.ids)),
        "stated_by": _text("\n".join(facts.passage_ids)),
        **{name: np.array(getattr(facts, name)) for name in _FACT_COLUMNS},
    }


def _read_facts(columns: Columns, facts: FactColumns) -> None:
    passage_ids = _string(columns["stated_by"]).split("\n")
    seqs, passages, *rest = (columns[name].tolist() for name in _FACT_COLUMNS)
    ids = _string(columns["fact_ids"]).split("\n") if seqs else []
    for seq, id, passage, *other in zip(seqs, ids, passages, *rest, strict=True):
        facts.add(seq, id, passage_ids[passage], *other)


def _entries(held: Sequence[Held], scopes: Mapping[Scope, int]) -> dict[str, NDArray[Any]]:
    """Return the headers of records, passages first, then readings, as columns."""
    entries = [one.entry for one in held]
    other = [
        [dict(e.metadata), e.fields.get("title", "") if e.kind == "passage" else e.sources[0]]
        for e in entries
    ]
    return {
        "kind": np.array([_KINDS.index(e.kind) for e in entries], np.int8),
        "seq": np.array([e.seq for e in entries], np.int64),
        "id": np.array([e.id for e in entries], "S26"),
        "scope": np.array([scopes[e.scope] for e in entries], np.int32),
        "created_at": np.array([e.created_at for e in entries], np.int64),
        "ended_at": _times([one.ended_at for one in held]),
        "valid_from": _times([e.valid_from for e in entries]),
        "valid_to": _times([e.valid_to for e in entries]),
        "other": _text(json.dumps(other, ensure_ascii=False)),
    }


def _read_entries(columns: Columns, scopes: Sequence[Scope]) -> list[tuple[int, Entry, int | None]]:
    names = ("kind", "seq", "id", "scope", "created_at", "ended_at", "valid_from", "valid_to")
    rows = zip(
        *(columns[name].tolist() for name in names),
        json.loads(_string(columns["other"])),
        strict=True,
    )
    found = []
    for kind, seq, id, scope, created_at, ended_at, valid_from, valid_to, (metadata, own) in rows:
        if not isinstance(metadata, dict) or type(own) is not str:
            raise ValueError("what it says of a record cannot be")
        entry = Entry(
            seq=seq,
            id=id.decode(),
            kind=_KINDS[kind],
            scope=scopes[scope],
            text="",
            vector=None,
            created_at=created_at,
            valid_from=_time(valid_from),
            valid_to=_time(valid_to),
            metadata=metadata,
            sources=() if kind == 0 else (own,),
            fields={"title": own} if kind == 0 else {},
        )
        found.append((kind, entry, _time(ended_at)))
    return found


def _lists(name: str, lists: Sequence[Ints]) -> dict[str, NDArray[Any]]:
    flat = np.concatenate(lists) if lists else np.empty(0, np.int32)
    ends = np.cumsum([0, *map(len, lists)]).astype(np.int64)
    return {name: flat.astype(np.int32), f"{name}_ends": ends}


def _parts(columns: Columns, name: str) -> list[Ints]:
    flat, ends = columns[name], columns[f"{name}_ends"].tolist()
    return [flat[start:end] for start, end in pairwise(ends)]


def _text(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode("utf-8"), np.uint8)


def _string(column: NDArray[Any]) -> str:
    return column.tobytes().decode("utf-8")


def _times(times: Sequence[int | None]) -> NDArray[np.int64]:
    return np.array([_NONE if time is None else time for time in times], np.int64)


def _time(number: int) -> int | None:
    return None if number == _NONE else number
