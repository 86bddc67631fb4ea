"""What each session was shown, so that the next block begins as the last one did; kept in the process."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from agentcl.retrieval.framing import HEAD
from agentcl.store.base import Store
from agentcl.store.conversations import Statement, Tidying
from agentcl.store.records import Scope, ScopeView
from agentcl.store.rows import Row, readable

if TYPE_CHECKING:
    from agentcl.memory.context.weaving import SoftMemory
    from agentcl.memory.statements.comparing import StatementVectors
    from agentcl.memory.statements.standing import StandingStatements
    from agentcl.retrieval.recall import ScorePart

Kind = Literal["statement", "turn", "document"]
BEGINNING: Final = HEAD.format(day="")
_MOST_SESSIONS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Shown:
    """One thing that a context shows."""

    number: int  # in brackets, in the block
    id: str  # of the statement, the turn or the document: what `get` takes
    kind: Kind
    text: str
    is_past: bool = False  # it held, and does no longer
    score: float = 1.0  # when it was found, of that question's best
    parts: tuple[ScorePart, ...] = ()  # what each ranking had to say of a text; none of a statement
    passage: str = ""  # the id of the passage that a text is; empty for a statement
    spans: tuple[
        tuple[int, int], ...
    ] = ()  # the characters of `text` that are shown; empty if all are


@dataclass(slots=True)
class Session:
    """What the contexts of a session have shown."""

    pieces: list[tuple[str, str]] = field(
        default_factory=list
    )  # the user's message, and what it added
    shown: list[Shown] = field(default_factory=list)
    seq: int = 0  # of the journal, when it was made
    soft: Sequence[
        tuple[str, tuple[SoftMemory, ...]]
    ] = ()  # the user's message, and what was shown as soft tokens

    @property
    def text(self) -> str:
        """The block as it stands in a prompt."""
        lines = "".join(piece for _, piece in self.pieces)
        return BEGINNING + lines if lines else ""


class KnownStatements:
    """The statements that a view sees, and what tidying noted of them; followed row by row. One is never changed."""

    def __init__(self, view: ScopeView, seq: int = 0, of: KnownStatements | None = None) -> None:
        self.view = view
        self.seq = seq  # of the journal, up to which it was followed
        self._by_id: dict[str, Statement] = dict(of._by_id) if of else {}
        self._tidied: dict[str, Tidying] = dict(of._tidied) if of else {}
        self.statements: list[Statement] = of.statements if of else []
        self._scopes: set[Scope] = of._scopes if of else set()
        self.uses: Mapping[str, int] = of.uses if of else {}
        self.archived: frozenset[str] = of.archived if of else frozenset()
        self._told: dict[str, list[Statement]] | None = None
        self._standing: StandingStatements | None = None

    def told(self) -> Mapping[str, Sequence[Statement]]:
        """Return statements by what a block can show of them: their own ids, and those of their turns."""
        if self._told is None:
            found: dict[str, list[Statement]] = defaultdict(list)
            for one in self.statements:
                for id in (one.id, *one.sources):
                    found[id].append(one)
                if same := self._by_id.get(one.same_as):
                    for id in one.sources:
                        found[id].append(same)
            self._told = found
        return self._told

    def standing(self, now: datetime) -> StandingStatements:
        """Return how those that are in sight stand at a moment."""
        from agentcl.memory.statements.standing import StandingStatements

        found = self._standing
        if found is None or not found.is_at(now):
            told = [one for one in self.statements if one.id not in self.archived]
            found = self._standing = StandingStatements(told, now)
        return found

    def after(self, journal: Store) -> KnownStatements:
        """Return this with what was written since."""
        last = journal.last_seq()
        if last == self.seq:
            return self
        kinds = (Statement.kind, Tidying.kind)
        rows = [*journal.since(self.seq, kinds=kinds)] if self.seq else _alive(journal, self.view)
        seq = max([last, *(row.seq for row in rows)])
        if not rows:
            same = copy(self)  # with all that was worked out of them
            same.seq = seq
            return same
        new = KnownStatements(self.view, seq, self)
        for row in rows:
            new._follow(row)
        new._look()
        return new

    def seen_by(self, view: ScopeView) -> KnownStatements:
        """Return what of this a narrower view sees."""
        if all(map(view.sees, self._scopes)):
            return self
        new = KnownStatements(view, self.seq)
        new._by_id = {id: one for id, one in self._by_id.items() if view.sees(one.scope)}
        new._tidied = {id: one for id, one in self._tidied.items() if view.sees(one.scope)}
        new._look()
        return new

    def _follow(self, row: Row) -> None:
        self._by_id.pop(row.id, None)
        self._tidied.pop(row.id, None)
        if row.op != "put" or not self.view.sees(row.scope):
            return
        for record in readable((row,)):
            if isinstance(record, Statement):
                self._by_id[row.id] = record
            elif isinstance(record, Tidying) and not record.is_undone:
                self._tidied[row.id] = record

    def _look(self) -> None:
        """See which statements there are, and what the newest tidying of each scope says."""
        self.statements = list(self._by_id.values())
        self._scopes = {one.scope for one in (*self.statements, *self._tidied.values())}
        newest: dict[Scope, Tidying] = {}
        for _, one in sorted(self._tidied.items()):
            newest[one.scope] = one
        self.uses = {id: uses for one in newest.values() for id, uses in one.used}
        self.archived = frozenset(id for one in newest.values() for id in one.archived)


def _over_sessions(view: ScopeView) -> ScopeView:
    """Return a view of all sessions, where it is a user's: his statements are read once, not in each of them."""
    return replace(view, session=None) if view.user and any(view.user) else view


def _alive(journal: Store, view: ScopeView) -> list[Row]:
    return [*journal.live(view=view, kinds=(Statement.kind, Tidying.kind))]


class Contexts:
    """What this process showed in each session, and the statements it reads. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: OrderedDict[tuple[Scope, str], Session] = OrderedDict()
        self._stated: OrderedDict[ScopeView, KnownStatements] = OrderedDict()
        self._vectors: StatementVectors | None = None  # made by the first search

    def session(self, key: tuple[Scope, str]) -> Session:
        """Return what was shown in a session."""
        with self._lock:
            return self._sessions.get(key, Session())

    def keep(self, key: tuple[Scope, str], session: Session) -> None:
        """Keep what was shown in a session; of very many, the latest."""
        with self._lock:
            self._sessions[key] = session
            self._sessions.move_to_end(key)
            if len(self._sessions) > _MOST_SESSIONS:
                self._sessions.popitem(last=False)

    def stated(self, journal: Store, view: ScopeView, *, is_kept: bool = True) -> KnownStatements:
        """Return the statements that a view sees; only what was written since the last time is read.

        Args:
            journal: where they are.
            view: who looks.
            is_kept: whether the next call goes on from this one; not inside a transaction, which may be undone.
        """
        wide = _over_sessions(view)
        with self._lock:
            found = self._stated.get(wide, KnownStatements(wide)).after(journal)
            if is_kept:
                self._stated[wide] = found
                self._stated.move_to_end(wide)
                if len(self._stated) > _MOST_SESSIONS:
                    self._stated.popitem(last=False)
        return found.seen_by(view)

    def vectors(self) -> StatementVectors:
        """Return the vectors of statements that were read."""
        from agentcl.memory.statements.comparing import StatementVectors

        with self._lock:
            if self._vectors is None:
                self._vectors = StatementVectors()
            return self._vectors

    def clear(self) -> None:
        """Drop all: some of it was forgotten."""
        with self._lock:
            self._sessions.clear()
            self._stated.clear()
            if self._vectors is not None:
                self._vectors.clear()
