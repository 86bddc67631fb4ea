"""Which records may move into an adapter, and why the others may not.

The choice follows from the journal and a moment alone: no model, no coin. Weights can be read by whoever holds them,
and a wrong row is repeated with confidence. So a record has to prove itself first, and everything that was looked at
is listed with the rule that decided.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, Unpack, cast

from agentcl.errors import InvalidInput
from agentcl.memory.bound import Bound
from agentcl.statements.currency import contradictions
from agentcl.statements.slots import USER, subject_key, value_key
from agentcl.statements.strengths import uses_of
from agentcl.store.checks import ReadScope, WriteScope, check_count, check_time
from agentcl.store.conversations import Statement, Turn
from agentcl.store.episodes import Aside, Decision, Episode, Guidance
from agentcl.store.records import ANY, SCOPE_FIELDS, Record, Scope, ScopeView, to_micros

if TYPE_CHECKING:
    from agentcl.guidance.overview import Standing
    from agentcl.memory.memory import Memory

Sort = Literal["lesson", "statement", "answer", "episode"]
_PASSING: Final = ("plan", "event")  # sorts of statements that are over some day
_SETTLED: Final = 2  # values that an attribute may have had; with a third one it is volatile
_NOT_OWN: Final = (
    "from an unverified source: it was imported from a memory that nobody said to be his own"
)
_STUDENT: Final = "student"  # who judges himself has verified nothing
_NOWHERE: Final = Scope()


@dataclass(frozen=True, slots=True)
class ChoicePolicy:
    """What a record must have proved. The defaults are strict."""

    held_days: float = 30.0  # that a statement held unchanged
    least_uses: int = 1  # of a statement: later turns that take it up, and counted uses
    least_confidence: float = 0.7  # of what a digester read
    most_of_a_source: float = 0.5  # of all that is chosen, where there are several sources
    with_personal: bool = False  # also what is said of a user, in an adapter of that user's own

    def __post_init__(self) -> None:
        """Refuse what cannot be meant. Raises InvalidInput."""
        check_count(self.least_uses, "least_uses", least=0)
        if not (math.isfinite(self.held_days) and self.held_days >= 0):
            raise InvalidInput(f"held_days is a number of days from 0, and not {self.held_days}")
        for name in ("least_confidence", "most_of_a_source"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidInput(f"{name} is from 0 to 1, and not {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class RecordChoice:
    """That a record was looked at, and what was decided."""

    record: Record
    sort: Sort
    says: str  # in one line
    source: str  # whom it comes from
    is_chosen: bool
    reason: str
    worth: float = 0.0  # by which the best of a source are kept


@dataclass(frozen=True, slots=True)
class Selection:
    """Everything that was looked at, in the order of ids: what was chosen, and what was refused."""

    scope: Scope
    at: datetime
    policy: ChoicePolicy
    choices: tuple[RecordChoice, ...]

    @property
    def chosen(self) -> tuple[RecordChoice, ...]:
        """What may move into the weights."""
        return tuple(one for one in self.choices if one.is_chosen)

    @property
    def refused(self) -> tuple[RecordChoice, ...]:
        """What stays in the memory alone."""
        return tuple(one for one in self.choices if not one.is_chosen)

    def counts(self) -> Mapping[Sort, tuple[int, int]]:
        """Return by sort how many were chosen and refused."""
        chosen = Counter(one.sort for one in self.chosen)
        all_ = Counter(one.sort for one in self.choices)
        return {sort: (chosen[sort], all_[sort] - chosen[sort]) for sort in sorted(all_)}

    def shares(self) -> Mapping[str, float]:
        """Return which share of what was chosen each source gave."""
        counts = Counter(one.source for one in self.chosen)
        return {name: count / len(self.chosen) for name, count in sorted(counts.items())}


def select(
    memory: Memory,
    *,
    policy: ChoicePolicy | None = None,
    at: datetime | None = None,
    only: Collection[str] = (),
    **scope: Unpack[WriteScope],
) -> Selection:
    """Decide for every lesson, statement and episode of a scope and below whether it may move into an adapter.

    Nothing is written.

    Args:
        memory: to look into; what it is bound to counts.
        policy: what a record must have proved; default: `ChoicePolicy()`.
        at: the moment at which statements have to hold; default: now. The same journal, counted uses and moment give
            the same selection.
        only: ids of the records that may be chosen; default: all.
        scope: `tenant`, `user`, `agent`, `session`: whom the adapter is for.

    Raises:
        InvalidInput: if the scope or an argument cannot be used.
    """
    wanted, bound = policy or ChoicePolicy(), Bound(**memory.scope)
    owner, moment = bound.owner(scope), check_time(at, "at") or datetime.now(UTC)
    if wanted.with_personal and not owner.user:
        raise InvalidInput(
            "what is said of a user goes only into an adapter of his own; name the user, or leave it out"
        )
    looking = _Looking(memory, owner, _below(owner), wanted, moment)
    found = [*looking.lessons(), *looking.statements(), *looking.episodes()]
    found.sort(key=lambda one: one.record.id)
    if only:
        found = [one if one.record.id in only else _left_out(one) for one in found]
    return Selection(owner, moment, wanted, tuple(_capped(found, wanted.most_of_a_source)))


@dataclass(slots=True)
class _Looking:
    """One look at all that a scope has."""

    memory: Memory
    owner: Scope
    view: ScopeView
    policy: ChoicePolicy
    at: datetime
    aside: frozenset[str] = field(init=False)
    rollbacks: tuple[Decision, ...] = field(init=False)

    def __post_init__(self) -> None:
        tenant = ScopeView(frozenset({self.owner.tenant}), None, None, None)
        journal = self.memory.store.journal
        self.aside = frozenset(id for one in journal.records(Aside, view=tenant) for id in one.ids)
        decided = journal.records(Decision, view=tenant)
        self.rollbacks = tuple(one for one in decided if one.what == "rollback")

    def lessons(self) -> Iterator[RecordChoice]:
        """Decide about each lesson, by what outcomes say of it."""
        for one in self.memory.lessons.list(**self._read_scope()):
            if not self.view.sees(one.guidance.scope):
                continue  # shared with the scope, and not its own
            yield self._decided(
                one.guidance, "lesson", one.sentence, self._source_of_lesson(one.guidance),
                self._against_lesson(one),
                f"proved: {one.belief.why}", one.belief.uplift,
            )  # fmt: skip

    def _against_lesson(self, one: Standing) -> str:
        made, belief = one.guidance, one.belief
        if made.id in self.aside:
            return _NOT_OWN
        if not made.share and (whose := self._is_private(made.scope)):
            return whose
        if belief.stage != "active":
            return f"not proved: {belief.stage}, {belief.why}"
        if made.level == "instance":
            return "volatile: it speaks of one task only"
        return ""

    def statements(self) -> Iterator[RecordChoice]:
        """Decide about each statement."""
        journal = self.memory.store.journal
        held = [*journal.records(Statement, view=self.view)]
        turns = [*journal.records(Turn, view=self.view)]
        spoken, uses = {one.id: one for one in turns}, uses_of(held, turns)
        slots: dict[tuple[Scope, str], list[Statement]] = defaultdict(list)
        for one in held:
            slots[one.scope, one.slot].append(one)
        for one in held:
            counted = journal.counters(one.id)
            used = uses.get(one.id, 0) + counted.uses
            against = self._against_statement(one, slots[one.scope, one.slot], spoken, used)
            days = (self.at - one.moment).days
            yield self._decided(
                one, "statement", one.text, self._source_of_statement(one, spoken), against,
                f"held for {days} days unchanged, used {used} times", float(used),
            )  # fmt: skip

    def _against_statement(
        self, one: Statement, slot: Sequence[Statement], spoken: Mapping[str, Turn], used: int
    ) -> str:
        if whose := self._is_private(one.scope):
            return whose
        if not self.policy.with_personal and (one.scope.user or subject_key(one.subject) == USER):
            return "private by default: it is said of a user"
        if one.polarity != "holds" or not one.is_valid(self.at):
            return "it does not hold now"
        if any(one.id == other.id for other in contradictions(slot, self.at)):
            return "contradicted: its attribute has several values at once"
        if one.sort in _PASSING or one.valid_to is not None:
            return f"volatile: a {one.sort} that passes"
        values = {value_key(other.value) for other in slot}
        if not one.is_member and len(values) > _SETTLED:
            return f"volatile: its attribute had {len(values)} values"
        if one.same_as:
            return f"the same as {one.same_as} in other words"
        return self._unproved(one, slot, spoken, used)

    def _unproved(
        self, one: Statement, slot: Sequence[Statement], spoken: Mapping[str, Turn], used: int
    ) -> str:
        came = (one.id, *(spoken[id].conversation_id for id in one.sources if id in spoken))
        if any(id in self.aside for id in came):
            return _NOT_OWN
        roles = {spoken[id].role for id in one.sources if id in spoken}
        if one.sources and "user" not in roles:
            return "from an unverified source: no user said it"
        if one.confidence < self.policy.least_confidence:
            return f"from an unverified source: read with a confidence of {one.confidence:.2f} only"
        changed = max((other.moment for other in slot if not one.is_member), default=one.moment)
        days = (self.at - max(changed, one.moment)) / timedelta(days=1)
        if days < self.policy.held_days:
            return f"too new: unchanged for {max(0.0, days):.0f} of {self.policy.held_days:g} days"
        if used < self.policy.least_uses:
            return f"not used: {used} of {self.policy.least_uses} times"
        return ""

    def episodes(self) -> Iterator[RecordChoice]:
        """Decide about each episode: one of a single step is an answer."""
        held = [*self.memory.store.journal.records(Episode, view=self.view)]
        newest: dict[tuple[Scope, str, str, str], str] = {}
        for one in held:
            if one.is_success:
                newest[one.scope, one.application, one.world, one.goal or one.task] = one.id
        for one in held:
            against = self._against_episode(one)
            last = newest.get((one.scope, one.application, one.world, one.goal or one.task))
            if not against and last != one.id:
                against = f"{last} solved the same task later"
            yield self._decided(
                one, "answer" if one.steps == 1 else "episode", one.goal or one.task, _owner_of(one.scope),
                against, f"solved, as the {one.judge} judged", one.score or 0.0,
            )  # fmt: skip

    def _against_episode(self, one: Episode) -> str:
        if one.id in self.aside:
            return _NOT_OWN
        if whose := self._is_private(one.scope):
            return whose
        if one.status != "finished" or not one.steps:
            return f"nothing to learn by: {one.status}, {one.steps} steps"
        if not one.is_success:
            return "it did not succeed"
        if one.judge in ("", _STUDENT):
            return "from an unverified source: nobody but the agent judged it"
        at = to_micros(one.created_at)
        for rollback in self.rollbacks:
            if rollback.since <= at <= rollback.until:
                return f"rolled back by {rollback.id}"
        return ""

    def _decided(
        self,
        record: Record,
        sort: Sort,
        says: str,
        source: str,
        against: str,
        why: str,
        worth: float,
    ) -> RecordChoice:
        return RecordChoice(
            record, sort, " ".join(says.split()), source, not against, against or why, worth
        )

    def _is_private(self, scope: Scope) -> str:
        """Return in words whose own a record is, if it is not the adapter's; empty if all may have it."""
        for name in SCOPE_FIELDS:
            own = getattr(scope, name)
            if own and own != getattr(self.owner, name):
                return f"private by default: it is {name} {own!r}'s own"
        return ""

    def _source_of_lesson(self, made: Guidance) -> str:
        lived = made.origin == "experience"
        return _owner_of(made.scope) if lived else f"{made.origin} by {made.author or 'nobody'}"

    def _source_of_statement(self, one: Statement, spoken: Mapping[str, Turn]) -> str:
        said = next((spoken[id].name for id in one.sources if id in spoken), "")
        return f"said by {said}" if said else _owner_of(one.scope)

    def _read_scope(self) -> ReadScope:
        """Return the scope as a read names it: what is not named is open."""
        named: dict[str, Any] = dict.fromkeys(SCOPE_FIELDS[1:], ANY)
        named["tenant"] = self.owner.tenant
        named |= {name: v for name in SCOPE_FIELDS if (v := getattr(self.owner, name))}
        if not named["tenant"]:
            del named["tenant"]
        return cast(ReadScope, named)


def _left_out(one: RecordChoice) -> RecordChoice:
    reason = "not asked for: what an adapter held is trained anew" if one.is_chosen else one.reason
    return replace(one, is_chosen=False, reason=reason)


def _capped(found: Sequence[RecordChoice], most: float) -> Iterator[RecordChoice]:
    """Refuse what one source gives beyond its share of all that is chosen; the best of it stay.

    With n_s of source s, as many are kept as can be while no source has more than `most` of them. Where there are too
    few sources for that, each may have an equal share.
    """
    by_source: dict[str, list[RecordChoice]] = defaultdict(list)
    for one in found:
        if one.is_chosen:
            by_source[one.source].append(one)
    share = max(most, 1 / max(1, len(by_source)))
    counts = [len(group) for group in by_source.values()]
    limit = max(counts, default=0)
    while limit and limit > share * sum(min(count, limit) for count in counts):
        limit -= 1
    over: dict[str, str] = {}
    for name, group in by_source.items():
        group.sort(key=lambda one: (-one.worth, one.record.id))
        for one in group[max(limit, 1) :] if len(by_source) > 1 else ():
            over[one.record.id] = f"{name} gives its share of {share:.0%} already"
    for one in found:
        reason = over.get(one.record.id)
        yield one if reason is None else replace(one, is_chosen=False, reason=reason)


def _owner_of(scope: Scope) -> str:
    return "everybody" if replace(scope, tenant="") == _NOWHERE else str(replace(scope, tenant=""))


def _below(owner: Scope) -> ScopeView:
    """Return a scope with all below it, within its tenant."""
    user, agent, session = (
        frozenset({value}) if value else None for value in (owner.user, owner.agent, owner.session)
    )
    return ScopeView(frozenset({owner.tenant}), user, agent, session)
