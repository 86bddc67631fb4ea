"""What a run cost: calls, tokens and price by role; steps and wall time by episode."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agentcl.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Spent:
    """One call to a model, or several added up already."""

    episode: str
    role: str  # on whose behalf: student, teacher, judge, memory ...
    prompt_tokens: int
    completion_tokens: int
    calls: int = 1
    duration_s: float = 0.0
    price: float | None = None  # None: nobody knows it, which is not 0

    def __post_init__(self) -> None:
        amounts = (self.prompt_tokens, self.completion_tokens, self.calls, self.duration_s,
                   self.price or 0.0)  # fmt: skip
        if not all(math.isfinite(amount) and amount >= 0 for amount in amounts):
            raise InvalidInput(
                f"{self.role} in {self.episode} spent {amounts}; none may be negative"
            )


@dataclass(frozen=True, slots=True)
class RoleCost:
    """What one role cost, or all of them."""

    role: str  # "all" for the sum
    calls: int
    prompt_tokens: int
    completion_tokens: int
    duration_s: float
    price: float | None  # None if that of one call is unknown: half a price would be too low

    @property
    def tokens(self) -> int:
        """Prompt and completion together; a completion token mostly costs several times as much."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Spread:
    """How a quantity is spread over episodes."""

    episodes: int
    total: float
    mean: float
    median: float
    p95: float  # nearest rank: 95 of 100 episodes have at most this
    most: float


def cost_by_role(spent: Iterable[Spent]) -> list[RoleCost]:
    """Return the cost of each role, sorted by role, and "all" at the end.

    Raises:
        InvalidInput: if a role is called "all".
    """
    by_role: dict[str, list[Spent]] = {}
    for one in spent:
        if one.role == "all":
            raise InvalidInput('a role is called "all", which names the sum; rename it')
        by_role.setdefault(one.role, []).append(one)
    lines = [_added_up(role, its) for role, its in sorted(by_role.items())]
    return [*lines, _added_up("all", [one for its in by_role.values() for one in its])]


def tokens_by_episode(
    spent: Iterable[Spent], *, roles: Iterable[str] | None = None
) -> dict[str, int]:
    """Return all tokens of each episode, in order of its first call; of some roles only, if named."""
    wanted = None if roles is None else set(roles)
    tokens: dict[str, int] = {}
    for one in spent:
        counted = one.prompt_tokens + one.completion_tokens
        is_wanted = wanted is None or one.role in wanted
        tokens[one.episode] = tokens.get(one.episode, 0) + (counted if is_wanted else 0)
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


def _added_up(role: str, spent: Sequence[Spent]) -> RoleCost:
    prices = [one.price for one in spent if one.price is not None]
    return RoleCost(
        role=role,
        calls=sum(one.calls for one in spent),
        prompt_tokens=sum(one.prompt_tokens for one in spent),
        completion_tokens=sum(one.completion_tokens for one in spent),
        duration_s=math.fsum(one.duration_s for one in spent),
        price=math.fsum(prices) if len(prices) == len(spent) else None,
    )
