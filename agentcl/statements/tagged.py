"""What a model marks in the user's words, and the assertions that it makes beside what rules have read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from agentcl.statements.grounding import is_borne_out
from agentcl.statements.reading import Assertion, Digested
from agentcl.statements.slots import USER, subject_key
from agentcl.statements.telling import assertion_of
from agentcl.store.conversations import Sort, Turn
from agentcl.text.function_words import FUNCTION_WORDS
from agentcl.text.terms import terms

SLOTS: Final = (
    "name", "nickname", "home", "address", "origin", "nationality", "job", "employer", "work_time", "phone_number",
    "phone", "email", "partner", "marital_status", "diet", "age", "birthday", "car", "bike", "landlord", "doctor",
    "allergy", "language", "language_learnt", "likes", "dislikes", "hobby", "pet", "child", "sibling", "parent",
    "friend", "colleague", "course", "appointment", "medication", "plan", "instruction", "relation", "health",
    "event", "identifier", "possession", "school", "date", "other",
)  # fmt: skip
_OWN: Final = (
    "identifier",
    "possession",
    "event",
    "other",
)  # slots that the words name, if they do
_SORTS: Final[dict[str, Sort]] = {
    "likes": "preference", "dislikes": "preference", "diet": "preference", "hobby": "preference",
    "instruction": "instruction", "plan": "plan", "event": "event", "appointment": "event",
    "relation": "relation", "partner": "relation", "child": "relation", "sibling": "relation",
    "parent": "relation", "friend": "relation", "colleague": "relation",
}  # fmt: skip
_NAMES: Final = {"identifier": "number", "other": "fact"}
_LEADING: Final = ("my ", "our ", "the ", "a ", "an ", "her ", "his ", "their ")
_OF_USER: Final = frozenset((
    "i", "me", "my", "mine", "we", "us", "our", "ours", "yo", "mi", "mon", "ma", "mes", "moi", "ich", "mein", "meine",
))  # fmt: skip
_OF_OTHER: Final = frozenset((
    "he", "him", "his", "she", "her", "hers", "they", "them", "their", "it", "its", "this", "that", "who",
))  # fmt: skip
_SAME: Final = 0.5  # of the words of a value, that a rule has read already


@dataclass(frozen=True, slots=True)
class Tagged:
    """One thing that a sentence states. Its parts are words of the sentence, or of the one before."""

    slot: str
    value: str
    who: str = "user"
    attr: str = ""  # what the value is of, where words say it
    when: str = ""
    ended: bool = False
    sure: float = 1.0  # that the value is one, of that slot and owner


def added(
    begun: Digested, marked: Iterable[tuple[int, Sequence[Tagged]]], turns: Sequence[Turn]
) -> Digested:
    """Return what was read, and what marked words assert beside it.

    What the user's own words do not bear out is left out and counted. A pronoun means whom something was said of last.

    Args:
        begun: what rules have read.
        marked: places of turns, in order, each with what is marked in it.
        turns: that were read.
    """
    said, dropped = list(begun.said), begun.dropped
    person = ""  # whom "she" means, where the model does not tell
    for place, stated in marked:
        for one in stated:
            who = _who(one.who, person)
            if not who or not set(terms(one.value)) - FUNCTION_WORDS:
                continue
            person = person if who == USER else who
            made = _assertion(replace(one, who=who), place, turns)
            if any(_is_same(made, other) for other in said):
                continue
            if is_borne_out(made, turns):
                said.append(made)
            else:
                dropped += 1
    return Digested(tuple(said), dropped, begun.wishes)


def _assertion(one: Tagged, place: int, turns: Sequence[Turn]) -> Assertion:
    attribute = one.attr if one.attr and one.slot in _OWN else _NAMES.get(one.slot, one.slot)
    made = assertion_of(
        _bare(one.who),
        _bare(attribute).replace("_", " "),
        one.value,
        when=one.when or (one.value if one.slot == "date" else ""),
        ended=one.ended,
        places=[place],
        turns=turns,
        sort=_SORTS.get(one.slot, "fact"),
        confidence=round(one.sure, 3),
    )
    # Nothing tells apart what two of these are of, so neither takes the place of the other.
    return replace(made, is_member=True) if one.slot in _OWN and not one.attr else made


def _who(told: str, person: str) -> str:
    """Return of whom something is said; empty if nobody tells."""
    words = told.casefold()
    if words in _OF_USER:
        return USER
    return person if words in _OF_OTHER else told


def _bare(words: str) -> str:
    low = words.casefold()
    leading = next((one for one in _LEADING if low.startswith(one)), "")
    return words[len(leading) :]


def _is_same(one: Assertion, other: Assertion) -> bool:
    """Return whether something was read of the same turn already: most of its words, of the same subject."""
    if not set(one.turns) & set(other.turns) or one.polarity != other.polarity:
        return False
    if subject_key(one.subject) != subject_key(other.subject):
        return False
    words, held = (_content(value.value) for value in (one, other))
    return len(words & held) >= _SAME * max(1, min(len(words), len(held)))


def _content(text: str) -> set[str]:
    words = set(terms(text))
    return words - FUNCTION_WORDS or words
