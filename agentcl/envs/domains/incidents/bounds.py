"""The best expected scores in incident response, exactly: by going through all that an agent may have seen."""

from __future__ import annotations

from functools import cache
from typing import Final

from agentcl.envs.domains.incidents.deployments import CLEARED, DONE, NOTHING, WORSE

OFFERED: Final = 5  # remedies that may be tried
MAX_STEPS: Final = 8
WASTE: Final = 0.2  # of the score, for each step that did not bring the alert nearer to its end ...
HARM: Final = 2  # ... and this many times that for one that makes it worse

_Hidden = tuple[int, int, int | None]  # remedy, harm, what is needed before
_Belief = frozenset[tuple[_Hidden, int]]  # what may be so, and how often of all


@cache
def expected_without_memory(family: str) -> float:
    """Return the best expected score of an agent that remembers nothing between episodes.

    Of the best policy against rules drawn uniformly. A diagnostic is of no use to it, since it does not
    know what a sign calls for.
    """
    verbs = range(OFFERED)
    befores = [*verbs] if family == "needs" else [None]
    belief = frozenset(
        ((remedy, harm, before), 1)
        for remedy in verbs
        for harm in verbs
        for before in befores
        if len({remedy, harm, before}) == 3
    )
    return _best(belief, is_ready=family != "needs", left=MAX_STEPS, waste=0)


@cache
def expected_from_estate(family: str) -> float:
    """Return the best expected score of a first attempt by an agent that knows the estate's rules.

    It knows them all, how many of them a deployment shares, and of this deployment nothing. What it knows of
    diagnostics and harms is true; of remedies, and of what they need, in three situations of four. So it
    does what the estate calls for, and where that fails tries what else is offered.
    """
    # 0 is the estate's remedy, 1 the harm; in `needs`, 2 is what the estate says comes first.
    remedies: list[tuple[_Hidden, int]] = [((0, 1, None), 9)]
    remedies += [((own, 1, None), 1) for own in (2, 3, 4)]
    needs: list[tuple[_Hidden, int]] = [((0, 1, 2), 6), ((3, 1, 4), 1), ((4, 1, 3), 1)]
    belief = frozenset(needs if family == "needs" else remedies)
    return _best(belief, is_ready=family != "needs", left=MAX_STEPS, waste=0)


@cache
def _best(belief: _Belief, *, is_ready: bool, left: int, waste: int) -> float:
    if left == 0 or waste * WASTE >= 1:
        return 0.0
    return max(
        _expected(belief, verb, is_ready=is_ready, left=left, waste=waste)
        for verb in range(OFFERED)
    )


def _expected(belief: _Belief, verb: int, *, is_ready: bool, left: int, waste: int) -> float:
    """Return the expected score of trying one action now, and acting best from then on."""
    seen: dict[str, list[tuple[_Hidden, int]]] = {}
    for hidden, weight in sorted(belief, key=repr):  # a set's order is another in each process
        remedy, harm, before = hidden
        if verb == remedy:
            said = CLEARED if is_ready else f"{before} before"
        elif verb == before:
            said = DONE
        else:
            said = WORSE if verb == harm else NOTHING
        seen.setdefault(said, []).append((hidden, weight))
    if len(seen) == 1 and len(belief) > 1 and CLEARED not in seen and DONE not in seen:
        return 0.0  # nothing is learned, so nothing is gained
    every = sum(weight for _, weight in belief)
    total = 0.0
    for said, consistent in seen.items():
        share = sum(weight for _, weight in consistent) / every
        if said == CLEARED:
            total += share * (1 - WASTE * waste)
            continue
        more = {DONE: int(is_ready), WORSE: HARM}.get(said, 1)
        total += share * _best(
            frozenset(consistent),
            is_ready=is_ready or said == DONE,
            left=left - 1,
            waste=waste + more,
        )
    return total
