"""Changing what is remembered: records added, rewritten, moved and deleted, as a caller names them: by id or uri, in one scope."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from agentcl.errors import Duplicate, InvalidInput, VersionConflict
from agentcl.memory.bound import record_of
from agentcl.memory.documents import writing as documents
from agentcl.memory.documents.pacing import batches
from agentcl.memory.documents.writing import DUPLICATES, Draft, Duplicates
from agentcl.memory.opened import Opened
from agentcl.memory.reading import at_uri, one_of
from agentcl.store.checks import check_count, check_each, check_label
from agentcl.store.conversations import Conversation, Statement, Turn
from agentcl.store.records import Document, Passage, Record, Scope
from agentcl.store.vectors import SupportsList
from agentcl.text.visible import shown


class Unchanged:
    """The type of `UNCHANGED`: a field that `update` leaves as it is."""

    def __repr__(self) -> str:
        return "UNCHANGED"


UNCHANGED: Final = Unchanged()


def _prepare(
    opened: Opened,
    drafts: Sequence[Draft],
    scope: Scope,
    told: documents.Told = lambda done, total: None,
) -> Sequence[documents.Prepared]:
    return documents.prepare(
        drafts,
        scope=scope,
        encoder=opened.encoder,
        journal=opened.journal,
        passage_limit=opened.setting("passage_limit"),
        told=told,
    )


def add(
    opened: Opened,
    drafts: Sequence[Draft],
    scope: Scope,
    duplicates: Duplicates,
    told: documents.Told = lambda done, total: None,
) -> Sequence[Document]:
    """Store drafts in one transaction; they are encoded before it. Raises what `Memory.add` raises."""
    if duplicates not in DUPLICATES:
        raise InvalidInput(f"duplicates={shown(duplicates)}; choose one of {', '.join(DUPLICATES)}")
    prepared = _prepare(opened, drafts, scope, told)
    counting = {} if duplicates == "keep" else documents.counting(prepared)
    with opened.journal.writing(counting=counting) as writing:
        opened.claim(writing)
        return documents.write(writing, opened.journal, prepared, duplicates)


def add_many(
    opened: Opened,
    drafts: Iterable[str | Draft],
    owner: Scope,
    duplicates: Duplicates,
    *,
    progress: Callable[[int], None] | None,
    encoded: Callable[[int, int], None] | None,
) -> Sequence[Document]:
    """Store drafts in several transactions; `Memory.add_many` documents it."""
    stored: list[Document] = []
    known = [0, 0]  # passages of the batches before, and of this one

    def told(done: int, total: int) -> None:
        known[1] = total
        if encoded is not None:
            encoded(known[0] + done, known[0] + total)

    numbered = enumerate(checked(drafts), start=1)
    for batch in batches(draft_of(one, number) for number, one in numbered):
        stored.extend(add(opened, batch, owner, duplicates, told))
        known[:] = [sum(known), 0]
        if progress is not None:
            progress(len(stored))
    if stored:
        opened.retriever.catch_up()
    return stored


def update(
    opened: Opened,
    id: str | None,
    uri: str | None,
    owner: Scope,
    if_version: int | None,
    *,
    text: str | Unchanged,
    title: str | Unchanged,
    metadata: Mapping[str, Any] | Unchanged | None,
    valid_from: datetime | Unchanged | None,
    valid_to: datetime | Unchanged | None,
    vector: Sequence[float] | SupportsList | None,
) -> Document:
    """Write the next version of a document; `Memory.update` documents the fields."""

    def changed(held: Document) -> Draft:
        return Draft(
            text=held.text if isinstance(text, Unchanged) else text,
            title=held.title if isinstance(title, Unchanged) else title,
            uri=held.uri,
            media_type=held.media_type,
            metadata=held.metadata if isinstance(metadata, Unchanged) else metadata,
            valid_from=held.valid_from if isinstance(valid_from, Unchanged) else valid_from,
            valid_to=held.valid_to if isinstance(valid_to, Unchanged) else valid_to,
            vector=documents.own_vector(opened.journal, held)
            if vector is None and isinstance(text, Unchanged)
            else vector,
        )

    return rewrite(opened, id, uri, changed, owner, if_version)


def move(opened: Opened, uri: str, to: str, owner: Scope) -> Document:
    """Give a document another uri. Raises what `Memory.move` raises."""
    if not check_label(to, "to"):
        raise InvalidInput("the new uri is empty; name where the document is to go")
    journal = opened.journal
    with journal.writing() as writing:
        held = document(opened, None, uri, owner, None)
        refuse_taken(opened, to, owner, held.id)
        return documents.move(writing, journal, held, to)


def refuse_taken(opened: Opened, uri: str, owner: Scope, id: str) -> None:
    """Refuse a uri that another live document of the scope has: a key leads to one record. Raises Duplicate."""
    other = opened.journal.find(kind=Document.kind, scope=owner, key=uri)
    if other is not None and other.id != id:
        raise Duplicate(
            f"document {other.id} of this scope has the uri {uri!r} already; delete it first, or choose another uri"
        )


def delete(
    opened: Opened, id: str | None, uri: str | None, owner: Scope, if_version: int | None
) -> None:
    """Stop finding a record, and what goes with it. Raises what `Memory.delete` raises."""
    # No `add` and no `search` needs these.
    from agentcl.memory.conversations import remembering
    from agentcl.memory.statements import writing as statement_writing

    journal = opened.journal
    with journal.writing() as writing:
        record = changeable(opened, id, uri, owner)
        check_version(record, if_version)
        if isinstance(record, Document):
            documents.withdraw(writing, journal, record)
        elif isinstance(record, Turn):
            remembering.discard(writing, journal, record)
        elif isinstance(record, Conversation):
            remembering.discard_all(writing, journal, record)
        elif isinstance(record, Statement):
            statement_writing.withdraw(writing, journal, record)
        else:
            writing.delete(record)


def rewrite(
    opened: Opened,
    id: str | None,
    uri: str | None,
    changed: Callable[[Document], Draft],
    owner: Scope,
    if_version: int | None,
) -> Document:
    """Write the next version of a document, made from the newest one.

    Raises:
        NotFound: if there is no such document, or no more by now.
        Duplicate: if it is to have the uri of another one.
    """
    journal = opened.journal
    while True:
        held = document(opened, id, uri, owner, if_version)
        (prepared,) = _prepare(opened, [changed(held)], owner)
        with journal.writing() as writing:
            opened.claim(writing)
            if document(opened, id, uri, owner, if_version).version != held.version:
                continue  # another writer was faster while this text was encoded: look again
            new = replace(prepared.document, id=held.id)
            if new.key is not None and new.key != held.key:
                refuse_taken(opened, new.key, owner, held.id)
            return documents.rewrite(writing, journal, prepared, new, held)


def document(
    opened: Opened, id: str | None, uri: str | None, owner: Scope, if_version: int | None
) -> Document:
    """Return the live document that may be changed from exactly this scope, at the version that was seen."""
    held = changeable(opened, id, uri, owner)
    if isinstance(held, Turn | Conversation):
        raise InvalidInput(
            f"{id!r} is a {held.kind}: what was said is not changed. Remember what is said now, or delete it"
        )
    if not isinstance(held, Document):
        raise InvalidInput(f"{id!r} is a {held.kind}; only documents can be updated")
    check_version(held, if_version)
    return held


def changeable(opened: Opened, id: str | None, uri: str | None, scope: Scope) -> Record:
    """Return the live record that may be changed from exactly this scope."""
    named = one_of(id, uri)
    if id is None:
        return at_uri(opened, named, scope.exactly(), None)
    record = record_of(opened.journal, named, scope)
    if isinstance(record, Passage):
        raise InvalidInput(
            f"{id!r} is a passage: it goes with the document or the turn {record.document_id!r}; name that"
        )
    return record


def checked(drafts: object) -> Iterable[object]:
    """Return what holds drafts; what can be looked at without using it up holds nothing else."""
    several = check_each(drafts, "drafts", "texts or Drafts")
    if isinstance(several, Sequence):
        for number, one in enumerate(several, start=1):
            draft_of(one, number)
    return several


def draft_of(one: object, number: int) -> Draft:
    """Return one of several texts or drafts as a draft; its number is told if it is something else."""
    if isinstance(one, str):
        return Draft(text=one)
    if isinstance(one, Draft):
        return one
    advice = "; messages go to `remember`" if isinstance(one, Mapping) else ""
    raise InvalidInput(
        f"number {number} is a {type(one).__name__}, and add_many takes texts or Drafts{advice}"
    )


def check_version(record: Record, seen: int | None) -> None:
    """Refuse a record that is not at the version that the caller has seen. Raises VersionConflict."""
    if seen is not None and record.version != check_count(seen, "if_version"):
        raise VersionConflict(
            f"{record.kind} {record.id} is at version {record.version}, not {seen}: somebody changed "
            "it meanwhile. Read it again, and change what it says now"
        )
