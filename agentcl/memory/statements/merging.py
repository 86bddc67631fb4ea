"""The statements of a scope put in order: one wording for what is the same, what is used in sight, the rest in the archive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import agentcl.statements.alike as alike
from agentcl.memory.opened import Opened
from agentcl.memory.statements.writing import live, revise_all
from agentcl.statements.currency import slots
from agentcl.statements.merging import merged, parted
from agentcl.statements.slots import value_key
from agentcl.statements.strengths import kept, strength, uses_of
from agentcl.store.base import Store
from agentcl.store.conversations import Joined, Statement, Tidying, Turn, Used
from agentcl.store.records import Scope
from agentcl.store.vectors import unpack
from agentcl.store.writing import Writing


@dataclass(frozen=True, slots=True)
class Edit:
    """One thing that a tidying did, or would do."""

    what: Literal["merged", "archived", "back", "summary", "profile"]
    id: str  # of the statement, the conversation, or empty for a profile
    before: str
    after: str

    def __str__(self) -> str:
        match self.what:
            case "merged":
                return f"merged: {self.before!r} into {self.after!r}"
            case "archived":
                return f"into the archive: {self.before}"
            case "back":
                return f"back from the archive: {self.after}"
        return f"{self.what}: {self.after}"


def same_of(opened: Opened, statements: Iterable[Statement], near: float | None) -> dict[str, str]:
    """Return which statements give the value of another one in other words: its id by theirs.

    What was said first is what others are the same as.

    Args:
        opened: the memory.
        statements: of one scope.
        near: the cosine of the memory's encoder from which two values are the same; None: as it was measured; with
            an encoder of which nothing was measured only words count.
    """
    ordered: dict[str, dict[str, Statement]] = {}
    for group in slots(one for one in statements if one.polarity == "holds" and one.value):
        group.sort(key=lambda one: (one.moment, one.id))
        first = ordered.setdefault(group[0].slot, {})
        for one in group:
            first.setdefault(one.value, one)
    cosine = _cosine(opened, ordered.values()) if _is_asked(opened, near) else None
    found: dict[str, str] = {}
    for first in ordered.values():
        for words in alike.grouped([*first], cosine, alike.NEAR if near is None else near):
            own = first[words[0]]
            others = (first[value] for value in words[1:])
            found |= {
                one.id: own.id for one in others if value_key(one.value) != value_key(own.value)
            }
    return found


def not_undone(journal: Store, scope: Scope, same: Mapping[str, str]) -> dict[str, str]:
    """Return which statements are to be the same as others, without what somebody took back."""
    undone = {
        (row.id, row.same_as)
        for one in tidyings(journal, scope)
        if one.is_undone
        for row in one.joined
    }
    return {id: other for id, other in same.items() if (id, other) not in undone}


def _is_asked(opened: Opened, near: float | None) -> bool:
    if opened.is_lexical:
        return False
    return near is not None or opened.encoder_name() == alike.MEASURED


def _cosine(opened: Opened, of_slots: Iterable[Iterable[str]]) -> alike.Cosine:
    """Return the cosine of values; only those are encoded that could be the same as another one."""
    import numpy as np

    wanted = {
        value: None
        for values in map(list, of_slots)
        for value in values
        if any(other is not value and alike.may_be_same(value, other) for other in values)
    }
    packed = opened.encoder.encode(list(wanted), role="passage") if wanted else []
    vectors = {
        value: np.asarray(unpack(one), dtype=np.float32)
        for value, one in zip(wanted, packed, strict=True)
    }

    def cosine(one: str, other: str) -> float:
        a, b = vectors[one], vectors[other]
        return float(a @ b / ((np.linalg.norm(a) * np.linalg.norm(b)) or 1.0))

    return cosine


def sight_of(
    statements: Sequence[Statement], turns: Iterable[Turn], keep: int | None, now: datetime
) -> tuple[tuple[Used, ...], tuple[str, ...]]:
    """Return how often statements were used, and which of them go into the archive.

    Args:
        statements: all of a scope.
        turns: all of the scope.
        keep: how many statements stay in sight; None: all.
        now: the time.
    """
    uses = uses_of(statements, turns)
    used = tuple(Used(id, uses[id]) for id in sorted(uses))
    if keep is None or len(statements) <= keep:
        return used, ()
    strengths = [strength(one, uses.get(one.id, 0), now) for one in statements]
    in_sight = kept(statements, strengths, keep, now)
    return used, tuple(sorted(one.id for one in statements if one.id not in in_sight))


def merge(statements: Iterable[Statement], same: Mapping[str, str]) -> list[Statement]:
    """Return the statements of slots in which something changes, as they are to be stored."""
    held = list(statements)
    among = {one.slot for one in held if same.get(one.id, one.same_as) != one.same_as}
    new: list[Statement] = []
    for group in slots(one for one in held if one.slot in among):
        changed = merged(group, same)
        new += changed if changed != group else []
    return new


def newest(journal: Store, scope: Scope) -> Tidying | None:
    """Return what was done to a scope last and was not undone."""
    done = [one for one in tidyings(journal, scope) if not one.is_undone]
    return max(done, key=lambda one: one.id, default=None)


def tidyings(journal: Store, scope: Scope) -> list[Tidying]:
    """Return all that was done to a scope."""
    return [*journal.records(Tidying, view=scope.exactly())]


def store(
    writing: Writing,
    journal: Store,
    scope: Scope,
    job: str,
    same: Mapping[str, str],
    used: tuple[Used, ...],
    archived: tuple[str, ...],
) -> list[Edit]:
    """Put the statements of a scope in order as they are now; return what is different.

    Args:
        writing: the right to write.
        journal: where to.
        scope: exactly this one.
        job: the id of the job that does it.
        same: which statements give the value of another one in other words.
        used: how often statements were used.
        archived: ids of those that go out of sight.
    """
    held = live(journal, scope.exactly())
    new, last = merge(held, same), newest(journal, scope)
    if not new and (used, archived) == ((last.used, last.archived) if last else ((), ())):
        return []
    by_id = {one.id: one for one in held}
    joined = tuple(
        Joined(one.id, one.same_as, by_id[one.id].same_as)
        for one in new
        if one.same_as != by_id[one.id].same_as
    )
    revise_all(writing, journal, held, new)
    note = Tidying(id="", scope=scope, key=job, joined=joined, used=used, archived=archived)
    writing.create(note)
    return [*edits_of(held, new), *moved(held, last, archived)]


def edits_of(held: Iterable[Statement], new: Iterable[Statement]) -> list[Edit]:
    """Return which values are taken for others."""
    by_id = {one.id: one for one in held}
    return [
        Edit("merged", one.id, one.value, by_id[one.same_as].value)
        for one in new
        if one.same_as != by_id[one.id].same_as
    ]


def moved(held: Iterable[Statement], last: Tidying | None, archived: Sequence[str]) -> list[Edit]:
    """Return which statements go into the archive, and which come back."""
    before = set(last.archived if last else ())
    after = set(archived)
    return [
        Edit("archived", one.id, one.text, "")
        if one.id in after
        else Edit("back", one.id, "", one.text)
        for one in held
        if (one.id in before) != (one.id in after)
    ]


def take_back(writing: Writing, journal: Store, tidying: Tidying) -> None:
    """Undo what a tidying did to statements; what was said, forgotten or merged since stays so."""
    before = {one.id: (one.same_as, one.before) for one in tidying.joined}
    held = live(journal, tidying.scope.exactly())
    touched = {one.slot for one in held if one.id in before}
    for group in slots(one for one in held if one.slot in touched):
        revise_all(writing, journal, group, parted(group, before))
    writing.revise(replace(tidying, is_undone=True))
