"""Short answers to what the assistant asked, as "45,000 rupees" to "What is the amount?".

The question names the attribute, the answer the value. A whole sentence is read as any other; this reads what has no verb.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from agentcl.statements.dates.dating import said_in
from agentcl.statements.dates.days import Tense
from agentcl.statements.english.open_verbs import FINITE
from agentcl.statements.english.verbs import LEMMA
from agentcl.statements.english.words import is_told
from agentcl.statements.reading import Assertion

_LAST: Final = 300  # characters of what was said before, from its end
_WORD: Final = r"[a-z][\w-]{0,30}"
_WHAT: Final = re.compile(
    rf"\b(?:[Ww]hat(?:'s| is| was| are)|[Ww]hich) (?:(?P<whose>your|the|his|her|their|its) )?(?P<what>(?:{_WORD} ){{0,3}}?{_WORD})(?: (?:is it|do you|are you|did you)\b[^?]{{0,60}})?\?\s*$"
)
_WHEN: Final = re.compile(
    rf"\b[Ww]hen (?P<aux>does|do|did|is|are|was|will) (?P<who>it|that|this|(?:the|your|his|her) (?:{_WORD} ){{0,2}}?{_WORD})(?: (?P<verb>{_WORD}))?\?\s*$"
)
_TO: Final = re.compile(r"\b(?:to|for) (?:include|add|put|use|mention|give)\b")
_LED: Final = re.compile(
    r"^(?:(?:yes|sure|ok|okay|right|oh|so|well|it's|that's|just|about)\b[,.]?\s+)+", re.IGNORECASE
)
_MOST_WORDS: Final = 6
_NO_VALUE: Final = re.compile(
    r"\b(?:no|not|none|don't|never|you|your|please|thanks?|both|either|neither|all|any|that|this|the (?:first|second|other) one)\b",
    re.IGNORECASE,
)
_NO_ATTRIBUTE: Final = frozenset(
    [
        "time",
        "matter",
        "problem",
        "else",
        "happened",
        "that",
        "this",
        "it",
        "you",
        "question",
        "plan",
        "next",
        "way",
        "one",
        "kind",
    ]
)


def answer_of(asked: str, said: str, turn: int, at: datetime, thing: str) -> Assertion | None:
    """Return what a short answer states of what was asked; None if it states nothing.

    Args:
        asked: what the assistant said right before.
        said: the first sentence of the answer.
        turn: the place of the answer's turn among those that are read.
        at: when it was given.
        thing: what "it" means in the question; empty: nothing was spoken of.
    """
    text = _LED.sub("", said.strip()).rstrip(" .!")
    words = text.split()
    is_sentence = any(
        word.lower() in FINITE or word.lower() in LEMMA for word in words
    ) or re.search(r"\b(?:I|we|he|she|they)\b", text)
    if (
        not words
        or len(words) > _MOST_WORDS
        or is_sentence
        or said.rstrip().endswith("?")
        or _NO_VALUE.search(text)
    ):
        return None
    if found := _WHEN.search(asked[-_LAST:]):
        return _at_a_date(found, text, turn, at, thing)
    found = _WHAT.search(asked[-_LAST:])
    if (
        found is None
        or not is_told(text)
        or found["what"].split()[-1] in _NO_ATTRIBUTE
        or _TO.search(found["what"])
    ):
        return None
    what = found["what"]
    return Assertion(
        subject="user", attribute=what, value=text, text=f"The {what} is {text}.", turns=(turn,)
    )


def _at_a_date(
    found: re.Match[str], text: str, turn: int, at: datetime, thing: str
) -> Assertion | None:
    tense: Tense = "past" if found["aux"] in ("did", "was") else "future"
    dates = said_in(text, at, tense)
    who = thing if found["who"] in ("it", "that", "this") else found["who"]
    is_own = who.startswith("your ")
    who = re.sub(r"^(?:the|your|his|her) ", "", who)
    if not dates or not who or len(dates[0].date) < len("2025-01"):
        return None
    date, verb = dates[0].date, found["verb"] or "date"
    return Assertion(
        subject="user" if is_own else who,
        attribute=who if is_own else verb,
        value=date,
        text=f"The {who}: {verb} {date}.",
        turns=(turn,),
        sort="event",
        since=date,
    )
