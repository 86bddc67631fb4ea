"""What is still worth trying, by what came of the actions before."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from agentcl.envs.acting import History, any_may
from agentcl.guidance.effects import effect_of
from agentcl.guidance.meaning.same import content

_FIRST: Final = re.compile(
    r"\b(?:first|before|until|unless|only after|requires?|required|needs?|needed|must|ha(?:ve|s) to|has not been"
    r"|refuse[sd]?|reject(?:s|ed)?|denie[sd]|cannot|can'?t|not allowed|precondition)\b",
    re.IGNORECASE,
)


def still_worth_trying(
    actions: Sequence[str],
    first: str,
    history: History,
    may_change: Callable[[str], bool] = any_may,
) -> tuple[str, ...]:
    """Return the actions without those that brought nothing since something last changed; all, if none is left.

    What only looks something up tells the same again until then.
    """
    vain = set[str]()
    for action, is_change in changes(first, history, actions):
        if is_change and may_change(action):
            vain.clear()
        else:
            vain.add(action)
    return tuple(action for action in actions if action not in vain) or tuple(actions)


def changes(first: str, history: History, actions: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Yield what was done, and whether it changed something; what was refused did not, and what told the same before told nothing new."""
    seen, told = first, set[tuple[str, str]]()
    for action, outcome in history:
        is_new = (action, outcome) not in told
        told.add((action, outcome))
        is_change = (
            is_new
            and effect_of(outcome, seen) == "change"
            and not is_refused(action, outcome, actions)
        )
        if is_change:
            seen = outcome
        yield action, is_change


def is_refused(action: str, outcome: str, actions: Sequence[str]) -> bool:
    """Return whether an outcome asks for another action first: it says so, and one that is offered by all its words."""
    if not _FIRST.search(outcome):
        return False
    said = set(content(outcome))
    return any((words := set(content(one))) and words <= said for one in actions if one != action)
