"""The best expected scores at the desk, exactly: by going through all that an agent may have seen."""

from __future__ import annotations

from functools import cache
from typing import Final

MAX_STEPS: Final = 8
WASTE: Final = 0.2  # of the score, for each action in vain ...
HARM: Final = 2  # ... and this many times that for one that does harm

_Hidden = tuple[
    int, int, bool
]  # what settles the ticket, what does harm, whether a photo is wanted


@cache
def expected_without_memory(choices: int, *, may_want_photo: bool = False) -> float:
    """Return the best expected score of an agent that remembers nothing between tickets.

    Of the best way against a policy that is drawn evenly. What is looked up is of no use to it, since it does not
    know what a fact calls for.

    Args:
        choices: among so many actions the policy decides.
        may_want_photo: whether it may want a photo first, which it does in half of the cases.
    """
    wants = (True, False) if may_want_photo else (False,)
    belief = frozenset(
        (right, harm, photo)
        for right in range(choices)
        for harm in range(choices)
        for photo in wants
        if right != harm
    )
    return _best(belief, choices, has_asked=not may_want_photo, waste=0)


@cache
def _best(belief: frozenset[_Hidden], choices: int, *, has_asked: bool, waste: int) -> float:
    if waste * WASTE >= 1:
        return 0.0
    verbs = [
        _tried(belief, choices, verb, has_asked=has_asked, waste=waste) for verb in range(choices)
    ]
    return max(verbs if has_asked else [*verbs, _asked(belief, choices, waste=waste)])


def _tried(
    belief: frozenset[_Hidden], choices: int, verb: int, *, has_asked: bool, waste: int
) -> float:
    """Return the expected score of trying an action now, and acting best from then on."""
    seen: dict[str, set[_Hidden]] = {}
    for right, harm, photo in belief:
        if verb == right:
            said = "missing" if photo and not has_asked else "settled"
        else:
            said = "worse" if verb == harm else "nothing"
        seen.setdefault(said, set()).add((right, harm, photo))
    if len(seen) == 1 and len(belief) > 1 and "settled" not in seen:
        return 0.0  # nothing is learned, so nothing is gained
    total = 0.0
    for said, left in sorted(seen.items()):
        worth = 1 - WASTE * waste
        if said != "settled":
            more = HARM if said == "worse" else 1
            worth = _best(frozenset(left), choices, has_asked=has_asked, waste=waste + more)
        total += len(left) / len(belief) * worth
    return total


def _asked(belief: frozenset[_Hidden], choices: int, *, waste: int) -> float:
    """Return the expected score of asking for a photo now; whether one was wanted is said."""
    total = 0.0
    for wanted in (True, False):
        left = frozenset(one for one in belief if one[2] == wanted)
        if left:
            worth = _best(left, choices, has_asked=True, waste=waste + (not wanted))
            total += len(left) / len(belief) * worth
    return total
