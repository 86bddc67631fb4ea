"""Facts with a number, written and read: of two that contradict each other, the higher number holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from agentcl.envs.relations import RELATIONS, statements

_NUMBERED: Final = re.compile(r"(?<!\S)(\d+)\. (.+?\.)(?=\s+\d+\. |\s*$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class NumberedFact:
    """One statement: the `noun` of `subject` is `value`."""

    number: int
    subject: str
    noun: str
    value: str
    sentence: str  # as it was stated, without its number

    def text(self) -> str:
        """Return the statement with its number."""
        return f"{self.number}. {self.sentence}"


def read_facts(text: str) -> Iterator[NumberedFact]:
    """Yield the numbered facts of a text, in its order; what is not phrased as one is passed over.

    No model is asked: the phrasings are those of `agentcl.envs.relations`.
    """
    for number, sentence in _NUMBERED.findall(text):
        for form in _FORMS:
            if match := form.fullmatch(sentence):
                parts = match.groupdict()
                noun = parts.get("n") or _NOUN_OF[parts["d"]]
                yield NumberedFact(int(number), parts["s"], noun, parts["v"], sentence)
                break


def newest(facts: Iterable[NumberedFact]) -> list[NumberedFact]:
    """Return the facts that hold among those given, by number; each overridden one is left out."""
    holding: dict[tuple[str, str], NumberedFact] = {}
    for fact in sorted(facts, key=lambda fact: fact.number):
        holding[fact.subject, fact.noun] = fact
    return sorted(holding.values(), key=lambda fact: fact.number)


def _compiled(form: str) -> re.Pattern[str]:
    parts = {
        "s": "(?P<s>[A-Z][a-z]+)",
        "v": "(?P<v>[A-Za-z]+)",
        "n": f"(?P<n>{'|'.join(relation.noun for relation in RELATIONS)})",
        "d": f"(?P<d>{'|'.join(_NOUN_OF)})",
    }
    return re.compile(re.escape(form).replace(r"\{", "{").replace(r"\}", "}").format(**parts))


_NOUN_OF: Final = {relation.verb: relation.noun for relation in RELATIONS if relation.verb}
_FORMS: Final = tuple(
    _compiled(form)
    for form in dict.fromkeys(
        form
        for relation in RELATIONS
        for held_out in (False, True)
        for form in statements(relation, held_out=held_out)
    )
)
