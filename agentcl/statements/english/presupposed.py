"""What people take for granted while they say or ask something else: "a letter to my landlady in Pune", "Transvale, my old tool".

A noun with "my" says that there is one, whatever becomes of the sentence around it. So it is read in questions as well,
but not behind an "if".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from agentcl.statements.english.open_verbs import FINITE
from agentcl.statements.english.patterns import PEOPLE, PETS, is_vague
from agentcl.statements.reading import Assertion

_CAPITAL: Final = r"[A-Z\u00c0-\u00de][\w&'-]{1,40}"
_NAME: Final = (
    r"(?!(?:I|We|He|She|It|They|You|The|This|That|My|Our|His|Her|Their|And|But|So|Is|Are|Was|Can|Could|Do|Does|Will|What|Who|"
    r"How|When|Where|Why|January|February|March|April|May|June|July|August|September|October|November|December|"
    r"Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|Christmas|Easter|English|German|French|Spanish|Dutch|Italian)\b)"
    rf"(?:(?:Mr|Mrs|Ms|Dr)\.? )?{_CAPITAL}(?: (?:(?:of|de|van|der|la|le|di) )?{_CAPITAL}| \d{{1,4}}\b){{0,3}}"
)
_WORD: Final = r"[a-z][a-z-]{1,30}"
_NOUN: Final = rf"(?:{_WORD} ){{0,2}}?(?!(?:and|or|of|is|was|are|to|that|who|which|best|own|first|next|last)\b){_WORD}"
_MINE: Final = r"\b(?:[Mm]y|[Oo]ur) (?:(?:new|old|little|big|dear|current|first) )?"
# "My landlady in Pune", "our branch at Northgate"
_PLACED: Final = re.compile(
    rf"{_MINE}(?P<what>{_NOUN})(?P<where> (?:in|at|near|from)) (?:the )?(?P<value>{_NAME})"
)
# "My clinic, Haldane Vets, ..."; people and pets have patterns of their own.
_NAMED: Final = re.compile(
    rf"{_MINE}(?P<what>{_NOUN})(?:, (?P<value>{_NAME})(?=[,.;!?)]|$)|,? (?:called|named) (?P<called>{_NAME}))"
)
# "Transvale, my old tool": not "Orla, my tooth hurts"
_BEFORE: Final = re.compile(
    rf"(?<![\w-])(?P<value>{_NAME}), (?:my|our) (?:(?:new|old|current|usual) )?(?P<what>{_NOUN})(?=[,.;!?)]|$)"
)
# "Her dad, Sixten, ..."
# "The landlord, Piet Hovarth, ..."
_ONE: Final = re.compile(rf"\b[Tt]he (?P<what>(?:new )?(?:{PEOPLE})), (?P<value>{_NAME}),")
_THEIRS: Final = re.compile(
    rf"\b(?:[Hh]er|[Hh]is|[Tt]heir) (?P<what>{PEOPLE}),? (?P<value>{_NAME})(?=[,.;!?)]|$| [a-z])"
)
_SUPPOSED: Final = re.compile(
    r"\b(?:if|unless|imagine|suppose|pretend|wish|would|might|dream)\b", re.IGNORECASE
)
_PERSON: Final = re.compile(rf"(?:\w{{1,40}} )?(?:{PEOPLE})")
_PET: Final = re.compile(rf"(?:\w{{1,40}} )?(?:{PETS})")
_FROM: Final = " from"


def presupposed(text: str, turn: int, person: str) -> Iterator[Assertion]:
    """Yield what the nouns of a sentence take for granted.

    Args:
        text: one sentence of the user's own, a question too.
        turn: the place of its turn among those that are read.
        person: whom "her" and "his" mean; empty: nobody was spoken of.
    """
    if _SUPPOSED.search(text):
        return
    for found in _PLACED.finditer(text):
        yield from _placed(found, turn)
    for found in (*_NAMED.finditer(text), *_BEFORE.finditer(text)):
        what, value = found["what"], found["value"] or found["called"]
        if not (_PERSON.fullmatch(what) or _PET.fullmatch(what) or is_vague(what)):
            yield _assertion("user", what, value, f"The user's {what} is {value}.", turn)
    for found in _ONE.finditer(text):
        what, value = found["what"].removeprefix("new "), found["value"]
        yield _assertion("user", what, value, f"The user's {what} is {value}.", turn)
    for found in _THEIRS.finditer(text):
        if person and person != found["value"]:
            what, value = found["what"], found["value"]
            yield _assertion(person, what, value, f"{person}'s {what} is {value}.", turn)


def _placed(found: re.Match[str], turn: int) -> Iterator[Assertion]:
    what, value = found["what"], found["value"].removesuffix("'s")
    *before, last = what.split()
    if is_vague(what) or (before and last in FINITE):
        return  # "my sister lives in Ghent" has a verb of its own
    if _PERSON.fullmatch(what):
        attribute = "origin" if found["where"] == _FROM else "place"
        yield _assertion(
            what, attribute, value, f"The user's {what} is{found['where']} {value}.", turn
        )
    elif found["where"] != _FROM:
        where = f"{found['where'].strip()} {value}"
        yield _assertion("user", what, where, f"The user's {what} is {where}.", turn)


def _assertion(subject: str, attribute: str, value: str, text: str, turn: int) -> Assertion:
    return Assertion(subject=subject, attribute=attribute, value=value, text=text, turns=(turn,))
