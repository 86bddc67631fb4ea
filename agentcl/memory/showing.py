"""What each session was shown, so that the next block begins as the last one did; kept in the process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from agentcl.errors import StoreCorrupt
from agentcl.retrieval.framing import HEAD
from agentcl.retrieval.recall import ScorePart
from agentcl.store.base import Store
from agentcl.store.conversations import Statement
from agentcl.store.records import Scope, ScopeView
from agentcl.store.rows import readable

Kind = Literal["statement", "turn", "document"]
BEGINNING: Final = HEAD.format(day="")
_MOST_SESSIONS: Final = 1_000
_MOST_VECTORS: Final = 50_000


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


@dataclass(slots=True)
class Session:
    """What the contexts of a session have shown."""

    pieces: list[tuple[str, str]] = field(
        default_factory=list
    )  # the user's message, and what it added
    shown: list[Shown] = field(default_factory=list)
    seq: int = 0  # of the journal, when it was made

    @property
    def text(self) -> str:
        """The block as it stands in a prompt."""
        lines = "".join(piece for _, piece in self.pieces)
        return BEGINNING + lines if lines else ""


class Contexts:
    """What this process showed in each session, and the statements it reads. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: OrderedDict[tuple[Scope, str], Session] = OrderedDict()
        self._stated: OrderedDict[ScopeView, tuple[int, list[Statement]]] = OrderedDict()
        self._vectors: dict[tuple[str, int, int], bytes] = {}  # by id, version and epoch

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

    def statements(self, journal: Store, view: ScopeView) -> list[Statement]:
        """Return all statements that a view sees; read again only when some were written."""
        with self._lock:
            seq, held = self._stated.get(view, (-1, []))
            last = journal.last_seq()
            if seq < 0 or any(journal.since(seq, kinds=(Statement.kind,))):
                held = _live(journal, view)
            self._stated[view] = last, held
            self._stated.move_to_end(view)
            if len(self._stated) > _MOST_SESSIONS:
                self._stated.popitem(last=False)
            return held

    def vectors(self, journal: Store, statements: Sequence[Statement]) -> list[bytes]:
        """Return the vectors of statements; empty for one that is damaged, which `agentcl doctor` names."""
        epoch = journal.epoch()
        keys = [(one.id, one.version, epoch) for one in statements]
        with self._lock:
            if len(self._vectors) > _MOST_VECTORS:
                self._vectors.clear()
            new = [
                (key, journal.seq_of(one))
                for key, one in zip(keys, statements, strict=True)
                if key not in self._vectors
            ]
            read = _vectors(journal, [seq for _, seq in new])
            self._vectors.update({key: read.get(seq, b"") for key, seq in new})
            return [self._vectors[key] for key in keys]

    def clear(self) -> None:
        """Drop all: some of it was forgotten."""
        with self._lock:
            self._sessions.clear()
            self._stated.clear()
            self._vectors.clear()


def _live(journal: Store, view: ScopeView) -> list[Statement]:
    rows = journal.live(view=view, kinds=(Statement.kind,))
    return [one for one in readable(rows) if isinstance(one, Statement)]


def _vectors(journal: Store, seqs: Sequence[int]) -> dict[int, bytes]:
    """Return the vectors of rows, without damaged ones."""
    if not seqs:
        return {}
    try:
        return journal.vectors(seqs)
    except StoreCorrupt:
        if len(seqs) == 1:
            return {}
    half = len(seqs) // 2
    return _vectors(journal, seqs[:half]) | _vectors(journal, seqs[half:])
