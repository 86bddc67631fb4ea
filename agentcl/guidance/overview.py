"""All lessons at a glance: where each is at home, what is believed of it there, and what changed.

A lesson is believed differently in each kind of task and each world. Its home is where it was drawn from; of
one that was told or imported, where it has been tried most.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, get_args

from agentcl.guidance.evidence.belief import Belief, LifeStage, Rollback, lesson_of
from agentcl.guidance.evidence.successors import successors_of
from agentcl.guidance.rules import GuidanceRules
from agentcl.guidance.state import GuidanceState
from agentcl.store.episodes import Aside, Decision, Guidance, cluster_of
from agentcl.store.records import Scope, ScopeView
from agentcl.store.rows import Row

STAGES: Final[tuple[LifeStage, ...]] = get_args(LifeStage)
_ORDER: Final = {
    stage: place
    for place, stage in enumerate(("active", "trial", "candidate", "quarantined", "retired"))
}
_INTERVAL: Final = 1.96  # standard deviations on either side that hold 95 % of a normal one


@dataclass(frozen=True, slots=True)
class Standing:
    """How a lesson stands at home."""

    guidance: Guidance
    cluster: str
    world: str
    belief: Belief

    @property
    def sentence(self) -> str:
        """What it says."""
        return lesson_of(self.guidance).sentence()

    @property
    def interval(self) -> tuple[float, float]:
        """Where its uplift lies with a probability of 95 %."""
        reach = _INTERVAL * self.belief.sd
        return self.belief.uplift - reach, self.belief.uplift + reach


@dataclass(frozen=True, slots=True)
class StageDifference:
    """A lesson that stands elsewhere in one state than in another."""

    guidance: Guidance
    before: LifeStage | None  # None: it was not there
    after: LifeStage | None
    why: str  # the rule that says so now; of one that is gone, the rule that said so then

    @property
    def sentence(self) -> str:
        """What the lesson says."""
        return lesson_of(self.guidance).sentence()


def home_of(state: GuidanceState, id: str, view: ScopeView | None = None) -> tuple[str, str]:
    """Return the kind of task and the world in which a lesson is at home, as far as a view sees.

    Raises:
        KeyError: if the state has no such lesson.
    """
    guidance = state.lessons[id].guidance
    cluster, world = cluster_of(guidance.application, guidance.family), guidance.world
    if guidance.origin == "experience":
        return cluster, world
    sight = state.sight(id, view)
    tried = state.credit.clusters(id, sight)
    if tried and not guidance.family:

        def seen(name: str) -> tuple[int, str]:
            counts = state.credit.counts(id, name, sight)
            return counts.shown + counts.withheld, name

        cluster = max(tried, key=seen)
    tested = state.trust.worlds(id, sight)
    if tested and not world:
        world = max(tested, key=lambda name: (sum(state.trust.counts(id, name, sight)), name))
    return cluster, world


def standing_of(state: GuidanceState, id: str, view: ScopeView | None = None) -> Standing:
    """Return how a lesson stands at home for who has a view; default: its owner. Raises KeyError."""
    cluster, world = home_of(state, id, view)
    belief = state.belief(id, cluster=cluster, world=world, view=view)
    return Standing(state.lessons[id].guidance, cluster, world, belief)


def standings(
    state: GuidanceState,
    view: ScopeView,
    *,
    stages: Collection[LifeStage] = STAGES,
    application: str | None = None,
    family: str | None = None,
    world: str | None = None,
) -> list[Standing]:
    """Return the lessons that a view sees, the proved ones first, and of these the most useful.

    Args:
        state: what is believed.
        view: whose lessons.
        stages: only these stages.
        application: only lessons of this one.
        family: only lessons that are at home in this kind of task.
        world: only lessons that are at home in this world.
    """
    found = []
    for id, held in state.lessons.items():
        made = held.guidance
        if not view.sees(made.scope) or application not in (None, made.application):
            continue
        one = standing_of(state, id, view)
        is_of_family = family is None or one.cluster.rpartition("/")[2] == family
        if is_of_family and world in (None, one.world) and one.belief.stage in stages:
            found.append(one)
    found.sort(key=lambda one: (_ORDER[one.belief.stage], -one.belief.uplift, one.guidance.id))
    return found


def compare(
    before: GuidanceState, after: GuidanceState, view: ScopeView
) -> Sequence[StageDifference]:
    """Return the lessons whose stage differs between two states, in the order in which they came."""
    found = []
    for id in before.lessons | after.lessons:
        held = after.lessons.get(id) or before.lessons[id]
        if not view.sees(held.guidance.scope):
            continue
        then, now = _known(before, id, view), _known(after, id, view)
        there = now or then
        if there is None:
            continue
        was, became = (None if one is None else one.belief.stage for one in (then, now))
        if was != became:
            found.append(StageDifference(there.guidance, was, became, there.belief.why))
    return found


def begin(
    rows: Iterable[Row], *, tenant: str, rules: GuidanceRules | None = None
) -> tuple[GuidanceState, list[Row]]:
    """Return a state that knows what was rolled back and nothing else yet, and the rows to fold into it.

    So that a state can be looked at after each row, or folded with a change.
    """
    held = list(rows)
    decisions = [row for row in held if row.kind in (Decision.kind, Aside.kind)]
    undone = {row.id for row in decisions if row.op == "delete" and row.kind == Decision.kind}
    state = GuidanceState.of(decisions, tenant=tenant, rules=rules)
    state.successors = successors_of(held)
    return state, [row for row in held if row.id not in undone]


def rows_at(rows: Iterable[Row], moment: int | None) -> Iterator[Row]:
    """Yield the rows that there were at a moment, in microseconds since 1970; without one, all."""
    # What was imported has the times that it had elsewhere, but what is kept aside was aside from the start.
    return (
        row for row in rows if moment is None or row.created_at <= moment or row.kind == Aside.kind
    )


def state_at(
    rows: Iterable[Row], moment: int, *, tenant: str, rules: GuidanceRules | None = None
) -> GuidanceState:
    """Return what was believed at a moment, in microseconds since 1970."""
    return GuidanceState.of(rows_at(rows, moment), tenant=tenant, rules=rules)


def state_without(
    rows: Iterable[Row], since: int, until: int, *, scope: Scope, rules: GuidanceRules | None = None
) -> GuidanceState:
    """Return what would be believed if a scope, and all below it, rolled back the time between two moments."""
    state, held = begin(rows, tenant=scope.tenant, rules=rules)
    state.ignored.append(Rollback(since, until, scope.user, scope.agent, scope.session))
    for row in held:
        state.apply(row)
    return state


def _known(state: GuidanceState, id: str, view: ScopeView) -> Standing | None:
    return standing_of(state, id, view) if id in state.lessons else None
