"""What a shop wants done with which ticket: facts, what can be done, and a policy that is drawn for each shop."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agentcl.lessons import Lesson

FAMILIES: Final = ("return", "broken", "late", "cancel", "address", "control")
WISHES: Final = FAMILIES[:-1]  # `control` is a return of which every seed has rules of its own

PERIODS: Final = ("this week", "last week", "three weeks ago", "two months ago")
STAGES: Final = ("is being packed", "waits at the depot", "is on the van")
UNDER_WAY: Final = "was handed to the carrier"  # of an order that is late
KINDS: Final = ("a club member", "a business customer", "a new customer")
PAYMENTS: Final = ("by card", "by invoice", "in instalments")
ITEMS: Final[Mapping[str, tuple[str, int]]] = {  # what it is made as, and euros
    "vase": ("glassware", 24), "teapot": ("glassware", 45), "mirror": ("glassware", 130),
    "headset": ("electronics", 38), "toaster": ("electronics", 60), "monitor": ("electronics", 210),
    "scarf": ("clothing", 15), "jumper": ("clothing", 55), "raincoat": ("clothing", 140),
}  # fmt: skip
GOODS: Final = ("glassware", "electronics", "clothing")
LIMITS: Final = (30, 50, 100)  # euros

# What can be done, in the words of a lesson. Of a ticket of goods that were sent, of one not to be sent, and to
# find out who writes.
SETTLING: Final = ("refund it", "replace it", "give store credit for it", "give a discount on it",
                   "escalate it")  # fmt: skip
STOPPING: Final = (
    "cancel it",
    "recall it",
    "give store credit for it",
    "decline it",
    "escalate it",
)
VERIFYING: Final = ("send the customer a code", "call the customer", "ask the customer for the birth date",
                    "ask the customer for the last invoice")  # fmt: skip
PHOTO: Final = "ask for a photo of it"
MOVE: Final = "change the address of it"
LOOK_AT_ORDER: Final = "look up it"
LOOK_AT_CUSTOMER: Final = "look up the customer"
_DECIDED: Final[Mapping[str, Sequence[str]]] = {  # what a policy decides among
    "return": SETTLING, "broken": SETTLING, "late": SETTLING, "cancel": STOPPING, "address": VERIFYING,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """All facts of a ticket that a policy may look at."""

    wish: str
    state: str  # where the order is, or since when the customer has it
    item: str
    kind: str  # of the customer
    payment: str

    @property
    def goods(self) -> str:
        """What kind of thing was ordered."""
        return ITEMS[self.item][0]

    @property
    def price(self) -> int:
        """What it cost, in euros."""
        return ITEMS[self.item][1]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a policy wants done with a ticket."""

    verb: str  # settles it
    before: str | None  # has to be done first
    harm: str  # does harm
    look: str  # shows the fact that is not seen at first


@dataclass(frozen=True, slots=True)
class ShopPolicy:
    """What one shop wants. For each wish a permutation of what can be done; its first ones are what some facts call for."""

    verbs: Mapping[str, tuple[str, ...]]
    periods: int  # within so many of PERIODS a return is of the first kind
    limit: int  # euros, from which a late order is of the second kind
    kind: str  # whose returns are an exception, ...
    payment: str  # ... and whose cancellations
    photos: frozenset[str]  # goods of which a photo is wanted

    def settlement(self, case: Case) -> Settlement:
        """Return what is to be done."""
        place = self._place(case)
        verbs = self.verbs[case.wish]
        verb, harm = verbs[place], verbs[(place + 2) % len(verbs)]
        look = LOOK_AT_ORDER if case.wish in ("broken", "late") else LOOK_AT_CUSTOMER
        if case.wish == "address":
            return Settlement(MOVE, verb, harm, look)
        before = PHOTO if case.wish == "broken" and case.goods in self.photos else None
        return Settlement(verb, before, harm, look)

    def lessons(self, wish: str) -> list[Lesson]:
        """Return all that can be known of one kind of ticket."""
        verbs = self.verbs[wish]
        if wish == "return":
            within, after = PERIODS[: self.periods], PERIODS[self.periods :]
            asks = "a customer wants to return an order that was delivered"
            return [
                Lesson("you settle a return", "needs", LOOK_AT_CUSTOMER),
                Lesson(f"{self.kind} wants to return an order of any age", "do", verbs[2]),
                Lesson(f"{asks} {' or '.join(within)}", "do", verbs[0]),
                Lesson(f"{asks} {' or '.join(after)}", "do", verbs[1]),
            ]
        if wish == "cancel":
            asks = "wants to cancel an order"
            exception = f"a customer who pays {self.payment} {asks} in any place"
            stages = zip(STAGES, verbs, strict=False)
            return [
                Lesson("you cancel anything", "needs", LOOK_AT_CUSTOMER),
                Lesson(exception, "do", verbs[3]),
                *(Lesson(f"a customer {asks} that {stage}", "do", verb) for stage, verb in stages),
            ]
        if wish == "late":
            return [
                Lesson("you settle a late delivery", "needs", "look up the order"),
                Lesson(f"an order is late and cost less than {self.limit} euros", "do", verbs[0]),
                Lesson(f"an order is late and cost at least {self.limit} euros", "do", verbs[1]),
            ]
        if wish == "broken":
            return [
                Lesson("you settle a complaint about something broken", "needs", "look up the order"),
                *(Lesson(f"you settle a complaint about broken {goods}", "needs", PHOTO)
                  for goods in GOODS if goods in self.photos),
                *(Lesson(f"a customer complains about broken {goods}", "do", verb)
                  for goods, verb in zip(GOODS, verbs, strict=False)),
            ]  # fmt: skip
        return [
            Lesson("you change an address", "needs", LOOK_AT_CUSTOMER),
            *(Lesson(f"you change the address of {kind}", "needs", verb)
              for kind, verb in zip(KINDS, verbs, strict=False)),
        ]  # fmt: skip

    def _place(self, case: Case) -> int:
        """Return which of the verbs a case calls for."""
        if case.wish == "return":
            is_late = PERIODS.index(case.state) >= self.periods
            return 2 if case.kind == self.kind else int(is_late)
        if case.wish == "cancel":
            return 3 if case.payment == self.payment else STAGES.index(case.state)
        if case.wish == "late":
            return int(case.price >= self.limit)
        return GOODS.index(case.goods) if case.wish == "broken" else KINDS.index(case.kind)


def draw_policy(rng: random.Random, *, changes: int = 0) -> ShopPolicy:
    """Return a policy in which nothing follows from anything that is known beforehand.

    After so many `changes` the same facts count, and each calls for something else than before the last one.
    """
    verbs: dict[str, tuple[str, ...]] = {}
    for wish, decided in _DECIDED.items():
        drawn = rng.sample(range(len(decided)), len(decided))
        verbs[wish] = tuple(decided[(place + changes) % len(decided)] for place in drawn)
    photos = frozenset(rng.sample(GOODS, rng.choice((1, 2))))
    return ShopPolicy(
        verbs,
        periods=rng.randint(1, len(PERIODS) - 1),
        limit=rng.choice(LIMITS),
        kind=rng.choice(KINDS),
        payment=rng.choice(PAYMENTS),
        photos=frozenset(GOODS) - photos if changes % 2 else photos,
    )


def cases_of(wish: str) -> list[Case]:
    """Return the situations of a kind of ticket: all combinations of the facts that may count there.

    The other facts are spread evenly over them.
    """
    items = [*ITEMS]
    if wish == "return":
        facts = [(state, kind) for state in PERIODS for kind in KINDS]
        return [Case(wish, state, items[n % 9], kind, PAYMENTS[n // 2 % 3])
                for n, (state, kind) in enumerate(facts)]  # fmt: skip
    if wish == "cancel":
        facts = [(stage, payment) for stage in STAGES for payment in PAYMENTS]
        return [Case(wish, stage, items[(4 * n) % 9], KINDS[(n + n // 3) % 3], payment)
                for n, (stage, payment) in enumerate(facts)]  # fmt: skip
    if wish == "address":
        facts = [(stage, kind) for stage in STAGES for kind in KINDS]
        return [Case(wish, stage, items[(2 * n) % 9], kind, PAYMENTS[(n + n // 3) % 3])
                for n, (stage, kind) in enumerate(facts)]  # fmt: skip
    states = PERIODS if wish == "broken" else (UNDER_WAY,)
    return [Case(wish, states[n % len(states)], item, KINDS[n // 3], PAYMENTS[n % 3])
            for n, item in enumerate(items)]  # fmt: skip
