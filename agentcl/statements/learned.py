"""`LearnedDigester`: what rules and a small trained model read out of chat, without a language model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from agentcl.statements.grounding import is_borne_out
from agentcl.statements.hearing import Sentence, sentences
from agentcl.statements.reading import Assertion, Digested
from agentcl.statements.rules import RuleDigester
from agentcl.statements.slots import subject_key
from agentcl.statements.tagging import StatementTagger, Tagged, statement_tagger
from agentcl.statements.telling import assertion_of
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
_SURE: Final = 0.7  # of a value, that it is one
_SAME: Final = 0.5  # of the words of a value, that a rule has read already
_LAST_WORDS: Final = 300  # characters of what somebody else said before


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
        heard = list(_heard(turns))
        read = self._tagger.read([(before, one.text) for before, one in heard], sure=self._sure)
        said, dropped = list(by_rule.said), by_rule.dropped
        for (_, sentence), stated in zip(heard, read, strict=True):
            for one in stated:
                made = _assertion(one, sentence, turns)
                if any(_is_same(made, other) for other in said):
                    continue
                if is_borne_out(made, turns):
                    said.append(made)
                else:
                    dropped += 1
        return Digested(tuple(said), dropped, by_rule.wishes)


def _heard(turns: Sequence[Turn]) -> Iterator[tuple[str, Sentence]]:
    """Yield the user's sentences, each with what was said right before it."""
    before = ""
    for place, turn in enumerate(turns):
        if turn.role != "user":
            before = turn.text[-_LAST_WORDS:].strip()
            continue
        for sentence in sentences(turn, place):
            yield before, sentence
            before = sentence.text


def _assertion(one: Tagged, sentence: Sentence, turns: Sequence[Turn]) -> Assertion:
    attribute = one.attr if one.attr and one.slot in _OWN else _NAMES.get(one.slot, one.slot)
    return assertion_of(
        _bare(one.who),
        _bare(attribute).replace("_", " "),
        one.value,
        when=one.when,
        ended=one.ended,
        places=[sentence.turn],
        turns=turns,
        sort=_SORTS.get(one.slot, "fact"),
        confidence=round(one.sure, 3),
    )


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
