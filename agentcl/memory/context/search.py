"""What could be shown for some messages: what holds, what a question finds, and what stands beside each in brackets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from agentcl.memory import searching
from agentcl.memory.context.asked_of import (
    is_only_of_others,
    is_person,
    of_others,
    subject_asked,
    tells_of_others,
    told_of_user,
)
from agentcl.memory.context.asked_times import changed_after, said_in_time, time_asked
from agentcl.memory.context.blocks import ENDED, Showable
from agentcl.memory.context.covering import asks_what_is_so, covered
from agentcl.memory.context.evidence import Evidence
from agentcl.memory.context.showing import Kind, Shown
from agentcl.memory.conversations.messages import Said, asked
from agentcl.memory.opened import Opened
from agentcl.memory.statements import search as statement_search
from agentcl.memory.statements.search import words_of
from agentcl.memory.statements.standing import StandingStatements, end_of, holds, is_over
from agentcl.retrieval.framing import ROLES, day_of, named
from agentcl.retrieval.recall import Hit
from agentcl.statements.dates.periods import period
from agentcl.statements.english.hearing import asked_in, only_supposes, stated_in
from agentcl.statements.english.taken_back import without_taken_back
from agentcl.statements.slots import subject_key, value_key
from agentcl.statements.strengths import strength
from agentcl.store.conversations import Statement
from agentcl.store.records import ScopeView, from_micros
from agentcl.text.function_words import content_terms
from agentcl.text.terms import terms
from agentcl.text.visible import shortened

_ASKED: Final = 12  # hits looked at
_MOST_LOOKED_AT: Final = 192  # where echoes of the question stand before what answers it
_STATED: Final = 6  # statements that a question finds
# Of a statement's own score. Chosen on the natural dialogues: half of what is cut is of somebody who is not asked of.
_LEAST_STATED: Final = 0.2
_NEAR_BEST: Final = 0.5
_FLOOR: Final = 0.35  # of the best hit's score: what is less is not shown
_RECENCY: Final = 0.2  # of a hit's score; the rest is by relevance
_HALF_LIFE: Final = timedelta(days=7)
_HOP: Final = 0.6  # what a second look counts, of what it begins with
_HOPS_FROM: Final = 3  # texts that a second look begins with
_EARLIER: Final = 2  # values of a slot that are shown as what held before
_OLDER: Final = 0.95  # what an earlier value counts, of the one that it comes with
_NAMED: Final = 2  # ended values that the label of a turn names
_TELLING: Final = 3  # characters of a value that a text does not hold by chance
_NAME_SHOWN: Final = 60  # characters of a title
_AS_NEAR: Final = 0.6  # of what a turn tells of another: as near is what the user tells of himself
_THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3}\b)")
_MONTH: Final = len("2025-03")


class ContextSearch:
    """One look into a memory.

    Args:
        opened: the memory.
        view: whose.
        said: the messages.
        hops: 2 asks again with what the first look found.
        with_texts: whether texts are looked for, and not only statements.
    """

    def __init__(
        self,
        opened: Opened,
        view: ScopeView,
        said: Sequence[Said],
        hops: int = 1,
        *,
        with_texts: bool = True,
    ) -> None:
        self._opened, self._view, self._hops, self._with_texts = opened, view, hops, with_texts
        self.now = from_micros(opened.clock())
        self.query = asked(said)
        self.asked_of = time_asked(self.query, self.now)
        self._of_others: tuple[str, frozenset[str]] = ("", frozenset())
        self._covered: frozenset[str] = frozenset()  # turns that newer ones stand for
        self.warning = ""
        self.weights: Mapping[str, float] = {}  # of the question's terms
        self._said = "\n".join(one.text for one in said)
        stated = opened.contexts.stated(opened.journal, view)
        self._all = self._standing = stated.standing(self.now)
        if self.asked_of is not None:  # of what had been told by then
            told = filter(self._is_told, self._all.by_id.values())
            self._standing = StandingStatements([*told], self.now)
        self._near: list[
            Statement
        ] = []  # of what is over, those of the slots that a question finds
        self._uses = stated.uses
        self._told = stated.told()

    def _is_told(self, one: Statement) -> bool:
        """Return whether it had begun by the time that is asked of."""
        begun = one.valid_from
        return self.asked_of is None or begun is None or begun < self.asked_of.end

    def _holds(self, one: Statement) -> bool:
        return holds(one, self.now)

    def profile(self) -> Iterator[Showable]:
        """Yield what holds of the user: what he asks for first, then what he is like; of a sort the strongest first."""
        # Whom he knows and what is planned is shown where a question finds it.
        standing = self._standing
        for sort in standing.always_shown() if self.query else standing.of_user():
            own = [
                one
                for one in sort
                if not self._is_covered(one) and not is_only_of_others((one,), *self._of_others)
            ]
            strengths = {one.id: strength(one, self._uses.get(one.id, 0), self.now) for one in own}
            own.sort(key=lambda one: (-strengths[one.id], one.id))
            yield from map(self.item, own)

    def instead(self, shown: Shown) -> list[Showable]:
        """Return what follows something shown that holds no longer; nothing if it does hold."""
        told = self._told.get(shown.id, [])
        if shown.is_past or not told or any(map(self._holds, told)):
            return []
        new = [self.item(one) for one in self._holding_of(told)]
        if new or shown.kind != "statement":
            return [replace(one, about=f"instead of {shown.number}") for one in new]
        (held,) = told
        until = "" if held.valid_to is None else f" since {_as_said(held.valid_to, '', held)}"
        return [
            Showable(
                held.id + ENDED, "statement", held.text, about=f"no longer{until}", is_past=True
            )
        ]

    def item(self, one: Statement, score: float = 1.0) -> Showable:
        """Return a statement to be shown."""
        if is_over(one, self.now):
            about = f"until {self._end_of(one)}"
            return Showable(one.id + ENDED, "statement", one.text, score, about, is_past=True)
        about = ""
        if one.sort == "event" and one.since:
            about = _when(one)  # it does not go on from then
        elif one.valid_from is not None and one.valid_from > self.now:
            about = f"from {_as_said(one.valid_from, one.since, one)}"
        elif one.valid_from is not None and one.since:
            about = f"since {_as_said(one.valid_from, one.since, one)}"
        if one.valid_to is not None:
            about = ", ".join(filter(None, (about, f"until {self._end_of(one)}")))
        return Showable(one.id, "statement", one.text, score, about)

    def _holding_of(self, told: Sequence[Statement]) -> list[Statement]:
        """Return what holds in the slots of some statements."""
        slots = {one.slot for one in told}
        return [one for one in self._standing.holding if one.slot in slots]

    def _is_covered(self, one: Statement) -> bool:
        """Return whether it holds by turns alone that newer ones stand for."""
        if not self._covered or not one.sources:
            return False
        return self._covered.issuperset(one.sources) and self._holds(one)

    def _holds_again(self, one: Statement) -> bool:
        """Return whether its slot has the same value now, by another statement."""
        slot = (other for other in self._standing.slots.get(one.slot, ()) if other.id != one.id)
        return any(value_key(other.value) == value_key(one.value) for other in slot)

    def _end_of(self, one: Statement) -> str:
        """Return until when it held, as exactly as what ended it says."""
        assert one.valid_to is not None
        by = self._all.by_id.get(one.replaced_by)
        return _as_said(one.valid_to, "" if by is None else by.since, by or one)

    def _before(self, one: Statement, score: float) -> list[Showable]:
        """Return what held in the slot of a statement before, the latest first."""
        past = (
            other for other in self._standing.past_slots.get(one.slot, ()) if other.id != one.id
        )
        return [self.item(other, _OLDER * score) for other in islice(past, _EARLIER)]

    def found(self) -> list[Showable]:
        """Return what the question finds, best first."""
        if not self.query:
            return []
        first = sorted(self._ask(self.query, 1.0), key=_by_score)
        if self._hops > 1:
            for one in first[:_HOPS_FROM]:
                first += self._ask_on(one)
        best: dict[str, Showable] = {}
        for one in first:
            if one.id not in best or best[one.id].score < one.score:
                best[one.id] = one
        return sorted(best.values(), key=_by_score)

    def _ask_on(self, found: Showable) -> list[Showable]:
        """Ask again with what was found: a statement leads to what holds of its value, and a text to its like."""
        stated = self._all.by_id.get(found.id)
        if stated is None:
            return self._ask(found.text, _HOP * found.score)
        asked, subject = content_terms(self.query), subject_key(stated.value)
        reached = [one for one in self._standing.holding if subject_key(one.subject) == subject]
        items = []
        for one in reached:
            said = set(terms(f"{one.attribute} {one.text}"))
            share = sum(term in said for term in asked) / (len(asked) or 1)
            items.append(self.item(one, found.score * (_HOP + (1 - _HOP) * share)))
        return sorted(items, key=_by_score) + self._ask(
            f"{stated.value} {self.query}", _HOP * found.score
        )

    def _ask(self, query: str, weight: float) -> list[Showable]:
        stated = statement_search.search(
            self._opened, query, self._standing.compared, _STATED, self._uses
        )
        slots = {one.slot for one, _ in stated}
        self._near = [one for one in self._standing.past if one.slot in slots]
        top = max((score for _, score in stated), default=1.0) or 1.0
        hits = self._weighed(query, stated)
        of_one_time = asks_what_is_so(query, at_a_time=self.asked_of is not None)
        self._covered = covered(self._opened, hits, of_one_time=of_one_time)
        asked_of, attributes = subject_asked(query), of_others(query, stated)
        of_user = told_of_user(query, hits)
        if query == self.query:
            self._of_others = asked_of, attributes
        items = []
        for one, score in stated:
            if score < max(_LEAST_STATED, _NEAR_BEST * top):
                continue  # the best of what is beside the question is beside it too
            is_beside = of_user > 0.0 and is_person(one.subject)
            if is_beside or is_only_of_others((one,), asked_of, attributes):
                continue
            if not self._is_covered(one):
                items.append(self.item(one, weight * score / top))
            items += self._before(one, weight * score / top)
        for hit, relevance in hits:
            if relevance < _FLOOR:
                continue  # as all that comes of it
            told = self._told.get(hit.document_id, ())
            is_idle = of_one_time and _states_nothing(hit)
            is_beside = _AS_NEAR * relevance <= of_user and tells_of_others(hit, query)
            if is_idle or is_beside or is_only_of_others(told, asked_of, attributes):
                continue
            if hit.document_id not in self._covered:
                items += self._of_hit(hit, weight * relevance)
        return [one for one in items if one.score >= _FLOOR * weight]

    def _weighed(
        self, query: str, stated: Sequence[tuple[Statement, float]]
    ) -> list[tuple[Hit, float]]:
        """Return what texts a question finds, each with its relevance, but what the messages show already.

        Where echoes of the question leave few, more is asked for.
        """
        if not self._with_texts:
            return []
        evidence = Evidence(query, [one.text for one, _ in stated])
        limit = _ASKED
        while True:
            recall = searching.search(self._opened, query, self._view, limit=limit)
            self.warning = self.warning or recall.warning
            self.weights = self.weights or recall.weights
            hits = [hit for hit in recall if hit.text.strip() not in self._said]
            found = evidence.weigh(hits)
            if self.asked_of is not None:
                changed = changed_after(stated, self.asked_of)
                found = said_in_time(found, self.asked_of, self._told, changed)
            if len(found) >= _ASKED // 2 or len(recall) < limit or limit >= _MOST_LOOKED_AT:
                return found
            limit *= 4

    def _of_hit(self, hit: Hit, relevance: float) -> list[Showable]:
        """Return a hit to be shown; of one that says what holds no longer, what does instead."""
        at = hit.said_at or hit.created_at
        now = self.now if self.asked_of is None else self.asked_of.end
        age = max(now - at, timedelta()) / _HALF_LIFE
        score = relevance * (1 - _RECENCY + _RECENCY / (1 + age))
        told = self._told.get(hit.document_id, [])
        told = [one for one in told if one.polarity == "holds"]  # that something ended is no past
        if self._only_orders(hit, told):
            return [self.item(one, score) for one in told]
        is_past = bool(told) and not any(map(self._holds, told))
        about = self._who(hit)
        if is_past:
            instead = self._holding_of(told)
            if instead and self.asked_of is None:
                past = [self.item(one, _OLDER * score) for one in told if is_over(one, self.now)]
                return [*(self.item(one, score) for one in instead), *past]
            ended = [one for one in told if one.valid_to is not None]
            until = f"until {self._end_of(max(ended, key=end_of))}" if ended else ""
            about = ", ".join(filter(None, (about, until)))
        else:
            about = ", ".join(filter(None, (about, *self._ended_in(hit))))
        kind: Kind = "turn" if hit.said_at else "document"
        text = without_taken_back(hit.text, at) if hit.speaker == "user" else hit.text
        return [
            Showable(hit.document_id, kind, text, score, about, at, is_past, hit.parts, hit.title, hit.id)
        ]  # fmt: skip

    def _only_orders(self, hit: Hit, told: Sequence[Statement]) -> bool:
        """Return whether a turn says no more than what the assistant is asked for good, which is shown as such."""
        orders = [one for one in told if one.sort == "instruction" and self._holds(one)]
        return bool(orders) and len(orders) == len(told) and len(stated_in(hit.text)) <= 1

    def _ended_in(self, hit: Hit) -> list[str]:
        """Return which values that a text says hold no longer, each with its end."""
        told = [one for one in self._told.get(hit.document_id, []) if self._ends(one)]
        if not told and not self._near:
            return []
        said = set(terms(hit.text)) | set(terms(_THOUSANDS.sub("", hit.text)))
        near = [one for one in self._near if _is_telling(one) and words_of(one.value) <= said]
        found: dict[str, str] = {}
        for one in (*told, *near):
            if not self._holds_again(one) and set(terms(one.value)) & said:
                value = shortened(" ".join(one.value.split()), _NAME_SHOWN)
                found.setdefault(value, f"{named(value)} until {self._end_of(one)}")
        return [*islice(found.values(), _NAMED)]

    def _ends(self, one: Statement) -> bool:
        """Return whether it has ended, or is known to end."""
        return is_over(one, self.now) or (self._holds(one) and one.valid_to is not None)

    def _who(self, hit: Hit) -> str:
        """Return who said it, where it was not the user; of a document, its name."""
        if hit.said_at and not hit.title:
            return hit.speaker if hit.speaker in ROLES - {"user"} else ""
        name = shortened(" ".join(hit.title.split()), _NAME_SHOWN) or hit.uri
        return named(name) if name else ""


def _states_nothing(hit: Hit) -> bool:
    """Return whether a turn says nothing that is so: the assistant asks, or the user supposes something."""
    if hit.metadata.get("role") == "assistant":
        return bool(asked_in(hit.text))
    return hit.speaker == "user" and only_supposes(hit.text)


def _by_score(item: Showable) -> float:
    return -item.score


def _is_telling(one: Statement) -> bool:
    """Return whether no text has a value by chance."""
    return max(map(len, words_of(one.value)), default=0) >= _TELLING


def _when(event: Statement) -> str:
    """Return when something is or was, as exactly as it was told."""
    at = period(event.since, event.moment.tzinfo).start
    return f"{'on' if len(event.since) > _MONTH else 'in'} {_as_said(at, event.since, event)}"


def _as_said(moment: datetime, said: str, by: Statement) -> str:
    """Return the day where a statement was told, or the month or year where no more was said."""
    day, month, year = day_of(moment.astimezone(by.moment.tzinfo)).split()
    return {4: year, 7: f"{month} {year}"}.get(len(said), f"{day} {month} {year}")
