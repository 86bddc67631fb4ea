"""What an agent went through, and what it made of it: the records from which guidance is computed.

Nothing here holds a belief. How far a lesson is trusted, what it is worth and whether it is shown follow
from these records alone (`agentcl.guidance.state`), so that they can be computed again at any time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from agentcl.store.records import Record, register
from agentcl.store.usage import NO_USAGE, Usage

Status = Literal["open", "finished", "interrupted"]
Ended = Literal["success", "failure"]
Level = Literal["instance", "family", "anywhere"]
Share = Literal[
    "", "tenant"
]  # with whom what one user learned may be shared, if enough others learn it too
# Where a lesson comes from; only what an agent lived through counts as experience.
Origin = Literal["experience", "told", "imported"]


class Exposure(NamedTuple):
    """That a lesson could have been shown in an episode, and whether it was."""

    guidance: str  # its id
    probability: (
        float  # with which it was to be shown; a coin decided, so the withheld are its controls
    )
    is_shown: bool
    is_followed: bool = False  # the action that ended the episode is what it says
    tokens: int = 0  # of its line in the prompt


class Showing(NamedTuple):
    """That past stretches which ended so could have been shown in an episode, and whether they were."""

    ended: Ended
    probability: float  # with which they were to be shown; one coin an episode decided
    is_shown: bool
    episodes: tuple[str, ...] = ()  # ids of those that they are from
    tokens: int = 0  # of their lines in the prompt


class AdapterCoin(NamedTuple):
    """That an adapter could have answered in an episode, and whether it did."""

    adapter: str  # its id
    probability: float  # with which it was to answer; a coin decided, unless it is 1
    is_shown: bool  # it answered


class Stated(NamedTuple):
    """One lesson as a reflection stated it, and what became of it."""

    when: str
    claim: str
    what: str
    guidance: str = ""  # the id of the lesson that says this; empty where it was refused
    refusal: str = ""  # why


@register("episode")
@dataclass(frozen=True, slots=True, kw_only=True)
class Episode(Record):
    """One attempt at a task: from the first observation to the score.

    Its first version is written when it begins, the next when it ends: an episode that is still open was
    killed, or is under way, and credits nobody.
    """

    task: str  # its id, or what it is in words
    goal: str = ""
    application: str = ""  # the environment, or whatever program the agent works in
    family: str = ""  # the kind of task
    world: str = ""  # where the same rules hold: a deployment, a customer, a code base
    first: str = ""  # what was seen first
    status: Status = "open"
    end: str = ""  # terminated, truncated, gave up, or the error that interrupted it
    score: float | None = None  # from 0 to 1; None: nobody judged it (that is not a zero)
    is_success: bool | None = None
    judge: str = ""  # who gave the score: environment, user, teacher
    lane: str = ""  # how closely a teacher looked on
    agent_model: str = ""  # who acted
    fingerprint: str = ""  # of its weights, tokenizer and template
    steps: int = 0
    exposures: tuple[Exposure, ...] = ()
    demonstrations: tuple[Showing, ...] = ()
    adapters: tuple[AdapterCoin, ...] = ()
    memories: tuple[str, ...] = ()  # ids of the documents that were in a prompt
    usage: Mapping[str, Usage] = field(default_factory=dict)  # by role

    def __post_init__(self) -> None:
        """Make tuples and usages again after JSON."""
        _restore(self, "exposures", tuple(Exposure(*one) for one in self.exposures))
        _restore(self, "demonstrations", tuple(_showing(*one) for one in self.demonstrations))
        _restore(self, "adapters", tuple(AdapterCoin(*one) for one in self.adapters))
        _restore(self, "memories", tuple(self.memories))
        _restore(self, "usage", {role: _kept(one) for role, one in self.usage.items()})

    @property
    def cluster(self) -> str:
        """The kind of task, by which outcomes are compared."""
        return cluster_of(self.application, self.family)

    @property
    def tokens(self) -> int:
        """Tokens of all roles together, read and written."""
        return sum(one.tokens for one in self.usage.values())

    def search_text(self) -> str:
        """Return the task as it was first seen."""
        return "\n".join(filter(None, (self.goal or self.task, self.first)))


def cluster_of(application: str, family: str) -> str:
    """Return the name of a kind of task."""
    return f"{application}/{family}"


@register("step")
@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Record):
    """What was seen, what was done, and what came of it. `sources[0]` is the episode's id."""

    ordinal: int  # its place in the episode, from 0
    seen: str  # before the action
    action: str
    outcome: str  # what was seen then
    reward: float = 0.0
    thought: str = ""
    by: str = "student"  # who chose the action
    guidance: tuple[str, ...] = ()  # ids of the lessons in the prompt, as they stood there
    memories: tuple[str, ...] = ()  # ids of the documents in the prompt

    def __post_init__(self) -> None:
        """Make tuples again after JSON."""
        _restore(self, "guidance", tuple(self.guidance))
        _restore(self, "memories", tuple(self.memories))

    @property
    def episode_id(self) -> str:
        """The id of the episode that this is a step of."""
        return self.sources[0]

    def search_text(self) -> str:
        """Return the situation: what was seen before the action."""
        return self.seen


@register("guidance")
@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance(Record):
    """A lesson: a hypothesis of what helps, and when.

    `sources` are the episodes that it was drawn from, a contrast too; of one that users share, their lessons as well.

    `key` is what it says, so that a scope holds each lesson once.
    """

    when: str
    claim: str  # do, avoid, useless, needs, expect
    what: str
    application: str = ""  # where it was learned; it is offered there only, unless it is general
    family: str = ""  # the kind of task it was learned from
    world: str = ""
    level: Level = "family"  # how general its author took it to be
    is_action: bool = False  # what it says was an action of its episode, by name
    origin: Origin = "experience"
    author: str = ""  # teacher, student, user, or the name of the import
    author_model: str = ""
    tokens: int = 0  # of its sentence
    cost_tokens: int = 0  # that were spent to write it
    share: Share = ""

    def search_text(self) -> str:
        """Return when it applies and what it says."""
        return f"{self.when}: {self.what}"


@register("reflection")
@dataclass(frozen=True, slots=True, kw_only=True)
class Reflection(Record):
    """What an episode was found to teach. `sources[0]` is the episode's id, where there is one."""

    stated: tuple[Stated, ...] = ()
    author: str = ""
    author_model: str = ""
    origin: Origin = "experience"
    problem: str = ""  # why there is nothing, where the answer could not be used
    usage: Usage = NO_USAGE

    def __post_init__(self) -> None:
        """Make tuples and a usage again after JSON."""
        _restore(self, "stated", tuple(Stated(*one) for one in self.stated))
        _restore(self, "usage", _kept(self.usage))


@register("decision")
@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(Record):
    """What somebody decided about lessons, over all evidence, or reports of where one applies."""

    what: Literal["retire", "restore", "rollback", "applies", "does not apply"]
    guidance: str = ""  # the id that it concerns
    since: int = 0  # of a rollback: evidence from this moment on (microseconds) does not count ...
    until: int = 0  # ... up to this one
    reason: str = ""
    situation: str = ""  # of a report: where the lesson applies, or does not


@register("aside")
@dataclass(frozen=True, slots=True, kw_only=True)
class Aside(Record):
    """That records came from another memory which was not said to be one's own.

    The lessons among them are candidates, and what the others are evidence of does not count. What was said there is
    found like anything else, and moves into no adapter. To let it count
    after all, delete this record, or import the file again as trusted. It is this memory's own note: an import
    reads it, and does not take it over.
    """

    ids: tuple[
        str, ...
    ] = ()  # lessons, episodes, reflections and decisions; conversations and statements

    def __post_init__(self) -> None:
        """Make the ids a tuple again after JSON."""
        _restore(self, "ids", tuple(self.ids))


# What lessons are learned from; of it, an import changes nothing that counts here.
EXPERIENCE: Final = frozenset({"episode", "step", "guidance", "reflection", "decision"})


def _showing(
    ended: Ended, probability: float, is_shown: bool, episodes: Sequence[str] = (), tokens: int = 0
) -> Showing:
    return Showing(ended, probability, is_shown, tuple(episodes), tokens)


def _kept(usage: Usage) -> Usage:
    """Return a usage as it can be read again: without whether it was estimated."""
    numbers = usage.stored() if isinstance(usage, Usage) else usage  # a list, out of JSON
    return Usage(*numbers)


def _restore(record: Record, name: str, value: Any) -> None:  # noqa: ANN401  # any field
    object.__setattr__(record, name, value)
