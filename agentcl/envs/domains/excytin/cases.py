"""Questions about security incidents, and what a set of them must offer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from agentcl.envs.base import Determinism, Split, Task
from agentcl.envs.domains.excytin.sql import SqlBackend

MAX_STEPS = 25  # as in the published runs of ExCyTIn-Bench


@dataclass(frozen=True, slots=True)
class Case:
    """A question about an incident. Its answer and its solution are never shown to an agent."""

    context: str
    question: str
    answer: str
    solution: tuple[str, ...]  # a sentence for each hop, values in backticks; the last: the answer

    def shown(self) -> str:
        """All that an agent is told."""
        return f"{self.context}\n{self.question}"


class Dataset(Protocol):
    """Incidents with their questions, and the database of each."""

    name: str
    families: Sequence[str]
    determinism: Determinism

    def tasks(self, split: Split, family: str) -> Iterator[Task]:
        """Yield the tasks of a split and family, always in the same order."""
        ...

    def question(self, task: Task) -> Case:
        """Return a task's question. Raises InvalidInput if there is none."""
        ...

    def open(self, task: Task) -> SqlBackend:
        """Open the database of a task's incident.

        Raises:
            EnvironmentFailed: if it cannot be opened.
            LoadError: if its files cannot be read.
        """
        ...
