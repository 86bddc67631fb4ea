"""Whether turns bear out what was read from them: by their words, not by anybody's opinion."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from agentcl.statements.dates.dating import said_in
from agentcl.statements.english.hearing import own_words
from agentcl.statements.reading import Assertion
from agentcl.statements.slots import USER, subject_key
from agentcl.store.conversations import Turn
from agentcl.text.function_words import FUNCTION_WORDS
from agentcl.text.terms import terms

_SHARE: Final = 0.5  # of a value's words that its turns must have
_DATE: Final = re.compile(r"\d{4}(?:-\d\d(?:-\d\d)?)?")
_BARE: Final = frozenset({"yes", "no", "true", "none"})  # values whose attribute says it all


def is_borne_out(said: Assertion, turns: Sequence[Turn]) -> bool:
    """Return whether the turns that an assertion names say it.

    One of them must be the user's, and what counts is what he says in his own words: not what he quotes or pastes.
    Every number and half of the other words of the value must be there, and a word of whom it is about. A date must
    be the one that the words name.

    Args:
        said: with places among the turns.
        turns: that were read.
    """
    if not said.turns or not all(0 <= place < len(turns) for place in said.turns):
        return False
    own = [turns[place] for place in said.turns if turns[place].role == "user"]
    words = set(terms(" ".join(own_words(turn.text) for turn in own)))
    if not words:
        return False
    heard = words | set(
        terms(" ".join(own_words(turn.text) for turn in turns if turn.role == "user"))
    )
    if subject_key(said.subject) != USER and not _content(said.subject) & heard:
        return False
    if _DATE.fullmatch(said.value):
        return any(_names(turn, said.value) for turn in own)
    value = _content(said.attribute if said.value.casefold() in _BARE else said.value)
    if not value:
        return said.polarity == "ended" and bool(_content(said.attribute) & words or not said.value)
    numbers = {word for word in value if any(char.isdigit() for char in word)}
    return numbers <= words and len(value & words) >= _SHARE * len(value)


def _content(text: str) -> set[str]:
    words = set(terms(text))
    return words - FUNCTION_WORDS or words


def _names(turn: Turn, date: str) -> bool:
    text = own_words(turn.text)
    if date in text:
        return True
    at = turn.moment
    found = {one.date for tense in ("past", "future", "") for one in said_in(text, at, tense)}
    return any(one.startswith(date) for one in found)
