"""Remembering what was said: messages become turns of a conversation, each with passages that are searched for.

No model is asked. What was stored before is told by `aligning`, outside of the transaction first, so that nothing is
encoded while others wait, and again inside of it. What takes longer than some seconds is stored in several transactions,
each of which goes on where the one before stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from agentcl.errors import InvalidInput
from agentcl.memory.bound import record_of
from agentcl.memory.conversations.aligning import Heard, Script, align, place
from agentcl.memory.conversations.messages import Messages, Said, read_messages
from agentcl.memory.documents import writing as documents
from agentcl.memory.documents.pacing import Pace
from agentcl.memory.documents.passages import split
from agentcl.memory.opened import Opened
from agentcl.memory.statements import writing as statement_writing
from agentcl.store.base import Store
from agentcl.store.checks import canonical_json, check_label, check_metadata, check_text
from agentcl.store.conversations import (
    Conversation,
    Digestion,
    Statement,
    Turn,
    conversation_id,
    home_of,
    told_of,
    turn_key,
)
from agentcl.store.noting import note_of
from agentcl.store.records import Passage, Scope, ScopeView, body, from_micros, to_micros
from agentcl.store.rows import Row, content_hash, readable
from agentcl.store.turns import turns_of
from agentcl.store.writing import Writing

# What a passage of a turn has in its metadata, and what no metadata of the caller may say.
TOLD: Final = ("role", "speaker", "said_at", "turn", "conversation")
_NOTHING: Final = Script()  # what is stored of a conversation that is not there


@dataclass(frozen=True, slots=True, repr=False)
class Remembered:
    """What came of a call of `Memory.remember`."""

    conversation: str  # its id; empty if there was no message
    turns: tuple[Turn, ...]  # that were stored now, in order
    known: int  # messages that were stored before

    def __repr__(self) -> str:
        stored = f"{len(self.turns)} turn{'s' * (len(self.turns) != 1)} stored"
        return (
            f"Remembered({stored}, {self.known} known before, conversation {self.conversation!r})"
        )


@dataclass(frozen=True, slots=True)
class _New:
    """A message that is not stored yet, and its place in the conversation."""

    said: Said
    number: int  # among those that were handed over, from 1
    ordinal: int
    spans: tuple[tuple[int, int], ...]  # of its passages

    def texts(self) -> Iterator[str]:
        """Yield what its passages are searched by."""
        for start, end in self.spans:
            yield _piece(self.said, start, end).search_text()


def find(journal: Store, owner: Scope) -> Conversation | None:
    """Return the live conversation that a scope names."""
    scope, name = home_of(owner)
    held = journal.find(kind=Conversation.kind, scope=scope, key=name)
    assert held is None or isinstance(held, Conversation)
    return held


def remember(
    opened: Opened,
    messages: Messages,
    owner: Scope,
    *,
    title: str = "",
    metadata: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Remembered:
    """Store messages that are not stored yet; `Memory.remember` documents the arguments."""
    title, own = check_label(title, "title"), check_metadata(metadata)
    if taken := own.keys() & set(TOLD):
        raise InvalidInput(
            f"metadata holds {min(taken)!r}, which each turn tells by itself; name yours otherwise"
        )
    said = read_messages(messages)
    journal, limit = opened.journal, opened.setting("passage_limit")
    held = find(journal, owner)
    if not said:
        return Remembered("" if held is None else held.id, (), 0)
    first = _script(opened, held)
    script: Script | None = first  # that `left` was compared with; None: and what this call stored
    left, places = _new(first, said, limit), len(first)
    vectors: dict[bytes, bytes] = {}
    turns: list[Turn] = []
    done, pace = 0, Pace()  # the number of the last message that was stored now
    while True:
        begun = time.monotonic()
        part = _part(left, pace)
        _encode_new(opened, part, vectors)
        with journal.writing() as writing:
            held = find(journal, owner)
            there = _script(opened, held)
            if script not in (None, there) or len(there) != places:  # others wrote meanwhile
                script, places = there, len(there)
                left = _again(there, said, limit, left, done)
                part = _part(left, pace)
            if not all(content_hash(text) in vectors for one in part for text in one.texts()):
                continue  # what is new changed: look again
            if part:
                opened.claim(writing)
            stored = _conversation(writing, journal, held, owner, title)
            turns += _write(writing, stored, part, vectors, own)
        left = left[len(part) :]
        if progress is not None and part:
            progress(len(turns), len(turns) + len(left))
        if not left:
            return Remembered(stored.id, tuple(turns), len(said) - len(turns))
        done, script = part[-1].number, None
        places = max(places, 1 + max(one.ordinal for one in part))
        pace.took(_size(part), time.monotonic() - begun)
        vectors.clear()


def _script(opened: Opened, held: Conversation | None) -> Script:
    return _NOTHING if held is None else opened.transcripts.of(opened.journal, held.id)


def _part(left: Sequence[_New], pace: Pace) -> Sequence[_New]:
    """Return what of some messages is stored next, in one transaction."""
    if note_of() is not None:
        return left  # a request of which is noted that it was done is done whole, or not at all
    size = 0
    for count, one in enumerate(left, start=1):
        size += len(one.said.text)
        if pace.is_full(count, size):
            return left[:count]
    return left


def _size(part: Sequence[_New]) -> int:
    return sum(len(one.said.text) for one in part)


def _again(
    script: Script, said: Sequence[Said], limit: int, left: Sequence[_New], done: int
) -> Sequence[_New]:
    """Return what is left to be stored, once others wrote into the conversation.

    Args:
        script: what is stored by now.
        said: all that was handed over.
        limit: of passages.
        left: what was left before.
        done: how many of the messages this call has passed already.
    """
    new = _new(script, said, limit, done)
    if not new or new[0].number > done:
        return new
    # Somebody else spoke in between, or took away what was stored: it goes on behind that.
    return [replace(one, ordinal=place) for place, one in enumerate(left, start=len(script))]


def _new(script: Script, said: Sequence[Said], limit: int, done: int = 0) -> Sequence[_New]:
    """Return the messages that are not stored yet, with their places; the first `done` were stored by this call."""
    coming = [_place(one) for one in said]
    ids: dict[str, object] = {}  # the words of these
    new: list[_New] = []
    fits = align(script, coming)
    for number, (one, own, at) in enumerate(zip(said, coming, fits, strict=True), start=1):
        if own.message:
            other = ids.get(own.message) or script.said_as(own.message)
            if other is not None and other != own.words:
                raise InvalidInput(
                    f"message {number} has the id {own.message!r} of a turn that says something else. What was "
                    "said is not changed: give it an id of its own. "
                    + (
                        f"Message {done} was the last to be stored"
                        if done
                        else "Nothing was stored"
                    )
                )
            ids[own.message] = own.words
            if other is not None or at in script.nameless:
                continue
        elif at is not None:
            continue
        spans = split(one.text, limit=limit) if one.text.strip() else ()
        new.append(_New(one, number, len(script) + len(new), tuple(spans)))
    return new


def _place(said: Said) -> Heard:
    at = None if said.moment is None else to_micros(said.moment)
    return place(said.role, said.name, said.text, at, said.message)


def _encode_new(opened: Opened, new: Sequence[_New], vectors: dict[bytes, bytes]) -> None:
    texts = {content_hash(text): text for one in new for text in one.texts()}
    missing = {hash: text for hash, text in texts.items() if hash not in vectors}
    if missing:
        vectors |= documents.encode(missing, encoder=opened.encoder, journal=opened.journal)


def _conversation(
    writing: Writing, journal: Store, held: Conversation | None, owner: Scope, title: str
) -> Conversation:
    """Return the conversation, made or renamed if need be."""
    if held is not None:
        if not title or title == held.title:
            return held
        renamed = writing.revise(replace(held, title=title))
        assert isinstance(renamed, Conversation)
        return renamed
    scope, name = home_of(owner)
    times = 0
    while journal.versions(id := conversation_id(scope, name, times=times)):
        times += 1  # it was deleted or forgotten, and begins anew
    made = writing.create(Conversation(id="", scope=scope, key=name, title=title), id=id)
    assert isinstance(made, Conversation)
    return made


def _write(
    writing: Writing,
    conversation: Conversation,
    new: Sequence[_New],
    vectors: Mapping[bytes, bytes],
    metadata: Mapping[str, Any],
) -> tuple[Turn, ...]:
    now = from_micros(writing.now)
    drafts = [_turn(conversation, one, now, metadata) for one in new]
    ids = writing.create_many(drafts, {}, count=len(drafts))
    turns = [replace(turn, id=id, created_at=now) for id, turn in zip(ids, drafts, strict=True)]
    own = canonical_json(dict(metadata))
    passages = [
        replace(
            _piece(one.said, start, end),
            scope=turn.scope,
            sources=(turn.id,),
            metadata=told_of(body(turn), own, conversation.key or ""),
            ordinal=ordinal,
        )
        for turn, one in zip(turns, new, strict=True)
        for ordinal, (start, end) in enumerate(one.spans)
    ]
    writing.create_many(passages, vectors, count=len(passages))
    return tuple(turns)


def correct(opened: Opened, id: str, text: str, owner: Scope) -> Turn:
    """Store what a turn should say in its place; `Conversations.correct` documents it."""
    journal = opened.journal
    held = _turn_of(journal, id, owner)
    if check_text(text) == held.text:
        return held
    # Without the message's own id: by that a client that sends its history again would be told that it says something else.
    said = Said(role=held.role, text=text, name=held.name, moment=held.moment, more=held.more)
    new = _New(said, 1, held.ordinal, tuple(split(text, limit=opened.setting("passage_limit"))))
    vectors: dict[bytes, bytes] = {}
    _encode_new(opened, [new], vectors)
    with journal.writing() as writing:
        opened.claim(writing)
        held = _turn_of(journal, id, owner)
        conversation = journal.get(held.conversation_id, view=held.scope.view())
        assert isinstance(conversation, Conversation)
        discard(writing, journal, held)
        (turn,) = _write(writing, conversation, [new], vectors, held.metadata)
    return turn


def corrected_by(opened: Opened, ids: Sequence[str]) -> list[str]:
    """Return the ids of turns that are to be forgotten with some records: those in whose places they were stored.

    What is left of their conversations is looked at now, so that this process knows their words when they are sent again.
    """
    journal, found = opened.journal, dict[str, None]()
    for id in ids:
        held = _newest_turn(journal.versions(id))
        if held is None:
            continue
        opened.transcripts.of(journal, held.conversation_id)
        rows = journal.rows_of(held.conversation_id, kind=Turn.kind)
        others = {row.id for row in rows if row.op == "delete"}.difference(ids)
        for one in readable(row for row in rows if row.op == "put" and row.id in others):
            if isinstance(one, Turn) and (one.ordinal, one.said_at) == (held.ordinal, held.said_at):
                found[one.id] = None
    return [*found]


def _newest_turn(rows: Sequence[Row]) -> Turn | None:
    """Return the newest version of a turn that can be read; None if there is none, or if it is something else."""
    put = [row for row in rows if row.op == "put" and row.kind == Turn.kind][-1:]
    return next((one for one in readable(put) if isinstance(one, Turn)), None)


def _turn_of(journal: Store, id: str, owner: Scope) -> Turn:
    """Return the live turn with an id, to be changed. Raises NotFound, and InvalidInput if it is something else."""
    held = record_of(journal, id, owner)
    if not isinstance(held, Turn):
        advice = "`update` writes its next version" if held.kind == "document" else "name a turn"
        raise InvalidInput(f"{id!r} is a {held.kind}, and no turn of a conversation; {advice}")
    return held


def discard(writing: Writing, journal: Store, turn: Turn) -> None:
    """Delete a turn with its passages, and the statements that no other turn bears out."""
    for passage in documents.passages_of(journal, turn):
        documents.discard(writing, journal, passage)
    writing.delete(turn)
    statement_writing.withdraw_told(writing, journal, turn)
    own = ScopeView(frozenset({turn.scope.tenant}), None, None, None)
    for statement in [*journal.records(Statement, view=own, source=turn.id)]:
        if not writing.live_versions(statement.sources):
            statement_writing.withdraw(writing, journal, statement)


def discard_all(writing: Writing, journal: Store, conversation: Conversation) -> None:
    """Delete a conversation with all its turns."""
    own = ScopeView(frozenset({conversation.scope.tenant}), None, None, None)
    for turn in turns_of(journal, conversation.id, view=own):
        discard(writing, journal, turn)
    for row in [*journal.live(view=own, kinds=(Digestion.kind,), source=conversation.id)]:
        writing.delete(row.record())
    statement_writing.withdraw_told(writing, journal, conversation)
    writing.delete(conversation)


def in_sessions(journal: Store, view: ScopeView) -> list[str]:
    """Return the ids of the conversations, deleted ones too, that belong to sessions of a view.

    Those of a user lie in his own scope; their names tell their sessions.
    """
    if view.session is None:
        return []
    wide = replace(view, session=frozenset({""}))
    rows = journal.since(0, kinds=(Conversation.kind,))
    found = (row.id for row in rows if row.key in view.session and wide.sees(row.scope))
    left = {id: None for id in found if journal.versions(id)[-1].op != "erase"}
    return list(left)


def _turn(
    conversation: Conversation, new: _New, now: datetime, metadata: Mapping[str, Any]
) -> Turn:
    said = new.said
    return Turn(
        id="",
        scope=conversation.scope,
        sources=(conversation.id,),
        key=turn_key(conversation.id, said.message),
        metadata=metadata,
        role=said.role,
        text=said.text,
        said_at=(said.moment or now).isoformat(),
        ordinal=new.ordinal,
        name=said.name,
        message=said.message,
        content=said.content,
        more=said.more,
    )


def _piece(said: Said, start: int, end: int) -> Passage:
    """Return a piece of what was said. It is titled by who says it, so that it can be read alone."""
    return Passage(id="", text=said.text[start:end], title=said.name, start=start, end=end)
