"""`memory.store`: a memory as a whole: count, check, move, copy, embed anew, and its inner parts."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Unpack

from agentcl.errors import ConfigError, InvalidInput, StoreUnavailable, TransferError
from agentcl.jobs.queue import Queue
from agentcl.jobs.runner import Runner
from agentcl.jobs.workplace import Workplace
from agentcl.memory.bound import UNBOUND, Bound
from agentcl.memory.documents import writing as documents
from agentcl.memory.opened import Opened
from agentcl.memory.outside import check_outside
from agentcl.memory.paging import Page
from agentcl.memory.settings import Setting
from agentcl.memory.statements import writing as statement_writing
from agentcl.memory.upkeep.reembedding import Reembed
from agentcl.memory.upkeep.tiers import Tier, tiers_of
from agentcl.retrieval.encoders import Encoder, open_encoder
from agentcl.retrieval.retriever import Retriever
from agentcl.retrieval.states import IndexState
from agentcl.store import transfer
from agentcl.store.base import Store
from agentcl.store.checks import (
    MAX_TEXT,
    ReadScope,
    WriteScope,
    check_count,
    check_micros,
    check_number,
    check_unicode,
)
from agentcl.store.conversations import Turn
from agentcl.store.records import KINDS, SCOPE_FIELDS, Document, Passage, Scope
from agentcl.store.rows import Counters, EncoderSpec
from agentcl.store.transfer import Grants, Imported
from agentcl.text.paths import check_path, unread
from agentcl.text.saving import named_stream, opened, saving
from agentcl.text.visible import shown

if TYPE_CHECKING:
    from agentcl.memory.upkeep.doctor import Report


# Bytes of one line of an export: a text of the greatest length, with each character escaped.
_MOST_LINE: Final = 6 * MAX_TEXT


@dataclass(frozen=True, slots=True)
class Stats:
    """The size and state of a memory."""

    path: Path
    records: Mapping[str, int]  # live records by kind
    versions: int  # all rows of the journal within the scope
    scopes: int  # distinct scopes with live records
    encoder: EncoderSpec | None  # None before the first text was added
    indexes: tuple[IndexState, ...]
    bytes: Mapping[str, int]  # size of the folder's files by their relative path
    place: str = ""  # the address of the database, if the memory is in one; `path` is then the indexes' folder
    tiers: tuple[Tier, ...] = ()  # the one that is written most often first


class Storage:
    """What a memory is kept in. Made by `Memory.store`."""

    def __init__(self, opened: Opened, bound: Bound = UNBOUND) -> None:
        self._opened = opened
        self._bound = bound

    def stats(
        self,
        **scope: Unpack[ReadScope],
    ) -> Stats:
        """Return how much is stored, in the whole folder or below a scope.

        Where the memory is bound to a scope, indexes and bytes are left out: they are those of everybody.
        """
        view, is_bound = self._bound.subtree(scope), bool(self._bound.fields)
        records, versions, scopes = self._opened.journal.count(view)
        return Stats(
            path=self._opened.path,
            records=records,
            versions=versions,
            scopes=scopes,
            encoder=self._opened.journal.encoder(),
            indexes=() if is_bound else tuple(self._opened.retriever.states()),
            bytes={} if is_bound else sizes_in(self._opened.path),
            place="" if isinstance(self._opened.place, Path) else str(self._opened.place),
            tiers=tiers_of(self._opened.journal, view, live=records, now=self._opened.clock()),
        )

    def wait(
        self,
        after: int = 0,
        *,
        timeout_s: float = 30.0,
        should_stop: Callable[[], bool] = lambda: False,
        **scope: Unpack[ReadScope],
    ) -> int:
        """Wait until somebody writes something, in this process, another one or on another machine.

            seen = memory.store.wait(timeout_s=0)
            while True:
                seen = memory.store.wait(seen, timeout_s=60)
                ...  # look at what is new

        Args:
            after: what was returned before; 0 for the beginning.
            timeout_s: when to return all the same; 0 does not wait.
            should_stop: looked at several times a second; True ends it as if the time were over.
            scope: only what is written below it counts, and what is forgotten, whosever it was.

        Returns:
            The number of the newest change of the memory, to be handed in next time.

        Raises:
            StoreUnavailable: if the memory cannot be read for longer than `busy_timeout_s`.
        """
        view = self._bound.subtree(scope)
        check_count(after, "after", least=0)
        journal = self._opened.journal
        deadline = time.monotonic() + check_number(timeout_s, "timeout_s", least=0)
        while True:
            left_s = max(0.0, deadline - time.monotonic())
            last = journal.wait(after, timeout_s=left_s, should_stop=should_stop)
            rows = islice(journal.since(after), max(0, last - after))
            if last <= after or any(row.op == "erase" or view.sees(row.scope) for row in rows):
                return last
            after = last

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        salvage: bool = False,
        **scope: Unpack[ReadScope],
    ) -> int:
        """Write everything, or everything below a scope, to a file of JSON lines; losslessly.

        Args:
            path: the file; replaced only when the export is complete. It may be a link, a pipe or a
                device, like `/dev/stdout`.
            salvage: leave out what a damaged disk no longer gives back instead of failing.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Returns:
            The number of rows written.

        Raises:
            InvalidInput: if the file would lie in the memory's own folder.
            StoreUnavailable: if it cannot be written.
        """
        view = self._bound.subtree(scope)
        target = check_path(path)
        kept = check_outside(target, self._opened.path)
        try:
            with saving(target, mode=self._opened.journal.mode()) as file:
                lines = transfer.export(self._opened.journal, view=view, salvage=salvage)
                count = transfer.write_export(lines, file)
        except OSError as error:
            raise StoreUnavailable(
                f"cannot write the export {target}: {error.strerror or error}"
            ) from error
        if not self._opened.journal.read_only:
            with self._opened.journal.writing() as writing:
                writing.note_copy(kept, "export")
        return count

    def import_(
        self,
        path: str | os.PathLike[str],
        *,
        into: WriteScope | None = None,
        trusted: bool = False,
        erasures: bool = False,
        rollbacks: bool = False,
        dry_run: bool = False,
        **scope: Unpack[ReadScope],
    ) -> Imported:
        """Merge the records of an export, with their ids, histories, times and vectors.

        Of two records with one key (a document's uri) the newer one is in force. The other one ends; its
        history stays, and `Imported.conflicts` names both. Importing twice adds nothing. A record that was
        deleted or forgotten here is not brought back.

        Lessons become candidates, and their evidence is kept aside. A lesson or an episode that is here
        already stays as it is. With `trusted` the evidence counts, each episode once, and the order of
        several imports makes no difference; say so for another memory of your own.

        Args:
            path: the file.
            trusted: the file comes from a memory of your own: let the evidence of its lessons count.
            erasures: forget here what was forgotten there.
            rollbacks: take back here the spans of time that were taken back there.
            scope: where all records must belong, or below: a file with others is refused. Default: anywhere.
            into: where to: `{"user": "ada"}` brings every record to this user, and leaves the other
                fields of its scope as they are. A bound memory brings them to its own scope.
            dry_run: change nothing, and return what would be done.

        Raises:
            TransferError: if the file is damaged, holds what no verb would have stored, or changes a record of
                another scope; nothing is imported.
            InvalidInput: if `into` names no scope.
            EncoderMismatch: if its vectors are another encoder's; nothing is imported then.
        """
        from agentcl.memory.upkeep.border import check_record  # slow to import

        source = check_path(path)
        if into is not None and not (isinstance(into, Mapping) and set(into) <= set(SCOPE_FIELDS)):
            raise InvalidInput(
                f"into names a scope, as in {{'user': 'ada'}}; {shown(into)} does not"
            )
        view = self._bound.subtree(scope)
        owner = self._bound.owner(into or {})
        fields = {name: getattr(owner, name) for name in {**self._bound.fields, **(into or {})}}
        try:
            with opened(source) as file:
                lines = (line.decode() for line in iter(partial(file.readline, _MOST_LINE), b""))
                imported = transfer.import_(
                    self._opened.journal,
                    lines,
                    view=view,
                    into=fields,
                    grants=Grants(trusted, erasures, rollbacks),
                    check=partial(check_record, is_trusted=trusted),
                    encoder=self._opened.named_encoder(),
                    dry_run=dry_run,
                )
        except OSError as error:
            raise TransferError(f"cannot read {named_stream(source)}: {unread(error)}") from error
        except UnicodeDecodeError as error:
            is_packed = error.object.startswith(b"\x1f\x8b")
            told = "it is packed; unpack it first, with gunzip" if is_packed else unread(error)
            raise TransferError(
                f"{named_stream(source)} is not an agentcl export: {told}"
            ) from error
        if not dry_run:
            statement_writing.resettle_all(self._opened.journal)
        if imported.erased and not dry_run:
            self._opened.finish_erasure()
        return imported

    def snapshot(self, folder: str | os.PathLike[str]) -> Path:
        """Write a consistent copy into a new folder; open it like any memory.

        Raises:
            InvalidInput: if the folder holds a memory already or lies in this one's, or this one is bound to a scope.
            StoreUnavailable: if it cannot be written.
        """
        self._bound.check_whole("a snapshot, which copies everybody's records,")
        target = check_path(folder)
        check_outside(target, self._opened.path)
        copied = self._opened.journal.snapshot(target)
        self._opened.copy_bank(target)
        return copied

    def reembed(
        self,
        encoder: str | Encoder,
        *,
        on: Workplace | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> bool:
        """Replace all vectors by another encoder's, past versions' included.

        Can be interrupted and called again; until it is done, searches use the old vectors. Other
        processes that have the folder open get `EncoderMismatch` afterwards. It is a job in `memory.jobs`.

        Args:
            encoder: a name or an `Encoder`.
            on: where texts are encoded, e.g. `agentcl.jobs.Ray()`; default: in this process.
            progress: called with the numbers of rows done and to do.

        Returns:
            Whether it was done; False if somebody cancelled the job meanwhile.

        Raises:
            InvalidInput: if no encoder has that name.
            StoreBusy: if another run is at it.
            ClusterUnavailable: if the machines of `on` do not answer; what was encoded before is kept.
        """
        self._bound.check_whole("embedding anew, which concerns all vectors,")
        try:
            new = open_encoder(encoder) if isinstance(encoder, str) else encoder
        except ConfigError as error:  # here it is no setting, but what somebody asked for
            raise InvalidInput(str(error)) from error
        if not isinstance(new, Encoder):
            raise InvalidInput(f"encoder must be a name or an Encoder, not {shown(encoder)}")
        self._opened.confirm(getattr(new, "named", new.name))
        kind = Reembed(self._opened, new, on)
        job = Runner(Queue(self._opened.journal), [kind]).run_now(
            kind.name,
            kind.spec(new.name),
            scope=Scope(),
            progress=progress or (lambda done, total: None),
        )
        return job.state == "done"

    def examine(self) -> Report:
        """Check every invariant of the folder; it reads everything and changes no record.

        Raises:
            InvalidInput: if the memory is bound to a scope: the report tells of everybody's records.
        """
        self._bound.check_whole("an examination of the folder")
        from agentcl.memory.upkeep.doctor import examine

        return examine(self._opened)

    def passages(self, id: str, **scope: Unpack[ReadScope]) -> Sequence[Passage]:
        """Return the passages of a document, or of a turn, in order.

        Raises:
            NotFound: if the scope sees no such record.
            InvalidInput: if it is neither.
        """
        journal = self._opened.journal
        record = journal.get(check_unicode(id, "id"), view=self._bound.view(scope))
        if not isinstance(record, Document | Turn):
            raise InvalidInput(
                f"{id!r} is a {record.kind}, and only documents and turns have passages"
            )
        return documents.passages_of(journal, record)

    def page(
        self,
        *,
        kind: str = Document.kind,
        offset: int = 0,
        limit: int = 50,
        as_of: datetime | None = None,
        **scope: Unpack[ReadScope],
    ) -> Page:
        """Return a page of records, newest change first, and how many there are; any page of very many at once.

        Args:
            kind: which kind of record.
            offset: how many newer ones to pass over.
            limit: how many at the most.
            as_of: as recorded at this moment.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Raises:
            InvalidInput: if there is no such kind, or a number is none.
        """
        if check_unicode(kind, "kind") not in KINDS:
            raise InvalidInput(f"unknown kind {kind!r}; known kinds: {', '.join(sorted(KINDS))}")
        return self._opened.listings.page(
            self._opened.journal,
            self._bound.view(scope),
            kind,
            check_micros(as_of, "as_of"),
            check_count(offset, "offset", least=0),
            check_count(limit, "limit"),
        )

    def credit(
        self,
        id: str,
        *,
        uses: int = 0,
        wins: int = 0,
        losses: int = 0,
        **scope: Unpack[ReadScope],
    ) -> Counters:
        """Count how a record fared when it was used; return its counters.

        Raises:
            NotFound: if the scope does not see such a record.
            InvalidInput: if a number is negative.
        """
        uses = check_count(uses, "uses", least=0)
        wins, losses = check_count(wins, "wins", least=0), check_count(losses, "losses", least=0)
        view = self._bound.view(scope)
        with self._opened.journal.writing() as writing:
            self._opened.journal.newest(check_unicode(id, "id"), view=view)
            writing.credit(id, uses=uses, wins=wins, losses=losses)
        return self._opened.journal.counters(id)

    def counters(self, id: str, **scope: Unpack[ReadScope]) -> Counters:
        """Return how often a record was used, and how it fared. Raises NotFound."""
        self._opened.journal.newest(check_unicode(id, "id"), view=self._bound.view(scope))
        return self._opened.journal.counters(id)

    # The parts themselves, for who measures or repairs

    @property
    def journal(self) -> Store:
        """Every change, in order; all else is derived from it."""
        return self._opened.journal

    @property
    def retriever(self) -> Retriever:
        """The indexes."""
        return self._opened.retriever

    @property
    def own_paths(self) -> frozenset[Path]:
        """The files and folders that the memory makes in its folder."""
        return self._opened.own_paths()

    @property
    def encoder(self) -> Encoder:
        """What turns text into vectors. Raises MissingExtra."""
        return self._opened.encoder

    @property
    def settings(self) -> Mapping[str, Setting]:
        """The effective settings, each with its origin."""
        return self._opened.settings


def sizes_in(folder: Path) -> dict[str, int]:
    """Return the files below a folder with their bytes; one that another thread or process takes away meanwhile is none."""
    found: dict[str, int] = {}
    for file in sorted(folder.rglob("*")):
        with suppress(FileNotFoundError):
            if stat.S_ISREG((held := file.stat()).st_mode):
                found[file.relative_to(folder).as_posix()] = held.st_size
    return found
