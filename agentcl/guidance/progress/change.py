"""Whether a stream of outcomes has changed: Page's (1954) cumulative sums, on both sides."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, Self

from agentcl.errors import InvalidInput

Direction = Literal["up", "down"]

# In standard deviations: half the shift that is to be found fastest, 1 sd, which is a success rate of 0.9 that
# falls to 0.5, or 0.7 to 0.25. With these a false alarm comes once in some 500 episodes of normal residuals,
# and in 340 or more of any success rate that `Expectation` follows; a shift of 1 sd is found after 11 episodes, of
# 1.5 sd after 6, of 0.5 sd after 39 (means).
_SLACK: Final = 0.5
_LIMIT: Final = 5.0
# One failure where nearly all succeed is many sd away, and is still one failure.
_FURTHEST: Final = 2.5
_AFTER: Final = 10  # episodes after a change that may still make it surer
_OVERSHOOT: Final = 1.166  # of a sum of normal steps over its limit, in steps (Siegmund 1985)


@dataclass(slots=True)
class _Sums:
    up: float = 0.0
    down: float = 0.0
    up_since: str = ""  # the episode with which the sum left 0
    down_since: str = ""


class ScoreAlarm(NamedTuple):
    """That a sum passed the limit."""

    direction: Direction
    since: str  # the episode with which the sum left 0: where the change seems to have begun
    height: float  # of the sum


class ScoreChange(NamedTuple):
    """That the scores of a kind of task in a world left what was expected of them."""

    episode: str  # the id of the one that made it certain
    since: str  # and of the one that it seems to have begun with
    where: str  # cluster and world
    line: str  # whose tasks they are, as `agentcl.guidance.evidence.sight` has it
    direction: Direction
    expected: float  # of the episode's score, by those before it ...
    sd: float  # ... and of what lay about that
    height: float  # of the sum, and its highest value so far
    highest: float
    after: int = 0  # episodes of this kind since then, as far as they are looked at

    def then(self, score: float) -> ScoreChange:
        """Return the change after another episode of this kind: the sum goes on against the same expectation."""
        if self.after == _AFTER:
            return self
        side = 1 if self.direction == "up" else -1
        height = max(0.0, self.height + side * _clipped((score - self.expected) / self.sd) - _SLACK)
        return self._replace(height=height, highest=max(self.highest, height), after=self.after + 1)

    @property
    def once_in(self) -> float:
        """Episodes in which a sum gets so high once by chance, on either side (Siegmund's approximation)."""
        limit = min(700.0, 2 * _SLACK * (self.highest + _OVERSHOOT))  # what `exp` can take
        return (math.exp(limit) - limit - 1) / (2 * _SLACK) ** 2


class ChangeDetector:
    """Cumulative sums of standardised residuals, for each cluster.

    S_up = max(0, S_up + z - slack), S_down = max(0, S_down - z - slack); an alarm where one passes the limit,
    after which both begin again.
    """

    def __init__(self) -> None:
        self._clusters: dict[str, _Sums] = {}

    def add(
        self, cluster: str, residual: float, sd: float, *, episode: str = ""
    ) -> ScoreAlarm | None:
        """Take the residual of an episode, and say whether scores have gone up or down.

        Args:
            cluster: the kind of task.
            residual: the score less the one that was expected before the episode.
            sd: of such residuals, as `ExpectedScore.sd` gives it.
            episode: its id.

        Raises:
            InvalidInput: if the residual is not finite, or the sd not above 0.
        """
        if not (math.isfinite(residual) and math.isfinite(sd) and sd > 0):
            raise InvalidInput(
                f"a residual of {residual} with sd {sd}; leave out episodes without a score, and give "
                "an sd above 0"
            )
        z = _clipped(residual / sd)
        sums = self._clusters.setdefault(cluster, _Sums())
        sums.up_since = sums.up_since if sums.up else episode
        sums.down_since = sums.down_since if sums.down else episode
        sums.up = max(0.0, sums.up + z - _SLACK)
        sums.down = max(0.0, sums.down - z - _SLACK)
        if max(sums.up, sums.down) <= _LIMIT:
            return None
        self._clusters[cluster] = _Sums()
        if sums.up > sums.down:
            return ScoreAlarm("up", sums.up_since, sums.up)
        return ScoreAlarm("down", sums.down_since, sums.down)

    def to_plain(self) -> dict[str, Any]:
        """Return the state as JSON, clusters sorted: `[up, down, since when, since when]` of each."""
        return {
            name: [sums.up, sums.down, sums.up_since, sums.down_since]
            for name, sums in sorted(self._clusters.items())
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Sequence[Any]]) -> Self:
        """Return the state that `to_plain` returned."""
        detector = cls()
        detector._clusters = {name: _Sums(*sums) for name, sums in plain.items()}
        return detector


def _clipped(z: float) -> float:
    return max(-_FURTHEST, min(_FURTHEST, z))
