"""How things go for one user and agent: what their tasks score, and what lessons of a class were worth to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from agentcl.guidance.change import ChangeDetector
from agentcl.guidance.expectation import Expectation
from agentcl.guidance.lanes import LaneRecord

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
