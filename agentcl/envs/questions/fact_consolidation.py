"""Numbered facts of which later ones override earlier ones, and questions over one to three of them.

After the task FactConsolidation of MemoryAgentBench (Hu et al., 2025), with facts, names and texts of our
own: nothing can be known beforehand, any number of streams of any size can be made, and all of it may be
shipped. A memory that believes one overridden fact on the way to an answer gets it wrong, always.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agentcl.envs.names import Names
from agentcl.envs.questions.numbered_facts import NumberedFact
from agentcl.envs.questions.records import Arrival, Question, QuestionStream
from agentcl.envs.relations import (
    OF_KIND,
    VALUES,
    Relation,
    phrase_question,
    phrase_two_hops,
    statements,
)
from agentcl.errors import InvalidInput

LICENCE: Final = "Apache-2.0"
CATEGORIES: Final = ("unchanged", "single-hop", "two-hop", "three-hop")
SMALLEST: Final = 20
LARGEST: Final = 15_000  # as far as there are names
_HELD_OUT_LARGEST: Final = 4_000
_KINDS: Final = ("town", "person", "company")  # whose relations lead to each other
_PER_SUBJECT: Final = 4  # relations that each subject of a kind has

_Slot = tuple[str, str]  # a subject and the noun of a relation


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is said: of some slots one value, of the overridden ones two."""

    versions: Mapping[_Slot, tuple[NumberedFact, ...]]  # the last one holds
    relations: Mapping[str, Relation]  # by noun
    kinds: Mapping[str, str]  # of each subject


@dataclass(frozen=True, slots=True)
class _Chain:
    """One question: from a subject through relations to what holds at the end."""

    subject: str
    relations: tuple[Relation, ...]
    facts: tuple[NumberedFact, ...]


def fact_consolidation_stream(
    facts: int = 200,
    *,
    seed: int = 0,
    questions: int = 25,
    overriding: float = 0.4,
    facts_per_arrival: int = 1,
    plain: bool = False,
    held_out: bool = False,
) -> QuestionStream:
    """Return a stream of numbered facts and then questions; the same arguments give the same stream.

    The categories are `unchanged` (one fact that was never overridden, a control), `single-hop` (one that
    was), `two-hop` and `three-hop` (at least one on the way was). Evidence are the arrivals with the facts
    that hold. Each wrong turn at an overridden fact leads to some other answer.

    Args:
        facts: how many are stated, overriding ones included.
        seed: of names, facts, order and questions.
        questions: at most this many of each category; few facts have fewer chains.
        overriding: the share of the stated facts that override an earlier one, up to a half.
        facts_per_arrival: facts that arrive as one text.
        plain: state and ask everything in its plainest form, "The … of … is …."
        held_out: names and phrasings that the reference model never met in training.

    Raises:
        InvalidInput: if an option is out of range.
    """
    _check(facts, questions, overriding, facts_per_arrival, held_out)
    rng = random.Random(f"fact consolidation {seed}")
    said = _draw(rng, facts, round(facts * overriding), plain=plain, held_out=held_out)
    ordered = sorted((f for versions in said.versions.values() for f in versions), key=_number)
    where = {fact: f"facts {1 + place // facts_per_arrival}" for place, fact in enumerate(ordered)}
    texts: dict[str, list[str]] = {}
    for fact, arrival in where.items():
        texts.setdefault(arrival, []).append(fact.text())
    name = f"fact_consolidation/{facts}-{seed}"
    events: list[Arrival | Question] = [
        Arrival(id=arrival, text=" ".join(lines), group=name) for arrival, lines in texts.items()
    ]
    for category, found in _candidates(said).items():
        for number, chain in enumerate(rng.sample(found, min(questions, len(found))), start=1):
            events.append(
                Question(
                    id=f"{category} {number}",
                    text=_asked(rng, chain, plain=plain, held_out=held_out),
                    answers=(chain.facts[-1].value,),
                    evidence=frozenset(where[fact] for fact in chain.facts),
                    category=category,
                )
            )
    return QuestionStream(name, LICENCE, tuple(events))


def _check(
    facts: int, questions: int, overriding: float, facts_per_arrival: int, held_out: bool
) -> None:
    largest = _HELD_OUT_LARGEST if held_out else LARGEST
    if not SMALLEST <= facts <= largest:
        raise InvalidInput(f"facts must be from {SMALLEST} to {largest:,}, and is {facts:,}")
    if not 0 < overriding <= 0.5:
        raise InvalidInput(f"overriding must be above 0 and at most 0.5, and is {overriding}")
    if questions < 1 or facts_per_arrival < 1:
        raise InvalidInput("questions and facts_per_arrival must be at least 1")


def _number(fact: NumberedFact) -> int:
    return fact.number


def _draw(
    rng: random.Random, facts: int, overriding: int, *, plain: bool, held_out: bool
) -> _Facts:
    """Draw subjects with all the relations of their kind, values, what is overridden, and the order."""
    names = Names(rng, held_out=held_out)
    of_kind = {kind: _relations(rng, kind) for kind in _KINDS}
    relations = {relation.noun: relation for chosen in of_kind.values() for relation in chosen}
    slots: list[_Slot] = []
    kinds: dict[str, str] = {}
    while len(slots) < facts - overriding:
        subject, kind = names.fresh(), _KINDS[len(kinds) % len(_KINDS)]
        kinds[subject] = kind
        slots += [(subject, relation.noun) for relation in of_kind[kind]]
    slots = slots[: facts - overriding]
    # What is listed twice is overridden: all but its last statement are wrong in the end.
    order = slots + rng.sample(slots, overriding)
    rng.shuffle(order)
    of_object = {kind: [name for name, k in kinds.items() if k == kind] for kind in _KINDS}
    versions: dict[_Slot, tuple[NumberedFact, ...]] = {}
    for number, (subject, noun) in enumerate(order, start=1):
        relation, before = relations[noun], versions.get((subject, noun), ())
        taken = {subject, *(fact.value for fact in before)}
        known = VALUES.get(relation.object) or of_object[relation.object]
        value = _value(rng, names, known, taken)
        forms = statements(relation, held_out=held_out)
        form = forms[0] if plain else rng.choice(forms)
        sentence = form.format(s=subject, v=value, n=noun, d=relation.verb)
        fact = NumberedFact(number, subject, noun, value, sentence[0].upper() + sentence[1:])
        versions[subject, noun] = (*before, fact)
    return _Facts(versions, relations, kinds)


def _value(rng: random.Random, names: Names, known: Sequence[str], taken: set[str]) -> str:
    """Draw a known value that is not taken; few facts have few subjects of a kind, and need a new name."""
    if all(value in taken for value in known):
        return names.fresh()
    while (value := rng.choice(known)) in taken:
        pass
    return value


def _relations(rng: random.Random, kind: str) -> Sequence[Relation]:
    """Draw relations of a kind, those that lead on to another subject first."""
    leading = [relation for relation in OF_KIND[kind] if relation.object in _KINDS]
    others = [relation for relation in OF_KIND[kind] if relation.object in VALUES]
    rng.shuffle(leading)
    return [*leading, *others][:_PER_SUBJECT]


def _candidates(said: _Facts) -> dict[str, list[_Chain]]:
    """Return what can be asked in each category."""
    found: dict[str, list[_Chain]] = {category: [] for category in CATEGORIES}
    for subject, noun in said.versions:
        for chain in _chains(said, subject, said.relations[noun], hops=len(CATEGORIES) - 1):
            is_changed = any(len(said.versions[f.subject, f.noun]) > 1 for f in chain.facts)
            if len(chain.facts) == 1:
                found["single-hop" if is_changed else "unchanged"].append(chain)
            elif is_changed and _misleads(said, chain):
                found[CATEGORIES[len(chain.facts)]].append(chain)
    return found


def _chains(said: _Facts, subject: str, first: Relation, *, hops: int) -> Iterator[_Chain]:
    """Yield the chains of up to `hops` facts that hold and meet no subject twice."""
    fact = said.versions[subject, first.noun][-1]
    yield _Chain(subject, (first,), (fact,))
    if hops == 1 or fact.value not in said.kinds:
        return
    for relation in said.relations.values():
        if (fact.value, relation.noun) not in said.versions:
            continue
        for rest in _chains(said, fact.value, relation, hops=hops - 1):
            met = {subject, *(f.subject for f in rest.facts)}
            if rest.facts[-1].value not in met and subject not in {f.subject for f in rest.facts}:
                yield _Chain(subject, (first, *rest.relations), (fact, *rest.facts))


def _misleads(said: _Facts, chain: _Chain) -> bool:
    """Tell whether every way through an overridden fact ends, and in another answer."""
    ends = list(_wrong_ends(said, chain.subject, chain.relations, is_wrong=False))
    return None not in ends and chain.facts[-1].value not in ends


def _wrong_ends(
    said: _Facts, subject: str, relations: Sequence[Relation], *, is_wrong: bool
) -> Iterator[str | None]:
    """Yield where the ways end that take at least one overridden fact; None for those that do not."""
    if not relations:
        if is_wrong:
            yield subject
        return
    versions = said.versions.get((subject, relations[0].noun), ())
    if not versions:
        yield None
    for fact in versions:
        is_wrong_now = is_wrong or fact is not versions[-1]
        yield from _wrong_ends(said, fact.value, relations[1:], is_wrong=is_wrong_now)


def _asked(rng: random.Random, chain: _Chain, *, plain: bool, held_out: bool) -> str:
    nouns = [relation.noun for relation in chain.relations]
    if plain or len(nouns) > 2:
        path = " of the ".join(reversed(nouns))
        return f"What is the {path} of {chain.subject}?"
    if len(nouns) == 2:
        first, second = chain.relations
        return phrase_two_hops(rng, first, second, chain.subject, held_out=held_out)
    return phrase_question(rng, chain.relations[0], chain.subject, held_out=held_out)
