"""What is kept of one lesson, and what is believed of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from agentcl.guidance.evidence.sight import Line
from agentcl.lessons import Claim, Lesson
from agentcl.store.episodes import Decision, Guidance, Stated
from agentcl.store.records import Scope

LifeStage = Literal["candidate", "trial", "active", "quarantined", "retired"]


@dataclass(frozen=True, slots=True)
class Belief:
    """What is known of a lesson, for one kind of task in one world."""

    stage: LifeStage
    trust: float  # probability that it holds there
    uplift: float  # expected gain in score from showing it
    sd: float  # of that
    shown: float  # episodes that it was shown in, by a coin; discounted ones count less
    withheld: float  # episodes that it was withheld from: its controls
    confirmed: int  # as far as the reader sees
    refuted: int
    why: str  # the rule that put it into its stage

    @property
    def tests(self) -> int:
        """How often later episodes spoke of it."""
        return self.confirmed + self.refuted

    @property
    def is_in_use(self) -> bool:
        """Whether it may be shown: it is neither in quarantine nor retired."""
        return self.stage not in ("quarantined", "retired")


class LessonTest(NamedTuple):
    """What one later episode said of a lesson."""

    episode: str
    is_confirmed: bool
    stated: int | None  # place in the reflection of what says so; None: the episode followed it


class Example(NamedTuple):
    """A use of a lesson, and what was found of it there."""

    record: str  # the episode, or the decision that reports it
    applies: bool
    line: Line  # whose it is
    situation: str  # see `agentcl.guidance.evidence.examples.key_of_situation`


class Rollback(NamedTuple):
    """That what a scope, and all below it, learned in a time (microseconds) does not count."""

    since: int
    until: int
    user: str = ""
    agent: str = ""
    session: str = ""

    def covers(self, scope: Scope, at: int) -> bool:
        """Return whether a record of a scope and moment is taken back."""
        return (
            self.since <= at <= self.until
            and self.user in ("", scope.user)
            and self.agent in ("", scope.agent)
            and self.session in ("", scope.session)
        )


@dataclass(slots=True)
class LessonState:
    """One lesson and what happened to it."""

    guidance: Guidance
    number: int  # of its arrival, from 0; ids of one millisecond are in no order
    first_seq: int  # the row that it came with ...
    seq: int  # ... and the row of its newest version
    uses: int = 0
    wins: int = 0  # uses that ended better than was expected of the task
    losses: int = 0
    tests: list[LessonTest] = field(default_factory=list)
    balance: dict[Line, int] = field(default_factory=dict)  # of tests for and against it, by whose
    decided: str = ""  # "retire", while somebody's decision holds
    examples: list[Example] = field(default_factory=list)
    matter: str = ""  # what it is on, by its first version

    @property
    def lesson(self) -> Lesson:
        """What it says."""
        return lesson_of(self.guidance)

    def is_offered(self, application: str, world: str) -> bool:
        """Return whether it is general enough to be offered somewhere."""
        made = self.guidance
        is_at_home = made.level == "anywhere" or made.application == application
        return is_at_home and (made.level != "instance" or made.world == world)

    @property
    def class_name(self) -> str:
        """The class that it shares its prior with."""
        made = self.guidance
        by = "" if made.origin == "experience" else f":{made.author}"
        return f"{made.origin}{by}:{made.claim}"

    def to_plain(self) -> list[Any]:
        """Return what happened to it, as JSON. What it says is left out: its rows have it."""
        return [
            self.first_seq, self.seq, self.uses, self.wins, self.losses, self.tests, self.balance, self.decided,
            self.examples,
        ]  # fmt: skip

    @classmethod
    def from_plain(cls, plain: Sequence[Any], guidance: Guidance, number: int) -> LessonState:
        """Return what `to_plain` returned, of a lesson that says this."""
        first_seq, seq, uses, wins, losses, tests, balance, decided, examples = plain
        made = [LessonTest(*test) for test in tests]
        found = [Example(*one) for one in examples]
        return cls(
            guidance, number, first_seq, seq, uses, wins, losses, made, balance, decided, found
        )


def lesson_of(guidance: Guidance | Stated) -> Lesson:
    """Return what a record of guidance, or one statement of a reflection, says."""
    return Lesson(guidance.when, _claim(guidance.claim), guidance.what)


def rollback_of(decision: Decision) -> Rollback:
    """Return what a decision took back."""
    scope = decision.scope
    return Rollback(decision.since, decision.until, scope.user, scope.agent, scope.session)


def _claim(text: str) -> Claim:
    return text  # type: ignore[return-value]  # records hold what admission let through
