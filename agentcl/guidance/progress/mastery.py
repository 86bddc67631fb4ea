"""How well each kind of task is mastered, by the record of episodes, and how much of that is still known."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from agentcl.store.episodes import Episode, cluster_of

HALF_LIFE: Final = timedelta(days=30)  # after which an episode says half as much
_HALF_LIFE_EPISODES: Final = 10.0  # later episodes of its kind after which it does, too
_UNKNOWN: Final = 0.5  # mastery of what was never tried, which counts as one episode
_Z: Final = 1.96  # of an interval of 95 %
_FEWEST: Final = 4  # attempts that show a trend
_MOST: Final = 20  # attempts that a trend looks back on


@dataclass(frozen=True, slots=True)
class Skill:
    """What the episodes of a kind of task in a world show of its mastery."""

    application: str
    family: str
    world: str
    attempts: int  # that were scored, and that no expert played
    succeeded: int
    tokens: int  # of all roles
    last: datetime  # when the last of them ended
    mastery: float  # score that is expected of the next, from 0 to 1; old episodes count less
    low: float  # where it lies with a probability of 95 % ...
    high: float  # ... up to here
    trend: (
        float | None
    )  # mean of the newer half of the last 20 less that of the older; None: fewer than 4

    @property
    def cluster(self) -> str:
        """The kind of task, as episodes name it."""
        return cluster_of(self.application, self.family)


def remaining(age: timedelta) -> float:
    """Return how much an episode of an age still says, from 1 to 0."""
    return math.pow(2.0, -max(0.0, age / HALF_LIFE))


def is_attempt(episode: Episode) -> bool:
    """Return whether an episode shows what its agent can do: it was scored, and no expert played it."""
    return episode.score is not None and episode.lane != "taught"


def skills_of(episodes: Iterable[Episode], *, now: datetime) -> list[Skill]:
    """Return the mastery of each kind of task and world, the least mastered first.

    Args:
        episodes: in the order in which they were played.
        now: the moment that it is told for.
    """
    kinds: dict[tuple[str, str, str], list[Episode]] = {}
    for one in filter(is_attempt, episodes):
        kinds.setdefault((one.application, one.family, one.world), []).append(one)
    found = [_skill(*kind, attempts, now) for kind, attempts in kinds.items()]
    return sorted(found, key=lambda one: (one.mastery, one.cluster, one.world))


def _skill(
    application: str, family: str, world: str, attempts: Sequence[Episode], now: datetime
) -> Skill:
    scores = [one.score or 0.0 for one in attempts]
    weights = [
        remaining(now - one.created_at) * 0.5 ** (later / _HALF_LIFE_EPISODES)
        for later, one in zip(reversed(range(len(attempts))), attempts, strict=True)
    ]
    worth = 1 + math.fsum(weights)
    known = math.fsum(weight * score for weight, score in zip(weights, scores, strict=True))
    mastery = (_UNKNOWN + known) / worth
    low, high = _interval(mastery, worth)
    return Skill(
        application,
        family,
        world,
        attempts=len(attempts),
        succeeded=sum(bool(one.is_success) for one in attempts),
        tokens=sum(one.tokens for one in attempts),
        last=attempts[-1].created_at,
        mastery=mastery,
        low=low,
        high=high,
        trend=_trend(scores),
    )


def _interval(mean: float, worth: float) -> tuple[float, float]:
    """Return the score interval (Wilson 1927) of a mean that so many attempts stand behind.

    It is meant for scores of 0 and 1, whose variance is the largest that scores of a mean can have: for others it is wide.
    """
    centre = (mean + _Z**2 / (2 * worth)) / (1 + _Z**2 / worth)
    reach = _Z * math.sqrt(mean * (1 - mean) / worth + (_Z / (2 * worth)) ** 2)
    reach /= 1 + _Z**2 / worth
    return max(0.0, centre - reach), min(1.0, centre + reach)


def _trend(scores: Sequence[float]) -> float | None:
    if len(scores) < _FEWEST:
        return None
    recent = scores[-_MOST:]
    half = len(recent) // 2
    return statistics.fmean(recent[-half:]) - statistics.fmean(recent[:half])
