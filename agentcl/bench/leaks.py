"""Is what helps really memory? What an agent is shown must come from what was remembered before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from agentcl.bench.baselines.base import Baseline, Item
from agentcl.envs.questions.grading import normalise
from agentcl.errors import InvalidInput

_SHORTEST: Final = 4  # characters; a shorter answer stands anywhere by chance


class CheckedMemory:
    """A baseline, and a record of what was put into it; whatever else comes out of it is a leak.

    Args:
        baseline: the memory.
        limit: how many items are recalled at most.
    """

    def __init__(self, baseline: Baseline, *, limit: int) -> None:
        self._baseline, self._limit = baseline, limit
        self._texts: dict[str, str] = {}
        self._known: set[str] = set()

    def add(self, items: Sequence[Item]) -> None:
        """Remember."""
        for item in items:
            self._known.add(item.text)
            self._texts[item.id] = item.text
        if items:
            self._baseline.add(items)

    def add_new(self, items: Sequence[Item]) -> list[Item]:
        """Remember those whose text is not held already, and return them."""
        new = {item.text: item for item in reversed(items) if item.text not in self._known}
        kept = [item for item in items if new.get(item.text) is item]
        self.add(kept)
        return kept

    def recall(self, query: str) -> tuple[list[Item], list[str]]:
        """Return what the memory recalls, and what of it was never remembered."""
        if not query.strip():
            return [], []
        found = self._baseline.recall(query, limit=self._limit)
        if len(found) > self._limit:
            raise InvalidInput(
                f"the baseline {self._baseline.name} recalled {len(found)} items where {self._limit} were asked for"
            )
        return found, [problem for item in found if (problem := self._problem(item))]

    def _problem(self, item: Item) -> str:
        if item.id not in self._texts:
            return f"{item.id}: recalled, but never remembered"
        if self._texts[item.id] != item.text:
            return f"{item.id}: recalled with another text than was remembered"
        return ""


class CheckedRecall:
    """What memory says in one episode, and a record of it.

    Args:
        memory: that of the baseline.
        query: what is recalled for before the agent begins; `first` has what came.
    """

    def __init__(self, memory: CheckedMemory, query: str) -> None:
        self._memory = memory
        # All that was recalled, each once, in the order in which it came
        self.items: list[Item] = []
        self.leaks: list[str] = []
        self.first: tuple[str, ...] = tuple(self.ask(query))

    def ask(self, query: str) -> list[str]:
        """Return the texts that are recalled for a query, best first; an agent may ask in mid-episode."""
        found, leaks = self._memory.recall(query)
        known = {item.id for item in self.items}
        self.items += [item for item in found if item.id not in known]
        self.leaks += [leak for leak in leaks if leak not in self.leaks]
        return [item.text for item in found]


def told_answers(instructions: str, answers: Iterable[str]) -> list[str]:
    """Return a line for each answer that stands in what the agent is told beside memory and the environment.

    Answers of fewer than four characters are left out: they stand in any text by chance.
    """
    said = f" {normalise(instructions)} "
    found = [answer for answer in answers if len(answer) >= _SHORTEST]
    return [f"the instructions hold the answer {a!r}" for a in found if f" {normalise(a)} " in said]
