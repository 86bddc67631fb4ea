"""What each lane of supervision gained and cost so far, by kind of task."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast, get_args

from agentcl.errors import InvalidInput

Lane = Literal["alone", "reviewed", "coached", "taught"]
LANES: Final[tuple[Lane, ...]] = get_args(Lane)  # from the least supervision to the most


# Of what older episodes count, for each new one: a student that learns is soon another one.
_KEPT: Final = 0.98


@dataclass(frozen=True, slots=True)
class LaneTotals:
    """The finished episodes of one kind of task in one lane, added up; older ones count less."""

    episodes: float = 0.0
    tokens: float = 0.0  # of all roles together
    scored: float = 0.0  # those that anybody judged
    score: float = 0.0  # their sum

    @property
    def mean_score(self) -> float:
        """Mean score of those that were judged; 0 where none was."""
        return self.score / self.scored if self.scored else 0.0

    @property
    def mean_tokens(self) -> float:
        """Mean tokens of an episode; 0 where there was none."""
        return self.tokens / self.episodes if self.episodes else 0.0


class LaneRecord:
    """What lanes gained and cost: a fold over finished episodes, equal for equal episodes in equal order."""

    def __init__(self) -> None:
        self._totals: dict[Lane, dict[str, LaneTotals]] = {lane: {} for lane in LANES}

    def add(self, kind: str, lane: Lane, *, score: float | None, tokens: float) -> None:
        """Count a finished episode.

        Args:
            kind: the kind of task.
            lane: how it was played.
            score: from 0 to 1; None for one that nobody judged: its tokens count, its score does not.
            tokens: of all roles together.

        Raises:
            InvalidInput: if there is no such lane, or the score or the tokens are out of range.
        """
        if lane not in LANES:
            raise InvalidInput(f"there is no lane {lane!r}; lanes are {', '.join(LANES)}")
        if score is not None and not 0 <= score <= 1:
            raise InvalidInput(f"a score is from 0 to 1, or None if nobody judged; got {score}")
        if not 0 <= tokens < math.inf:
            raise InvalidInput(f"tokens are a number from 0 on; got {tokens}")
        before = self.totals(kind, lane)
        episodes, used = _KEPT * before.episodes + 1, _KEPT * before.tokens + tokens
        scored, sum_of_scores = before.scored, before.score
        if score is not None:
            scored, sum_of_scores = _KEPT * scored + 1, _KEPT * sum_of_scores + score
        self._totals[lane][kind] = LaneTotals(episodes, used, scored, sum_of_scores)

    def totals(self, kind: str, lane: Lane) -> LaneTotals:
        """Return what is known of a kind of task in a lane."""
        return self._totals[lane].get(kind, _NONE)

    def kinds(self, lane: Lane) -> Iterator[tuple[str, LaneTotals]]:
        """Yield every kind of task that was played in a lane, in the order of their names."""
        yield from sorted(self._totals[lane].items())

    def to_plain(self) -> dict[str, dict[str, list[float]]]:
        """Return the record as JSON has it, in an order that does not depend on the episodes'."""
        plain: dict[str, dict[str, list[float]]] = {}
        for kind in sorted({kind for played in self._totals.values() for kind in played}):
            for lane in LANES:
                if one := self._totals[lane].get(kind):
                    plain.setdefault(kind, {})[lane] = [
                        one.episodes, one.tokens, one.scored, one.score,
                    ]  # fmt: skip
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Mapping[str, Any]]) -> LaneRecord:
        """Return the record that `to_plain` wrote. Raises InvalidInput if it is none."""
        record = cls()
        try:
            for kind, lanes in plain.items():
                for lane, held in lanes.items():
                    episodes, tokens, scored, score = held
                    record._totals[cast("Lane", lane)][kind] = LaneTotals(
                        float(episodes), float(tokens), float(scored), float(score)
                    )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f"this is no record of lanes: {error}") from error
        return record


_NONE: Final = LaneTotals()
