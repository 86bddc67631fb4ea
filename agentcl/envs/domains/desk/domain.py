"""A customers' desk: tickets in real language, under a policy that is told nowhere and can be learned.

A customer writes what he or she wants, in one of hundreds of phrasings, and the shop has a policy: which facts call
for what, with limits, exceptions, and things that come first. Each shop has a policy of its own, drawn evenly from
what can be done, so nothing that a model knows of shops helps. Families:

- `return`: what is done depends on how long ago the order came; one kind of customer is an exception.
- `broken`: it depends on the kind of goods; of some of them a photo is wanted first.
- `late`: it depends on what the order cost, below and above a limit.
- `cancel`: it depends on where the order is; one way of payment is an exception.
- `address`: the customer is to be verified first, each kind of customer otherwise.
- `control`: like `return`, but every seed has a policy of its own, so memory cannot help.

Facts are in the records, and cost nothing to look up. What customers say of them may be untrue. Some notice that they
gave the wrong order, some lose patience.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from functools import cache
from typing import Final

from agentcl.envs.base import Bounds, Determinism, Observation, Oracle, Score, Split, Task
from agentcl.envs.domains.desk.bounds import HARM, MAX_STEPS, WASTE, expected_without_memory
from agentcl.envs.domains.desk.database import OrderDatabase
from agentcl.envs.domains.desk.policy import (
    FAMILIES,
    LOOK_AT_CUSTOMER,
    LOOK_AT_ORDER,
    MOVE,
    PHOTO,
    SETTLING,
    STOPPING,
    VERIFYING,
    Settlement,
    ShopPolicy,
    cases_of,
    draw_policy,
)
from agentcl.envs.domains.desk.tickets import (
    CHANGES,
    NAME,
    PHRASING,
    SHOP,
    Ticket,
    draw_ticket,
    state_of,
    wish_of,
)
from agentcl.envs.engines import EngineEnvironment, Happened
from agentcl.envs.requests import families_of, require_family, require_own

GOAL: Final = "settle the customer's ticket the way this shop wants it."
NO_SUCH: Final = "There is no such action. Nothing changed."
PATIENCE: Final = 6  # steps, after which an impatient customer leaves
_IN_VAIN: Final = ("The back office sends it back. Nothing changed.",
                   "Accounts will not book this. Nothing changed.",
                   "The system answers: not approved. Nothing changed.",
                   "It comes back unsigned. Nothing changed.")  # fmt: skip
_TOO_EARLY: Final = ("The back office waits: something has to be done first. Nothing changed.",
                     "Not yet, says the system, something is missing. Nothing changed.")  # fmt: skip
_UNDONE: Final = ("It is booked, and an hour later it has to be undone. The case got worse.",
                  "The customer complains to the manager, who undoes it. The case got worse.")  # fmt: skip
_SHOPS: Final[Mapping[Split, Sequence[int]]] = {
    "train": range(60),
    "dev": range(60, 80),
    "test": range(80, 100),
}
_OF_ORDERS: Final = tuple(dict.fromkeys((LOOK_AT_ORDER, PHOTO, *SETTLING, *STOPPING, MOVE)))


def said(verb: str, code: str) -> str:
    """Return an action as it is taken: of "refund it", "refund K417"."""
    return f"{verb.removesuffix('it')}{code}" if verb.endswith(" it") else verb


def policy_of(task: Task, seed: int) -> ShopPolicy:
    """Return the policy of a task's shop; in `control`, of the seed."""
    shop, changes = int(task.parameters.get(SHOP, 0)), int(task.parameters.get(CHANGES, 0))
    return _policy(f"{shop}:{seed}" if task.family == "control" else f"{shop}", changes)


class DeskEnvironment(EngineEnvironment):
    """The environment. Deterministic to the character."""

    name = NAME
    determinism: Determinism = "bitwise"

    @property
    def database(self) -> OrderDatabase:
        """The tables of the shop as they are now. An agent sees them by its actions only."""
        return self._database

    def changes(self, action: str) -> bool:
        """Return whether an action does more than look something up."""
        return not action.startswith("look up ")

    def _check(self, task: Task) -> None:
        require_own(task, NAME, FAMILIES)

    def _begin(self, task: Task, seed: int) -> Observation:
        self._ticket = ticket = draw_ticket(task, seed)
        self._policy = policy_of(task, seed)
        self._rng = random.Random(f"desk answers:{task.id}:{seed}")
        self._database, self._untouched = ticket.database, deepcopy(ticket.database)
        self._place = 0  # of the order that the customer speaks of
        self._steps = 0
        self._known = _moves(ticket)
        return Observation(
            f'{state_of(ticket.database.orders[self._code])}\n{ticket.customer} writes: "{ticket.message}"',
            goal=GOAL,
        )

    def _act(self, action: str) -> Happened:
        before = self._value()
        self._steps += 1
        work = self._database.work
        text = self._answer(" ".join(action.split()))
        if work.is_closed:
            return Happened(text, self._value() - before, True)
        line, has_left = self._customer_says()
        return Happened(f"{text}{line}", 0.0, has_left)

    def _admissible(self) -> Sequence[str]:
        """Return the actions that are offered; those about an order are about the one that is spoken of."""
        return [said(verb, self._code) for verb in self._ticket.verbs]

    def _score(self) -> Score:
        """Return 1 if the tables are as the policy wants them, less a fifth for each action in vain; else 0."""
        value = self._value()
        return Score(value, value, value > 0)

    def _release(self) -> None:
        """There is no engine."""

    @property
    def _code(self) -> str:
        return self._ticket.orders[self._place]

    @property
    def _settlement(self) -> Settlement:
        return self._policy.settlement(self._ticket.cases[self._place])

    def _value(self) -> float:
        database, work = self._database, self._database.work
        if not work.is_closed:
            return 0.0
        wanted = deepcopy(self._untouched)
        wanted.book(self._settlement.verb, self._code, to=self._ticket.address)
        is_so = all(
            getattr(database, table) == getattr(wanted, table)
            for table in ("customers", "orders", "stock", "payments", "deliveries")
        )
        return max(0.0, 1 - WASTE * (work.returned + HARM * work.complaints)) if is_so else 0.0

    def _answer(self, action: str) -> str:
        """Do what an action says, and return what the system shows."""
        bare, _, to = action.partition(" to ") if action.startswith("change ") else (action, "", "")
        verb, of = self._known.get(bare, ("", ""))
        if verb == LOOK_AT_ORDER:
            return self._order(of)
        if verb == LOOK_AT_CUSTOMER:
            return self._customer(of or self._ticket.customer)
        of = of or self._code
        work, wanted = self._database.work, self._settlement
        if not verb:
            work.returned += 1
            return NO_SUCH
        if of != self._code:
            work.returned += 1
            return f"{of} is not what this ticket is about. Nothing changed."
        if verb == wanted.harm:
            work.complaints += 1
            return self._rng.choice(_UNDONE)
        if verb == PHOTO or verb in VERIFYING:
            return self._ask(verb)
        if verb != wanted.verb:
            work.returned += 1
            return self._rng.choice(_IN_VAIN)
        if wanted.before and not self._is_done(wanted.before):
            work.returned += 1
            return self._rng.choice(_TOO_EARLY)
        return self._database.book(verb, of, to=to or self._ticket.address)

    def _is_done(self, before: str) -> bool:
        work = self._database.work
        return self._code in work.files if before == PHOTO else work.verified == before

    def _ask(self, verb: str) -> str:
        """Ask the customer for something, and return the answer and what it was good for."""
        answer = self._ticket.voice.says("photo" if verb == PHOTO else "answer")
        told = f'{self._ticket.customer} answers: "{answer}"'
        if verb == self._settlement.before and not self._is_done(verb):
            return f"{told} {self._database.book(verb, self._code)}"
        self._database.work.returned += 1
        return f"{told} Nobody needed that. Nothing changed."

    def _order(self, code: str) -> str:
        order = self._database.orders[code]
        record = f"The order {code} is {order.goods} and cost {order.price} euros. It is a {order.item} for {order.customer}."
        return record if code == self._code else f"{record} {state_of(order)}"

    def _customer(self, name: str) -> str:
        customer = self._database.customers[name]
        is_kind = f"is {customer.kind} and pays {customer.payment}"
        if name == self._ticket.customer:
            return f"{state_of(self._database.orders[self._code])} Its customer {is_kind}."
        codes = [one.code for one in self._database.orders.values() if one.customer == name]
        return f"{name} {is_kind}. Orders: {', '.join(codes) or 'none'}."

    def _customer_says(self) -> tuple[str, bool]:
        """Return what the customer adds by himself, if anything, and whether he leaves."""
        ticket = self._ticket
        if ticket.is_impatient and self._steps >= PATIENCE:
            return f'\n{ticket.customer} writes: "{ticket.voice.says("leaves")}"', True
        if self._place + 1 < len(ticket.orders):
            self._place += 1
            case = ticket.cases[self._place]
            line = ticket.voice.says("switch", order=self._code, item=case.item)
            now = state_of(self._database.orders[self._code])
            return f'\n{ticket.customer} writes: "{line}"\n{now}', False
        if ticket.is_impatient and self._steps > 1:
            return f'\n{ticket.customer} writes: "{ticket.voice.says("impatient")}"', False
        return "", False


class DeskOracle:
    """Knows the policy, and which order is meant."""

    def actions(self, task: Task, *, seed: int) -> Sequence[str]:
        """Return the way of one who looks up what counts before anything is done."""
        ticket, policy = draw_ticket(task, seed), policy_of(task, seed)
        code = ticket.orders[-1]
        wanted = policy.settlement(ticket.cases[-1])
        looks = ticket.orders if wanted.look == LOOK_AT_ORDER else (code,)
        verbs = [wanted.before, wanted.verb]
        return [
            *(said(wanted.look, one) for one in looks),
            *(said(verb, code) for verb in verbs if verb),
        ]


class DeskDomain:
    """A hundred shops: 60 to train on, 20 each for dev and test.

    The parameter `phrasing` of a task says whether its customers use the usual phrasings or those that are held out.
    Only the split `test` has both; each of its tickets comes in either.
    """

    name = NAME
    families: Sequence[str] = FAMILIES
    rules_by = SHOP
    changed_by = CHANGES

    def make(self) -> DeskEnvironment:
        """Return a fresh environment."""
        return DeskEnvironment()

    def tasks(self, split: Split, *, family: str | None = None) -> Iterator[Task]:
        """Yield the tasks of a split: each shop's tickets, family by family."""
        kinds = families_of(split, family, FAMILIES)
        for shop in _SHOPS[split]:
            for phrasing in ("usual", "held-out") if split == "test" else ("usual",):
                parameters = {SHOP: shop, PHRASING: phrasing}
                for kind in kinds:
                    for variation in range(len(cases_of(wish_of(kind)))):
                        yield Task(NAME, kind, variation, split, MAX_STEPS, parameters)

    def oracle(self) -> Oracle:
        """Return what knows the policies."""
        return DeskOracle()

    def lessons(self, task: Task, *, seed: int) -> Sequence[str]:
        """Return the policy on such tickets as sentences; nothing in `control`."""
        if task.family == "control":
            return ()
        return [lesson.sentence() for lesson in policy_of(task, seed).lessons(task.family)]

    def bounds(self, family: str) -> Bounds:
        """Return the best expected scores; in `control` nothing can be known before an episode."""
        require_family(family, FAMILIES)
        choices = len(VERIFYING) if family == "address" else len(SETTLING)
        alone = expected_without_memory(choices, may_want_photo=family == "broken")
        return Bounds(alone, alone if family == "control" else 1.0)


@cache
def _policy(rules_of: str, changes: int) -> ShopPolicy:
    return draw_policy(random.Random(f"desk policy:{rules_of}"), changes=changes)


def _moves(ticket: Ticket) -> dict[str, tuple[str, str]]:
    """Return what each action means: what is done, and to which order or customer; empty for the ticket's own."""
    tables = ticket.database
    moves = {said(verb, code): (verb, code) for verb in _OF_ORDERS for code in tables.orders}
    moves |= {f"look up {name}": (LOOK_AT_CUSTOMER, name) for name in tables.customers}
    return moves | {verb: (verb, "") for verb in (LOOK_AT_CUSTOMER, *VERIFYING)}
