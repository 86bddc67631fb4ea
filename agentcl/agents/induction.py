"""In which situations an action reached the goal and in which it did not: conditions drawn from many episodes at once.

An episode shows that an action worked, and not which of the things that were seen made it work. Beside the episodes in which
the same action failed, what was seen in the good ones alone is told. This is rule induction by covering (Clark and Niblett 1989,
"The CN2 Induction Algorithm"; Cohen 1995, "Fast Effective Rule Induction"), with clauses of the record as its tests and
no more than two of them in one condition.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb
from typing import Final

from agentcl.text.terms import terms

# Episodes in which an action reached the goal, before anything is drawn from them
_LEAST: Final = 2
_SURE: Final = 0.7  # that it reaches the goal
_MOST_CLAUSES: Final = 12  # of one situation
# Verbs that say how something is; of others, the ending: "its customer pays by card".
_SAYS: Final = frozenset(["is", "was", "are", "were", "has", "have", "had", "does", "did", "cost"])
_LONG: Final = 4  # letters of a verb with that ending, such as "pays"
_THING: Final = re.compile(r"an? [\w-]+ ")
_FEWEST: Final = 2  # words of a clause that says something


@dataclass(frozen=True, slots=True)
class Tried:
    """An action in an episode: what was known before it, and whether it reached the goal."""

    action: str  # as a lesson says it
    known: tuple[str, ...]  # clauses, as they were seen
    is_reached: bool


@dataclass(frozen=True, slots=True)
class Found:
    """How often an action reached the goal where something was known, and how often not."""

    reached: int
    failed: int


def parts(clause: str) -> list[str]:
    """Return what a clause says one by one, each with its subject: of "Its owner is a member and pays by card", two."""
    first, *others = " ".join(clause.split()).split(" and ")
    words = first.split()
    said = next((at for at, word in enumerate(words) if _is_saying(word)), 0)
    subject = " ".join(words[:said])
    found = [first]
    for other in others:
        if subject and _is_saying(other.partition(" ")[0]):
            found.append(f"{subject} {other}")
        else:
            found[-1] += f" and {other}"
    return [one for one in found if len(one.split()) >= _FEWEST]


def count(trials: Iterable[Tried], action: str, known: Iterable[str]) -> Found:
    """Return how an action fared where all of some clauses were known."""
    needed = {key_of(one) for one in known}
    fared = [
        one.is_reached
        for one in trials
        if one.action == action and needed <= {key_of(said) for said in one.known}
    ]
    return Found(sum(fared), len(fared) - sum(fared))


def conditions(
    trials: Sequence[Tried], trial: Tried, *, chance: float = 1.0
) -> Iterator[tuple[str, ...]]:
    """Yield the clauses of one successful trial under which its action reaches the goal, the surest first.

    Nothing is drawn of an action that never failed, or that reached the goal only once. How sure is Laplace's estimate of the share
    that reached it: (reached + 1) / (all + 2). A condition has to be surer than the action is without one. Of conditions
    that are as sure, the shortest comes first.
    """
    alike = [one for one in trials if one.action == trial.action]
    known = [({key_of(said) for said in one.known}, one.is_reached) for one in alike]
    reached = sum(one.is_reached for one in alike)
    if reached < _LEAST or reached == len(alike):
        return
    said = list({key_of(one): one for one in trial.known[:_MOST_CLAUSES]}.values())
    found = []
    for size in (1, 2):
        for clauses in combinations(said, size):
            keys = {key_of(one) for one in clauses}
            held = [is_reached for have, is_reached in known if keys <= have]
            sure = (sum(held) + 1) / (len(held) + 2)
            is_surer = sum(held) >= _LEAST and sure >= _SURE and sure > reached / len(alike)
            if is_surer and by_chance(sum(held), len(held), reached, len(alike)) <= chance:
                found.append((-sure, size, clauses))
    yield from (clauses for *_, clauses in sorted(found, key=lambda one: one[:2]))


def by_chance(hits: int, drawn: int, good: int, every: int) -> float:
    """Return how likely so many hits or more are among some that are drawn of all, of which so many are good."""
    ways = sum(
        comb(good, one) * comb(every - good, drawn - one)
        for one in range(hits, min(good, drawn) + 1)
    )
    return ways / comb(every, drawn)


def with_clauses(action: str, clauses: Iterable[str]) -> str:
    """Return an action with what is said of its thing: "refund an order" as "refund an order that is glassware"."""
    joint = " that "
    for clause in clauses:
        thing = _THING.match(clause)
        if clause.lower().startswith("its "):
            action += f"{' whose ' if joint == ' that ' else ' and whose '}{clause[4:]}"
        elif thing and action.endswith(thing[0].strip()):
            action += f"{joint}{clause[thing.end() :]}"
        else:
            action += f" and {clause}"
        joint = " and "
    return action


def _is_saying(word: str) -> bool:
    is_ending = word.endswith("s") and not word.endswith("ss") and len(word) >= _LONG
    return word in _SAYS or (is_ending and word.isalpha() and word.islower())


@lru_cache(maxsize=8_192)
def key_of(clause: str) -> str:
    """Return what clauses have in common that say the same in other forms of their words."""
    return " ".join(terms(clause))
