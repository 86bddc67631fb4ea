"""Simple memories of a scripted investigator: what some of its earlier episodes taught, as they taught it.

An investigator without a model can read neither a transcript nor a note. What it takes from an episode are lines, so
the usual baselines choose episodes as they always do, and show the lines of those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from agentcl.bench.baselines.base import Baseline, Item
from agentcl.envs.acting import Act, Situation
from agentcl.envs.base import Score
from agentcl.envs.domains.excytin.guidance import LineMemory
from agentcl.envs.domains.excytin.investigator import Investigator


class EpisodeMemory(Protocol):
    """Chooses among earlier episodes."""

    def begin(self, text: str) -> None:
        """Be told what the next episode asks."""
        ...

    def recall(self, purpose: str) -> Sequence[str]:
        """Return lines for it."""
        ...

    def learn(self, lines: Sequence[str], score: Score) -> None:
        """Remember what the episode that was begun last taught."""
        ...


class Counted(LineMemory):
    """All lines, those that most episodes bore out first."""

    def begin(self, text: str) -> None:
        """Nothing depends on it."""

    def learn(self, lines: Sequence[str], score: Score) -> None:
        """Count an episode."""
        self.add(lines)


class Last:
    """The last episodes, the newest first.

    Args:
        most: episodes that are shown.
        are_short: only those without the full score, as Reflexion keeps notes (arXiv 2303.11366).
    """

    def __init__(self, most: int, *, are_short: bool = False) -> None:
        self._most, self._are_short = most, are_short
        self._held: list[Sequence[str]] = []

    def begin(self, text: str) -> None:
        """Nothing depends on it."""

    def recall(self, purpose: str) -> Sequence[str]:
        """Return the lines of the last episodes, whatever they are for."""
        return [line for lines in self._held[: -self._most - 1 : -1] for line in lines]

    def learn(self, lines: Sequence[str], score: Score) -> None:
        """Remember an episode."""
        if not (self._are_short and score.is_success):
            self._held.append(lines)


class Alike:
    """The episodes that asked most alike, by a search over all of them.

    Args:
        baseline: searches; nothing is in it yet.
        most: episodes that are shown.
    """

    def __init__(self, baseline: Baseline, most: int) -> None:
        self._baseline, self._most = baseline, most
        self._lines: dict[str, Sequence[str]] = {}
        self._text = ""
        self._found: Sequence[str] = ()

    def begin(self, text: str) -> None:
        """Search."""
        self._text = text
        found = self._baseline.recall(text, limit=self._most)
        self._found = [line for item in found for line in self._lines[item.id]]

    def recall(self, purpose: str) -> Sequence[str]:
        """Return the lines of the episodes that were found, whatever they are for."""
        return self._found

    def learn(self, lines: Sequence[str], score: Score) -> None:
        """Remember an episode by what it asked."""
        item = Item(f"{len(self._lines)}", self._text)
        self._lines[item.id] = lines
        self._baseline.add([item])


class Remembering(Investigator):
    """An investigator that tells its memory what is asked before it begins."""

    def __init__(self, memory: EpisodeMemory) -> None:
        self._memory: Final = memory

    def act(self, situation: Situation) -> Act | None:
        """Return the next query, or the answer."""
        if not situation.history:
            self._memory.begin(f"{situation.goal}\n{situation.first}")
        return super().act(replace(situation, ask=self._memory.recall))
