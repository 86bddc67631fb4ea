"""How things go for each user and agent: what their tasks score, when that changed, and what lessons of a class were worth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from agentcl.guidance.evidence.sight import Line, line_of
from agentcl.guidance.progress.change import ChangeDetector, ScoreChange
from agentcl.guidance.progress.expectation import Expectation, ExpectedScore
from agentcl.guidance.progress.lanes import LaneRecord
from agentcl.store.episodes import Episode
from agentcl.store.records import Scope

_OFTEN: Final = 1.05  # the means of classes follow when there are so many times the episodes


@dataclass(slots=True)
class Course:
    """A fold over the finished episodes of one line; no other line's episode changes it."""

    expectation: Expectation = field(default_factory=Expectation)
    lanes: LaneRecord = field(default_factory=LaneRecord)
    detector: ChangeDetector = field(default_factory=ChangeDetector)
    tried: dict[str, dict[str, None]] = field(default_factory=dict)  # by class: lessons tried
    class_means: dict[str, float] = field(default_factory=dict)
    _credited: int = 0  # episodes
    _due: int = 1  # episodes from which on the means of classes are computed anew

    def are_means_due(self) -> bool:
        """Count an episode; return whether to compute means: each time at first, and ever less often."""
        self._credited += 1
        if self._credited < self._due:
            return False
        self._due = max(self._credited + 1, int(self._credited * _OFTEN))
        return True

    def to_plain(self) -> dict[str, Any]:
        """Return the state as JSON."""
        return {
            "expectation": self.expectation.to_plain(),
            "lanes": self.lanes.to_plain(),
            "detector": self.detector.to_plain(),
            "tried": {name: list(ids) for name, ids in self.tried.items()},
            "class_means": self.class_means,
            "credited": self._credited,
            "due": self._due,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Return the state that `to_plain` returned."""
        return cls(
            Expectation.from_plain(plain["expectation"]),
            LaneRecord.from_plain(plain["lanes"]),
            ChangeDetector.from_plain(plain["detector"]),
            {name: dict.fromkeys(ids) for name, ids in plain["tried"].items()},
            dict(plain["class_means"]),
            plain["credited"],
            plain["due"],
        )


class Courses:
    """The course of each line of a tenant, and the changes in scores that were noticed, in their order."""

    def __init__(self) -> None:
        self.by_line: dict[Line, Course] = {}
        self.changes: list[ScoreChange] = []
        self._newest: dict[
            tuple[Line, str], int
        ] = {}  # by line and where: the place of its last change

    def __getitem__(self, line: Line) -> Course:
        """Return the course of a line; it begins here if nothing is known of it."""
        return self.by_line.setdefault(line, Course())

    def of(self, scope: Scope) -> Course:
        """Return the course of a scope's line, to be looked at; an empty one if nothing is known of it."""
        return self.by_line.get(line_of(scope)) or Course()

    def watch(
        self, line: Line, where: str, episode: Episode, expected: ExpectedScore
    ) -> ScoreChange | None:
        """Take the score of an episode, and say whether scores changed with it."""
        assert episode.score is not None
        last = self._newest.get((line, where))
        if last is not None:
            self.changes[last] = self.changes[last].then(episode.score)
        mean, sd = expected.mean, expected.sd
        alarm = self[line].detector.add(where, episode.score - mean, sd, episode=episode.id)
        if alarm is None:
            return None
        direction, since, height = alarm
        change = ScoreChange(episode.id, since, where, line, direction, mean, sd, height, height)
        self._newest[line, where] = len(self.changes)
        self.changes.append(change)
        return change

    def to_plain(self) -> dict[Line, Any]:
        """Return the courses as JSON; `changes` stand beside them."""
        return {line: one.to_plain() for line, one in self.by_line.items()}

    @classmethod
    def from_plain(cls, plain: Mapping[Line, Any], changes: Iterable[Sequence[Any]]) -> Self:
        """Return what `to_plain` returned, and the changes beside it."""
        made = cls()
        made.by_line = {line: Course.from_plain(one) for line, one in plain.items()}
        made.changes = [ScoreChange(*one) for one in changes]
        made._newest = {(one.line, one.where): at for at, one in enumerate(made.changes)}
        return made
