"""Lessons from memory to memory: a tenant's best ones as a pamphlet, and those of a pamphlet as candidates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from agentcl.errors import InvalidInput
from agentcl.guidance.pamphlet import Adopted, Pamphlet, compose, save
from agentcl.memory.lessons.admitting import MOST_LESSONS
from agentcl.memory.lessons.beliefs import Beliefs
from agentcl.memory.opened import Opened
from agentcl.memory.outside import check_outside
from agentcl.store.checks import check_a, check_label
from agentcl.store.episodes import Reflection, Stated
from agentcl.store.records import ScopeView


def export(
    opened: Opened,
    beliefs: Beliefs,
    file: Path,
    view: ScopeView,
    *,
    name: str,
    application: str | None,
    with_candidates: bool,
) -> Pamphlet:
    """Write the best lessons that a view sees; `Lessons.export` documents the arguments."""
    check_outside(file, opened.path)
    check_label("" if application is None else application, "application")
    check_label(name, "name")
    if view.tenant is None or len(view.tenant) != 1:
        raise InvalidInput("a pamphlet holds one tenant's lessons; name it")
    (tenant,) = view.tenant
    pamphlet = compose(
        beliefs.state(tenant),
        view,
        name=name or file.stem,
        at=datetime.now(UTC),
        application=application,
        with_candidates=with_candidates,
    )
    save(pamphlet, file)
    return pamphlet


def adopt(
    beliefs: Beliefs, pamphlet: Pamphlet, tenant: str, reflect: Callable[..., Reflection]
) -> Adopted:
    """Let a tenant reflect on a pamphlet's lessons, those of an application together, and count what is new.

    Args:
        beliefs: what is believed.
        pamphlet: the lessons.
        tenant: whose they become.
        reflect: as `Lessons.reflect`, with the scope bound.
    """
    check_a(pamphlet, Pamphlet, "pamphlet")
    for label in {pamphlet.name, *(one.application for one in pamphlet.entries)}:
        check_label(label, "a pamphlet's name or application")
    before = set(beliefs.state(tenant).lessons)
    stated: list[Stated] = []
    ordered = sorted(pamphlet.entries, key=lambda one: one.application)
    for application, group in groupby(ordered, key=lambda one: one.application):
        entries = [*group]
        for at in range(0, len(entries), MOST_LESSONS):
            some = entries[at : at + MOST_LESSONS]
            reflection = reflect(
                [one.lesson for one in some],
                author=pamphlet.name,
                origin="imported",
                levels=[one.level for one in some],
                application=application,
            )
            stated += reflection.stated
    kept = {one.guidance for one in stated if one.guidance}
    refused = tuple(one for one in stated if one.refusal)
    return Adopted(len(kept - before), len(kept & before), refused)
