"""Writing documents: checked, cut into passages, encoded, and put into the journal as one change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from agentcl.errors import Duplicate, InvalidInput
from agentcl.store.base import Store
from agentcl.store.checks import (
    canonical_json,
    check_label,
    check_metadata,
    check_text,
    check_validity,
)
from agentcl.store.conversations import Turn
from agentcl.store.records import Document, Fact, Passage, Scope, ScopeView, from_micros, to_micros
from agentcl.store.rows import EncoderSpec, Row, content_hash, readable
from agentcl.store.vectors import SupportsList, dimension, pack, unpack
from agentcl.store.writing import Writing
from agentcl.text import pages

if TYPE_CHECKING:
    from agentcl.retrieval.encoders import Encoder

# What to do with the same thing again: return what is there, store it once more, or raise.
Duplicates = Literal["skip", "keep", "error"]
Told = Callable[[int, int], None]  # how many are done, of how many
_FIRST_ENCODED: Final = (
    64  # texts that are encoded at once; twice as many as long as that takes ...
)
_ENCODED_S: Final = 0.5  # ... less than this
DUPLICATES: Final[tuple[Duplicates, ...]] = get_args(Duplicates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A document to be added. Only the text is needed."""

    text: str
    title: str = ""
    uri: str = ""  # a document with this uri in the same scope is updated instead of added twice
    media_type: str = "text/plain"
    metadata: Mapping[str, Any] | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    vector: Sequence[float] | SupportsList | None = None  # ready-made; the text stays one passage


@dataclass(frozen=True, slots=True)
class Prepared:
    """A checked document with its passages, not written yet; ids and times come with the writing."""

    document: Document
    passages: tuple[Passage, ...]
    vectors: tuple[bytes, ...]  # one for each passage
    is_given: bool  # the vector came with the draft

    def hashes(self) -> Sequence[bytes]:
        """Return the content hashes of the passages."""
        return [content_hash(passage.search_text()) for passage in self.passages]


def prepare(
    drafts: Sequence[Draft],
    *,
    scope: Scope,
    encoder: Encoder,
    journal: Store,
    passage_limit: int,
    told: Told = lambda done, total: None,
) -> list[Prepared]:
    """Check drafts, cut them into passages and encode these, each text once.

    `told` is called now and then with how many passages are encoded, and how many are to be.

    Raises:
        InvalidInput: naming what is wrong with which draft.
    """
    checked = [_check(draft, scope, passage_limit) for draft in drafts]
    texts = {
        content_hash(passage.search_text()): passage.search_text()
        for draft, (_, passages) in zip(drafts, checked, strict=True)
        if draft.vector is None
        for passage in passages
    }
    encodings = encode(texts, encoder=encoder, journal=journal, told=told)
    prepared: list[Prepared] = []
    for draft, (document, passages) in zip(drafts, checked, strict=True):
        if draft.vector is None:
            vectors = tuple(encodings[content_hash(p.search_text())] for p in passages)
        else:
            vectors = (pack(draft.vector, dim=encoder.dim),)
        prepared.append(Prepared(document, passages, vectors, draft.vector is not None))
    return prepared


def encode(
    texts: Mapping[bytes, str],
    *,
    encoder: Encoder,
    journal: Store,
    told: Told = lambda done, total: None,
) -> dict[bytes, bytes]:
    """Return a vector for each text by its content hash; the journal's own are used again.

    Many are encoded in parts, so that other threads come in between and `told` shows how far it is.
    """
    if not texts:
        return {}
    found = journal.encodings(list(texts), of=EncoderSpec(encoder.name, encoder.dim))
    # Texts of like length stand together: an encoder that takes several at once fills all up to the longest.
    new = sorted((key for key in texts if key not in found), key=lambda key: len(texts[key]))
    vectors: list[bytes] = []
    part = _FIRST_ENCODED
    while len(vectors) < len(new):
        some = [texts[key] for key in new[len(vectors) : len(vectors) + part]]
        begun = time.monotonic()
        made = encoder.encode(some, role="passage")
        if time.monotonic() - begun < _ENCODED_S:
            part *= 2
        if len(made) != len(some) or any(dimension(vector) != encoder.dim for vector in made):
            raise InvalidInput(
                f"the encoder {encoder.name} returned {len(made)} vectors for {len(some)} texts, or not "
                f"all of {encoder.dim} dimensions; nothing was stored"
            )
        vectors += made
        told(len(vectors), len(new))
    return {**found, **dict(zip(new, vectors, strict=True))}


def write(
    writing: Writing, journal: Store, prepared: Sequence[Prepared], duplicates: Duplicates = "skip"
) -> list[Document]:
    """Add documents, or update those in their scope with the same uri; return what is stored.

    Args:
        writing: the right to write.
        journal: where to.
        prepared: what to add.
        duplicates: what to do with the same thing again; see `Memory.add`.

    Raises:
        Duplicate: if something is there already and `duplicates` is "error"; nothing is written then.
    """
    again = {} if duplicates == "keep" else _again(journal, prepared)
    if again and duplicates == "error":
        raise Duplicate(_told(prepared, again))
    new: dict[int, Prepared] = {}
    keys: set[str] = set()
    for place, one in enumerate(prepared):
        key = one.document.key
        if place in again:
            continue
        if not one.is_given and key not in keys and _held(journal, one.document) is None:
            new[place] = one
        if key is not None:
            keys.add(key)
    created: dict[int, Document] = dict(zip(new, _create(writing, list(new.values())), strict=True))
    for place, one in enumerate(prepared):
        if place not in again and place not in created:
            created[place] = _write(writing, journal, one)
    for place, first in again.items():
        held = first if isinstance(first, Document) else created[first]
        writing.credit(held.id, repeats=1)
        created[place] = held
    return [created[place] for place in range(len(prepared))]


def _again(journal: Store, prepared: Sequence[Prepared]) -> dict[int, Document | int]:
    """Return which of these are there already: the stored document, or the place of an earlier one.

    What has a uri is compared with the document of that uri alone, and what comes with its own vector
    with nothing.
    """
    found: dict[int, Document | int] = {}
    earlier: dict[tuple[object, ...], int] = {}
    keys: set[str] = set()
    stored = _stored(journal, prepared)
    for place, one in enumerate(prepared):
        key = one.document.key
        if one.is_given:
            continue
        if key is None:
            identity = _identity(one.document)
            if identity in stored:
                found[place] = stored[identity]
            elif earlier.setdefault(identity, place) != place:
                found[place] = earlier[identity]
        elif key not in keys:
            keys.add(key)
            held = _held(journal, one.document)
            if held is not None and _is_as_stored(one.document, held):
                found[place] = held
    return found


def _stored(journal: Store, prepared: Sequence[Prepared]) -> dict[tuple[object, ...], Document]:
    """Return the live documents that could be one of these, by what makes them the same.

    A document is there only if each of its passages is, so the one that the fewest records have leads
    to few candidates, however many documents begin with the same lines. Of the documents that say the
    same with other metadata, the store leaves out nearly all.
    """
    asked: dict[Scope, list[tuple[Document, Sequence[bytes]]]] = {}
    for one in _comparable(prepared):
        asked.setdefault(one.document.scope, []).append((one.document, one.hashes()))
    stored: dict[tuple[object, ...], Document] = {}
    for scope, hashes in counting(prepared).items():
        wanted, counts = asked[scope], journal.content_counts(scope, hashes)
        known = [(new, some) for new, some in wanted if all(hash in counts for hash in some)]
        found = journal.having_content(
            Passage.kind,
            scope,
            {min(some, key=counts.__getitem__) for _, some in known},
            metadata={canonical_json(dict(new.metadata)) for new, _ in known},
            valid_from={
                None if new.valid_from is None else to_micros(new.valid_from) for new, _ in known
            },
        )
        rows = sorted((row for rows in found.values() for row in rows), key=lambda row: row.seq)
        for id in dict.fromkeys(row.parts()[0][0] for row in rows):  # the oldest of several
            document = journal.get(id, view=scope.exactly())
            assert isinstance(document, Document)
            stored.setdefault(_identity(document), document)
    return stored


def counting(prepared: Sequence[Prepared]) -> dict[Scope, set[bytes]]:
    """Return which texts `write` will count to find what is there already; see `Store.writing`."""
    asked: dict[Scope, set[bytes]] = {}
    for one in _comparable(prepared):
        asked.setdefault(one.document.scope, set()).update(one.hashes())
    return asked


def _comparable(prepared: Sequence[Prepared]) -> Iterator[Prepared]:
    """Yield what is compared by its text: it has no uri, and no vector of its own."""
    return (one for one in prepared if one.document.key is None and not one.is_given)


def _identity(document: Document) -> tuple[object, ...]:
    """Return what makes two documents of one scope the same thing."""
    return (
        document.text,
        document.title,
        canonical_json(dict(document.metadata)),
        document.valid_from,
        document.valid_to,
    )


def _told(prepared: Sequence[Prepared], again: Mapping[int, Document | int]) -> str:
    place, first = next(iter(again.items()))
    words = " ".join(prepared[place].document.text.split())[:60]
    where = (
        f"document {first.id}" if isinstance(first, Document) else f"number {first + 1} of these"
    )
    return (
        f"“{words}” is there already: {where}. Nothing was stored; to keep both, add it with "
        'duplicates="keep"'
    )


def _create(writing: Writing, new: Sequence[Prepared]) -> list[Document]:
    """Add documents that are not there yet, all at once."""
    ids = writing.create_many((one.document for one in new), {}, count=len(new))
    passages, vectors = list[Passage](), dict[bytes, bytes]()
    for id, one in zip(ids, new, strict=True):
        for passage, vector in zip(one.passages, one.vectors, strict=True):
            passages.append(replace(passage, sources=(id,)))
            vectors[content_hash(passage.search_text())] = vector
    writing.create_many(passages, vectors, count=len(passages))
    now = from_micros(writing.now)
    return [replace(one.document, id=id, created_at=now) for id, one in zip(ids, new, strict=True)]


def _write(writing: Writing, journal: Store, prepared: Prepared) -> Document:
    document, held = prepared.document, _held(journal, prepared.document)
    if held is not None:
        return rewrite(writing, journal, prepared, replace(document, id=held.id), held)
    stored = writing.create(document)
    for passage, vector in zip(prepared.passages, prepared.vectors, strict=True):
        writing.create(
            replace(passage, sources=(stored.id,)), vector=vector, is_given=prepared.is_given
        )
    assert isinstance(stored, Document)
    return stored


def _held(journal: Store, document: Document) -> Document | None:
    """Return the live document of the same scope and uri."""
    if document.key is None:
        return None
    held = journal.find(kind=Document.kind, scope=document.scope, key=document.key)
    assert held is None or isinstance(held, Document)
    return held


def rewrite(
    writing: Writing, journal: Store, prepared: Prepared, document: Document, held: object
) -> Document:
    """Write the next version of a document; passages whose text stays keep their ids.

    Returns `held` itself, and writes nothing, when nothing differs.
    """
    assert isinstance(held, Document)
    if _is_as_stored(document, held) and not prepared.is_given:
        return held
    stored = writing.revise(document)
    assert isinstance(stored, Document)
    old = passages_of(journal, stored)
    by_text: dict[str, list[Passage]] = {}
    for passage in old:
        by_text.setdefault(passage.text, []).append(passage)
    for passage, vector in zip(prepared.passages, prepared.vectors, strict=True):
        passage = replace(passage, sources=(stored.id,))
        same = by_text.get(passage.text)
        if not same:
            writing.create(passage, vector=vector, is_given=prepared.is_given)
            continue
        twin = same.pop(0)
        if prepared.is_given or twin != replace(
            passage, id=twin.id, version=twin.version, created_at=twin.created_at
        ):
            passage = replace(passage, id=twin.id)
            _revise(writing, journal, passage, vector, prepared.is_given)
    for left in by_text.values():
        for passage in left:
            discard(writing, journal, passage)
    return stored


def move(writing: Writing, journal: Store, held: Document, uri: str) -> Document:
    """Write the next version of a document under another uri; its passages keep their vectors.

    Returns `held` itself, and writes nothing, when it is there already.
    """
    if uri == held.uri:
        return held
    stored = writing.revise(replace(held, key=uri, uri=uri))
    assert isinstance(stored, Document)
    for passage in passages_of(journal, held):
        seq = journal.seq_of(passage)
        vector, is_given = journal.given_vectors([seq])[seq]
        _revise(writing, journal, replace(passage, uri=uri), vector, is_given)
    return stored


def _is_as_stored(document: Document, held: Document) -> bool:
    """Return whether writing this version of a document would change nothing."""
    return replace(document, id=held.id, version=held.version, created_at=held.created_at) == held


def withdraw(writing: Writing, journal: Store, document: Document) -> None:
    """Delete a document with its passages; their history stays."""
    for passage in passages_of(journal, document):
        discard(writing, journal, passage)
    writing.delete(document)


def discard(writing: Writing, journal: Store, passage: Passage) -> None:
    """Delete a passage, and what it was found to state."""
    for record in [*readable(derived_rows(journal, passage))]:
        writing.delete(record)
    writing.delete(passage)


def derived_rows(journal: Store, passage: Passage) -> Iterator[Row]:
    """Yield the live facts of a passage, its extraction if it has one, and that it was compressed."""
    view = ScopeView(frozenset({passage.scope.tenant}), None, None, None)
    return journal.live(view=view, kinds=("fact", "extraction", "compression"), source=passage.id)


def _revise(
    writing: Writing, journal: Store, passage: Passage, vector: bytes, is_given: bool
) -> None:
    """Write the next version of a passage with the same text; its facts hold when it holds."""
    writing.revise(passage, vector=vector, is_given=is_given)
    for row in list(derived_rows(journal, passage)):
        for fact in readable([row]):
            if not isinstance(fact, Fact):
                continue
            changed = replace(
                fact,
                valid_from=passage.valid_from,
                valid_to=passage.valid_to,
                metadata=passage.metadata,
            )
            if changed != fact:
                writing.revise(changed, vector=journal.vectors([row.seq])[row.seq])


def passages_of(journal: Store, whole: Document | Turn) -> list[Passage]:
    """Return the live passages of a document or a turn, in order."""
    own = frozenset({whole.scope.tenant})
    view = ScopeView(own, None, None, None)
    found = journal.records(Passage, view=view, source=whole.id)
    return sorted(found, key=lambda passage: passage.ordinal)


def own_vector(journal: Store, document: Document) -> Sequence[float] | None:
    """Return the vector that somebody gave a document; None if an encoder made its vectors."""
    seqs = [journal.seq_of(passage) for passage in passages_of(journal, document)]
    given = [vector for vector, is_given in journal.given_vectors(seqs).values() if is_given]
    return unpack(given[0]) if given else None


def _check(draft: Draft, scope: Scope, passage_limit: int) -> tuple[Document, tuple[Passage, ...]]:
    text = check_text(draft.text)
    title = check_label(draft.title, "title")
    uri = check_label(draft.uri, "uri")
    metadata = check_metadata(draft.metadata)
    valid_from, valid_to = check_validity(draft.valid_from, draft.valid_to)
    document = Document(
        id="",
        scope=scope,
        valid_from=valid_from,
        valid_to=valid_to,
        key=uri or None,
        metadata=metadata,
        text=text,
        title=title,
        uri=uri,
        media_type=check_label(draft.media_type, "media_type"),
    )
    has_pages = document.media_type in pages.MEDIA_TYPES and draft.vector is None
    passages = tuple(
        Passage(
            id="",
            scope=scope,
            valid_from=valid_from,
            valid_to=valid_to,
            metadata={"page": page, **metadata} if has_pages else metadata,
            text=text[start:end],
            title=title,
            uri=uri,
            ordinal=ordinal,
            start=start,
            end=end,
        )
        for ordinal, (start, end, page) in enumerate(_spans(text, draft, passage_limit))
    )
    return document, passages


def _spans(text: str, draft: Draft, passage_limit: int) -> Iterator[tuple[int, int, int]]:
    """Yield where each passage begins and ends, and on which page it is."""
    from agentcl.memory.documents.passages import split, split_pages

    if draft.vector is not None:
        yield 0, len(text), 1
    elif draft.media_type in pages.MEDIA_TYPES:
        yield from split_pages(text, limit=passage_limit)
    else:
        yield from ((start, end, 1) for start, end in split(text, limit=passage_limit))
