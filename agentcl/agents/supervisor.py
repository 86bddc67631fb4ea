"""The supervisor: how closely a teacher looks on, and which episodes are worth a reflection.

Both are rules over what memory knows; neither calls a model.

A lane is worth its expected score less the price of its tokens. What is not known is drawn (Thompson 1933),
so a lane is tried as often as it may be the best:

1. What the student reaches alone on a kind of task is a normal belief: what memory expects of it, worth a few
   episodes, then the episodes that it played alone. Novelty takes away from both: of a situation that was
   never seen, the kind of task says nothing.
2. What supervision adds is a share of what is left to gain, so it dies out as the student gets sure. The share
   of a lane is fitted over all kinds of task, from a prior by which closer supervision gains more; what a kind
   of task shows itself is shrunk towards it.
3. What a lane costs is the kind's own mean, shrunk towards what the lane costs elsewhere.

Equal lanes: the one with less supervision.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agentcl.errors import InvalidInput
from agentcl.guidance.progress.lanes import LANES, Lane, LaneRecord

# Share of what is left to gain, before anything is known; and tokens as multiples of acting alone.
_SHARES: Final[Mapping[Lane, float]] = {
    "alone": 0.0,
    "reviewed": 0.2,
    "coached": 0.4,
    "taught": 0.6,
}
_COSTS: Final[Mapping[Lane, float]] = {"alone": 1.0, "reviewed": 1.5, "coached": 2.5, "taught": 3.0}
_EPISODE_TOKENS: Final = 2000.0  # of an episode alone, before there was one
_NOISE: Final = 0.2  # standard deviation of the score of one episode around its mean
_SHARE_SD: Final = 0.2  # of a lane's share, before anything is known
_KIND_SD: Final = 0.2  # of a kind's own share around its lane's
_UNKNOWN: Final = (0.5, 0.3)  # mean and sd of the score of a kind of task that nobody played
_EXPECTED_WORTH: Final = 8.0  # episodes that an expectation counts for, at most
_COST_WORTH: Final = 2.0  # episodes that the cost elsewhere counts for
_FIRST: Final = 3  # attempts at a kind of task that are always reflected on
_ROUNDING: Final = 0.01  # of a score: that much below expectation is as expected


@dataclass(frozen=True, slots=True)
class Familiarity:
    """What memory knows of a kind of task, before an episode of it."""

    attempts: float  # episodes, old ones may count less
    mean: float  # score that is expected, from 0 to 1
    sd: float  # of that expectation
    novelty: float  # of the situation: 0 seen often, 1 never seen

    def __post_init__(self) -> None:
        """Refuse what is no belief. Raises InvalidInput."""
        is_belief = 0 <= self.attempts < math.inf and 0 <= self.sd < math.inf
        if not (is_belief and 0 <= self.mean <= 1 and 0 <= self.novelty <= 1):
            raise InvalidInput(
                f"attempts and sd are 0 or more, mean and novelty from 0 to 1: {self}"
            )


class Supervisor:
    """Picks a lane for each task, and the episodes to reflect on.

    Args:
        price_per_token: in units of score: 0.00002 says that 5,000 tokens are worth a tenth of a score.
        lanes: those that may be chosen; without a teacher ("alone",).
        reflecting_share: of the episodes that went as expected, how many are reflected on nevertheless.

    Raises:
        InvalidInput: if a value is out of range, or there is no such lane.
    """

    def __init__(
        self,
        *,
        price_per_token: float = 0.00002,
        lanes: Sequence[Lane] = ("alone",),
        reflecting_share: float = 0.1,
    ) -> None:
        if not 0 <= price_per_token < math.inf:
            raise InvalidInput(f"a price is 0 or more; got {price_per_token}")
        if not 0 <= reflecting_share <= 1:
            raise InvalidInput(f"a share is from 0 to 1; got {reflecting_share}")
        if unknown := set(lanes) - set(LANES):
            raise InvalidInput(f"there are no lanes {sorted(unknown)}; lanes are {list(LANES)}")
        if not lanes:
            raise InvalidInput('name at least one lane; without a teacher that is "alone"')
        self.price_per_token = price_per_token
        self.lanes: tuple[Lane, ...] = tuple(lane for lane in LANES if lane in lanes)
        self.reflecting_share = reflecting_share

    def choose(
        self, kind: str, familiarity: Familiarity, record: LaneRecord, rng: random.Random
    ) -> Lane:
        """Return the lane for a task of a kind; one draw of every belief decides."""
        if len(self.lanes) == 1:
            return self.lanes[0]
        alone = _clipped(rng.gauss(*_belief_alone(kind, familiarity, record)))
        best, most = self.lanes[0], -math.inf
        for lane in self.lanes:
            pooled = pool(lane, record)
            score = alone if lane == "alone" else _draw(pooled, kind, alone, record, rng)
            worth = score - self.price_per_token * expected_tokens(pooled, kind, record)
            if worth > most:
                best, most = lane, worth
        return best

    def should_reflect(
        self,
        familiarity: Familiarity,
        *,
        score: float | None,
        expected: float,
        was_new: bool,
        rng: random.Random,
    ) -> bool:
        """Return whether an episode is worth the call that distils it.

        Always, if nobody judged it; if no trusted lesson spoke to its situation; if it is one of the first
        three of its kind; if it went worse than expected. Else by chance, for a small share: what
        is believed has to be tested now and then, where all goes well too.

        Args:
            familiarity: of the kind of task, before the episode.
            score: of the episode; None, or no number: nobody judged it.
            expected: what was expected of it.
            was_new: no trusted lesson spoke to its situation.
            rng: decides where no rule does; drawn from only then.
        """
        if score is None or math.isnan(score) or was_new or familiarity.attempts < _FIRST:
            return True
        return score < expected - _ROUNDING or rng.random() < self.reflecting_share


@dataclass(frozen=True, slots=True)
class Pooled:
    """What a lane gains and costs over all kinds of task, compared with acting alone."""

    lane: Lane
    share: float  # of what is left to gain
    sd: float  # of that share
    tokens: float  # of an episode


def pool(lane: Lane, record: LaneRecord) -> Pooled:
    """Return what a lane gains and costs over all kinds of task that were played in it and alone.

    The share is a regression through the origin of the gain on what was left to gain, with one point for
    each kind of task, weighed by its episodes, and a normal prior (that is, ridge regression).
    """
    precision = 1 / _SHARE_SD**2
    weighed = precision * _SHARES[lane]
    dear, cheap = _COST_WORTH * _EPISODE_TOKENS * _COSTS[lane], _COST_WORTH * _EPISODE_TOKENS
    for kind, played in record.kinds(lane):
        alone = record.totals(kind, "alone")
        both = min(played.episodes, alone.episodes)
        dear += both * played.mean_tokens
        cheap += both * alone.mean_tokens
        if played.scored and alone.scored:
            left = 1 - alone.mean_score
            noise = _NOISE**2 * (1 / played.scored + 1 / alone.scored) + (_KIND_SD * left) ** 2
            precision += left**2 / noise
            weighed += left * (played.mean_score - alone.mean_score) / noise
    everywhere = [totals for _, totals in record.kinds("alone")]
    tokens = _EPISODE_TOKENS + sum(totals.tokens for totals in everywhere)
    tokens_alone = tokens / (1 + sum(totals.episodes for totals in everywhere))
    return Pooled(lane, weighed / precision, math.sqrt(1 / precision), dear / cheap * tokens_alone)


def expected_tokens(pooled: Pooled, kind: str, record: LaneRecord) -> float:
    """Return what an episode of a kind is expected to cost in a lane, in tokens of all roles."""
    here = record.totals(kind, pooled.lane)
    return (_COST_WORTH * pooled.tokens + here.tokens) / (_COST_WORTH + here.episodes)


def _belief_alone(kind: str, familiarity: Familiarity, record: LaneRecord) -> tuple[float, float]:
    """Return mean and standard deviation of what the student reaches alone."""
    known = 1 - familiarity.novelty
    mean, variance = _UNKNOWN[0], _UNKNOWN[1] ** 2
    if worth := known * min(familiarity.attempts, _EXPECTED_WORTH):
        of_expectation = max(familiarity.sd**2, _NOISE**2 / worth)
        mean, variance = _updated(mean, variance, familiarity.mean, of_expectation)
    played = record.totals(kind, "alone")
    if worth := known * played.scored:
        mean, variance = _updated(mean, variance, played.mean_score, _NOISE**2 / worth)
    return mean, math.sqrt(variance)


def _draw(pooled: Pooled, kind: str, alone: float, record: LaneRecord, rng: random.Random) -> float:
    """Return a draw of the score in a lane, given what the student would reach alone."""
    left = 1 - alone
    mean = alone + pooled.share * left
    variance = (pooled.sd**2 + _KIND_SD**2) * left**2
    played = record.totals(kind, pooled.lane)
    if played.scored and variance:
        mean, variance = _updated(mean, variance, played.mean_score, _NOISE**2 / played.scored)
    return _clipped(rng.gauss(mean, math.sqrt(variance)))


def _updated(mean: float, variance: float, seen: float, of_seen: float) -> tuple[float, float]:
    """Return the normal belief after a normal observation: mean and variance."""
    share = variance / (variance + of_seen)
    return mean + share * (seen - mean), variance * (1 - share)


def _clipped(score: float) -> float:
    return min(max(score, 0.0), 1.0)
