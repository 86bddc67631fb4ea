"""The contract of writing into a store: one transaction, and vectors of another encoder.

`agentcl.store.base` is the contract of the store itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agentcl.store.jobs import Job, Price
from agentcl.store.records import Record, Scope
from agentcl.store.rows import EncoderSpec, Row


class Writing(ABC):
    """The right to write, for the length of one transaction. Made by `Store.writing`.

    What was written is seen by reads of the same thread at once, and by everybody else when the
    transaction ends. An error inside undoes all of it.
    """

    now: int  # microseconds since 1970: the record time of everything written

    @abstractmethod
    def create(
        self,
        record: Record,
        *,
        vector: bytes | None = None,
        is_given: bool = False,
        id: str | None = None,
    ) -> Record:
        """Append a new record; its id, version and time are set here.

        Args:
            record: what to store.
            vector: of its searchable text, packed.
            is_given: the vector came with the record; the encoder would make another one.
            id: one that follows from what the record is, and that no record ever had; default: a fresh one.

        Raises:
            InvalidInput: if a live record of its kind and scope has its key already, or if one of its
                sources is no record of its tenant.
            EncoderMismatch: if the vector has not the dimension of the store's encoder.
        """

    @abstractmethod
    def create_many(
        self, records: Iterable[Record], vectors: Mapping[bytes, bytes], *, count: int
    ) -> list[str]:
        """Append many new records, faster than one by one.

        Args:
            records: their ids, versions and times are set here; they cannot be sources of each other.
            vectors: by content hash, for all that are searched for.
            count: how many records there are.

        Returns:
            Their ids, in order.

        Raises:
            InvalidInput: as `create`, or if two of these have one key.
        """

    @abstractmethod
    def revise(
        self, record: Record, *, vector: bytes | None = None, is_given: bool = False
    ) -> Record:
        """Append the next version of a live record of the same kind and scope. Raises NotFound."""

    @abstractmethod
    def delete(self, record: Record) -> None:
        """Append a tombstone: the record is found no more, but its history stays. Raises NotFound."""

    @abstractmethod
    def live_versions(self, ids: Sequence[str]) -> dict[str, int]:
        """Return the numbers of the newest versions of those of the records that are live."""

    @abstractmethod
    def restore(
        self, row: Row, vector: bytes | None, *, is_given: bool, is_foreign: bool = False
    ) -> None:
        """Append a row of another store as it is: id, version, time and checksum stay.

        A foreign vector is this row's alone: another text that is the same does not get it (`encodings`).
        """

    @abstractmethod
    def claim_encoder(self, spec: EncoderSpec) -> None:
        """Make sure that vectors of this encoder may be stored; the first one decides.

        Raises:
            EncoderMismatch: naming both encoders and the command that re-embeds.
        """

    @abstractmethod
    def set_meta(self, key: str, value: str) -> None:
        """Set one of the store's own settings."""

    @abstractmethod
    def clear_meta(self, start: str, end: str) -> None:
        """Remove the store's own settings whose keys lie from `start` to before `end`."""

    @abstractmethod
    def credit(
        self, id: str, *, uses: int = 0, wins: int = 0, losses: int = 0, repeats: int = 0
    ) -> None:
        """Add to a record's counters. Adding the same thing again (`repeats`) is no use of it."""

    @abstractmethod
    def note_copy(self, path: Path, what: str) -> None:
        """Remember that a copy of records was written elsewhere, for the receipts of erasures."""

    @abstractmethod
    def enqueue(
        self, kind: str, spec: Mapping[str, Any], *, scope: Scope, price: Price | None = None
    ) -> Job:
        """Append a job to be run later; it is there exactly if what else is written here is.

        Args:
            kind: who knows how to run it.
            spec: JSON values that the kind understands. It names records and does not quote them: an
                erasure does not look into it.
            scope: whose job it is. It goes when the last record of this scope, and of all below it, is
                erased.
            price: what it is estimated to take.
        """

    @abstractmethod
    def change_job(self, job: Job) -> None:
        """Store a job as it is now. Raises NotFound when it is not there any more."""

    @abstractmethod
    def delete_jobs(self, ids: Collection[str]) -> None:
        """Drop jobs; what they did stays, and one that is not there is no error."""


class Reembedding(ABC):
    """The way to another encoder's vectors: resumable, and never half done for a reader.

    Counting what remains writes nothing; the first `missing` begins, or goes on if another run began.
    New vectors are collected beside the old ones. When none is missing they take the old ones' place in
    one transaction, which also names the new encoder and begins a new epoch.
    """

    @abstractmethod
    def remaining(self) -> int:
        """Return how many rows still lack a new vector."""

    @abstractmethod
    def missing(self, *, limit: int, after: int = 0) -> list[int]:
        """Return the numbers of some rows that still lack a new vector, oldest first, from after a number on."""

    @abstractmethod
    def keep(self, seqs: Sequence[int], vectors: Sequence[bytes]) -> None:
        """Keep new vectors for rows; a row erased meanwhile is left out."""

    @abstractmethod
    def swap(self) -> bool:
        """Put the new vectors in force if none is missing; return whether that was done."""
