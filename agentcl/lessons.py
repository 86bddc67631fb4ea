"""What experience has to say, in fixed forms: lessons as sentences, and past stretches as demonstrations.

Programs can follow both, and models can write the sentences.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from agentcl.errors import InvalidInput
from agentcl.text.escaping import quoted

Claim = Literal["do", "avoid", "useless", "needs", "expect"]
CLAIMS: Final[tuple[Claim, ...]] = get_args(Claim)

_SENTENCES: Final[Mapping[Claim, str]] = {
    "avoid": "When {when}, do not {what}.",
    "useless": "When {when}, it does not help to {what}.",
    "expect": "When {when}, expect that {what}.",
    "needs": "Before {when}, {what}.",
    "do": "When {when}, {what}.",
}
# CLIN's forms with their hedges (Majumder et al. 2023, section 3.2), for readers that were not trained on
# the sentences above.
_HEDGED: Final[Mapping[Claim, str]] = {
    "avoid": "When {when}, to {what} {hedge} do harm.",
    "useless": "When {when}, to {what} {hedge} not contribute.",
    "expect": "When {when}, it {hedge} be that {what}.",
    "needs": "To {what} {hedge} be necessary before {when}.",
    "do": "When {when}, to {what} {hedge} help.",
}
_NO_WORD: Final = re.compile(r"[^\w]+")


@dataclass(frozen=True, slots=True)
class Lesson:
    """What to do, not to do, or to expect, and when.

    {"when": "a queue is slow", "claim": "do", "what": "drain it"}; for "needs", what has to come before
    something: {"when": "you drain a queue", "claim": "needs", "what": "pause it"}.
    """

    when: str
    claim: Claim
    what: str

    @property
    def is_whole(self) -> bool:
        """Whether it says when and what: "When a, do not ." says neither what to do nor what to leave."""
        what = folded(self.what)
        return bool(folded(self.when) and what) and not (self.claim == "do" and what in _STEMS)

    def sentence(self) -> str:
        """Return the lesson as it stands in a prompt."""
        return _SENTENCES[self.claim].format(when=self.when, what=self.what)

    def hedged(self, *, is_sure: bool) -> str:
        """Return the lesson as a causal abstraction: it "should", or "may", be so."""
        hedge = "should" if is_sure else "may"
        return _HEDGED[self.claim].format(when=self.when, what=self.what, hedge=hedge)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A past stretch of work: what was seen, what was done then, and what came of it."""

    task: str  # what was to be reached
    seen: str  # before the first of its steps
    steps: tuple[tuple[str, str], ...]  # actions that mattered, and what was seen then
    is_success: bool  # of the whole attempt
    episode: str = ""  # the id of the attempt

    def lines(self) -> list[str]:
        """Return it as lines of a prompt; what is stored stands in them as inert data."""
        ended = "succeeded" if self.is_success else "failed"
        return [
            f"Earlier attempt that {ended}: {quoted(self.task)}",
            f"Seen then: {quoted(self.seen)}",
            *(
                f"{n}. {quoted(action)}: {quoted(outcome.strip().rstrip('.'))}."
                for n, (action, outcome) in enumerate(self.steps, 1)
            ),
        ]


def folded(text: str) -> str:
    """Return a text without what does not matter when two are compared: case, spaces, marks."""
    return _NO_WORD.sub(" ", text.casefold()).strip()


# What is left of a claim that says nothing; "do" would read it as what to do.
_STEMS: Final = frozenset(
    folded(form.partition(", ")[2].format(what="")) for form in _SENTENCES.values()
)


def read_sentence(text: str) -> Lesson | None:
    """Return the lesson that a sentence says; None for a sentence of another form."""
    for claim, form in _SENTENCES.items():  # "do" comes last: it reads what those before it read
        if parts := _parts(text.strip(), form):
            lesson = Lesson(parts[0], claim, parts[1])
            return lesson if lesson.is_whole else None
    return None


def _parts(sentence: str, form: str) -> tuple[str, str] | None:
    """Return what stands in a sentence for {when} and {what}: the shortest when."""
    before, _, rest = form.partition("{when}")
    between, _, after = rest.partition("{what}")
    if not sentence.startswith(before) or not sentence.endswith(after) or "\n" in sentence:
        return None
    bare = sentence[len(before) : len(sentence) - len(after)]
    place = bare.find(between, 1)
    when, what = bare[:place], bare[place + len(between) :]
    return (when, what) if place > 0 and what else None


def read_json(value: Mapping[str, str]) -> Lesson:
    """Return the lesson of a parsed JSON object.

    Raises:
        InvalidInput: if a part is missing, or there is no such claim.
    """
    try:
        when, claim, what = value["when"].strip(), value["claim"], value["what"].strip()
    except (KeyError, AttributeError) as error:
        raise InvalidInput(f"a lesson has when, claim and what, all texts: {value!r}") from error
    if claim not in CLAIMS or not when or not what:
        raise InvalidInput(f"a lesson's claim is one of {', '.join(CLAIMS)}: {value!r}")
    return Lesson(when, claim, what)
