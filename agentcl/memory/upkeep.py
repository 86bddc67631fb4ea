"""Verbs on a memory as a whole: forget for good, count, move, embed anew."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Unpack, cast

from agentcl.errors import InvalidInput, NotFound, StoreUnavailable, TransferError
from agentcl.memory.opening import MemoryFolder
from agentcl.retrieval.encoders import Encoder, open_encoder
from agentcl.retrieval.retriever import IndexState
from agentcl.store import transfer
from agentcl.store.checks import ReadScope, WriteScope, check_scope, check_subtree, check_unicode
from agentcl.store.records import SCOPE_FIELDS, Scope, ScopeView, to_micros
from agentcl.store.rows import EncoderSpec
from agentcl.store.sqlite import erasure, reembedding
from agentcl.store.sqlite.erasure import Copy, Removed
from agentcl.store.transfer import Imported
from agentcl.store.ulid import new_ulid

_BATCH: Final = 256  # texts embedded at a time


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of a forgetting: what was removed, and from where."""

    id: str  # a ULID, for the caller's own records
    at: datetime
    removed: tuple[Removed, ...]  # what was named, and all that was derived from it
    vectors: int  # how many vectors went with them
    cleared: tuple[str, ...]  # the stores whose bytes were rewritten without them
    copies: tuple[Copy, ...]  # earlier snapshots and exports, which may still hold them


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


class Upkeep(MemoryFolder):
    """The part of `Memory` that looks after the whole."""

    def forget(
        self,
        *ids: str,
        everything: bool = False,
        **scope: Unpack[WriteScope],
    ) -> Receipt:
        """Remove records for good: every version, all that was derived from them, and their bytes.

        The journal's file and the indexes are rewritten, so this takes time in proportion to their
        size; name many ids in one call rather than calling many times.

        Args:
            ids: which records, live or deleted; all in exactly the named scope.
            everything: instead of ids: all records of the named scope and of every scope below it.
            scope: `tenant`, `user`, `agent`, `session`; see the class.

        Raises:
            NotFound: if one of the ids is not in this scope; nothing is removed then.
            InvalidInput: if neither ids nor a scope with `everything=True` are named.
            EraseIncomplete: if the records are gone, but not yet their bytes; opening the memory
                again finishes that.
        """
        if everything:
            view = check_subtree(cast(ReadScope, scope))
            if ids or not any(scope.values()):
                raise InvalidInput(
                    "forget(everything=True) takes no ids and needs a tenant, user, agent or session; "
                    "to forget the whole memory, delete its folder"
                )
            chosen = self._all_ids(view)
        else:
            owner = check_scope(scope)
            if not ids:
                raise InvalidInput("name the ids to forget, or a scope with everything=True")
            view = owner.exactly()
            for id in ids:
                self._forgettable(id, owner)
            chosen = list(dict.fromkeys(ids))
        erased = erasure.erase(self.journal, chosen, view=view)
        erasure.finish(self.journal)
        with self._lock:
            self._queries.clear()
        cleared = self.retriever.remove([removed.id for removed in erased.removed])
        return Receipt(
            id=new_ulid(to_micros(erased.at) // 1_000),
            at=erased.at,
            removed=erased.removed,
            vectors=erased.vectors,
            cleared=("journal", *cleared),
            copies=erased.copies,
        )

    def stats(
        self,
        **scope: Unpack[ReadScope],
    ) -> Stats:
        """Return how much is stored, in the whole folder or below a scope."""
        view = check_subtree(scope)
        records, versions, scopes = self.journal.count(view)
        return Stats(
            path=self.path,
            records=records,
            versions=versions,
            scopes=scopes,
            encoder=self.journal.encoder(),
            indexes=tuple(self.retriever.states()),
            bytes={
                file.relative_to(self.path).as_posix(): file.stat().st_size
                for file in sorted(self.path.rglob("*"))
                if file.is_file()
            },
        )

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        salvage: bool = False,
        **scope: Unpack[ReadScope],
    ) -> int:
        """Write everything, or everything below a scope, to a file of JSON lines; losslessly.

        Args:
            path: the file; replaced only when the export is complete.
            salvage: leave out what a damaged disk no longer gives back instead of failing.
            scope: `tenant`, `user`, `agent`, `session`; see the class.

        Returns:
            The number of rows written.
        """
        view = check_subtree(scope)
        target = Path(path)
        partial = target.with_name(target.name + ".partial")
        try:
            with partial.open("w", encoding="utf-8", newline="\n") as file:
                lines = transfer.export(self.journal, view=view, salvage=salvage)
                count = transfer.write_export(lines, file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
        except OSError as error:
            raise StoreUnavailable(f"cannot write the export {target}: {error}") from error
        finally:
            partial.unlink(missing_ok=True)
        if not self.journal.database.read_only:
            with self.journal.writing() as writing:
                writing.note_copy(target.resolve(), "export")
        return count

    def import_(self, path: str | os.PathLike[str]) -> Imported:
        """Add the records of an export, with their ids, histories, times and vectors.

        Importing twice adds nothing. A record that was forgotten here is not brought back.

        Raises:
            TransferError: if the file is damaged or contradicts what is stored; nothing is imported.
            EncoderMismatch: if its vectors are another encoder's.
        """
        source = Path(path)
        try:
            with source.open(encoding="utf-8", newline="\n") as file:
                imported = transfer.import_(self.journal, file)
        except OSError as error:
            raise TransferError(f"cannot read {source}: {error}") from error
        except UnicodeDecodeError as error:
            raise TransferError(f"{source} is not an agentcl export: {error}") from error
        self._check_encoder()
        return imported

    def snapshot(self, folder: str | os.PathLike[str]) -> Path:
        """Write a consistent copy into a new folder; open it like any memory.

        Raises:
            InvalidInput: if the folder holds a memory already.
        """
        return transfer.snapshot(self.journal, Path(folder))

    def reembed(
        self,
        encoder: str | Encoder,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Replace all vectors by another encoder's, past versions' included.

        Can be interrupted and called again; until it is done, searches use the old vectors. Other
        processes that have the folder open get `EncoderMismatch` afterwards.

        Args:
            encoder: a name or an `Encoder`.
            progress: called with the numbers of rows done and to do.
        """
        new = open_encoder(encoder) if isinstance(encoder, str) else encoder
        spec = EncoderSpec(new.name, new.dim)
        reembedding.begin(self.journal, spec)
        total = reembedding.remaining(self.journal)
        done = 0
        while True:
            seqs = reembedding.missing(self.journal, limit=_BATCH)
            if not seqs:
                if reembedding.swap(self.journal, spec):
                    break
                continue
            rows = self.journal.rows(seqs)
            texts = {seq: row.record().search_text() or "" for seq, row in rows.items()}
            vectors = new.encode(list(texts.values()), role="passage")
            reembedding.store(self.journal, list(texts), vectors)
            done += len(texts)
            if progress is not None:
                progress(done, max(total, done))
        with self._lock:
            self._encoder = new
            self._queries.clear()
            if self._retriever is not None:
                self._retriever.close()
                self._retriever = None

    def _forgettable(self, id: str, scope: Scope) -> None:
        """Refuse ids that are in another scope, or that would come back with their document."""
        rows = [row for row in self.journal.versions(check_unicode(id, "id")) if row.op != "erase"]
        if not rows or not scope.view().sees(rows[-1].scope):
            raise NotFound(f"no record {id!r} is visible from this scope; nothing was forgotten")
        self._refuse_other_scope(id, rows[-1].scope, scope)
        if rows[-1].kind == "passage":
            raise InvalidInput(f"{id!r} is a passage: forget the document that it is a piece of")

    def _refuse_other_scope(self, id: str, actual: Scope, named: Scope) -> None:
        if actual != named:
            words = [f"{name}={value}" for name in SCOPE_FIELDS if (value := getattr(actual, name))]
            raise NotFound(
                f"record {id!r} is shared with this scope but does not belong to it; to change it, "
                f"name exactly its own scope: {', '.join(words) or 'no tenant, user, agent or session'}"
            )

    def _all_ids(self, view: ScopeView) -> list[str]:
        ids = self.journal.ids(view)
        if not ids:
            raise NotFound("there is nothing in that scope; nothing was forgotten")
        return ids
