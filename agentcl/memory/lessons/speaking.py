"""Which lessons speak of a situation, for who asks that himself: all that do, and why one of them is not shown."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from agentcl.memory.lessons.beliefs import Beliefs
from agentcl.memory.lessons.deciding import situation_of
from agentcl.store.checks import check_each, check_unicode
from agentcl.store.episodes import Guidance, cluster_of
from agentcl.store.records import ScopeView


class Matched(NamedTuple):
    """A lesson that speaks of a situation."""

    lesson: Guidance
    probability: float  # that it does


def matching(
    beliefs: Beliefs,
    situation: str,
    view: ScopeView,
    *,
    actions: Sequence[str],
    application: str | None,
    world: str,
) -> list[Matched]:
    """Return the lessons that speak of a situation; `Lessons.matching` documents the arguments."""
    text = situation_of(situation)
    could = [check_unicode(one, "an action") for one in check_each(actions, "actions", "texts")]
    found = [
        Matched(state.lessons[id].guidance, probability)
        for tenant in beliefs.tenants(view)
        for state in [beliefs.state(tenant)]
        for id, probability in beliefs.matcher.match(
            state, text, view, actions=could, application=application, world=world
        ).by_id.items()
        if view.sees(state.lessons[id].guidance.scope)
    ]
    return sorted(found, key=lambda one: -one.probability)


def why_not(
    beliefs: Beliefs, made: Guidance, situation: str, view: ScopeView, actions: Sequence[str]
) -> str:
    """Return why a lesson is not shown in a situation where it is at home, or that it is."""
    from agentcl.guidance import reasons
    from agentcl.guidance.selection import Place, choose

    text = situation_of(situation)
    state = beliefs.state(made.scope.tenant)
    matches = beliefs.matcher.match(
        state, text, view, actions=actions, application=made.application, world=made.world
    )
    place = Place(
        text="\n".join((text, *actions)),
        application=made.application,
        cluster=cluster_of(made.application, made.family),
        world=made.world,
        view=view,
        matched=matches.by_id,
    )
    choice = choose(state, place, Random(0), is_frozen=True, actions=actions)
    return reasons.why_not(
        state,
        place,
        made.id,
        choice,
        read=matches.read,
        used=matches.used,
        checked=matches.checked,
        actions=actions,
    )
