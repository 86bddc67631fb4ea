"""The grammar of facts: which relations there are, and the phrasings that state and ask for them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

PERSON: Final = "person"
NOT_STATED: Final = "not stated"  # the answer to what the context does not say


@dataclass(frozen=True, slots=True)
class Relation:
    """What one kind of thing can be to another: the `noun` of a `subject` is an `object`."""

    noun: str
    subject: str  # a kind of thing with an invented name
    object: str  # such a kind, or a key of VALUES
    verb: str = ""  # "founded": the object founded the subject
    number: int = 0  # its place in RELATIONS


VALUES: Final[dict[str, tuple[str, ...]]] = {
    "colour": ("red", "blue", "green", "black", "white", "grey", "brown", "yellow"),
    "material": ("copper", "glass", "oak", "iron", "clay", "silver", "stone", "brass"),
    "animal": ("heron", "fox", "bear", "owl", "wolf", "crane", "hare", "otter"),
    "ware": ("salt", "wool", "grain", "tea", "coal", "silk", "sugar", "paper"),
    "season": ("spring", "summer", "autumn", "winter"),
}

_TABLE: Final = """
teacher      person    person    taught
rival        person    person
employer     person    company   employed
home         person    town
pet          person    animal
mayor        town      person    governed
founder      town      person    founded
neighbour    town      town
trade        town      ware
owner        company   person    owned
seat         company   town
supplier     company   company   supplied
product      company   device
captain      ship      person    steered
harbour      ship      town
builder      ship      company   built
cargo        ship      ware
inventor     device    person    invented
maker        device    company   made
material     device    material
colour       device    colour
author       book      person    penned
hero         book      person
publisher    book      company   printed
setting      book      town
host         festival  town      hosted
patron       festival  person    paid
emblem       festival  animal
season       festival  season
coach        team      person    trained
sponsor      team      company   funded
ground       team      town
badge        team      animal
"""


def _read(number: int, line: str) -> Relation:
    noun, subject, object_, verb = [*line.split(), ""][:4]
    return Relation(noun, subject, object_, verb, number)


RELATIONS: Final = tuple(
    _read(number, line) for number, line in enumerate(_TABLE.strip().splitlines())
)
KINDS: Final = tuple(sorted({relation.subject for relation in RELATIONS}))
OF_KIND: Final = {kind: tuple(r for r in RELATIONS if r.subject == kind) for kind in KINDS}

# s: the subject, v: the value, n: the noun, d: the verb.
# The value comes last: what leads to it then stands before it, where a decoder has already read it. With
# the value first ("Mira founded Tavo"), a small one gets one in seven right when it gets four in five
# of these.
_STATEMENTS: Final = (
    "The {n} of {s} is {v}.",
    "{s}'s {n} is {v}.",
    "For {s}, the {n} is {v}.",
    "As {n}, {s} has {v}.",
    "As for {s}, the {n} is {v}.",
    "The {n} that {s} has is {v}.",
    "{s} has a {n}: {v}.",
    "{s} was {d} by {v}.",
    "Of {s}, the {n} is {v}.",
)
PRONOUN_FORM: Final = "Its {n} is {v}."  # about the subject of the sentence before
_QUESTIONS: Final = (
    "What is the {n} of {s}?",
    "What is {s}'s {n}?",
    "Name the {n} of {s}.",
    "{s} has what as {n}?",
    "Tell me the {n} of {s}.",
    "For {s}, what is the {n}?",
    "Who or what {d} {s}?",
    "{s} was {d} by whom?",
)
_REVERSED: Final = (
    "Which {k} has {v} as {n}?",
    "{v} is the {n} of which {k}?",
    "Name the {k} with {v} as {n}.",
    "Of which {k} is {v} the {n}?",
    "Which {k} was {d} by {v}?",
)
_TWO_HOPS: Final = (
    "What is the {n} of the {m} of {s}?",
    "What is the {n} of {s}'s {m}?",
    "Name the {n} of the {m} of {s}.",
    "Tell me the {n} of {s}'s {m}.",
    "For the {m} of {s}, what is the {n}?",
    "{s} has a {m}. What is its {n}?",
)
_FOLDS: Final = 7  # one phrasing of a relation in seven is held out


def statements(relation: Relation, *, held_out: bool) -> tuple[str, ...]:
    """Return the sentence forms that may state `relation`: the held-out ones, or the others."""
    return _forms(_STATEMENTS, relation, held_out=held_out)


def questions(relation: Relation, *, held_out: bool) -> tuple[str, ...]:
    """Return the forms that ask for the value of `relation`."""
    return _forms(_QUESTIONS, relation, held_out=held_out)


def reversed_questions(relation: Relation, *, held_out: bool) -> tuple[str, ...]:
    """Return the forms that ask for the subject of `relation`."""
    return _forms(_REVERSED, relation, held_out=held_out)


def two_hop_questions(relation: Relation, *, held_out: bool) -> tuple[str, ...]:
    """Return the forms whose second hop is `relation`."""
    return _forms(_TWO_HOPS, relation, held_out=held_out)


def phrase_question(
    rng: random.Random, relation: Relation, subject: str, *, held_out: bool = False
) -> str:
    """Return a question for the value of `relation` of `subject`, in one of its forms."""
    form = rng.choice(questions(relation, held_out=held_out))
    asked = form.format(s=subject, n=relation.noun, d=relation.verb)
    if relation.object == PERSON and asked.startswith("What is"):
        asked = "Who is" + asked[len("What is") :]
    return asked[0].upper() + asked[1:]


def phrase_two_hops(
    rng: random.Random, first: Relation, second: Relation, subject: str, *, held_out: bool = False
) -> str:
    """Return a question for the value of `second` of what is the value of `first` of `subject`."""
    form = rng.choice(two_hop_questions(second, held_out=held_out))
    return form.format(s=subject, m=first.noun, n=second.noun)


def _forms(forms: tuple[str, ...], relation: Relation, *, held_out: bool) -> tuple[str, ...]:
    """Every form is used with most relations and held out for some, so that no word is unknown."""
    return _CHOSEN[(forms, relation.number, held_out)]


def _choose(forms: tuple[str, ...], relation: Relation, *, held_out: bool) -> tuple[str, ...]:
    usable = [
        (number, form) for number, form in enumerate(forms) if relation.verb or "{d}" not in form
    ]
    fold = {form for number, form in usable if (relation.number + 3 * number) % _FOLDS == 0}
    fold = fold or {usable[-1][1]}  # a relation of few forms may have none in the fold
    return tuple(form for _, form in usable if (form in fold) == held_out)


_CHOSEN: Final[dict[tuple[tuple[str, ...], int, bool], tuple[str, ...]]] = {
    (forms, relation.number, held_out): _choose(forms, relation, held_out=held_out)
    for forms in (_STATEMENTS, _QUESTIONS, _REVERSED, _TWO_HOPS)
    for relation in RELATIONS
    for held_out in (False, True)
}
