"""What people decide about lessons: out of use, where one applies, and what no longer counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from agentcl.errors import InvalidInput
from agentcl.memory.opened import Opened
from agentcl.store.checks import check_unicode
from agentcl.store.episodes import Decision, Episode, Guidance
from agentcl.store.records import Scope, ScopeView
from agentcl.text.asked import read_of

_NAMES: Final[Mapping[type, str]] = {Guidance: "lesson", Episode: "episode"}


def decide(
    opened: Opened, what: Literal["retire", "restore"], id: str, reason: str, owner: Scope
) -> Decision:
    """Note that a lesson of exactly this scope is taken out of use, or put back."""
    _check_kind(opened, id, Guidance, owner.exactly())
    return opened.create(
        Decision(
            id="",
            scope=owner,
            sources=(id,),
            what=what,
            guidance=id,
            reason=check_unicode(reason, "reason"),
        )
    )


def report(
    opened: Opened, id: str, situation: str, applies: bool, episode: str, reason: str, owner: Scope
) -> Decision:
    """Note that a lesson applies in a situation, or does not; with an episode where that was seen, or none."""
    text = situation_of(situation)
    kinds = {id: Guidance} | ({episode: Episode} if episode else {})
    for source, kind in kinds.items():
        _check_kind(opened, source, kind, owner.view())
    return opened.create(
        Decision(
            id="",
            scope=owner,
            sources=tuple(kinds),
            what="applies" if applies else "does not apply",
            guidance=id,
            reason=check_unicode(reason, "reason"),
            situation=text,
        )
    )


def rollback(opened: Opened, since: int, reason: str, owner: Scope) -> Decision:
    """Note that nothing counts that a tenant learned since a moment."""
    if owner != Scope(owner.tenant):
        raise InvalidInput(
            "a rollback takes back what a whole tenant learned; name the tenant alone, without a user, "
            "an agent or a session"
        )
    return opened.create(
        Decision(
            id="",
            scope=owner,
            what="rollback",
            since=since,
            until=opened.clock(),
            reason=check_unicode(reason, "reason"),
        )
    )


def situation_of(text: str) -> str:
    """Return what is read of a situation. Raises InvalidInput if it says nothing."""
    if not check_unicode(text, "situation").strip():
        raise InvalidInput("the situation is empty; say what an agent sees")
    return read_of(text)


def _check_kind(opened: Opened, id: str, kind: type[Guidance | Episode], view: ScopeView) -> None:
    held = opened.journal.get(check_unicode(id, "an id"), view=view)
    if not isinstance(held, kind):
        raise InvalidInput(f"{id!r} is a {held.kind}, and no {_NAMES[kind]}")
