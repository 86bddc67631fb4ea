"""The ways in which a model is asked for an action, and how its answer is read.

Which of them a model follows best differs from model to model; `agentcl model tune` measures it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from agentcl.agents.demonstrations import ACTED, ACTED_BY_LETTER, ACTED_THINKING, LETTERS
from agentcl.agents.prompts import ACTING, ACTING_BY_LETTER, ACTING_BY_NUMBER, ACTING_THINKING
from agentcl.errors import InvalidInput
from agentcl.models.base import TokenLogprob
from agentcl.models.tuned import Way

_NUMBER: Final = re.compile(r"\W{0,20}(\d{1,4})(?!\w)")


@dataclass(frozen=True, slots=True)
class Form:
    """How an action is asked for.

    Attributes:
        about: the form in a few words.
        instructions: said as the system's message; empty: only the prompt itself, of all actions.
        demonstrations: turns that stand before the real one.
        labels: what stands before each action and is to be answered instead of it.
        is_guidance_last: whether guidance stands right before the question, and not first.
        is_thinking: whether a thought says first which guidance fits; without guidance there is nothing to say.
        is_scored: whether the answer is the likeliest label rather than the one that was said.
    """

    about: str
    instructions: str = ACTING
    demonstrations: Sequence[tuple[str, str]] = ()
    labels: Literal["", "numbers", "letters"] = ""
    is_guidance_last: bool = True
    is_thinking: bool = False
    is_scored: bool = False

    def fits(self, actions: Sequence[str] | None, guidance: Sequence[str]) -> bool:
        """Return whether these actions can be asked for in this form, with this guidance."""
        if not self.labels:
            return bool(guidance) or not self.is_thinking
        return actions is not None and (self.labels == "numbers" or len(actions) <= len(LETTERS))

    def labels_of(self, actions: Sequence[str] | None) -> tuple[str, ...]:
        """Return the label of each action; none where they have none."""
        if not self.labels or actions is None:
            return ()
        if self.labels == "letters":
            return LETTERS[: len(actions)]
        return tuple(str(number) for number in range(1, len(actions) + 1))

    def labelled(self, said: str, actions: Sequence[str] | None) -> str | None:
        """Return the action whose number an answer is; None if it is none."""
        number = _NUMBER.match(said) if self.labels == "numbers" and actions else None
        if number and actions and 0 < int(number[1]) <= len(actions):
            return actions[int(number[1]) - 1]
        return None


FORMS: Final[Mapping[Way, Form]] = {
    "bare": Form("the prompt alone", instructions="", is_guidance_last=False),
    "number": Form("the action's number, told what to do", ACTING_BY_NUMBER, labels="numbers"),
    "text": Form("the action's text, told what to do"),
    "shown": Form("the action's text, after three examples", demonstrations=ACTED),
    "thought": Form(
        "a thought and the action's text, after three examples",
        ACTING_THINKING,
        ACTED_THINKING,
        is_thinking=True,
    ),
    "scored": Form(
        "the likeliest letter of two orders, after three examples",
        ACTING_BY_LETTER,
        ACTED_BY_LETTER,
        labels="letters",
        is_scored=True,
    ),
}


def form_of(way: str) -> Form:
    """Return the form of a name. Raises InvalidInput."""
    for name, form in FORMS.items():
        if name == way:
            return form
    raise InvalidInput(
        f"there is no form {way!r} of asking for an action; choose one of {', '.join(FORMS)}"
    )


def orders_of(actions: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return two orders of actions in which none stands at the same place, if there are at least two."""
    half = len(actions) // 2
    return tuple(actions), (*actions[half:], *actions[:half])


def likelihoods(first: TokenLogprob, labels: Iterable[str]) -> list[float]:
    """Return the log-probability of each label as the answer's first token, one of them being it."""
    seen: dict[str, float] = {}
    for token, logprob in first.others:
        label = token.strip()
        seen[label] = max(seen.get(label, -math.inf), logprob)
    # A label that is not among the likeliest is at most as likely as the last of them.
    least = min(logprob for _, logprob in first.others)
    found = [seen.get(label, least) for label in labels]
    total = math.log(sum(map(math.exp, found)))
    return [logprob - total for logprob in found]
