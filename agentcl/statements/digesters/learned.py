"""`LearnedDigester`: what rules and a small trained model read out of chat, without a language model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from agentcl.statements.digesters.grounding import is_borne_out
from agentcl.statements.digesters.pieces import OwnWords, pieces
from agentcl.statements.digesters.rules import RuleDigester
from agentcl.statements.digesters.tagging import StatementTagger, Tagged, statement_tagger
from agentcl.statements.digesters.telling import assertion_of
from agentcl.statements.reading import Assertion, Digested
from agentcl.statements.slots import USER, subject_key
from agentcl.store.conversations import Sort, Statement, Turn
from agentcl.text.function_words import FUNCTION_WORDS
from agentcl.text.terms import terms

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
_SURE: Final = 0.5  # of a value, that it is one, of its slot and owner
_OF_USER: Final = frozenset((
    "i", "me", "my", "mine", "we", "us", "our", "ours", "yo", "mi", "mon", "ma", "mes", "moi", "ich", "mein", "meine",
))  # fmt: skip
_OF_OTHER: Final = frozenset((
    "he", "him", "his", "she", "her", "hers", "they", "them", "their", "it", "its", "this", "that", "who",
))  # fmt: skip
_SAME: Final = 0.5  # of the words of a value, that a rule has read already


class LearnedDigester:
    """Reads statements by rules and by a small trained model. No language model is asked; the same each time.

    Rules go first: they are seldom wrong, and date what they read. The model adds what they miss. What the user's own
    words do not bear out is left out and counted.

    Args:
        tagger: the model; default: the one that comes with agentcl.
        sure: how likely a value has to be one, from 0 to 1. Less finds more, and more that is wrong.

    Raises:
        MissingExtra: if what the model needs is not installed (`agentcl[local]`).
    """

    name = "learned"

    def __init__(self, tagger: StatementTagger | None = None, *, sure: float = _SURE) -> None:
        self._tagger = tagger or statement_tagger()
        self._sure = sure
        self._rules = RuleDigester()

    def digest(self, turns: Sequence[Turn], known: Sequence[Statement]) -> Digested:
        """Return what turns say. Turns of other roles than the user's state nothing."""
        by_rule = self._rules.digest(turns, known)
        heard = list(pieces((turn.role, turn.text) for turn in turns))
        read = self._tagger.read([(piece.before, piece.text) for piece in heard], sure=self._sure)
        said, dropped = list(by_rule.said), by_rule.dropped
        person = ""  # whom "she" means, where the model does not tell
        for piece, stated in zip(heard, read, strict=True):
            for one in stated:
                who = _who(one.who, person)
                if not who or not set(terms(one.value)) - FUNCTION_WORDS:
                    continue
                person = person if who == USER else who
                made = _assertion(replace(one, who=who), piece, turns)
                if any(_is_same(made, other) for other in said):
                    continue
                if is_borne_out(made, turns):
                    said.append(made)
                else:
                    dropped += 1
        return Digested(tuple(said), dropped, by_rule.wishes)


def _assertion(one: Tagged, piece: OwnWords, turns: Sequence[Turn]) -> Assertion:
    attribute = one.attr if one.attr and one.slot in _OWN else _NAMES.get(one.slot, one.slot)
    made = assertion_of(
        _bare(one.who),
        _bare(attribute).replace("_", " "),
        one.value,
        when=one.when or (one.value if one.slot == "date" else ""),
        ended=one.ended,
        places=[piece.turn],
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
