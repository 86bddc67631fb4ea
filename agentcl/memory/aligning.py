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

from agentcl.memory.messages import heard
from agentcl.store.base import Store
from agentcl.store.conversations import Turn
from agentcl.store.records import ScopeView, to_micros
from agentcl.store.rows import Row
from agentcl.store.turns import turns_of

_MOST_PLACES: Final = 200_000  # kept of all conversations together
_LEAST_RUN: Final = 16  # messages; nobody says so many again word for word, one after the other
_NOTHING: Final = object()  # equals no message
_EVERYONE: Final = ScopeView(None, None, None, None)


class Heard(NamedTuple):
    """A turn, or a message, as far as it is compared."""

    words: bytes  # a digest of who speaks and what
    at: int | None  # microseconds since 1970; None for a message that does not tell
    message: str  # its own id; empty: none


def place(role: str, name: str, text: str, at: int | None, message: str) -> Heard:
    """Return what is compared of a turn or a message."""
    said = f"{role}\0{name}\0{heard(role, text)}"  # turns of older versions have thoughts in their text
    return Heard(blake2b(said.encode(), digest_size=16).digest(), at, message)


class Script:
    """What is stored of a conversation, by place; None where a turn was taken away."""

    def __init__(self) -> None:
        self.words: list[bytes | None] = []
        self.timed: list[tuple[bytes, int | None] | None] = []
        self.ids: dict[str, Heard] = {}  # by the messages' own ids
        self.nameless: set[int] = set()  # places of turns without one

    def __len__(self) -> int:
        return len(self.words)

    def add(self, one: Heard | None) -> None:
        """Add what stands in the next place."""
        if one is not None and one.message:
            self.ids[one.message] = one
        elif one is not None:
            self.nameless.add(len(self.words))
        self.words.append(None if one is None else one.words)
        self.timed.append(None if one is None else (one.words, one.at))


class Transcripts:
    """The places of conversations that this process writes to, kept in step with the journal. Safe for threads.

    They only grow, by what was committed: who holds the right to write sees all of it, and nothing more comes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[str, Script] = OrderedDict()
        self._seq = 0
        self._count = 0

    def of(self, journal: Store, conversation: str) -> Script:
        """Return the places of a conversation."""
        with self._lock:
            self._catch_up(journal)
            if conversation not in self._held:
                self._held[conversation] = _read(journal, conversation)
                self._count += len(self._held[conversation])
            self._held.move_to_end(conversation)
            while self._count > _MOST_PLACES and len(self._held) > 1:
                _, dropped = self._held.popitem(last=False)
                self._count -= len(dropped)
            return self._held[conversation]

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
                if row.op != "put" or row.version > 1:  # taken away, or merged: all is read anew
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
        before = len(held)
        _add(held, turn)
        self._count += len(held) - before

    def _forget(self) -> None:
        self._held.clear()
        self._count = 0


def _read(journal: Store, conversation: str) -> Script:
    script = Script()
    for turn in turns_of(journal, conversation, view=_EVERYONE):
        _add(script, turn)
    return script


def _add(script: Script, turn: Turn) -> None:
    for _ in range(turn.ordinal - len(script)):
        script.add(None)
    at = to_micros(turn.moment)
    script.add(place(turn.role, turn.name, turn.text, at, turn.message))


def align(held: Script, coming: Sequence[Heard]) -> list[int | None]:
    """Return for each message the place that it fits; None for what follows all that is there.

    - Messages that lie wholly within what is there are there. A single one must be the last: people say the same
      thing twice.
    - Else the longest beginning of the messages with which what is there ends is there, and the rest follows.
    - Else a long beginning that lies within what is there is there: somebody else spoke behind what a call that was cut
      off had stored. Of the rest the same is asked, behind that.
    """
    there: Sequence[object] = held.words
    asked: Sequence[object] = [one.words for one in coming]
    if all(one.at is not None for one in coming):
        there, asked = held.timed, [(one.words, one.at) for one in coming]
    places: list[int | None] = []
    behind = 0
    while len(places) < len(asked):
        fitting = _placed(there[behind:], asked[len(places) :])
        places += (None if at is None else behind + at for at in fitting)
        behind = (places[-1] or 0) + 1
    return places


def _placed(there: Sequence[object], asked: Sequence[object]) -> list[int | None]:
    """Return the places of messages, or of the long beginning of them that is there."""
    if (start := _within(there, asked)) is not None:
        return [*range(start, start + len(asked))]
    for length in range(min(len(there), len(asked)), 0, -1):
        start = len(there) - length
        if _fit(there, start, asked[:length]):
            return [*range(start, len(there)), *[None] * (len(asked) - length)]
    if len(asked) >= _LEAST_RUN:
        lengths = _run_lengths(asked, there)
        if (longest := max(lengths, default=0)) >= _LEAST_RUN:
            start = lengths.index(longest)
            return [*range(start, start + longest)]
    return [None] * len(asked)


def _run_lengths(asked: Sequence[object], there: Sequence[object]) -> list[int]:
    """Return for each place how many messages, from the first one on, fit there; linear (the Z-function, Gusfield 1997)."""
    both = [*asked, _NOTHING, *there]
    lengths = [0] * len(both)
    left = right = 0  # of the run that reaches furthest
    for at in range(1, len(both)):
        length = min(right - at, lengths[at - left]) if at < right else 0
        while at + length < len(both) and both[length] == both[at + length]:
            length += 1
        lengths[at] = length
        if at + length > right:
            left, right = at, at + length
    return lengths[len(asked) + 1 :]


def _within(there: Sequence[object], asked: Sequence[object]) -> int | None:
    """Return where messages lie within what is there, as late as possible."""
    last = len(there) - len(asked)
    if len(asked) == 1:
        return last if there and there[-1] == asked[0] else None
    return next((start for start in range(last, -1, -1) if _fit(there, start, asked)), None)


def _fit(there: Sequence[object], start: int, asked: Sequence[object]) -> bool:
    """Return whether messages fit the places from one on, of which most must not have been taken away."""
    if there[start] is not None and there[start] != asked[0]:
        return False
    held = there[start : start + len(asked)]
    gaps = held.count(None)
    if gaps == 0:
        return held == asked
    fits = all(one is None or one == other for one, other in zip(held, asked, strict=True))
    return fits and 2 * gaps < len(asked)
