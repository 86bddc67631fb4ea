"""Merging two memories that lived apart.

What was written is never dropped: of each record, the versions of both sides are kept, and the newest one
is in force. Of several live records with one natural key the newest one is in force, and the others end;
the row that ends one says by which record it was superseded. Documents without a key are one if they say
the same, unless a side keeps several on purpose. All this is computed from all versions each time, so that
the order in which memories are merged makes no difference, nor does merging twice. What somebody deleted
stays deleted, and so does what it had superseded.

What is derived from a text follows the text: the passages in force are those of the side whose version of
the document is, and facts are those of the newest reading of their passage.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal, NamedTuple

from agentcl.store.base import Store
from agentcl.store.border import Coming
from agentcl.store.checks import canonical_json
from agentcl.store.records import OWN_KINDS, Scope, ScopeView
from agentcl.store.rows import Row, superseded_by
from agentcl.store.writing import Writing

Side = Literal["here", "there", "both"]
_DERIVED: Final = frozenset(
    {"passage", "fact", "extraction", *OWN_KINDS}
)  # they live as long as their source
_EVERYTHING: Final = ScopeView(None, None, None, None)


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two memories said different things under one id or key; the newer one is in force."""

    kind: str
    key: str  # the natural key; the id, where there is none
    kept: str  # the id of the record in force; empty: it was deleted, and stays so
    other: str  # the id of what gave way; it stays in the history


@dataclass(slots=True)
class Merged:
    """What a merge did."""

    added: int = 0
    present: int = 0
    forgotten: int = 0
    same: int = 0  # records that said what another one says
    conflicts: list[Conflict] = field(default_factory=list)
    erased: list[str] = field(default_factory=list)  # ids that were forgotten there, and are here
    lost: set[str] = field(default_factory=set)  # ids that were forgotten here


class _Event(NamedTuple):
    """A version of a record, whatever its number."""

    at: int
    content: tuple[object, ...]


def _event(row: Row) -> _Event:
    return _Event(row.created_at, (row.op, *row[4:9], *row[10:16]))


def is_known(row: Row, held: Iterable[Row]) -> bool:
    """Return whether a version is among others, whatever its number."""
    return _event(row) in map(_event, held)


def _age(row: Row) -> tuple[int, str, str, str]:
    return row.created_at, row.body, row.metadata, repr(row[10:14])


class _Chain:
    """The versions of one record on both sides."""

    def __init__(self, held: Sequence[Row], coming: Sequence[Row] = ()) -> None:
        self.held = held
        self.version = held[-1].version if held else 0
        self.lives_here = bool(held) and held[-1].op == "put"
        self.lives_there = bool(coming) and coming[-1].op == "put"
        self.is_erased = any(row.op == "erase" for row in held)
        self._here = [row for row in held if row.op == "put"]
        self._there = [row for row in coming if row.op == "put"]
        self.is_deleted_here = any(map(_is_final, held))
        self.is_deleted = self.is_deleted_here or any(map(_is_final, coming))
        ends = (rows[-1] for rows in (held, coming) if rows)
        self.gave_way_to = {by for row in ends if (by := superseded_by(row))}
        self.is_given = False  # its passages came with vectors of their own
        self.was_changed = False
        self.known = {_event(row) for row in held}
        self.last: Row | None = held[-1] if held else None

    @cached_property
    def newest(self) -> Row | None:
        """The version in force, if any is."""
        return max((*self._here, *self._there), key=_age, default=None)

    @cached_property
    def side(self) -> Side:
        """Who wrote the version in force."""
        if not self._here or not self._there:
            return "here" if self._here else "there"
        here, there = max(self._here, key=_age), max(self._there, key=_age)
        if _event(here) == _event(there):
            return "both"
        return "here" if _age(here) > _age(there) else "there"

    @property
    def is_divided(self) -> bool:
        """Whether each side did something that the other one does not know of."""
        here, there = ({_event(row) for row in rows} for rows in (self._here, self._there))
        did_here = bool(here - there) or self.is_deleted_here
        did_there = bool(there - here) or (self.is_deleted and not self.is_deleted_here)
        return did_here and did_there

    def lives_on(self, side: Side) -> bool:
        """Return whether it is live on a side; on both it is, unless one of them deleted it."""
        if side == "both":
            return (self.lives_here or self.lives_there) and not self.is_deleted
        return self.lives_here if side == "here" else self.lives_there


def _is_final(row: Row) -> bool:
    return row.op == "delete" and superseded_by(row) is None


class Merge:
    """One merge into a store, within one turn of writing.

    Args:
        store: where to.
        writing: the turn.
        coming: what to merge.
        below: ids of what gives way to anything else of its key, however new it is.
        is_foreign: the vectors that come are their rows' alone.
    """

    def __init__(
        self,
        store: Store,
        writing: Writing,
        coming: Sequence[Coming],
        *,
        below: Collection[str] = frozenset(),
        is_foreign: bool = False,
    ) -> None:
        self._store, self._writing, self._coming = store, writing, coming
        self._below, self._is_foreign = below, is_foreign
        self._vectors: dict[_Event, tuple[bytes | None, bool]] = {}
        rows: dict[str, list[Row]] = {}
        for row, vector, is_given in coming:
            rows.setdefault(row.id, []).append(row)
            if vector is not None:
                self._vectors[_event(row)] = vector, is_given
        self._chains = {id: _Chain(store.versions(id), some) for id, some in rows.items()}
        self._superseded: dict[str, str] = {}
        self.done = Merged()

    def run(self) -> Merged:
        """Merge, and return what was done; `erased` is still to be erased."""
        self._add_rivals()
        self._add_doubles()
        self._keep_ended()
        self._supersede()
        self._add_derived()
        for row, _, _ in self._coming:
            self._take(row)
        for id, chain in list(self._chains.items()):
            self._settle(id, chain)
        self._report()
        return self.done

    # Who is in force

    def _candidates(self) -> Iterator[tuple[str, Row]]:
        """Yield the newest versions of what may be in force."""
        for id, chain in list(self._chains.items()):
            row = chain.newest
            if row is None or chain.is_erased or id in self._superseded:
                continue
            is_derived = row.kind in _DERIVED
            if chain.lives_on(chain.side) if is_derived else not chain.is_deleted:
                yield id, row

    def _add_rivals(self) -> None:
        """Look up who has the keys here."""
        for _, row in self._candidates():
            if row.key is None:
                continue
            held = self._store.find(kind=row.kind, scope=row.scope, key=row.key)
            if held is not None and held.id not in self._chains:
                self._chains[held.id] = _Chain(self._store.versions(held.id))

    def _add_doubles(self) -> None:
        """Look up the documents here that may say what one says that comes and has no key."""
        hashes: dict[Scope, dict[str, list[bytes]]] = {}
        for row, _, is_given in self._coming:
            if row.kind != "passage" or row.op != "put" or row.content_hash is None:
                continue
            source = self._chains.get(json.loads(row.sources)[0])
            if source is None or source.newest is None or source.newest.key is not None:
                continue
            source.is_given |= is_given
            if not source.held and source.lives_there:
                texts = hashes.setdefault(source.newest.scope, {})
                texts.setdefault(source.newest.id, []).append(row.content_hash)
        for scope, texts in hashes.items():
            each = texts.values()
            counts = self._store.content_counts(scope, {hash for some in each for hash in some})
            # It is here only if each of its passages is: the rarest leads to the fewest documents.
            known = (some for some in each if all(hash in counts for hash in some))
            self._add_holders(scope, {min(some, key=counts.__getitem__) for some in known})

    def _add_holders(self, scope: Scope, hashes: Collection[bytes]) -> None:
        """Look up the documents here that have passages with these texts."""
        for rows in self._store.having_content("passage", scope, hashes).values():
            for row in rows:
                (held,) = json.loads(row.sources)
                if held not in self._chains:
                    self._chains[held] = _Chain(self._store.versions(held))
                _, is_given = self._store.given_vectors([row.seq]).get(row.seq, (b"", False))
                self._chains[held].is_given |= is_given

    def _keep_ended(self) -> None:
        """What gave way to a record stays ended when somebody deleted that one, or what it gave way to in its turn."""
        asked: set[str] = set()
        while some := [(id, row) for id, row in self._candidates() if id not in asked]:
            for id, row in some:
                asked.add(id)
                for by in self._successors(id):
                    other = self._chains[by]
                    newest = other.newest
                    if other.is_deleted and newest and self._rank(newest) > self._rank(row):
                        self._superseded[id] = by

    def _successors(self, id: str) -> Iterator[str]:
        """Yield what a record gave way to, and what that did, each looked up: it may be in force, or deleted."""
        found, seen = [id], {id}
        while found:
            for by in sorted(self._chains[found.pop()].gave_way_to - seen):
                seen.add(by)
                if by not in self._chains:
                    self._chains[by] = _Chain(self._store.versions(by))
                found.append(by)
                yield by

    def _rank(self, row: Row) -> tuple[bool, int, str]:
        return row.id not in self._below, row.created_at, row.id

    def _supersede(self) -> None:
        """Of each key, the record written last is in force."""
        groups: dict[tuple[object, ...], list[Row]] = {}
        for id, row in self._candidates():
            if row.key is not None:
                groups.setdefault((row.kind, row.scope, row.key), []).append(row)
            elif row.kind in ("document", "turn") and not self._chains[id].is_given:
                # Of a turn, the conversation is part of what it says.
                same = (row.kind, row.scope, None, row.sources, row.body, row.metadata, *row[10:12])
                groups.setdefault(same, []).append(row)
        for group in groups.values():
            chains = [self._chains[row.id] for row in group]
            here, there = (sum(c.lives_on(s) for c in chains) for s in ("here", "there"))
            if group[0].key is None and max(here, there) > 1:
                continue  # several on purpose
            *others, kept = sorted(group, key=self._rank)
            self._superseded.update((row.id, kept.id) for row in others)

    def _add_derived(self) -> None:
        """Look up what is live here of texts that give way, or of which another version is in force."""
        for id, chain in list(self._chains.items()):
            row = chain.newest
            if row is None or not chain.lives_here or row.kind in ("fact", *OWN_KINDS):
                continue
            if row.kind == "extraction":
                if id in self._superseded:
                    self._add_live(json.loads(row.sources)[0])
            elif not self._is_wanted(id) or chain.side == "there":
                self._add_live(id)

    def _add_live(self, source: str) -> None:
        for row in list(self._store.live(view=_EVERYTHING, kinds=sorted(_DERIVED), source=source)):
            if row.id not in self._chains:
                self._chains[row.id] = _Chain(self._store.versions(row.id))
            if row.kind == "passage":
                self._add_live(row.id)

    def _is_wanted(self, id: str) -> bool:
        """Return whether a record is live once all is merged."""
        chain = self._chains[id]
        row = chain.newest
        if row is None or chain.is_erased or id in self._superseded:
            return False
        if row.kind not in _DERIVED:
            return not chain.is_deleted
        (source,) = json.loads(row.sources)
        parent = self._chains.get(source)
        if parent is None:
            return chain.lives_on("both")
        if row.kind in OWN_KINDS:
            return chain.lives_on("here") and self._is_wanted(source)
        side = parent.side if row.kind == "passage" else self._reading_side(source)
        return chain.lives_on(side) and self._is_wanted(source)

    def _reading_side(self, passage: str) -> Side:
        """Return whose facts of a passage are in force."""
        return self._reading_sides.get(passage, "both")

    @cached_property
    def _reading_sides(self) -> Mapping[str, Side]:
        sides: dict[str, Side] = {}
        for loser, winner in self._superseded.items():
            row = self._chains[loser].newest
            if row is not None and row.kind == "extraction":
                sides[json.loads(row.sources)[0]] = self._chains[winner].side
        return sides

    # Writing

    def _take(self, row: Row) -> None:
        """Take over one row of the other side, if it says anything new."""
        chain, done = self._chains[row.id], self.done
        if chain.is_erased:
            is_known = _event(row) in chain.known
            done.present += is_known
            done.forgotten += not is_known
            done.lost.add(row.id)
        elif row.op == "erase":
            if chain.held:
                done.erased.append(row.id)
            else:
                self._writing.restore(row, None, is_given=False)
                done.added += 1
        elif _event(row) in chain.known or (row.op == "delete" and chain.is_deleted_here):
            done.present += 1
        elif row.op == "put":
            if not chain.is_deleted_here or row.kind in _DERIVED:
                self._append(chain, row)
                done.added += 1
        elif _is_final(row):
            self._append(chain, row)
            done.added += 1

    def _settle(self, id: str, chain: _Chain) -> None:
        """Make the version in force the last one, or end the record."""
        last, newest = chain.last, chain.newest
        if last is None or newest is None or chain.is_erased:
            return
        if self._is_wanted(id):
            if last.op != "put" or _event(last) != _event(newest):
                self._append(chain, newest)
        elif last.op == "put":
            by = self._superseded.get(id, "")
            self._append(chain, _end(last, self._writing.now, by))

    def _append(self, chain: _Chain, row: Row) -> None:
        chain.version += 1
        chain.was_changed = True
        vector, is_given = self._vectors.get(_event(row), (None, False))
        if vector is None and row.seq:
            vector, is_given = self._store.given_vectors([row.seq]).get(row.seq, (None, False))
        self._writing.restore(
            row._replace(version=chain.version),
            vector,
            is_given=is_given,
            is_foreign=self._is_foreign and not row.seq,
        )
        chain.known.add(_event(row))
        chain.last = row

    # Saying what was done

    def _report(self) -> None:
        for id, kept in self._superseded.items():
            other, held = self._chains[id].newest, self._chains[kept].newest
            assert other is not None
            assert held is not None
            is_told = self._chains[id].was_changed and not self._chains[kept].is_deleted
            if other.kind == "extraction" or not is_told:
                continue
            if other.body == held.body and other.metadata == held.metadata:
                self.done.same += 1
            else:
                self.done.conflicts.append(Conflict(other.kind, other.key or id, kept, id))
        for id, chain in self._chains.items():
            row = chain.newest
            if row is None or row.kind in _DERIVED or chain.is_erased or not chain.is_divided:
                continue
            kept = "" if chain.is_deleted else id
            self.done.conflicts.append(Conflict(row.kind, row.key or id, kept, id))


def _end(last: Row, now: int, by: str) -> Row:
    """Return the row that ends a record because another one is in force."""
    return Row(
        0, last.id, 0, "delete", last.kind, *last[5:9], now, None, None, None, "[]", "{}",
        canonical_json({"superseded_by": by}), None, b"",
    )  # fmt: skip


def digest(store: Store) -> str:
    """Return a digest of what memories have in common that hold the same, whatever their row numbers.

    It covers the live records, all their versions, and the ids of what was deleted or forgotten.
    """
    versions: dict[str, list[Row]] = {}
    for row in store.since(0):
        if row.kind not in ("aside", *OWN_KINDS):  # each memory's own
            versions.setdefault(row.id, []).append(row)
    lines = [repr((id, *_state(rows))) for id, rows in versions.items()]
    return hashlib.blake2b("\n".join(sorted(lines)).encode(), digest_size=16).hexdigest()


def _state(rows: Sequence[Row]) -> Iterable[object]:
    if rows[-1].op == "erase":
        return ("forgotten",)
    if rows[-1].op == "put":
        events = sorted({_event(row) for row in rows if row.op == "put"}, key=repr)
        return ("live", _event(rows[-1]), events)
    if rows[-1].kind in _DERIVED:
        return ("ended",)
    return ("deleted",) if any(map(_is_final, rows)) else ("superseded",)
