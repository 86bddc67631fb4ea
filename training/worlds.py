"""Small worlds of made-up facts, told as passages."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from agentcl.envs.names import Names
from agentcl.envs.relations import (
    OF_KIND,
    PERSON,
    PRONOUN_FORM,
    VALUES,
    Relation,
    statements,
)

_KIND_WEIGHTS = {
    "town": 3,
    "person": 3,
    "company": 3,
    "ship": 1,
    "device": 1,
    "book": 1,
    "festival": 1,
    "team": 1,
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: the `relation.noun` of `subject` is `value`."""

    subject: str
    relation: Relation
    value: str

    def triple(self) -> tuple[str, str, str]:
        """Return (subject, predicate, object)."""
        return self.subject, self.relation.noun, self.value


@dataclass(frozen=True, slots=True)
class Passage:
    """Facts about one or two subjects, and the text that states each of them once."""

    text: str
    facts: tuple[Fact, ...]  # in the order of the text


@dataclass(frozen=True, slots=True)
class World:
    """Passages whose facts refer to each other."""

    passages: tuple[Passage, ...]
    kinds: dict[str, str]  # the kind of each subject

    def facts(self) -> list[Fact]:
        """Return every fact, in the order of the passages."""
        return [fact for passage in self.passages for fact in passage.facts]

    def chains(self) -> list[tuple[Fact, Fact]]:
        """Return pairs of facts of different passages: the value of the first is the second's subject."""
        return [
            (first, second)
            for one in self.passages
            for other in self.passages
            if one is not other
            for first in one.facts
            for second in other.facts
            if first.value == second.subject
        ]


def make_world(
    rng: random.Random,
    names: Names,
    *,
    passages: Sequence[tuple[int, ...]],
    is_plain: bool = False,
    held_out: bool = False,
) -> World:
    """Return a world of made-up facts, drawn independently of the names.

    Subjects of the same kind share relations, so that finding the relation is not enough; objects are
    often subjects of another passage, so that there are chains of two facts.

    Args:
        rng: where chance comes from.
        names: where the names come from.
        passages: for each passage the number of facts about each of its subjects.
        is_plain: state every fact in the first form of its relation.
        held_out: phrase facts as training never does.
    """
    subjects = _subjects(rng, names, sum(len(counts) for counts in passages))
    kinds = dict(subjects)
    taken: set[tuple[int, str]] = set()
    told: list[Passage] = []
    remaining = iter(subjects)
    for counts in passages:
        facts: list[Fact] = []
        for count in counts:
            subject, kind = next(remaining)
            relations = rng.sample(OF_KIND[kind], min(count, len(OF_KIND[kind])))
            for relation in relations:
                value = _value(rng, names, relation, subject, subjects, taken)
                taken.add((relation.number, value))
                facts.append(Fact(subject, relation, value))
        told.append(_tell(rng, facts, kinds, is_plain=is_plain, held_out=held_out))
    return World(tuple(told), kinds)


def _subjects(rng: random.Random, names: Names, count: int) -> list[tuple[str, str]]:
    """Draw few kinds for many subjects."""
    kinds = rng.choices(list(_KIND_WEIGHTS), list(_KIND_WEIGHTS.values()), k=1 + count // 2)
    return [(names.fresh(), rng.choice(kinds)) for _ in range(count)]


def _value(
    rng: random.Random,
    names: Names,
    relation: Relation,
    subject: str,
    subjects: Sequence[tuple[str, str]],
    taken: set[tuple[int, str]],
) -> str:
    """Draw a value that no other subject has for this relation, as far as there is one."""
    if relation.object in VALUES:
        values = [v for v in VALUES[relation.object] if (relation.number, v) not in taken]
        return rng.choice(values or VALUES[relation.object])
    known = [
        name
        for name, kind in subjects
        if kind == relation.object and name != subject and (relation.number, name) not in taken
    ]
    return rng.choice(known) if known and rng.random() < 0.7 else names.fresh()


def _tell(
    rng: random.Random,
    facts: Sequence[Fact],
    kinds: dict[str, str],
    *,
    is_plain: bool,
    held_out: bool,
) -> Passage:
    sentences = []
    previous = ""
    for fact in facts:
        is_new = fact.subject != previous
        forms = statements(fact.relation, held_out=held_out)
        form = forms[0]
        if not is_plain:
            if is_new and rng.random() < 0.3:
                sentences.append(f"{fact.subject} is a {kinds[fact.subject]}.")
                is_new = False
            form = rng.choice(forms)
            if not is_new and fact.relation.subject != PERSON and rng.random() < 0.15:
                form = PRONOUN_FORM
        sentences.append(
            form.format(s=fact.subject, v=fact.value, n=fact.relation.noun, d=fact.relation.verb)
        )
        previous = fact.subject
    text = " ".join(sentence[0].upper() + sentence[1:] for sentence in sentences)
    return Passage(text, tuple(facts))
