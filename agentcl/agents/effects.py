"""What is still worth trying, by what came of the actions before."""

from __future__ import annotations

from collections.abc import Sequence

from agentcl.envs.acting import History
from agentcl.guidance.effects import effect_of


def still_worth_trying(actions: Sequence[str], first: str, history: History) -> tuple[str, ...]:
    """Return the actions without those that brought nothing since something last changed; all, if none is left."""
    seen, vain = first, set[str]()
    for action, outcome in history:
        if effect_of(outcome, seen) == "change":
            seen = outcome
            vain.clear()
        else:
            vain.add(action)
    return tuple(action for action in actions if action not in vain) or tuple(actions)
