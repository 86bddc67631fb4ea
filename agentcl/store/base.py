"""The contract of a store: what every place that a memory is kept in does, whatever it is made of.

A store is a journal: every change is one row, appended in one transaction, durable on return. Rows are
never changed. A new version of a record is a new row, a deletion is a tombstone row, and the state at
any moment is, for each id, its newest row not younger than that moment. Only erasure takes rows away,
and it leaves a row that says so.

`agentcl.testing.StoreContract` is the suite that every implementation passes.
"""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Final, TypeVar

import agentcl.store.conversations
import agentcl.store.episodes  # noqa: F401  # their kinds of records register themselves
from agentcl.errors import NotFound, StoreCorrupt
from agentcl.store.jobs import Job, State
from agentcl.store.records import Record, Scope, ScopeView, from_micros
from agentcl.store.rows import Churn, Counters, EncoderSpec, Row, Version, readable
from agentcl.store.writing import Reembedding, Writing
from agentcl.text.parsing import parsed_json

R = TypeVar("R", bound=Record)
NOTHING: Final[Mapping[Scope, Collection[bytes]]] = {}
_MOST_DIGITS: Final = 19  # of a number that a store keeps


@dataclass(frozen=True, slots=True)
class Removed:
    """One record that an erasure took away."""

    id: str
    kind: str
    versions: int  # how many versions of it there were
    derived_from: str = ""  # the id that it went with; empty for what was named


@dataclass(frozen=True, slots=True)
class Copy:
    """A snapshot or export that was made before, and may still hold what was forgotten."""

    path: Path
    what: str  # "snapshot" or "export"
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure did inside the store."""

    at: datetime
    removed: tuple[Removed, ...]
    vectors: int  # how many vectors went with them
    copies: tuple[Copy, ...]  # outside the store, out of our reach


class Store(ABC):
    """The records of one memory. Threads and processes may share it; writers take turns.

    Opening one, and every verb, raises `StoreUnavailable` (or a subclass) when it cannot be read or
    written now, and `MemoryClosed` after `close`. Moments are microseconds since 1970.
    """

    folder: Path  # of the memory: what is derived from the store, e.g. indexes, lies in it
    read_only: bool  # nothing is ever written, whoever asks
    # Where bytes of what was erased may stay that only who runs the store can clear; nothing for a file.
    beyond: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def close(self) -> None:
        """Release what is open; calling it twice is allowed."""

    # Reading rows

    @abstractmethod
    def last_seq(self) -> int:
        """Return the number of the newest row, 0 in an empty store."""

    @abstractmethod
    def wait(
        self, seq: int, *, timeout_s: float, should_stop: Callable[[], bool] = lambda: False
    ) -> int:
        """Wait until there is a row after `seq`, whoever writes it.

        It goes on through a restart of a database's server. Others are not kept from anything meanwhile.

        Args:
            seq: of a row.
            timeout_s: when to return all the same.
            should_stop: looked at several times a second; True ends it as if the time were over.

        Returns:
            The number of the newest row; at most `seq` if the time was over before there was another.
        """

    @abstractmethod
    def since(self, seq: int, *, kinds: Sequence[str] | None = None) -> Iterator[Row]:
        """Yield every row after `seq`, in order; only those of some kinds, where these are named."""

    @abstractmethod
    def live(
        self,
        *,
        view: ScopeView,
        kinds: Sequence[str] | None = None,
        at: int | None = None,
        after: int = 0,
        source: str | None = None,
        prefix: str = "",
        key: str | None = None,
    ) -> Iterator[Row]:
        """Yield the rows live (at a moment), oldest first, beginning after a row number.

        Args:
            view: whose records.
            kinds: only these kinds.
            at: None for now.
            after: a `seq` to continue from.
            source: only records derived from this id.
            prefix: only records whose natural key begins with it; no character is special in it.
            key: only records with this natural key; takes the place of `prefix`.
        """

    def records(
        self,
        kind: type[R],
        *,
        view: ScopeView,
        source: str | None = None,
        prefix: str = "",
        key: str | None = None,
    ) -> Iterator[R]:
        """Yield the live records of a kind, oldest first, as `live` does; damaged ones `agentcl doctor` names."""
        rows = self.live(view=view, kinds=(kind.kind,), source=source, prefix=prefix, key=key)
        return (one for one in readable(rows) if isinstance(one, kind))

    @abstractmethod
    def keys(self, kind: str, *, view: ScopeView, prefix: str) -> Sequence[str]:
        """Return the natural keys of the live records of a kind that begin with something, and nothing else of them.

        The prefix is at least one character, and no character is special in it.
        """

    @abstractmethod
    def rows(self, seqs: Sequence[int]) -> dict[int, Row]:
        """Return rows by number; a row that was erased meanwhile is missing."""

    @abstractmethod
    def versions(self, id: str) -> list[Row]:
        """Return all rows of one record, oldest version first, whatever their scope."""

    @abstractmethod
    def rows_of(self, source: str, *, kind: str) -> list[Row]:
        """Return all rows of the records of a kind that were derived from an id, deleted ones too, in order.

        What was erased has none.
        """

    @abstractmethod
    def newest(self, id: str, *, view: ScopeView, at: int | None = None) -> Row:
        """Return the row of the version of a record that is live (at a moment).

        Raises:
            NotFound: if there is none that the view sees.
        """

    @abstractmethod
    def having_content(
        self,
        kind: str,
        scope: Scope,
        hashes: Collection[bytes],
        *,
        metadata: Collection[str] | None = None,
        valid_from: Collection[int | None] | None = None,
    ) -> Mapping[bytes, Sequence[Row]]:
        """Return the live rows of a kind in exactly this scope by the hash of their searchable text.

        Hashes that no row has are missing; the rows of one hash are in their order.

        Args:
            kind: of the rows.
            scope: theirs.
            hashes: of their searchable texts.
            metadata: only rows with one of these, a few hundred at the most.
            valid_from: only rows that hold from one of these moments, likewise.
        """

    @abstractmethod
    def content_counts(self, scope: Scope, hashes: Collection[bytes]) -> Mapping[bytes, int]:
        """Return how many rows of a scope have a searchable text with these hashes.

        Those of none are missing. Every kind and version counts, so this is an upper bound that one
        index answers.
        """

    # Reading records

    def get(self, id: str, *, view: ScopeView, at: int | None = None) -> Record:
        """Return the live version of a record (at a moment). Raises NotFound."""
        return self.newest(id, view=view, at=at).record()

    @abstractmethod
    def find(self, *, kind: str, scope: Scope, key: str) -> Record | None:
        """Return the live record of a kind and scope with a natural key."""

    def history(self, id: str, *, view: ScopeView) -> list[Version]:
        """Return every version of a record, oldest first; an erased one shows only its erasure.

        Raises:
            NotFound: if the view sees no version of it.
            StoreCorrupt: if one is not what was written.
        """
        rows = [row for row in self.versions(id) if row.op == "erase" or view.sees(row.scope)]
        if not rows:
            raise NotFound(f"no record {id!r} is visible from this scope")
        for row in rows:
            row.check()
        return [
            Version(
                row.id,
                row.version,
                row.op,
                from_micros(row.created_at),
                row.record() if row.op == "put" else None,
            )
            for row in rows
        ]

    @abstractmethod
    def seq_of(self, record: Record) -> int:
        """Return the number of the row that holds this version of a record. Raises NotFound."""

    @abstractmethod
    def ids(self, view: ScopeView) -> list[str]:
        """Return the ids of all records in a view, deleted ones too, oldest first."""

    @abstractmethod
    def with_derived(self, ids: Sequence[str]) -> set[str]:
        """Return those of the ids that some record was derived from."""

    @abstractmethod
    def count(self, view: ScopeView) -> tuple[dict[str, int], int, int]:
        """Return the live records by kind, all rows, and the scopes with live records, of a view."""

    @abstractmethod
    def written(self, view: ScopeView, *, since: int) -> dict[str, Churn]:
        """Return what was written of each kind of record in a view, from a moment on."""

    @abstractmethod
    def counters(self, id: str) -> Counters:
        """Return how a record fared; all zero for one never used."""

    def counters_of(self, ids: Sequence[str]) -> Mapping[str, Counters]:
        """Return how those of these records fared that were used. A store that is far away answers for all at once."""
        return {id: counted for id in ids if (counted := self.counters(id)) != Counters()}

    # Reading vectors

    def encoder(self) -> EncoderSpec | None:
        """Return the encoder of the stored vectors, or None before the first one. Raises StoreCorrupt."""
        return self._spec_of(self.meta("encoder"))

    def _spec_of(self, value: str | None) -> EncoderSpec | None:
        """Return what the setting "encoder" says."""
        try:
            return None if value is None else EncoderSpec.from_json(parsed_json(value))
        except ValueError as error:
            raise StoreCorrupt(
                f"{self.folder} does not say what its vectors are of: {error}"
            ) from error

    def epoch(self) -> int:
        """Return how often all vectors were replaced; an index of another epoch must be rebuilt."""
        value = str(self.meta("epoch") or 0)
        if not (value.isascii() and value.isdigit() and len(value) < _MOST_DIGITS):
            raise StoreCorrupt(f"the store at {self.folder} has an epoch that is none: {value:.80}")
        return int(value)

    def vectors(self, seqs: Sequence[int]) -> dict[int, bytes]:
        """Return the packed vectors of rows by number. Raises StoreCorrupt."""
        return {seq: vector for seq, (vector, _) in self.given_vectors(seqs).items()}

    @abstractmethod
    def given_vectors(self, seqs: Sequence[int]) -> dict[int, tuple[bytes, bool]]:
        """Return for rows by number the packed vector, and whether the user gave it.

        Raises:
            StoreCorrupt: if a vector's bytes are not what was written.
        """

    @abstractmethod
    def encodings(
        self, hashes: Sequence[bytes], *, of: EncoderSpec | None = None
    ) -> dict[bytes, bytes]:
        """Return vectors that the encoder already made for texts with these content hashes.

        Args:
            hashes: of the texts.
            of: the encoder that is meant; none is returned where the vectors are another's.
        """

    # The store itself

    @abstractmethod
    def meta(self, key: str) -> str | None:
        """Return one of the store's own settings; "id" tells it from its copies."""

    @abstractmethod
    def files(self) -> frozenset[str]:
        """Return the names of all that the store itself keeps directly in `folder`."""

    def mode(self) -> int:
        """Return who may read the store's files, as the bits of a mode; what is derived from it takes the same."""
        held = (self.folder / name for name in sorted(self.files()))
        modes = [stat.S_IMODE(one.stat().st_mode) for one in held if one.is_file()]
        return 0o600 | modes[0] if modes else 0o600  # who derives something writes it

    @abstractmethod
    def faults(self) -> Iterator[str]:
        """Yield what is wrong with the place where the rows are kept, in words; nothing if sound."""

    # Writing

    @abstractmethod
    def writing(
        self, *, counting: Mapping[Scope, Collection[bytes]] = NOTHING
    ) -> AbstractContextManager[Writing]:
        """Take the write turn. What happens inside happens wholly or not at all.

        Args:
            counting: what `content_counts` will be asked first. A store that is far away answers it together with
                giving the turn, so that others wait for it less long.

        Raises:
            StoreReadOnly: if the store was opened for reading only.
            StoreBusy: if others kept the turn for too long.
        """

    @abstractmethod
    def lock(self, name: str) -> AbstractContextManager[None]:
        """Hold a lock that one thread of one process can hold; the system frees it if that dies.

        It has nothing to do with the right to write: others go on writing.

        Args:
            name: of lower-case letters, digits and hyphens.

        Raises:
            StoreBusy: at once, if somebody else holds it.
            StoreReadOnly: if the store was opened for reading only.
        """

    @abstractmethod
    def is_locked(self, name: str) -> bool:
        """Return whether anybody holds a lock now, in whatever process; a store that is only read can be asked."""

    @abstractmethod
    def reembedding(self, spec: EncoderSpec) -> Reembedding:
        """Return the way to the vectors of an encoder."""

    # Forgetting, and copies

    @abstractmethod
    def erase(self, ids: Collection[str], *, view: ScopeView) -> Erasure:
        """Remove records, live or deleted, with all versions and all that was derived from them.

        Each leaves one row with an id, a kind and a time. Many go in steps, between which others write; if
        one is cut off, `resume_erasure` goes on. Call `finish_erasure` afterwards; until then their bytes
        may still be on the disk.

        Raises:
            NotFound: if the view does not see one of the ids; nothing is removed then.
        """

    @abstractmethod
    def is_erasure_due(self) -> bool:
        """Return whether an erasure has still something to do, also one that another process is at."""

    @abstractmethod
    def resume_erasure(self) -> None:
        """Remove what erasures that were cut off had still to remove; nobody may be at one."""

    @abstractmethod
    def finish_erasure(self, before: Callable[[], object] = lambda: None) -> None:
        """Clear the bytes of erased records from the disk, in steps between which others write.

        Args:
            before: called first: clears what was derived from the store, such as indexes. If it fails, or
                is cut off, the erasure stays due.

        Raises:
            EraseIncomplete: if another process or a full disk is in the way; call again later.
        """

    @abstractmethod
    def copies(self) -> tuple[Copy, ...]:
        """Return the snapshots and exports that were noted, oldest first."""

    @abstractmethod
    def snapshot(self, folder: str | os.PathLike[str]) -> Path:
        """Write a consistent, compact copy into a new folder, to be opened as any memory.

        The copy has a "meta" id of its own, and is noted among the `copies`.

        Returns:
            The file that holds it.

        Raises:
            InvalidInput: if the folder is no path, or holds a memory already.
            StoreUnavailable: if it cannot be written.
        """

    # Jobs

    @abstractmethod
    def jobs(self, *, view: ScopeView, states: Collection[State] | None = None) -> list[Job]:
        """Return the jobs of a view, oldest first; only those in some states, where these are named."""

    @abstractmethod
    def job(self, id: str, *, view: ScopeView) -> Job:
        """Return a job. Raises NotFound."""
