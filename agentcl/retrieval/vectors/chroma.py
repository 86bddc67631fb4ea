"""Dense search by Chroma: embedded in a folder, or a server over HTTP.

Chroma gets numbers, vectors and what a query may select by; never a text. Its embedded form is not made
for several processes: one that has queried does not find what another one wrote. So every write here
holds a lock and raises the watermark beside it, and a reader that meets a watermark that is not its
own opens Chroma anew.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final, cast

from agentcl.errors import StoreUnavailable, needs
from agentcl.retrieval import folders
from agentcl.retrieval.index import Change, Entry, Match, Query, runs_of
from agentcl.store.records import SCOPE_FIELDS, Scope
from agentcl.store.sqlite.database import Database
from agentcl.text.paths import check_path
from agentcl.text.saving import make_folder

with needs("the index 'chroma'", "chroma"):
    import chromadb
    import httpx  # which comes with it
    from chromadb.api import ClientAPI
    from chromadb.config import Settings
    from chromadb.errors import ChromaError, NotFoundError

_LIVE: Final = (1 << 62) - 1  # `ended` of a live entry
_BATCH: Final = 500
_SQUARED: Final = 1e15  # and its inverse: lengths between them can be squared in float32
_FAILURES: Final = (ChromaError, httpx.HTTPError, ValueError, OSError)


class ChromaIndex:
    """The contract of `Index` for vectors. A score is a cosine.

    Scope, kind and times become Chroma's own conditions. Conditions on metadata are tested here, on as
    many of the best entries as it takes.

    Args:
        collection: one for each memory and epoch of its vectors.
        folder: for the embedded form.
        host: for a server, instead of a folder.
        port: of the server.

    Raises:
        InvalidInput: if `folder` is no path.
        MissingExtra: on import, if chromadb is not installed.
        StoreUnavailable: if the server does not answer or the folder cannot be used.
    """

    name = "chroma"

    def __init__(
        self,
        collection: str,
        *,
        folder: str | os.PathLike[str] | None = None,
        host: str = "localhost",
        port: int = 8000,
    ) -> None:
        self._name = collection
        self._folder = None if folder is None else check_path(folder, "folder")
        self._address = (host, port)
        self._lock = threading.RLock()
        self._seen = -1  # the watermark that our client is known to show
        self._client: ClientAPI | None = None
        self._marks: Database | None = None
        if self._folder is not None:
            make_folder(self._folder)
            self._marks = Database(self._folder / "marks.db", migrations=(_create_marks,))
        with self._errors():
            self._collection()

    def watermark(self) -> int:
        """Return the number of the last change applied."""
        if self._marks is not None:
            rows = self._marks.read("SELECT seq FROM mark WHERE name = ?", (self._name,))
            return cast(int, rows[0][0]) if rows else 0
        with self._errors():
            metadata = self._collection().metadata or {}
            return int(metadata.get("watermark", 0))

    def apply(self, changes: Sequence[Change], *, watermark: int, since: int = 0) -> None:
        """Apply changes, then move the watermark; after a crash between the two, apply them again."""
        with self._turn() as held:
            fresh = [change for change in changes if change.seq > held]
            if since <= held < watermark:
                self._write(fresh)
                self._set_watermark(watermark)

    def remove(self, ids: Collection[str]) -> None:
        """Take every version of these records away.

        Chroma leaves the bytes of what it deletes in its files. So the embedded form deletes these,
        and is empty then, with watermark 0. A server's files are out of reach; it deletes the entries.
        """
        if self._folder is not None:
            self._clear()
            return
        with self._lock, self._errors():
            for id in ids:
                self._collection().delete(where={"id": id})

    def clear(self) -> None:
        """Do nothing: `remove` deleted the files, and a server's are out of reach."""

    def search(self, query: Query, *, limit: int) -> list[Match]:
        """Return the entries of the highest cosine, as far as Chroma's HNSW graph finds them."""
        if query.vector is None:
            return []
        with self._lock, self._errors():
            collection = self._current()
            total = collection.count()
            wanted = min(total, 2 * limit + 1)
            while wanted:
                found = collection.query(
                    query_embeddings=cast(Any, [_floats(query.vector)]),
                    n_results=wanted,
                    where=cast(Any, _where(query)),
                    include=["metadatas", "distances"],
                )
                rows = list(
                    zip(
                        found["ids"][0],
                        cast(Any, found["metadatas"])[0],
                        cast(Any, found["distances"])[0],
                        strict=True,
                    )
                )
                matches = [
                    Match(int(seq), str(held["id"]), 1.0 - float(distance))
                    for seq, held, distance in rows
                    if query.admits(_entry(int(seq), held))
                ]
                # Entries that tie with the last one wanted may still be outside of what was fetched.
                worst = 1.0 - float(rows[-1][2]) if rows else 0.0
                is_enough = len(matches) >= limit and matches[limit - 1].score > worst
                if is_enough or wanted == total or len(rows) < wanted:
                    matches.sort(key=lambda match: (-match.score, match.seq))
                    return matches[:limit]
                wanted = min(total, wanted * 4)
            return []

    def live_seqs(self) -> Iterable[int]:
        """Return the numbers of all live entries."""
        with self._lock, self._errors():
            found = self._current().get(where={"ended": _LIVE}, include=[])
            return [int(seq) for seq in found["ids"]]

    def rebuild(self, changes: Iterable[Change], *, watermark: int) -> None:
        """Forget everything, then apply `changes`."""
        self._clear()
        with self._turn():
            iterator = iter(changes)
            while batch := list(islice(iterator, _BATCH)):
                self._write(batch)
            self._set_watermark(watermark)

    def close(self) -> None:
        """Close the client; calling it twice is allowed."""
        with self._lock:
            self._disconnect()
            if self._marks is not None:
                self._marks.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except _FAILURES as error:
            if self._folder is not None:
                where, remedy = str(self._folder), "run `agentcl reindex`"
            else:
                where = f"http://{self._address[0]}:{self._address[1]}"
                remedy = "check that `chroma run` serves there"
            raise StoreUnavailable(f"Chroma at {where} failed: {error}; {remedy}") from error

    @contextmanager
    def _turn(self) -> Iterator[int]:
        """Take the write turn among processes; yield the watermark."""
        with self._lock:
            if self._marks is None:
                yield self.watermark()
                return
            with self._marks.write():
                yield self.watermark()

    def _collection(self) -> chromadb.Collection:
        if self._client is None:
            # Without `.env` of the working folder, which may name modules and servers.
            settings = cast(Any, Settings)(anonymized_telemetry=False, _env_file=None)
            if self._folder is None:
                host, port = self._address
                self._client = chromadb.HttpClient(host=host, port=port, settings=settings)
            else:
                self._client = chromadb.PersistentClient(str(self._folder), settings=settings)
        try:
            return self._client.get_collection(self._name, embedding_function=None)
        except NotFoundError:
            return self._client.get_or_create_collection(
                self._name,
                configuration={"hnsw": {"space": "cosine", "ef_search": 200}},
                embedding_function=None,
                metadata={"watermark": 0},
            )

    def _current(self) -> chromadb.Collection:
        """Return the collection through a client that shows all that was written."""
        if self._marks is not None and self._seen != self.watermark():
            self._disconnect()
            self._seen = self.watermark()
        return self._collection()

    def _disconnect(self) -> None:
        if self._client is not None:
            cast(Any, self._client).close()  # the protocol lacks it, every client has it
            self._client = None

    def _clear(self) -> None:
        with self._turn(), self._errors():
            if self._marks is not None and self._folder is not None:
                self._disconnect()
                folders.delete(
                    one
                    for one in folders.ours(self._folder, "chroma")
                    if not one.name.startswith("marks.db")
                )
                self._marks.connection.execute("DELETE FROM mark")
            elif self._client is not None:
                self._client.delete_collection(self._name)
            self._collection()
            self._seen = 0

    def _set_watermark(self, watermark: int) -> None:
        if self._marks is None:
            with self._errors():
                self._collection().modify(metadata={"watermark": watermark})
        else:
            self._marks.connection.execute(
                "INSERT OR REPLACE INTO mark (name, seq) VALUES (?, ?)", (self._name, watermark)
            )
        self._seen = watermark

    def _write(self, changes: Sequence[Change]) -> None:
        """Write changes so that writing the same ones again gives the same entries."""
        for batch in runs_of(changes, most=_BATCH):
            with self._errors():
                self._end(batch)
                self._add([change.added for change in batch if change.added is not None])

    def _end(self, batch: Sequence[Change]) -> None:
        moments = {change.id: change for change in batch}
        collection = self._collection()
        found = collection.get(
            where=cast(Any, {"$and": [{"id": {"$in": list(moments)}}, {"ended": _LIVE}]}),
            include=["metadatas"],
        )
        ended = [
            (seq, {**held, "ended": moments[str(held["id"])].at})
            for seq, held in zip(found["ids"], found["metadatas"] or [], strict=True)
            if int(seq) < moments[str(held["id"])].seq
        ]
        if ended:
            collection.update(ids=[seq for seq, _ in ended], metadatas=[held for _, held in ended])

    def _add(self, entries: Sequence[Entry]) -> None:
        entries = [entry for entry in entries if entry.vector is not None]
        if entries:
            self._collection().upsert(
                ids=[str(entry.seq) for entry in entries],
                embeddings=cast(Any, [_floats(entry.vector or b"") for entry in entries]),
                metadatas=[_held(entry) for entry in entries],
            )


def _create_marks(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE mark (name TEXT PRIMARY KEY, seq INTEGER NOT NULL)")


def _floats(vector: bytes) -> list[float]:
    """Return a vector's numbers; one whose length Chroma could not square in float32 at length 1."""
    numbers: list[float] = [*memoryview(vector).cast("f")]
    length = math.hypot(*numbers)
    if 1 / _SQUARED < length < _SQUARED:
        return numbers
    return [number / length for number in numbers]


def _held(entry: Entry) -> dict[str, str | int]:
    return {
        "id": entry.id,
        "kind": entry.kind,
        "created": entry.created_at,
        "ended": _LIVE,
        "valid_from": -_LIVE if entry.valid_from is None else entry.valid_from,
        "valid_to": _LIVE if entry.valid_to is None else entry.valid_to,
        "metadata": json.dumps(dict(entry.metadata)),
        **{name: getattr(entry.scope, name) for name in SCOPE_FIELDS},
    }


def _entry(seq: int, held: Mapping[str, Any]) -> Entry:
    return Entry(
        seq=seq,
        id=held["id"],
        kind=held["kind"],
        scope=Scope(*(held[name] for name in SCOPE_FIELDS)),
        text="",
        vector=None,
        created_at=held["created"],
        valid_from=held["valid_from"],
        valid_to=held["valid_to"],
        metadata=json.loads(held["metadata"]),
    )


def _where(query: Query) -> dict[str, Any]:
    conditions: list[dict[str, Any]] = []
    for name in SCOPE_FIELDS:
        allowed = getattr(query.view, name)
        if allowed is not None:
            conditions.append({name: {"$in": sorted(allowed)}})
    if query.kinds is not None:
        conditions.append({"kind": {"$in": sorted(query.kinds)}})
    if query.at is None:
        conditions.append({"ended": _LIVE})
    else:
        conditions += [{"created": {"$lte": query.at}}, {"ended": {"$gt": query.at}}]
    if query.valid_at is not None:
        conditions.append({"valid_from": {"$lte": query.valid_at}})
        conditions.append({"valid_to": {"$gt": query.valid_at}})
    return conditions[0] if len(conditions) == 1 else {"$and": conditions}
