"""Houses of our own for ALFWorld's engine: where things are, what is wanted, and what gets it.

A house has places and habits: each kind of thing has a place where it is usually found. Habits follow from
the house and stay; the seed decides which things are there besides. All of it is drawn here, in the words
of ALFWorld's planning domain, which is not part of agentcl.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

FAMILIES: Final = ("place", "place-two", "clean", "heat", "cool", "examine")
GOALS_PER_HOUSE: Final = 4  # variations of a family in one house
# Kinds of places, how many of each a house has, and whether they are opened first.
_PLACES: Final = {
    "countertop": (2, False),
    "diningtable": (1, False),
    "desk": (1, False),
    "shelf": (2, False),
    "sinkbasin": (1, False),
    "cabinet": (3, True),
    "drawer": (2, True),
    "fridge": (1, True),
    "microwave": (1, True),
}
_WASHED: Final = ("apple", "tomato", "potato", "mug", "plate", "bowl", "spoon")
_HEATED: Final = ("apple", "tomato", "potato", "mug", "plate", "bread")
_COOLED: Final = ("apple", "tomato", "potato", "mug", "bowl", "bread")
_SMALL: Final = ("book", "pen", "cellphone", "keychain", "creditcard")
_KINDS: Final = tuple(dict.fromkeys((*_WASHED, *_HEATED, *_COOLED, *_SMALL)))
# Where nothing is kept and nothing is to be brought: these are what things are treated with.
_APPLIANCES: Final = {"clean": "sinkbasin", "heat": "microwave", "cool": "fridge"}
_LAMP: Final = "desklamp"
_STATES: Final = {"clean": "isClean", "heat": "isHot", "cool": "isCool"}
_ADJECTIVES: Final = {"clean": "clean ", "heat": "hot ", "cool": "cool "}
_THINGS_BESIDES: Final = 6


@dataclass(frozen=True, slots=True)
class Household:
    """One game: a house as it is found, and what is wanted of it."""

    family: str
    kind: str  # of the thing that is wanted
    target: str  # the kind of place that it is to be brought to; empty if it is to be looked at
    places: tuple[str, ...]  # names, such as "cabinet_2"
    things: tuple[tuple[str, str], ...]  # names, such as "mug_1", and the place where each is

    def goal(self) -> str:
        """Say what is wanted."""
        if self.family == "examine":
            return f"look at the {self.kind} under the {_LAMP}."
        if self.family == "place-two":
            plural = f"{self.kind}{'es' if self.kind.endswith('o') else 's'}"
            return f"put two {plural} in or on the same {self.target}."
        thing = f"{_ADJECTIVES.get(self.family, '')}{self.kind}"
        return f"put {article(thing)} {thing} in or on {article(self.target)} {self.target}."

    def problem(self) -> str:
        """Write it in the words of the planning domain."""
        things, kinds = dict(self.things), sorted({kind_of(name) for name, _ in self.things})
        tools = {"knife", "butterknife"}  # the domain names them, though none is here
        facts = ["(atLocation agent_1 loc_0)", "(= (total-cost) 0)"]
        facts += _facts_of_places(self.places, kinds)
        facts += _facts_of_things(things, self.places)
        places = " ".join(self.places)
        locations = " ".join(f"loc_{n}" for n in range(len(self.places) + 1))
        place_types = " ".join(_place_type(kind) for kind in _PLACES)
        thing_types = " ".join(_thing_type(kind) for kind in sorted({*kinds, *tools}))
        return (
            "(define (problem household) (:domain alfred)\n"
            f"(:objects agent_1 - agent {locations} - location {places} - receptacle "
            f"{' '.join(things)} - object {place_types} - rtype {thing_types} - otype)\n"
            f"(:init {' '.join(facts)})\n(:goal {self._wanted()})\n"
            "(:metric minimize (total-cost)))"
        )

    def solution(self) -> list[str]:
        """Return actions that lead to what is wanted, put together step by step."""
        walk = _Walk()
        count = 2 if self.family == "place-two" else 1
        wanted = [(name, place) for name, place in self.things if kind_of(name) == self.kind][
            :count
        ]
        actions: list[str] = []
        for name, place in wanted:
            actions += walk.reach(place)
            actions.append(f"take {spoken(name)} from {spoken(place)}")
            if self.family == "examine":
                actions += walk.reach(dict(self.things)[f"{_LAMP}_1"])
                actions.append(f"use {_LAMP} 1")
                continue
            if self.family in _APPLIANCES:
                appliance = f"{_APPLIANCES[self.family]}_1"
                actions += walk.go(appliance)  # it need not be opened
                actions.append(f"{self.family} {spoken(name)} with {spoken(appliance)}")
            goal = f"{self.target}_1"
            actions += walk.reach(goal)
            actions.append(f"move {spoken(name)} to {spoken(goal)}")
        return actions

    def _wanted(self) -> str:
        kind = _thing_type(self.kind)
        if self.family == "examine":
            return (
                "(exists (?a - agent ?l - location ?o - object ?lamp - object) (and (holds ?a ?o) "
                f"(objectType ?o {kind}) (objectType ?lamp {_thing_type(_LAMP)}) (isToggled ?lamp) "
                "(atLocation ?a ?l) (objectAtLocation ?lamp ?l)))"
            )
        target = _place_type(self.target)
        if self.family == "place-two":  # in the same place, or "two in a cabinet" is two cabinets
            one, two = (name for name, _ in self.things if kind_of(name) == self.kind)
            return (
                f"(exists (?r - receptacle) (and (receptacleType ?r {target}) "
                f"(inReceptacle {one} ?r) (inReceptacle {two} ?r)))"
            )
        state = f" ({_STATES[self.family]} ?o)" if self.family in _STATES else ""
        return (
            f"(exists (?r - receptacle ?o - object) (and (inReceptacle ?o ?r) "
            f"(receptacleType ?r {target}) (objectType ?o {kind}){state}))"
        )


def draw_household(family: str, house: int, number: int, seed: int) -> Household:
    """Return a game: goal and habits follow from family, house and number; the rest from the seed too."""
    habits = _habits(house)
    rng = random.Random(f"household:{family}:{house}:{number}")
    kinds = {"clean": _WASHED, "heat": _HEATED, "cool": _COOLED}.get(family, _KINDS)
    kind = rng.choice(kinds)
    usual = habits[kind]
    appliances = set(_APPLIANCES.values())
    target = rng.choice([k for k in _PLACES if k not in appliances and k != kind_of(usual)])
    besides = random.Random(f"household:{family}:{house}:{number}:{seed}")
    things = [(f"{kind}_1", usual)]
    if family == "place-two":
        things.append((f"{kind}_2", usual))
    others = [other for other in _KINDS if other != kind]
    things += [(f"{other}_1", habits[other]) for other in besides.sample(others, _THINGS_BESIDES)]
    things.append((f"{_LAMP}_1", "desk_1"))
    is_examined = family == "examine"
    return Household(family, kind, "" if is_examined else target, tuple(_places()), tuple(things))


def kind_of(name: str) -> str:
    """Return the kind of a thing or place: that of "mug_1" is "mug"."""
    return name.rpartition("_")[0]


def spoken(name: str) -> str:
    """Return a name as the engine says it: "mug_1" is "mug 1"."""
    return name.replace("_", " ")


def article(name: str) -> str:
    """Return "a" or "an"."""
    return "an" if name[0] in "aeiou" else "a"


def _habits(house: int) -> dict[str, str]:
    rng = random.Random(f"household:{house}")
    appliances = set(_APPLIANCES.values())
    places = [place for place in _places() if kind_of(place) not in appliances]
    return {kind: rng.choice(places) for kind in _KINDS}


def _places() -> Iterator[str]:
    for kind, (count, _) in _PLACES.items():
        yield from (f"{kind}_{n}" for n in range(1, count + 1))


class _Walk:
    """Goes from place to place, and opens what is closed."""

    def __init__(self) -> None:
        self._at = ""
        self._opened: set[str] = set()

    def go(self, place: str) -> list[str]:
        if place == self._at:  # the engine knows no way from a place to itself
            return []
        self._at = place
        return [f"go to {spoken(place)}"]

    def reach(self, place: str) -> list[str]:
        actions = self.go(place)
        if _PLACES[kind_of(place)][1] and place not in self._opened:
            self._opened.add(place)
            actions.append(f"open {spoken(place)}")
        return actions


def _facts_of_places(places: tuple[str, ...], kinds: list[str]) -> Iterator[str]:
    for number, place in enumerate(places, start=1):
        yield f"(receptacleAtLocation {place} loc_{number})"
        yield f"(receptacleType {place} {_place_type(kind_of(place))})"
        if _PLACES[kind_of(place)][1]:
            yield f"(openable {place})"
    for place_kind in _PLACES:
        yield from (
            f"(canContain {_place_type(place_kind)} {_thing_type(kind)})"
            for kind in kinds
            if kind != _LAMP
        )


def _facts_of_things(things: dict[str, str], places: tuple[str, ...]) -> Iterator[str]:
    can = (("cleanable", _WASHED), ("heatable", _HEATED), ("coolable", _COOLED))
    for name, place in things.items():
        kind = kind_of(name)
        yield f"(objectType {name} {_thing_type(kind)})"
        yield f"(inReceptacle {name} {place})"
        yield f"(objectAtLocation {name} loc_{places.index(place) + 1})"
        yield f"({'toggleable' if kind == _LAMP else 'pickupable'} {name})"
        yield from (f"({word} {name})" for word, kinds in can if kind in kinds)


def _place_type(kind: str) -> str:
    # The domain knows three by name.
    return {"sinkbasin": "SinkBasinType", "microwave": "MicrowaveType", "fridge": "FridgeType"}.get(
        kind, f"{kind.capitalize()}Type"
    )


def _thing_type(kind: str) -> str:
    return {"butterknife": "ButterKnifeType"}.get(kind, f"{kind.capitalize()}Type")
