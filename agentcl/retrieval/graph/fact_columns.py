"""The facts of a graph as columns: a memory has ten times as many of them as passages."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

LIVES: Final = (1 << 63) - 1  # the end of what has not ended


@dataclass(frozen=True, slots=True)
class StatedFact:
    """A version of a fact, with the nodes of subject and object."""

    seq: int
    subject: int
    object: int


class FactColumns:
    """Every version of every fact of one memory. Not safe for threads: the owner takes turns."""

    def __init__(self) -> None:
        # By row, in order of seq.
        self.seqs = array("q")
        self.ids: list[str] = []
        self.passages = array("i")  # positions in `passage_ids`
        self.subjects = array("i")
        self.objects = array("i")
        self.begins = array("q")  # microseconds since 1970
        self.ends = array("q")
        self.passage_ids: list[str] = []
        self._rows_of: dict[str, tuple[int, array[int]]] = {}  # by passage: position, rows
        self._live: dict[str, int] = {}  # by the fact's id

    def add(
        self,
        seq: int,
        id: str,
        passage_id: str,
        subject: int,
        object_: int,
        begin: int,
        end: int = LIVES,
    ) -> None:
        """Take up a version; its number is higher than those of all others."""
        row = len(self.seqs)
        held = self._rows_of.get(passage_id)
        if held is None:
            held = self._rows_of[passage_id] = (len(self.passage_ids), array("i"))
            self.passage_ids.append(passage_id)
        held[1].append(row)
        self.seqs.append(seq)
        self.ids.append(id)
        self.passages.append(held[0])
        self.subjects.append(subject)
        self.objects.append(object_)
        self.begins.append(begin)
        self.ends.append(end)
        if end == LIVES:
            self._live[id] = row

    def end(self, id: str, at: int) -> str | None:
        """End the live version of a fact; return the id of its passage, None if there is no such fact."""
        row = self._live.pop(id, None)
        if row is None:
            return None
        self.ends[row] = at
        return self.passage_ids[self.passages[row]]

    def get(self, seq: int, at: int | None) -> StatedFact | None:
        """Return a version by its number, if it lived at a moment; None: now."""
        row = bisect_left(self.seqs, seq)
        if row == len(self.seqs) or self.seqs[row] != seq or not self._is_live(row, at):
            return None
        return StatedFact(seq, self.subjects[row], self.objects[row])

    def of(self, passage_id: str, at: int | None) -> Iterator[StatedFact]:
        """Yield what a passage states at a moment; None: now."""
        for row in self._rows(passage_id, at):
            yield StatedFact(self.seqs[row], self.subjects[row], self.objects[row])

    def pairs(self, passage_id: str, at: int | None) -> list[tuple[int, int]]:
        """Return the nodes of subject and object of what a passage states at a moment; None: now."""
        return [(self.subjects[row], self.objects[row]) for row in self._rows(passage_id, at)]

    def live_seqs(self) -> list[int]:
        """Return the numbers of what lives now."""
        return [self.seqs[row] for row in self._live.values()]

    def _rows(self, passage_id: str, at: int | None) -> list[int]:
        rows = self._rows_of[passage_id][1] if passage_id in self._rows_of else ()
        return [row for row in rows if self._is_live(row, at)]

    def _is_live(self, row: int, at: int | None) -> bool:
        end = self.ends[row]
        return end == LIVES if at is None else self.begins[row] <= at < end
