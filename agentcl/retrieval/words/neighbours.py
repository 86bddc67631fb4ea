"""Turns of a conversation are found by the words that were said around them, too.

An answer seldom repeats the words of its question: "Yes, a cat called Momo" has none of "Do you have any pets?". So a
part of each turn's score by words is given on to the two turns after it and the one before it. Vectors do not gain
by this. `benchmarks/locomo_turns.py` shows what it is worth, and that the parts matter little.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

from agentcl.errors import StoreCorrupt
from agentcl.retrieval.index import Match
from agentcl.store.base import Store
from agentcl.store.conversations import Turn
from agentcl.store.records import Scope
from agentcl.store.rows import Row

_PARTS: Final[Mapping[int, float]] = {1: 0.5, 2: 0.5, -1: 0.4}  # by how many turns later
_MOST_KEPT: Final = 500_000  # places


class _Place(NamedTuple):
    """Where a passage stands in a conversation."""

    conversation: int  # as it was numbered here
    turn: int  # from 0
    start: int  # of the passage in its turn, in characters


class Neighbours:
    """Gives scores by words on to the turns around. Safe for threads.

    Args:
        journal: whose passages are ranked.
    """

    def __init__(self, journal: Store) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._places: dict[int, _Place | None] = {}  # by row; None: it is of no conversation
        self._numbers: dict[tuple[Scope, str], int] = {}  # of conversations
        self._read = 0  # rows that are known to hold no turn
        self._has_turns = False

    def given_on(self, text: Sequence[Match], dense: Sequence[Match]) -> Sequence[Match]:
        """Return a ranking by words, best first, in which neighbours of what it found have gained.

        Only what one of the two rankings has can gain, so all that restricts a search restricts this.

        Args:
            text: the ranking by words.
            dense: the ranking by vectors, of the same search.
        """
        if not text or not dense or not self._are_there():
            return text
        ids = {match.seq: match.id for ranking in (dense, text) for match in ranking}
        places = self._placed(ids)
        first: dict[tuple[int, int], tuple[int, int]] = {}  # of each turn its first passage
        for seq, (conversation, turn, start) in places.items():
            held = first.get((conversation, turn))
            if held is None or (start, seq) < held:
                first[conversation, turn] = start, seq
        gained = {match.seq: match.score for match in text}
        for seq, _, score in text:
            if score <= 0 or seq not in places:
                continue
            conversation, turn, _ = places[seq]
            for step, part in _PARTS.items():
                near = first.get((conversation, turn + step))
                if near is not None:
                    gained[near[1]] = gained.get(near[1], 0.0) + part * score
        ordered = sorted(gained.items(), key=lambda one: (-one[1], one[0]))
        return [Match(seq, ids[seq], score) for seq, score in ordered]

    def forget(self) -> None:
        """Drop what was read of rows: some of them were erased."""
        with self._lock:
            self._clear()

    def _clear(self) -> None:
        self._places.clear()
        self._numbers.clear()

    def _are_there(self) -> bool:
        """Return whether anything was ever said here."""
        if not self._has_turns and (last := self._journal.last_seq()) != self._read:
            self._has_turns = bool(
                [*islice(self._journal.since(self._read, kinds=(Turn.kind,)), 1)]
            )
            self._read = last
        return self._has_turns

    def _placed(self, seqs: Mapping[int, str]) -> dict[int, _Place]:
        """Return the places of those of the rows that are of a conversation; each row is read once."""
        with self._lock:
            if len(self._places) > _MOST_KEPT:
                self._clear()
            new = [seq for seq in seqs if seq not in self._places]
            if new:
                self._places.update(
                    {seq: self._place(row) for seq, row in self._journal.rows(new).items()}
                )
            found = {seq: self._places.get(seq) for seq in seqs}
        return {seq: place for seq, place in found.items() if place is not None}

    def _place(self, row: Row) -> _Place | None:
        """Return where a passage stands; None if it is of no conversation, or cannot be read."""
        try:
            _, metadata, own = row.parts()
        except StoreCorrupt:
            return None
        turn, conversation = metadata.get("turn"), metadata.get("conversation")
        if not isinstance(turn, int) or not isinstance(conversation, str):
            return None
        number = self._numbers.setdefault((row.scope, conversation), len(self._numbers))
        return _Place(number, turn, own.get("start", 0))
