"""A scripted clerk: no model, but it follows lessons about tickets, and says what it learned."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from agentcl.envs.acting import Act, Situation
from agentcl.envs.domains.desk.policy import LOOK_AT_CUSTOMER, LOOK_AT_ORDER, MOVE, PHOTO, VERIFYING
from agentcl.envs.domains.desk.reading import facts_in, named_wish, wish_in
from agentcl.lessons import Claim, Lesson, read_sentence

# By wish, the facts that may count: the clerk knows that much of shops, and not what a fact calls for.
_COUNTS: Final[Mapping[str, tuple[str, ...]]] = {
    "return": ("kind", "period"), "broken": ("goods",), "late": ("price",), "cancel": ("payment", "stage"),
    "address": ("kind",),
}  # fmt: skip
_EXCEPTIONS: Final = ("kind", "payment")  # a lesson of one is worth more than a lesson without
_SHOWN_BY: Final[Mapping[str, str]] = {
    "goods": LOOK_AT_ORDER, "price": LOOK_AT_ORDER, "kind": LOOK_AT_CUSTOMER, "payment": LOOK_AT_CUSTOMER,
}  # fmt: skip
_PREPARING: Final = (PHOTO, *VERIFYING)
_LOOKS: Final = (LOOK_AT_ORDER, LOOK_AT_CUSTOMER)
_THE_ORDER: Final = re.compile(r"\b(?:it|(?:the|an) order)\b")


class Clerk:
    """Looks up what may count, and does what its lessons say; where they are silent, tries what is left.

    It reads what a customer wants by the usual phrasings, believes records and no customer, and remembers nothing
    itself.
    """

    name = "clerk"

    def __init__(self) -> None:
        self._last = ""  # what was done last
        self._asked = 0  # after how many steps it was chosen

    def act(self, situation: Situation) -> Act | None:
        """Return the next action; None when nothing is left to try."""
        if not situation.history:
            self._begin(situation)
        if self._last and len(situation.history) == self._asked:  # asked again: it was not done
            self._tried.discard(self._last)
            self._last = ""
        self._asked = len(situation.history)
        if self._last:
            self._judge(self._last, situation.seen)
        actions = situation.actions or ()
        self._see(situation.seen, actions)
        told = [one for text in situation.guidance if (one := read_sentence(text))]
        named = {wish for lesson in told if (wish := named_wish(lesson.when))}
        if len(named) == 1:
            self._wish = named.pop()
        verb = self._chosen([self._verb(action) for action in actions], told)
        if not verb:
            return None
        self._last = verb
        self._tried.add(verb)
        return Act(f"{verb.removesuffix('it')}{self._code}" if verb.endswith(" it") else verb)

    def learn(self, seen: str) -> list[str]:
        """Return the lessons of the episode as sentences, given what was seen last."""
        if self._last:
            self._judge(self._last, seen)
            self._last = ""
        return [lesson.sentence() for lesson in self._learned]

    def draw(self, situation: Situation) -> str:
        """Return what says in which order things are tried in an episode."""
        return f"{situation.known_task.id}:{situation.seed}"

    def _begin(self, situation: Situation) -> None:
        self._rng = random.Random(f"clerk:{self.draw(situation)}")
        state, _, message = situation.first.partition("\n")
        self._wish = wish_in(message, state)
        self._learned: dict[Lesson, None] = {}
        self._facts: dict[str, frozenset[str]] = {}
        self._tried: set[str] = set()
        self._code = self._last = self._waiting = ""

    def _verb(self, action: str) -> str:
        return (
            f"{action.removesuffix(self._code)}it" if action.endswith(f" {self._code}") else action
        )

    def _see(self, seen: str, actions: Sequence[str]) -> None:
        """Take in what records say of the order that is spoken of, and of its customer."""
        looked = [
            action.removeprefix("look up ") for action in actions if action.startswith("look up ")
        ]
        code = next((of for of in looked if of != "the customer"), self._code)
        if code != self._code:  # another order is meant
            self._code, self._waiting = code, ""
            self._tried &= {LOOK_AT_CUSTOMER, *VERIFYING}
            self._facts = {of: fact for of, fact in self._facts.items() if of in _EXCEPTIONS}
        for line in seen.splitlines():
            if line.startswith("The order "):
                record, _, customer = line.partition(" Its customer ")
                self._facts |= facts_in(f"is {customer}") if customer else {}
                self._facts |= facts_in(record) if code and code in record else {}

    def _chosen(self, verbs: Sequence[str], told: Sequence[Lesson]) -> str:
        left = [verb for verb in verbs if verb not in self._tried]
        for fact in _COUNTS[self._wish]:
            if fact not in self._facts and (look := _SHOWN_BY.get(fact)) in left:
                return look or ""
        lessons = sorted(filter(self._applies, told), key=_weight, reverse=True)
        says = [
            verb for one in lessons if one.claim in ("do", "needs") for verb in _meant(one, left)
        ]
        prepared = [verb for verb in says if verb in _PREPARING]
        if self._waiting and PHOTO in left:
            return PHOTO
        if self._waiting:
            waiting, self._waiting = self._waiting, ""
            return waiting
        if prepared and not self._is_prepared(verbs):
            return prepared[0]
        settled = [verb for verb in says if verb not in (*_PREPARING, *_LOOKS)]
        if settled:
            return next(self._first(settled[0], told, left), settled[0])
        return self._guess(left, lessons)

    def _first(self, verb: str, told: Sequence[Lesson], left: Sequence[str]) -> Iterator[str]:
        """Yield what lessons say has to come before something is done to such an order."""
        for one in told:
            doing = _bare(one.when.removeprefix("you "))
            if (
                one.claim == "needs"
                and doing[: len(_bare(verb))] == _bare(verb)
                and self._holds(one)
            ):
                yield from _meant(one, left)

    def _is_prepared(self, verbs: Sequence[str]) -> bool:
        return MOVE in verbs and self._is_verified

    @property
    def _is_verified(self) -> bool:
        return any(lesson.what in VERIFYING and lesson.claim == "do" for lesson in self._learned)

    def _guess(self, left: Sequence[str], lessons: Sequence[Lesson]) -> str:
        """Return what has not been tried and is not spoken against; else anything that has not been tried."""
        if MOVE in left:
            left = [MOVE] if self._is_verified else [verb for verb in left if verb in VERIFYING]
        open_ = [verb for verb in left if verb not in (*_LOOKS, PHOTO)]
        against = {
            verb
            for one in lessons
            if one.claim in ("avoid", "useless")
            for verb in _meant(one, left)
        }
        hopeful = [verb for verb in open_ if verb not in against] or open_
        return self._rng.choice(sorted(hopeful)) if hopeful else ""

    def _applies(self, lesson: Lesson) -> bool:
        """Return whether a lesson speaks of facts that count here, and all that it names are so."""
        named = facts_in(lesson.when)
        return any(of in _COUNTS[self._wish] for of in named) and self._holds(lesson)

    def _holds(self, lesson: Lesson) -> bool:
        """Return whether all facts that a lesson names are so here."""
        named = facts_in(lesson.when)
        return all(self._facts.get(of, frozenset()) & fact for of, fact in named.items())

    def _judge(self, verb: str, seen: str) -> None:
        """Note what came of an action."""
        first = seen.partition("\n")[0]
        if first.startswith("Booked"):
            self._note("do", verb if verb != MOVE else "")
        elif "got worse" in first:
            self._note("avoid", verb)
        elif "filed with the ticket" in first or "as verified" in first:
            self._note("do", verb)
        elif "missing" in first or "has to be done first" in first:
            self._waiting = verb
        elif "Nothing changed" in first:
            self._note("useless", verb)

    def _note(self, claim: Claim, verb: str) -> None:
        if verb and (when := self._here()):
            self._learned[Lesson(when, claim, verb)] = None

    def _here(self) -> str:
        """Return the situation by the facts that count in it; empty if one is not known."""
        facts = {of: next(iter(fact)) for of, fact in self._facts.items()}
        forms = {
            "return": "an order was delivered {period} and its customer is {kind}",
            "broken": "an order is {goods}",
            "late": f"an order {facts.get('stage', '')} and cost {{price}} euros",
            "cancel": "an order {stage} and its customer pays {payment}",
            "address": "the customer of an order is {kind}",
        }
        is_known = all(of in facts for of in _COUNTS[self._wish])
        return forms[self._wish].format_map(facts) if is_known else ""


def _weight(lesson: Lesson) -> tuple[int, int]:
    named = facts_in(lesson.when)
    return sum(of in named for of in _EXCEPTIONS), len(named)


def _meant(lesson: Lesson, verbs: Sequence[str]) -> Iterator[str]:
    """Yield the verb that a lesson names, if it is one of those to choose from."""
    what = _bare(lesson.what)
    yield from (verb for verb in verbs if _bare(verb) == what)


def _bare(verb: str) -> list[str]:
    return _THE_ORDER.sub("", verb).split()
