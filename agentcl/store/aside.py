"""What of an import is taken, and what of it counts.

What an agent lived through here is not changed by a file that somebody else wrote. Its lessons are candidates,
and what its episodes, reflections and decisions are evidence of is kept aside, unless the caller says that the
file comes from a memory of his own.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Final

from agentcl.errors import TransferError
from agentcl.store.adapters import Adapter
from agentcl.store.base import Store
from agentcl.store.border import Coming
from agentcl.store.episodes import EXPERIENCE, Aside, Decision
from agentcl.store.families import PARENTS, overlap
from agentcl.store.merging import is_known
from agentcl.store.records import SCOPE_FIELDS, Scope, ScopeView
from agentcl.store.rows import Row, readable, superseded_by
from agentcl.store.writing import Writing

# Of what was said somewhere else, nobody knows here who said it, or for how long it held.
_SAID: Final = frozenset({"statement", "conversation"})
_EVERYTHING: Final = ScopeView(None, None, None, None)


class Admission:
    """The rows of an import that may enter a store.

    Args:
        store: where to; the caller holds its turn of writing.
        coming: the rows of the export.
        view: where all of it must belong.
        evidence: whether evidence counts.
        erasures: whether records may be forgotten.
        rollbacks: whether spans of time may be taken back.

    Raises:
        TransferError: if a row would change a record of another kind or scope.
    """

    def __init__(
        self,
        store: Store,
        coming: Sequence[Coming],
        *,
        view: ScopeView,
        evidence: bool,
        erasures: bool,
        rollbacks: bool,
    ) -> None:
        self._store, self._view = store, view
        self._evidence, self._erasures, self._rollbacks = evidence, erasures, rollbacks
        self._held = cache(store.versions)
        self._notes = _notes(store)
        self.present = 0
        self.left_out = 0
        here = {id for note in self._notes for id in note.ids}
        there = _kept_aside(row for row, _, _ in coming)
        self._here = here
        rollback_ids = {row.id for row, _, _ in coming if _is_rollback(row)}
        self.rows = [
            one
            for one in coming
            if one[0].kind != Aside.kind and self._may_enter(one[0], one[0].id in rollback_ids)
        ]
        learned = {
            row.id: row.scope
            for row, _, _ in self.rows
            if row.op == "put" and row.kind in EXPERIENCE - {"step"}
        }
        said = {
            row.id: row.scope for row, _, _ in self.rows if row.op == "put" and row.kind in _SAID
        }
        new = {id for id in learned if not self._held(id)}
        self.aside = (new & there) if evidence else (new - rollback_ids)
        new = {id for id in said if not self._held(id)}
        unproved = (new & there) if evidence else new
        known = learned.keys() | said.keys()
        self._lifted = (known & here) - there if evidence else set[str]()
        self.below = (here | self.aside | unproved) - self._lifted
        self._scopes = {id: {**learned, **said}[id] for id in self.aside | unproved}

    def is_new(self, id: str) -> bool:
        """Return whether there was no trace of a record before."""
        return not self._held(id)

    def note(self, writing: Writing) -> None:
        """Write down whose evidence does not count, and whose does from now on."""
        tenants: dict[str, dict[str, Scope]] = defaultdict(dict)
        for id, scope in self._scopes.items():
            tenants[scope.tenant][id] = scope
        for scopes in tenants.values():
            note = Aside(id="", scope=_common(scopes.values()), ids=tuple(sorted(scopes)))
            writing.create(note)
        for held in self._notes:
            left = tuple(id for id in held.ids if id not in self._lifted)
            if not left:
                writing.delete(held)
            elif left != held.ids:
                writing.revise(replace(held, ids=left))

    def check_pieces(self) -> None:
        """Refuse an import after which passages of a document that was here overlap. Raises TransferError."""
        for id in {row.id for row, _, _ in self.rows if row.kind == "document"}:
            if not self._held(id):
                continue
            rows = self._store.live(view=_EVERYTHING, kinds=("passage",), source=id)
            own = [json.loads(row.body) for row in rows]
            if overlap([(one.get("start", 0), one.get("end", 0)) for one in own]):
                raise TransferError(
                    f"the export has other passages of the document {id} than this memory; nothing was imported"
                )

    def _may_enter(self, row: Row, is_rollback: bool) -> bool:
        held = self._held(row.id)
        if row.op == "erase":
            return self._may_erase(row, held)
        own = [one for one in held if one.op != "erase"]
        if own and own[-1][4:9] != row[4:9]:
            raise TransferError(
                f"the export changes record {row.id}, which is here of another kind or in another scope; "
                "nothing was imported"
            )
        self._check_named(row)
        if is_rollback and not self._rollbacks:
            self.left_out += 1
            return False
        if row.kind == Adapter.kind and not self._evidence:
            # Its weights do not come with it, and its state says who answers.
            is_here = is_known(row, held)
            self.present, self.left_out = self.present + is_here, self.left_out + (not is_here)
            return False
        if self._evidence or row.kind not in EXPERIENCE:
            return True
        names = json.loads(row.sources) if row.kind in PARENTS and row.op == "put" else [row.id]
        if not any(self._held(id) and id not in self._here for id in names):
            return True
        if is_known(row, held):
            self.present += 1
        else:
            self.left_out += 1
        return False

    def _may_erase(self, row: Row, held: Sequence[Row]) -> bool:
        if not self._erasures:
            self.left_out += 1
            return False
        if not all(self._view.sees(one.scope) for one in held if one.op != "erase"):
            raise TransferError(
                f"the export forgets record {row.id}, which does not belong below the scope that was named; "
                "nothing was imported"
            )
        return bool(held) or self._view == _EVERYTHING

    def _check_named(self, row: Row) -> None:
        """Refuse what names a record here that it must not name."""
        by = superseded_by(row)
        if by and (held := self._held(by)) and held[-1].op != "erase" and held[-1][4:9] != row[4:9]:
            raise TransferError(
                f"{by} cannot have taken the place of {row.id}; nothing was imported"
            )
        for source in json.loads(row.sources) if row.op == "put" else ():
            held = self._held(source)
            if held and held[-1].op != "erase" and held[-1].tenant != row.tenant:
                raise TransferError(
                    f"{row.id} is derived from {source}, which belongs to another tenant; nothing was imported"
                )


def _notes(store: Store) -> list[Aside]:
    return [*store.records(Aside, view=_EVERYTHING)]


def _kept_aside(rows: Iterable[Row]) -> set[str]:
    """Return the ids that a memory kept aside, by its rows."""
    newest: Mapping[str, Row] = {row.id: row for row in rows if row.kind == Aside.kind}
    live = readable(row for row in newest.values() if row.op == "put")
    return {id for one in live if isinstance(one, Aside) for id in one.ids}


def _is_rollback(row: Row) -> bool:
    if row.kind != Decision.kind or row.op != "put":
        return False
    return bool(json.loads(row.body)["what"] == "rollback")


def _common(scopes: Iterable[Scope]) -> Scope:
    """Return what several scopes have in common; the rest is empty."""
    held = set(scopes)
    values = {name: {getattr(one, name) for one in held} for name in SCOPE_FIELDS}
    return Scope(**{name: one.pop() for name, one in values.items() if len(one) == 1})
