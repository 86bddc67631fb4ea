"""The contract between agents and the environments that they are tested in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, Protocol, runtime_checkable

from agentcl.errors import InvalidInput
from agentcl.text.parsing import parsed_json

Split = Literal["train", "dev", "test"]
# What two runs of the same task, seed and actions share: every character; scores and the meaning of
# what is said; nothing.
Determinism = Literal["bitwise", "semantic", "none"]
SPLITS: Final[tuple[Split, ...]] = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to be done in an environment: a value that can be stored, compared and run again.

    A family is a kind of task, a variation one of its instances; what a seed changes (names, order) does
    not change what there is to learn.
    """

    env: str
    family: str
    variation: int
    split: Split = "train"
    max_steps: int = 50
    parameters: Mapping[str, str | int | float | bool] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """What names the task in logs and memories."""
        more = "".join(f",{key}={value}" for key, value in sorted(self.parameters.items()))
        return f"{self.env}/{self.family}/{self.variation}{more}"

    def to_json(self) -> str:
        """Return the task as one line of JSON."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Task:
        """Return the task that `to_json` wrote.

        Raises:
            InvalidInput: if the text is none.
        """
        try:
            return cls(**parsed_json(text))
        except (ValueError, TypeError) as error:
            raise InvalidInput(f"{text[:80]!r} is not a task: {error}") from error

    def __hash__(self) -> int:
        return hash(self.id)


@dataclass(frozen=True, slots=True)
class Observation:
    """What an agent sees."""

    text: str
    goal: str = ""  # what the task asks for; said on reset, and empty afterwards
    structured: Mapping[str, Any] | None = None  # for programs, where the environment has it


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one action. A finished episode and one that is cut off are two things."""

    observation: Observation
    reward: float
    terminated: bool  # the environment says that it is over, for better or worse
    truncated: bool  # the step limit says so


@dataclass(frozen=True, slots=True)
class Score:
    """How well an episode went."""

    value: float  # from 0 to 1
    raw: float  # in the environment's own unit, as it gave it
    is_success: bool


@runtime_checkable
class Environment(Protocol):
    """An environment that one agent acts in, one episode after the other. Not safe for threads.

    Raises:
        EnvironmentFailed: from every method, if the environment itself breaks; such an episode is counted
            apart and has no score.
    """

    name: str
    determinism: Determinism

    def reset(self, task: Task, *, seed: int) -> Observation:
        """Begin an episode. The observation tells the goal.

        Raises:
            InvalidInput: if the task is not one of this domain.
        """
        ...

    def step(self, action: str) -> Outcome:
        """Act. An action that the environment does not know takes a step, and the observation says so.

        Raises:
            InvalidInput: before `reset`, and after the episode is over.
        """
        ...

    def admissible_actions(self, limit: int | None = None) -> Sequence[str] | None:
        """Return actions that do something now, computed when asked; None where nobody knows them."""
        ...

    def score(self) -> Score:
        """Return how well the episode went so far. Raises InvalidInput before `reset`."""
        ...

    def close(self) -> None:
        """Release what the environment holds; calling it twice is allowed."""
        ...


@runtime_checkable
class Foreseen(Protocol):
    """An environment that says what an action would do. Where one does not, any action may change something."""

    def changes(self, action: str) -> bool:
        """Return whether an action may change something, and does not only look."""
        ...


@runtime_checkable
class Oracle(Protocol):
    """Knows what solves a task. Kept apart from the environment, so that no agent can ask it."""

    def actions(self, task: Task, *, seed: int) -> Sequence[str]:
        """Return actions that reach the best score."""
        ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """The best expected scores of a family: what memory can be worth there."""

    without_memory: float  # of an agent that remembers nothing between episodes
    with_knowledge: float  # of one that knows all that can be known before an episode
    # Of one that knows all about others that share rules with it, and nothing of this one.
    from_others: float | None = None


@runtime_checkable
class Bounded(Protocol):
    """A domain whose best expected scores are known."""

    def bounds(self, family: str) -> Bounds:
        """Return the best expected scores of a family. Raises InvalidInput if there is none."""
        ...


@runtime_checkable
class Domain(Protocol):
    """A family of environments, as the registry knows it.

    Where what there is to learn differs between tasks by a parameter of theirs, a domain names it as
    `rules_by`: a run then takes the tasks of one value of it for each seed. Where the rules of a task can
    change, it names as `changed_by` the parameter that says how often they have. Where sets of rules have
    much in common if another parameter of their tasks is the same, it names that as `shared_by`.
    """

    name: str
    families: Sequence[str]

    def make(self) -> Environment:
        """Return a fresh environment. Raises MissingExtra if its engine is not installed."""
        ...

    def tasks(self, split: Split, *, family: str | None = None) -> Iterator[Task]:
        """Yield the tasks of a split, always in the same order.

        Raises:
            InvalidInput: if there is no such split or family.
        """
        ...

    def oracle(self) -> Oracle | None:
        """Return what knows the solutions, or None where nobody does."""
        ...


def world_of(domain: Domain, task: Task) -> str:
    """Return where the rules of a task hold, as memories name it; empty where a domain has the same rules everywhere."""
    name = getattr(domain, "rules_by", "")
    return f"{name} {task.parameters[name]}" if name in task.parameters else ""


@runtime_checkable
class Instructive(Protocol):
    """A domain that can say what there is to know for a task: the ceiling of what guidance can be worth."""

    def lessons(self, task: Task, *, seed: int) -> Sequence[str]:
        """Return, as sentences, all that helps and can be known before the episode; nothing if nothing can."""
        ...
