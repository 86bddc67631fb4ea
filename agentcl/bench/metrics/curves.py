"""How fast it was learned, and whether it was worth its cost: measures over scores in order of episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

from agentcl.bench.metrics.trends import check_finite, check_paired, mean_of, slope
from agentcl.errors import InvalidInput

_TIE: Final = 1e-9  # sums of tenths are not exact; a lead of this size is none


@dataclass(frozen=True, slots=True)
class BreakEven:
    """From when on a baseline was ahead, to the end of the run. Of a longer run it says nothing."""

    episode: int  # the first from which the baseline stays ahead, counted from 1
    held_for: int  # episodes until the end, that one included
    lead: float  # at the end, in the unit of what was added up


def area_under_curve(scores: Sequence[float]) -> float | None:
    """AULC = 1/(T-1) sum_{t<T} (s_t + s_{t+1}) / 2: the trapezoid rule, so a mean score.

    The first and last episode count half. None for fewer than two episodes.
    """
    checked = check_finite(scores, "the scores")
    return mean_of((before + after) / 2 for before, after in pairwise(checked))


def first_mean(scores: Sequence[float], count: int) -> float | None:
    """Return the mean of the first `count` scores; None if there are fewer. Raises InvalidInput for count < 1."""
    checked = _at_least(scores, count)
    return mean_of(checked[:count])


def last_mean(scores: Sequence[float], count: int) -> float | None:
    """Return the mean of the last `count` scores; None if there are fewer. Raises InvalidInput for count < 1."""
    checked = _at_least(scores, count)
    return mean_of(checked[-count:])


def prequential_scores(scores: Sequence[float], *, fading: float = 1.0) -> tuple[float, ...]:
    """Return P_1 ... P_T: each episode is a test first, and only then learned from.

    P_t = S_t / B_t with S_t = s_t + f S_{t-1}, B_t = 1 + f B_{t-1}, S_0 = B_0 = 0 (Gama, Sebastiao and
    Rodrigues 2013). With f = 1 this is the mean of all so far; below 1 an episode weighs f^age, about the
    last 1/(1-f) of them.

    Args:
        scores: of first attempts, in the order in which they were made.
        fading: f, above 0 and at most 1.

    Raises:
        InvalidInput: for another f, or a score that is not finite.
    """
    if not 0 < fading <= 1:
        raise InvalidInput(f"a fading factor of {fading}; give one above 0 and at most 1")
    faded: list[float] = []
    total = weight = 0.0
    for score in check_finite(scores, "the scores"):
        total = score + fading * total
        weight = 1 + fading * weight
        faded.append(total / weight)
    return tuple(faded)


def learning_slope(scores: Sequence[float]) -> float | None:
    """Return the least-squares slope, score per episode; None for fewer than two episodes."""
    return slope(check_finite(scores, "the scores"))


def break_even_score(
    with_memory: Sequence[float], without_memory: Sequence[float]
) -> BreakEven | None:
    """Return the first episode b with sum_{u<=t} (s_u - z_u) > 0 for all t >= b.

    s_u and z_u are the scores of episode u with and without memory. None if the baseline is not ahead at the
    end; a tie is not ahead.

    Raises:
        InvalidInput: if the baselines differ in length, or a score is not finite.
    """
    check_paired(with_memory, without_memory)
    gains = [
        ours - theirs
        for ours, theirs in zip(
            check_finite(with_memory, "the scores with memory"),
            check_finite(without_memory, "the scores without memory"),
            strict=True,
        )
    ]
    return _ahead_from(gains)


def break_even_cost(
    with_memory: Sequence[float], without_memory: Sequence[float], *, memory: Sequence[float]
) -> BreakEven | None:
    """Return the first episode b with sum_{u<=t} (z_u - c_u - m_u) > 0 for all t >= b.

    z_u is what episode u cost without memory, c_u what acting in it cost with memory, m_u what the memory
    itself cost then (distilling, embedding, upkeep); all in one unit, tokens or price. None if it did
    not pay by the end. An agent that fails at once is cheap: read it beside the scores.

    Raises:
        InvalidInput: if the three differ in length, or a cost is negative or not finite.
    """
    check_paired(with_memory, without_memory)
    check_paired(with_memory, memory)
    acting, plain, own = (
        _costs(costs, what)
        for costs, what in (
            (with_memory, "the costs with memory"),
            (without_memory, "the costs without memory"),
            (memory, "the memory's own costs"),
        )
    )
    return _ahead_from([z - c - m for c, z, m in zip(acting, plain, own, strict=True)])


def adaptive_efficiency(
    with_memory: Sequence[float], without_memory: Sequence[float], *, memory: Sequence[float]
) -> float | None:
    """AE = sum_t (s_t - z_t) / sum_t m_t: score gained for each token (or unit of price) spent on memory.

    s_t and z_t are the scores with and without memory, m_t what the memory cost. None if it cost
    nothing. Our own definition: ATLAS (arXiv 2511.01093) uses the words for more success at less cost.

    Raises:
        InvalidInput: if the three differ in length, a cost is negative, or a value is not finite.
    """
    check_paired(with_memory, without_memory)
    check_paired(with_memory, memory)
    gained = sum(check_finite(with_memory, "the scores with memory"))
    gained -= sum(check_finite(without_memory, "the scores without memory"))
    spent = sum(_costs(memory, "the memory's own costs"))
    return gained / spent if spent else None


def _at_least(scores: Sequence[float], count: int) -> tuple[float, ...]:
    if count < 1:
        raise InvalidInput(f"a mean of {count} scores; ask for at least 1")
    checked = check_finite(scores, "the scores")
    return checked if len(checked) >= count else ()


def _costs(costs: Sequence[float], what: str) -> tuple[float, ...]:
    checked = check_finite(costs, what)
    if any(cost < 0 for cost in checked):
        raise InvalidInput(f"{what} have a negative one; a saving is the difference of two costs")
    return checked


def _ahead_from(gains: Sequence[float]) -> BreakEven | None:
    leads = list(accumulate(gains))
    behind = [place for place, lead in enumerate(leads) if lead <= _TIE]
    first = behind[-1] + 1 if behind else 0
    if first >= len(leads):
        return None
    return BreakEven(first + 1, len(leads) - first, leads[-1])
