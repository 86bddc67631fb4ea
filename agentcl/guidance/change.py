"""Whether a stream of outcomes has changed: Page's (1954) cumulative sums, on both sides."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

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


@dataclass(slots=True)
class _Sums:
    up: float = 0.0
    down: float = 0.0


class ChangeDetector:
    """Cumulative sums of standardised residuals, for each cluster.

    S_up = max(0, S_up + z - slack), S_down = max(0, S_down - z - slack); an alarm where one passes the limit,
    after which both begin again.
    """

    def __init__(self) -> None:
        self._clusters: dict[str, _Sums] = {}

    def add(self, cluster: str, residual: float, sd: float) -> Direction | None:
        """Take the residual of an episode, and say whether scores have gone up or down.

        Args:
            cluster: the kind of task.
            residual: the score less the one that was expected before the episode.
            sd: of such residuals, as `ExpectedScore.sd` gives it.

        Raises:
            InvalidInput: if the residual is not finite, or the sd not above 0.
        """
        if not (math.isfinite(residual) and math.isfinite(sd) and sd > 0):
            raise InvalidInput(
                f"a residual of {residual} with sd {sd}; leave out episodes without a score, and give "
                "an sd above 0"
            )
        z = max(-_FURTHEST, min(_FURTHEST, residual / sd))
        sums = self._clusters.setdefault(cluster, _Sums())
        sums.up = max(0.0, sums.up + z - _SLACK)
        sums.down = max(0.0, sums.down - z - _SLACK)
        if max(sums.up, sums.down) <= _LIMIT:
            return None
        direction: Direction = "up" if sums.up > sums.down else "down"
        self._clusters[cluster] = _Sums()
        return direction

    def to_plain(self) -> dict[str, Any]:
        """Return the state as JSON, clusters sorted: `[up, down]` of each."""
        return {name: [sums.up, sums.down] for name, sums in sorted(self._clusters.items())}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Sequence[float]]) -> Self:
        """Return the state that `to_plain` returned."""
        detector = cls()
        detector._clusters = {name: _Sums(*sums) for name, sums in plain.items()}
        return detector
