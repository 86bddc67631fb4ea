"""Telling what of some messages was stored before: by their own ids, else by where they fit onto what is there.

Chat programs send the same message again: in a retry, in windows that overlap, as the whole history each time.
What is stored of a conversation is a sequence of places. A message fits a place if speaker and words are the
same, and the time, where all messages tell theirs. A place whose turn was deleted or forgotten fits anything.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

from agentcl.store.base import Store
from agentcl.store.conversations import Turn
from agentcl.store.records import ScopeView, to_micros
from agentcl.store.rows import Row, readable

_MOST_PLACES: Final = 200_000  # kept of all conversations together
_EVERYONE: Final = ScopeView(None, None, None, None)


class Place(NamedTuple):
    """A turn, or a message, as far as it is compared."""

    words: bytes  # a digest of who speaks and what
    at: int | None  # microseconds since 1970; None for a message that does not tell
    message: str  # its own id; empty: none


def place(role: str, name: str, text: str, at: int | None, message: str) -> Place:
    """Return what is compared of a turn or a message."""
    said = f"{role}\0{name}\0{text}"
    return Place(blake2b(said.encode(), digest_size=16).digest(), at, message)


class Transcripts:
    """The places of conversations that this process writes to, kept in step with the journal. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[str, list[Place | None]] = OrderedDict()
        self._seq = 0
        self._count = 0

    def of(self, journal: Store, conversation: str) -> list[Place | None]:
        """Return the places of a conversation, by ordinal; None where a turn was taken away."""
        with self._lock:
            self._catch_up(journal)
            if conversation not in self._held:
                self._held[conversation] = _read(journal, conversation)
                self._count += len(self._held[conversation])
            self._held.move_to_end(conversation)
            while self._count > _MOST_PLACES and len(self._held) > 1:
                _, dropped = self._held.popitem(last=False)
                self._count -= len(dropped)
            return list(self._held[conversation])

    def _catch_up(self, journal: Store) -> None:
        last = journal.last_seq()
        if last == self._seq:
            return
        if last < self._seq or not self._held:
            self._forget()
        else:
            for row in journal.since(self._seq, kinds=(Turn.kind,)):
                if row.seq > last:
                    break
                if row.op != "put" or row.version > 1:  # taken away, or merged: it is read anew
                    self._forget()
                    break
                self._take(row)
        self._seq = last

    def _take(self, row: Row) -> None:
        conversation = json.loads(row.sources)[0]
        held = self._held.get(conversation)
        if held is None:
            return
        turn = row.record()
        assert isinstance(turn, Turn)
        if turn.ordinal < len(held):  # it fills a gap
            self._count -= len(self._held.pop(conversation))
            return
        gap = turn.ordinal - len(held)
        held += [*[None] * gap, _of(turn)]
        self._count += gap + 1

    def _forget(self) -> None:
        self._held.clear()
        self._count = 0


def _read(journal: Store, conversation: str) -> list[Place | None]:
    rows = journal.live(view=_EVERYONE, kinds=(Turn.kind,), source=conversation)
    turns = [turn for turn in readable(rows) if isinstance(turn, Turn)]
    places: list[Place | None] = []
    for turn in sorted(turns, key=lambda one: (one.ordinal, one.moment, one.id)):
        places += [None] * (turn.ordinal - len(places))
        places.append(_of(turn))
    return places


def _of(turn: Turn) -> Place:
    return place(turn.role, turn.name, turn.text, to_micros(turn.moment), turn.message)


def align(held: Sequence[Place | None], coming: Sequence[Place]) -> list[int | None]:
    """Return for each message the place that it fits; None for what follows all that is there.

    - Messages that lie wholly within what is there are there. A single one must be the last: people say the same
      thing twice.
    - Else the longest beginning of the messages with which what is there ends is there, and the rest follows.
    """
    is_timed = all(one.at is not None for one in coming)

    def told(one: Place | None) -> object:
        return None if one is None else (one.words, one.at) if is_timed else one.words

    there, asked = [told(one) for one in held], [told(one) for one in coming]
    if (start := _within(there, asked)) is not None:
        return [*range(start, start + len(asked))]
    for length in range(min(len(there), len(asked)), 0, -1):
        start = len(there) - length
        if _fit(there[start:], asked[:length]):
            return [*range(start, len(there)), *[None] * (len(asked) - length)]
    return [None] * len(asked)


def _within(there: Sequence[object], asked: Sequence[object]) -> int | None:
    """Return where messages lie within what is there, as late as possible."""
    if len(asked) == 1:
        return len(there) - 1 if there and there[-1] == asked[0] else None
    for start in range(len(there) - len(asked), -1, -1):
        if _fit(there[start : start + len(asked)], asked):
            return start
    return None


def _fit(there: Sequence[object], asked: Sequence[object]) -> bool:
    """Return whether messages fit places of which most have not been taken away."""
    if there[0] is not None and there[0] != asked[0]:
        return False
    gaps = there.count(None)
    if gaps == 0:
        return there == asked
    fits = all(one is None or one == other for one, other in zip(there, asked, strict=True))
    return fits and 2 * gaps < len(asked)
