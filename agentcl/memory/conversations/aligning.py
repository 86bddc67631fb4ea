"""Telling what of some messages was stored before: by their own ids, else by where they fit onto what is there.

Chat programs send the same message again: in a retry, in windows that overlap, as the whole history each time.
What is stored of a conversation is a sequence of places. A message fits a place if speaker and words are the
same, and the time, where all messages tell theirs. Who sends a history again does not know what was done to it here:

- A turn that was corrected is known by what it said before, too.
- A turn that was deleted keeps its place, and what it said is known there; who leaves it out is known as well. So does one
  that was forgotten while this process holds the conversation; of any other one between two turns only its place is
  known, and fits anything.
"""

from __future__ import annotations

import json
import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

from agentcl.memory.conversations.messages import heard
from agentcl.store.base import Store
from agentcl.store.conversations import Turn
from agentcl.store.records import ScopeView, to_micros
from agentcl.store.rows import Row, readable
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


_NONE: Final[Mapping[int, Sequence[Heard]]] = {}


class _Either:
    """What equals each of some."""

    __slots__ = ("_those",)

    def __init__(self, *those: object) -> None:
        self._those = {*those}

    def __eq__(self, other: object) -> bool:
        return other in self._those

    __hash__ = None  # type: ignore[assignment]  # nothing is looked up by it

    def add(self, one: object) -> None:
        self._those.add(one)


class Script:
    """What is stored of a conversation, by place."""

    def __init__(self) -> None:
        self.words: list[object] = []  # None where nothing is known of what was taken away
        self.timed: list[object] = []
        self._sent: dict[str, int] = {}  # places by the messages' own ids
        self.nameless: set[int] = set()  # places of turns without one
        self.gone: set[int] = set()  # places of turns that were taken away
        self._places: dict[str, int] = {}  # by the turns' ids

    def __len__(self) -> int:
        return len(self.words)

    def add(self, one: Heard | None, id: str = "", *, before: Sequence[Heard] = ()) -> None:
        """Add what stands in the next place: a turn, or None, and those that stood there before."""
        at = len(self.words)
        self.words.append(None)
        self.timed.append(None)
        self.gone.add(at)
        for other in before:
            self._hear(at, other)
        if one is not None:
            self.put(at, one, id)
        elif not before:
            self.nameless.add(at)

    def put(self, at: int, one: Heard, id: str) -> None:
        """Put a turn in the place of what was taken away."""
        self._hear(at, one)
        self.gone.discard(at)
        self._places[id] = at

    def take(self, id: str) -> bool:
        """Note that a turn was taken away; return whether it was there."""
        at = self._places.pop(id, None)
        if at is not None:
            self.gone.add(at)
        return at is not None

    def said_as(self, message: str) -> object | None:
        """Return the words of the place of a message with an id of its own; None if there is none."""
        at = self._sent.get(message)
        return None if at is None else self.words[at]

    def _hear(self, at: int, one: Heard) -> None:
        self.words[at] = _or(self.words[at], one.words)
        self.timed[at] = _or(self.timed[at], (one.words, one.at))
        if one.message:
            self._sent[one.message] = at
        else:
            self.nameless.add(at)


def _or(before: object | None, new: object) -> object:
    """Return what equals what stood in a place before, and what is new there."""
    if before is None:
        return new
    if not isinstance(before, _Either):
        return _Either(before, new)
    before.add(new)
    return before


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
                if row.op == "put":
                    self._take(row)
                else:
                    for held in self._held.values():
                        held.take(row.id)
        self._seq = last

    def _take(self, row: Row) -> None:
        conversation = json.loads(row.sources)[0]
        held = self._held.get(conversation)
        if held is None:
            return
        turn = row.record()
        assert isinstance(turn, Turn)
        if row.version == 1 and turn.ordinal in held.gone:  # it is the correction of another one
            held.put(turn.ordinal, _heard(turn), turn.id)
            return
        if row.version > 1 or turn.ordinal < len(held):  # merged: it is read anew
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
    gone = _gone(journal, conversation)
    for turn in turns_of(journal, conversation, view=_EVERYONE):
        _add(script, turn, gone)
    for at in sorted(gone):
        _fill(script, at + 1, gone)
    return script


def _gone(journal: Store, conversation: str) -> dict[int, list[Heard]]:
    """Return what turns of a conversation that were deleted, and not forgotten, said in their places."""
    rows = journal.rows_of(conversation, kind=Turn.kind)
    deleted = {row.id for row in rows if row.op == "delete"}
    found: dict[int, list[Heard]] = {}
    for turn in readable(row for row in rows if row.op == "put" and row.id in deleted):
        if isinstance(turn, Turn):
            found.setdefault(turn.ordinal, []).append(_heard(turn))
    return found


def _add(script: Script, turn: Turn, gone: Mapping[int, Sequence[Heard]] = _NONE) -> None:
    _fill(script, turn.ordinal, gone)
    script.add(_heard(turn), turn.id, before=gone.get(turn.ordinal, ()))


def _fill(script: Script, end: int, gone: Mapping[int, Sequence[Heard]]) -> None:
    """Add places of what was taken away, up to one."""
    for at in range(len(script), end):
        script.add(None, before=gone.get(at, ()))


def _heard(turn: Turn) -> Heard:
    return place(turn.role, turn.name, turn.text, to_micros(turn.moment), turn.message)


class _Stored:
    """The places of a script, as messages are laid onto them.

    Args:
        there: what fits each; None where nothing is known of what was taken away.
        gone: the places of what was taken away.
    """

    def __init__(self, there: Sequence[object], gone: set[int]) -> None:
        self.there, self.gone = there, gone
        self._ends = sorted(gone)

    def last(self, behind: int, one: object) -> int | None:
        """Return the last place that is not gone, if a message fits it."""
        for at in range(len(self.there) - 1, behind - 1, -1):
            if at not in self.gone:
                return at if self.there[at] == one else None
        return None

    def walk(self, start: int, asked: Sequence[object]) -> Sequence[int]:
        """Return the places that messages fit from one on: all of them, or as many as there are; empty if they do not."""
        # What was taken away may have been said again right behind: then it may be either.
        return self._walk(start, asked) or (
            self._walk(start, asked, is_other=True) if self.gone else ()
        )

    def _walk(
        self, start: int, asked: Sequence[object], *, is_other: bool = False
    ) -> Sequence[int]:
        places: list[int] = []
        at = start
        while at < len(self.there) and len(places) < len(asked):
            count = len(places)
            if at in self.gone:
                places += [at] * self._is_sent(at, asked[count], is_other)
                at += 1
                continue
            size = min(self._end(at) - at, len(asked) - count)
            # Mostly the first one differs already.
            if (
                self.there[at] != asked[count]
                or self.there[at : at + size] != asked[count : count + size]
            ):
                return ()
            places += range(at, at + size)
            at += size
        unknown = sum(self.there[at] is None for at in places)
        fits = 2 * unknown < len(places) and not self.gone.issuperset(places)
        return places if fits else ()

    def _end(self, at: int) -> int:
        """Return the first place from one on that is gone."""
        number = bisect_left(self._ends, at)
        return self._ends[number] if number < len(self._ends) else len(self.there)

    def _is_sent(self, at: int, one: object, is_other: bool) -> bool:
        """Return whether a message is what was taken away from a place, and not what follows.

        Args:
            at: the place.
            one: the message.
            is_other: whether one that may be either is taken the other way: what was known is what follows, and what was not
                is what was taken away.
        """
        is_known = self.there[at] is not None
        if is_known and not (is_other and self.there[at] == one):
            return self.there[at] == one
        behind = next(
            (later for later in range(at, len(self.there)) if later not in self.gone), None
        )
        if behind is None:
            return is_known
        return self.there[behind] != one or (is_other and not is_known)


def align(held: Script, coming: Sequence[Heard]) -> list[int | None]:
    """Return for each message the place that it fits; None for what follows all that is there.

    - Messages that lie wholly within what is there are there. A single one must be the last: people say the same
      thing twice.
    - Else the longest beginning of the messages with which what is there ends is there, and the rest follows.
    - Else a long beginning that lies within what is there is there: somebody else spoke behind what a call that was cut
      off had stored. Of the rest the same is asked, behind that.

    What was taken away may be among the messages or not; it is never all that they fit.
    """
    stored = _Stored(held.words, held.gone)
    asked: Sequence[object] = [one.words for one in coming]
    if all(one.at is not None for one in coming):
        stored, asked = _Stored(held.timed, held.gone), [(one.words, one.at) for one in coming]
    places: list[int | None] = []
    behind = 0
    while len(places) < len(asked):
        places += _placed(stored, behind, asked[len(places) :])
        behind = (places[-1] or 0) + 1
    return places


def _placed(stored: _Stored, behind: int, asked: Sequence[object]) -> Sequence[int | None]:
    """Return the places of messages behind one, or of the long beginning of them that is there."""
    if len(asked) == 1:
        return [stored.last(behind, asked[0])]
    size = len(stored.there)
    for start in range(size - len(asked), behind - 1, -1):
        if len(places := stored.walk(start, asked)) == len(asked):
            return places
    for start in range(max(behind, size - len(asked) - len(stored.gone)), size):
        if places := stored.walk(start, asked):
            return [*places, *[None] * (len(asked) - len(places))]
    if len(asked) >= _LEAST_RUN:
        lengths = _run_lengths(asked, stored.there[behind:])
        if (length := max(lengths, default=0)) >= _LEAST_RUN:
            start = behind + lengths.index(length)
            return [*range(start, start + length)]
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
