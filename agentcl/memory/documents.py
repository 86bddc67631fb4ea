"""Writing documents: checked, cut into passages, encoded, and put into the journal as one change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from agentcl.errors import InvalidInput
from agentcl.memory.passages import split
from agentcl.retrieval.encoders import Encoder
from agentcl.store.base import Store, Writing
from agentcl.store.checks import check_label, check_metadata, check_text, check_validity
from agentcl.store.records import Document, Fact, Passage, Record, Scope, ScopeView, from_micros
from agentcl.store.rows import EncoderSpec, Row, content_hash
from agentcl.store.vectors import SupportsList, dimension, pack


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


def prepare(
    drafts: Sequence[Draft],
    *,
    scope: Scope,
    encoder: Encoder,
    journal: Store,
    passage_limit: int,
) -> list[Prepared]:
    """Check drafts, cut them into passages and encode these, each text once.

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
    encodings = encode(texts, encoder=encoder, journal=journal)
    prepared: list[Prepared] = []
    for draft, (document, passages) in zip(drafts, checked, strict=True):
        if draft.vector is None:
            vectors = tuple(encodings[content_hash(p.search_text())] for p in passages)
        else:
            vectors = (pack(draft.vector, dim=encoder.dim),)
        prepared.append(Prepared(document, passages, vectors, draft.vector is not None))
    return prepared


def encode(texts: Mapping[bytes, str], *, encoder: Encoder, journal: Store) -> dict[bytes, bytes]:
    """Return a vector for each text by its content hash; the journal's own are used again."""
    if not texts:
        return {}
    held = journal.encoder()
    found = {}
    if held == EncoderSpec(encoder.name, encoder.dim):
        found = journal.encodings(list(texts))
    new = {key: text for key, text in texts.items() if key not in found}
    vectors = encoder.encode(list(new.values()), role="passage") if new else []
    if len(vectors) != len(new) or any(dimension(vector) != encoder.dim for vector in vectors):
        raise InvalidInput(
            f"the encoder {encoder.name} returned {len(vectors)} vectors for {len(new)} texts, or not "
            f"all of {encoder.dim} dimensions; nothing was stored"
        )
    return {**found, **dict(zip(new, vectors, strict=True))}


def write(writing: Writing, journal: Store, prepared: Sequence[Prepared]) -> list[Document]:
    """Add documents, or update those in their scope with the same uri; return what is stored."""
    new: dict[int, Prepared] = {}
    keys: set[str] = set()
    for place, one in enumerate(prepared):
        key = one.document.key
        if not one.is_given and key not in keys and _held(journal, one.document) is None:
            new[place] = one
        if key is not None:
            keys.add(key)
    created = dict(zip(new, _create(writing, list(new.values())), strict=True))
    return [
        created.get(place) or _write(writing, journal, one) for place, one in enumerate(prepared)
    ]


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


def _held(journal: Store, document: Document) -> Record | None:
    """Return the live document of the same scope and uri."""
    if document.key is None:
        return None
    return journal.find(kind="document", scope=document.scope, key=document.key)


def rewrite(
    writing: Writing, journal: Store, prepared: Prepared, document: Document, held: object
) -> Document:
    """Write the next version of a document; passages whose text stays keep their ids.

    Returns `held` itself, and writes nothing, when nothing differs.
    """
    assert isinstance(held, Document)
    if replace(document, version=held.version, created_at=held.created_at) == held and (
        not prepared.is_given
    ):
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


def discard(writing: Writing, journal: Store, passage: Passage) -> None:
    """Delete a passage, and what it was found to state."""
    for row in list(derived_rows(journal, passage)):
        writing.delete(row.record())
    writing.delete(passage)


def derived_rows(journal: Store, passage: Passage) -> Iterator[Row]:
    """Yield the live facts of a passage, and its extraction if it has one."""
    view = ScopeView(frozenset({passage.scope.tenant}), None, None, None)
    return journal.live(view=view, kinds=("fact", "extraction"), source=passage.id)


def _revise(
    writing: Writing, journal: Store, passage: Passage, vector: bytes, is_given: bool
) -> None:
    """Write the next version of a passage with the same text; its facts hold when it holds."""
    writing.revise(passage, vector=vector, is_given=is_given)
    for row in list(derived_rows(journal, passage)):
        fact = row.record()
        if isinstance(fact, Fact):
            changed = replace(
                fact,
                valid_from=passage.valid_from,
                valid_to=passage.valid_to,
                metadata=passage.metadata,
            )
            if changed != fact:
                writing.revise(changed, vector=journal.vectors([row.seq])[row.seq])


def passages_of(journal: Store, document: Document) -> list[Passage]:
    """Return the live passages of a document, in order."""
    own = frozenset({document.scope.tenant})
    view = ScopeView(own, None, None, None)
    rows = journal.live(view=view, kinds=("passage",), source=document.id)
    found = [record for record in (row.record() for row in rows) if isinstance(record, Passage)]
    return sorted(found, key=lambda passage: passage.ordinal)


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
    spans = split(text, limit=passage_limit) if draft.vector is None else [(0, len(text))]
    passages = tuple(
        Passage(
            id="",
            scope=scope,
            valid_from=valid_from,
            valid_to=valid_to,
            metadata=metadata,
            text=text[start:end],
            title=title,
            uri=uri,
            ordinal=ordinal,
            start=start,
            end=end,
        )
        for ordinal, (start, end) in enumerate(spans)
    )
    return document, passages
