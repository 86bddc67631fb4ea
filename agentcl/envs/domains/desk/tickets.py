"""Tickets: who writes, about which order, in which words; drawn from a task and a seed, and never from a policy."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from agentcl.envs.base import Task
from agentcl.envs.domains.desk.database import Customer, Order, OrderDatabase
from agentcl.envs.domains.desk.phrasings import Voice, words
from agentcl.envs.domains.desk.policy import (
    FAMILIES,
    ITEMS,
    KINDS,
    LOOK_AT_CUSTOMER,
    LOOK_AT_ORDER,
    MOVE,
    PAYMENTS,
    PERIODS,
    PHOTO,
    SETTLING,
    STOPPING,
    VERIFYING,
    Case,
    cases_of,
)
from agentcl.envs.requests import require_own

NAME: Final = "desk"
SHOP: Final = "shop"  # the parameter that says whose policy holds
CHANGES: Final = "changes"  # the parameter that says how often it has changed
# The parameter that says which phrasings customers use: "usual" or "held-out"
PHRASING: Final = "phrasing"
_CLAIMING, _LYING, _SWITCHING, _IMPATIENT = (
    0.5,
    0.35,
    0.15,
    0.25,
)  # shares; of those who claim, some lie
_CODES: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Ticket:
    """One ticket with all that is hidden. `orders` are first the one that is spoken of, last the one that is meant."""

    database: OrderDatabase  # as it is at first
    cases: tuple[Case, ...]  # by order
    orders: tuple[str, ...]
    customer: str
    message: str
    address: str  # where the customer moves; empty if nowhere
    voice: Voice
    is_impatient: bool
    verbs: tuple[str, ...]  # what can be done, in the order in which it is offered


def wish_of(family: str) -> str:
    """Return what customers want in a family."""
    return "return" if family == "control" else family


def draw_ticket(task: Task, seed: int) -> Ticket:
    """Return the ticket of a task and seed. The task says the facts; names, words and order follow from the seed.

    Raises:
        InvalidInput: if the task is not one of this domain.
    """
    require_own(task, NAME, FAMILIES)
    parameters = task.parameters
    is_held_out = parameters.get(PHRASING) == "held-out"
    rng = random.Random(
        f"desk:{parameters.get(SHOP, 0)}:{task.family}:{task.variation}:{is_held_out}:{seed}"
    )
    wish = wish_of(task.family)
    all_cases = cases_of(wish)
    case = all_cases[task.variation % len(all_cases)]
    cases: tuple[Case, ...] = (case,)
    if rng.random() < _SWITCHING:
        # By the same customer: only what is known of the order is another.
        other = rng.choice([one for one in all_cases if one.item != case.item])
        cases = (Case(wish, other.state, other.item, case.kind, case.payment), case)
    database, customer, orders = _tables(rng, cases)
    voice = Voice(rng, held_out=is_held_out)
    address = f"{rng.randint(2, 99)} {rng.choice(words('streets'))}, {rng.choice(words('towns'))}"
    named = {"item": cases[0].item, "order": orders[0], "address": address}
    return Ticket(
        database=database,
        cases=cases,
        orders=orders,
        customer=customer,
        message=voice.writes(wish, *_claims(rng, cases[0]), **named),
        address=address if wish == "address" else "",
        voice=voice,
        is_impatient=rng.random() < _IMPATIENT,
        verbs=_offered(rng, wish),
    )


def state_of(order: Order) -> str:
    """Return what the system says of where an order is."""
    was = "was delivered " if order.state in PERIODS else ""
    return f"The order {order.code} {was}{order.state}."


def _tables(
    rng: random.Random, cases: tuple[Case, ...]
) -> tuple[OrderDatabase, str, tuple[str, ...]]:
    """Return the database, who writes, and the codes of the orders that the ticket is about."""
    names = [
        f"{first} {last}"
        for first, last in zip(
            rng.sample(words("first names"), 4), rng.sample(words("last names"), 4), strict=True
        )
    ]
    codes = [f"{rng.choice(_CODES)}{number}" for number in rng.sample(range(100, 1000), 8)]
    writer = names[0]
    owners = [writer] * len(cases) + [rng.choice(names[1:]) for _ in codes[len(cases) :]]
    customers = {name: Customer(name, rng.choice(KINDS), rng.choice(PAYMENTS)) for name in names}
    customers[writer] = Customer(writer, cases[0].kind, cases[0].payment)
    orders = {}
    for n, (code, owner) in enumerate(zip(codes, owners, strict=True)):
        case = cases[n] if n < len(cases) else None
        item = case.item if case else rng.choice([*ITEMS])
        state = case.state if case else rng.choice(PERIODS)
        goods, price = ITEMS[item]
        street = (
            f"{rng.randint(2, 99)} {rng.choice(words('streets'))}, {rng.choice(words('towns'))}"
        )
        orders[code] = Order(code, owner, item, goods, price, state, street)
    database = OrderDatabase(customers, orders, {item: rng.randint(2, 40) for item in ITEMS})
    return database, writer, tuple(codes[: len(cases)])


def _claims(rng: random.Random, case: Case) -> tuple[str, ...]:
    """Return what the customer says to be so, if anything; it may be a lie."""
    told = {"return": (case.state, PERIODS), "broken": (case.state, PERIODS),
            "cancel": (case.payment, PAYMENTS)}  # fmt: skip
    true, all_ = told.get(case.wish, (case.kind, KINDS))
    if case.wish == "return" and rng.random() < 0.5:
        true, all_ = case.kind, KINDS
    if rng.random() >= _CLAIMING:
        return ()
    is_lie = rng.random() < _LYING
    return (rng.choice([one for one in all_ if one != true]) if is_lie else true,)


def _offered(rng: random.Random, wish: str) -> tuple[str, ...]:
    """Return what can be done about a ticket: the same for all tickets about goods that were sent."""
    looks = [LOOK_AT_ORDER, LOOK_AT_CUSTOMER]
    if wish == "address":
        verbs = [*looks, *VERIFYING, MOVE]
    elif wish == "cancel":
        verbs = [*looks, *STOPPING]
    else:
        verbs = [*looks, *SETTLING, PHOTO]
    rng.shuffle(verbs)
    return tuple(verbs)
