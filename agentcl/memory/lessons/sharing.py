"""Lessons that users share: what several of them learned, each by himself, becomes the tenant's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from agentcl.lessons import Claim, Lesson
from agentcl.store.base import Store
from agentcl.store.episodes import Guidance
from agentcl.store.records import Scope, ScopeView
from agentcl.store.writing import Writing


def shared_with(journal: Store, draft: Guidance) -> Guidance | None:
    """Return the lesson of the tenant that says what a draft says, if the draft is to be shared."""
    if not draft.share or not draft.scope.user:
        return None
    assert draft.key is not None
    scope = Scope(draft.scope.tenant)
    held = journal.find(kind=Guidance.kind, scope=scope, key=draft.key)
    return held if isinstance(held, Guidance) else None


def promote(
    journal: Store, writing: Writing, draft: Guidance, vector: bytes | None, *, users: int
) -> None:
    """Make a lesson the tenant's, if so many users hold it and share it, and fewer share the opposite.

    It says nothing of where it was learned, unless all of them learned it there. What they hold stays theirs;
    that, and their episodes, are its sources, so that it goes with the first of them that is forgotten.
    """
    tenant = draft.scope.tenant
    assert draft.key is not None
    by_user = _sharing(journal, tenant, draft.key)
    against = set().union(*(_sharing(journal, tenant, key) for key in _opposite(draft)))
    if len(by_user) < users or len(by_user) <= len(against):
        return
    from_them = [*by_user.values()]
    episodes = (id for one in from_them for id in one.sources)
    writing.create(
        replace(
            draft,
            scope=Scope(tenant),
            sources=tuple(dict.fromkeys((*episodes, *(one.id for one in from_them)))),
            family=_common(one.family for one in from_them),
            world=_common(one.world for one in from_them),
            author=_common(one.author for one in from_them),
            author_model="",
            cost_tokens=0,
            is_action=all(one.is_action for one in from_them),
        ),
        vector=vector,
    )


def _sharing(journal: Store, tenant: str, key: str) -> dict[str, Guidance]:
    """Return a lesson as each user who shares it holds it."""
    view = ScopeView(frozenset({tenant}), None, None, None)
    rows = journal.live(view=view, kinds=(Guidance.kind,), key=key)
    held = (record for row in rows if isinstance(record := row.record(), Guidance))
    return {one.scope.user: one for one in held if one.share and one.scope.user}


def _opposite(draft: Guidance) -> list[str]:
    """Return the keys of the lessons that cannot hold where a draft does."""
    from agentcl.guidance.meaning.same import AGAINST, key_of

    claims: Iterable[Claim] = ("do",) if draft.claim in AGAINST else ("avoid", "useless")
    if draft.claim != "do" and draft.claim not in AGAINST:
        return []
    return [
        f"{draft.application}: {key_of(Lesson(draft.when, claim, draft.what))}" for claim in claims
    ]


def _common(values: Iterable[str]) -> str:
    """Return what all values are; empty if they differ."""
    found = set(values)
    return found.pop() if len(found) == 1 else ""
