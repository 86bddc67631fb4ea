"""What an action brought about, as far as the words of its outcome and the world's rewards tell."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal

from agentcl.lessons import folded

Effect = Literal["change", "nothing", "harm"]

_NOTHING: Final = re.compile(
    r"\bnothing (?:\w+ )?(?:happen|chang|is found|was found)|\b(?:no|without|had no|has no) (?:effect|change)\b|\bunchanged\b"
    r"|\b(?:did|does|do) ?n[o']t (?:help|work|change)\b|\b(?:(?:invalid|unknown|unrecognized)|no (?:known|such)) (?:action|command)\b"
    r"|\b(?:that's not a verb|you can't|you cannot|i don't understand)\b",
    re.IGNORECASE,
)
_HARM: Final = re.compile(
    r"\b(?:gets?|got|makes?|made|is|are|becomes?|became) (?:\w+ )?worse\b", re.IGNORECASE
)


def effect_of(outcome: str, seen: str) -> Effect:
    """Return what an outcome tells, given what was seen before."""
    if _HARM.search(outcome):
        return "harm"
    return "nothing" if folded(outcome) == folded(seen) or _NOTHING.search(outcome) else "change"


def gains(rewards: Sequence[float]) -> list[int]:
    """Return the steps that a world rewarded; what it gives for nearly every step is no reward."""
    return [n for n, one in enumerate(rewards) if one > max(0.0, _usual(rewards))]


def losses(rewards: Sequence[float]) -> list[int]:
    """Return the steps that a world punished; a price that nearly every step has is no punishment."""
    return [n for n, one in enumerate(rewards) if one < min(0.0, _usual(rewards))]


def _usual(rewards: Sequence[float]) -> float:
    """Return what more than half of the steps gave."""
    ((most, count),) = Counter(rewards).most_common(1) or ((0.0, 0),)
    return most if count > max(1, len(rewards) / 2) else 0.0
