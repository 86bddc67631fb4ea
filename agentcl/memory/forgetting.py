"""Forgetting for good, and the receipt for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from agentcl.errors import InvalidInput, NotFound
from agentcl.memory.adapters import revoking
from agentcl.memory.bound import Bound, refuse_other_scope
from agentcl.memory.conversations import remembering
from agentcl.memory.opened import ERASING, Opened
from agentcl.memory.statements import search as statement_search
from agentcl.memory.statements import writing as statement_writing
from agentcl.store.base import Copy, Removed
from agentcl.store.checks import WriteScope, check_unicode
from agentcl.store.episodes import Guidance, Reflection
from agentcl.store.records import Scope, ScopeView, from_micros, to_micros
from agentcl.store.ulid import new_ulid


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of a forgetting: what was removed, and from where."""

    id: str  # a ULID, for the caller's own records
    at: datetime
    removed: tuple[Removed, ...]  # what was named, and all that was derived from it
    vectors: int  # how many vectors went with them
    cleared: tuple[str, ...]  # the stores that hold no byte of them any more
    cleared_at: datetime  # when that was reached
    copies: tuple[Copy, ...]  # earlier snapshots and exports, which may still hold them
    lessons: tuple[LostLesson, ...] = ()  # those among what went
    # Where bytes of them may stay that only who runs the database can clear; nothing for a folder.
    beyond: tuple[str, ...] = ()
    adapters: tuple[str, ...] = ()  # names of those that held it: revoked, and their files erased
    adapter_files: tuple[str, ...] = ()  # these files: weights, rows and checkpoints
    rebuilds: tuple[str, ...] = ()  # ids of jobs that train them anew from the base, without it
    # Of adapters that are made of shards, those that held it, as NAME/shards/3: only these are trained anew.
    shards: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LostLesson:
    """A lesson that went because its words were made from what was forgotten.

    What other episodes said of it stays with them, in their own words; it counts for no lesson any more.
    """

    id: str
    drawn_from: str  # the id that was forgotten; empty if the lesson itself was named
    stated_by: tuple[str, ...]  # ids of other episodes that stated the same, and are still there


def forget(opened: Opened, ids: Sequence[str], view: ScopeView) -> Receipt:
    """Remove records with all that was derived from them; `Memory.forget` documents it."""
    ids = [*ids, *remembering.corrected_by(opened, ids)]
    # Before anything is gone: whatever cuts this off, no adapter is served that holds what is not there any more.
    done = revoking.Revoked()
    revoking.revoke_holding(opened, ids, done)
    statement_writing.release(opened, ids)
    with opened.waiting_lock(ERASING):
        erased = opened.journal.erase(ids, view=view)
    revoking.revoke_holding(opened, [removed.id for removed in erased.removed], done)
    rebuilds = revoking.queue_rebuilds(opened, done)
    opened.forget_queries()
    opened.contexts.clear()
    statement_search.forget()
    opened.retriever.remove([removed.id for removed in erased.removed])
    cleared = opened.finish_erasure()
    return Receipt(
        id=new_ulid(to_micros(erased.at) // 1_000),
        at=erased.at,
        removed=erased.removed,
        vectors=erased.vectors,
        cleared=cleared,
        cleared_at=from_micros(opened.clock()),
        copies=erased.copies,
        lessons=_lost(opened, erased.removed),
        beyond=opened.journal.beyond,
        adapters=tuple(one.name for one in done.adapters.values()),
        adapter_files=tuple(done.files),
        rebuilds=tuple(rebuilds),
        shards=tuple(revoking.told_shards(done)),
    )


def _lost(opened: Opened, removed: Sequence[Removed]) -> tuple[LostLesson, ...]:
    """Return the lessons among what went, each with the episodes that stated the same."""
    lessons = {one.id: one.derived_from for one in removed if one.kind == Guidance.kind}
    stated: dict[str, dict[str, None]] = {id: {} for id in lessons}
    everybody = ScopeView(None, None, None, None)
    rows = opened.journal.live(view=everybody, kinds=(Reflection.kind,)) if lessons else ()
    for row in rows:
        reflection = row.record()
        if not isinstance(reflection, Reflection) or not reflection.sources:
            continue
        for one in reflection.stated:
            if one.guidance in stated:
                stated[one.guidance][reflection.sources[0]] = None
    return tuple(LostLesson(id, source, tuple(stated[id])) for id, source in lessons.items())


def chosen(
    opened: Opened, bound: Bound, ids: Sequence[str], scope: WriteScope, everything: bool
) -> tuple[Sequence[str], ScopeView]:
    """Return the ids that a call of `Memory.forget` means, with the view in which they are forgotten."""
    owner = bound.owner(scope)
    if not everything:
        return _checked(opened, ids, owner), owner.exactly()
    if ids or not bound.names(scope):
        raise InvalidInput(
            "to forget everything takes no ids, and needs a tenant, user, agent or session; "
            "to forget the whole memory, delete its folder"
        )
    return _all_in(opened, bound.subtree(scope))


def _checked(opened: Opened, ids: Sequence[str], owner: Scope) -> Sequence[str]:
    """Return the ids to forget, each once; all must be in exactly this scope."""
    if not ids:
        raise InvalidInput(
            "name the ids to forget; or a scope, and that everything in it is meant (everything=True, "
            "--everything)"
        )
    for id in ids:
        _check_forgettable(opened, id, owner)
    return list(dict.fromkeys(ids))


def _all_in(opened: Opened, view: ScopeView) -> tuple[Sequence[str], ScopeView]:
    """Return the ids of all that a view holds, with the view in which they are forgotten.

    What was said in its sessions belongs to the user, so the view grows by what is of no session.
    """
    said = remembering.in_sessions(opened.journal, view)
    found = [*dict.fromkeys([*opened.journal.ids(view), *said])]
    if not found:
        raise NotFound("there is nothing in that scope; nothing was forgotten")
    if said and view.session is not None:
        view = replace(view, session=view.session | {""})
    return found, view


def _check_forgettable(opened: Opened, id: str, scope: Scope) -> None:
    """Refuse an id that is in another scope, or that would come back with its document."""
    versions = opened.journal.versions(check_unicode(id, "id"))
    rows = [row for row in versions if row.op != "erase"]
    if not rows or not scope.view().sees(rows[-1].scope):
        raise NotFound(f"no record {id!r} is visible from this scope; nothing was forgotten")
    refuse_other_scope(id, rows[-1].scope, scope)
    if rows[-1].kind == "passage":
        raise InvalidInput(
            f"{id!r} is a passage: forget the document or the turn that it is a piece of"
        )
