"""What a run cost: calls, tokens and price by role; steps and wall time by episode."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agentcl.errors import InvalidInput
from agentcl.store.usage import NO_USAGE, Usage


@dataclass(frozen=True, slots=True)
class EpisodeCost:
    """What one role cost in one episode; there may be several of both."""

    episode: str
    role: str  # on whose behalf: student, teacher, judge, memory ...
    usage: Usage
    price: float | None = None  # None: nobody knows it, which is not 0

    def __post_init__(self) -> None:
        """Refuse what cannot be added up. Raises InvalidInput."""
        amounts = (*self.usage.stored(), self.price or 0.0)
        if not all(math.isfinite(amount) and amount >= 0 for amount in amounts):
            raise InvalidInput(
                f"{self.role} in {self.episode} spent {amounts}; none may be negative"
            )


@dataclass(frozen=True, slots=True)
class RoleCost:
    """What one role cost, or all of them."""

    role: str  # "all" for the sum
    usage: Usage
    price: float | None  # None if that of one call is unknown: half a price would be too low


@dataclass(frozen=True, slots=True)
class Spread:
    """How a quantity is spread over episodes."""

    episodes: int
    total: float
    mean: float
    median: float
    p95: float  # nearest rank: 95 of 100 episodes have at most this
    most: float


def cost_by_role(costs: Iterable[EpisodeCost]) -> list[RoleCost]:
    """Return the cost of each role, sorted by role, and "all" at the end.

    Raises:
        InvalidInput: if a role is called "all".
    """
    by_role: dict[str, list[EpisodeCost]] = {}
    for one in costs:
        if one.role == "all":
            raise InvalidInput('a role is called "all", which names the sum; rename it')
        by_role.setdefault(one.role, []).append(one)
    lines = [_added_up(role, its) for role, its in sorted(by_role.items())]
    return [*lines, _added_up("all", [one for its in by_role.values() for one in its])]


def tokens_by_episode(
    costs: Iterable[EpisodeCost], *, roles: Iterable[str] | None = None
) -> dict[str, int]:
    """Return all tokens of each episode, in order of its first call; of some roles only, if named."""
    wanted = None if roles is None else set(roles)
    tokens: dict[str, int] = {}
    for one in costs:
        is_wanted = wanted is None or one.role in wanted
        tokens[one.episode] = tokens.get(one.episode, 0) + (one.usage.tokens if is_wanted else 0)
    return tokens


def spread(values: Sequence[float]) -> Spread | None:
    """Return how steps, seconds or tokens are spread over episodes; None without any.

    Raises:
        InvalidInput: if one is negative or not finite.
    """
    if not all(math.isfinite(value) and value >= 0 for value in values):
        raise InvalidInput("an episode has an amount that is negative or no number; leave it out")
    if not values:
        return None
    ordered = sorted(values)
    return Spread(
        episodes=len(ordered),
        total=math.fsum(ordered),
        mean=statistics.fmean(ordered),
        median=statistics.median(ordered),
        p95=ordered[-(-95 * len(ordered) // 100) - 1],
        most=ordered[-1],
    )


def cost_per_success(cost: float, successes: int) -> float | None:
    """Return cost / successes, failures paid for by them; None without a success."""
    return cost / successes if successes else None


def _added_up(role: str, costs: Sequence[EpisodeCost]) -> RoleCost:
    prices = [one.price for one in costs if one.price is not None]
    return RoleCost(
        role=role,
        usage=sum((one.usage for one in costs), NO_USAGE),
        price=math.fsum(prices) if len(prices) == len(costs) else None,
    )
