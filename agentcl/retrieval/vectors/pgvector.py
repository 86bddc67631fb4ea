"""Dense search by pgvector, in the database that a memory is kept in: one index for all machines.

It has a schema of its own beside the journal's, with the same walls between tenants, and can be dropped at any time.
Vectors are kept at length 1, so that a product is a cosine.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.types import TypeInfo

from agentcl.errors import MemoryClosed, StoreUnavailable
from agentcl.retrieval.index import Change, Match, Query, runs_of
from agentcl.retrieval.vectors.pgvector_tables import (
    FAULTY,
    FOREVER,
    MAKE,
    MAKE_ENTRIES,
    PLACE,
    SentVector,
    UnitVector,
    find_extension,
    graph_sql,
    insert_sql,
    mark_sql,
    row_of,
    unit_vector,
    units_of,
    where_sql,
)
from agentcl.store.postgres.address import Address
from agentcl.store.postgres.connecting import Connector, Link, key_of, let_go
from agentcl.store.postgres.failures import translate
from agentcl.store.postgres.opening import WHOLE, WHOLE_SQL, make_schema
from agentcl.store.postgres.pool import Pool
from agentcl.store.postgres.schema import settings_of, vectors_schema
from agentcl.store.records import ScopeView
from agentcl.store.sql.tables import EVERYBODY

logger = logging.getLogger(__name__)
GRAPH_FROM: Final = 20_000  # entries that have a graph: chosen, and not yet measured to the end (`benchmarks/pgvector_search.py`)
# Entries that a query may see: so many are compared in full, so that nothing is missed
EXACT_BELOW: Final = 10_000
_MOST_DIM: Final = 4_000  # of half precision that pgvector's graph takes
_FOUND: Final = 400  # entries that the graph is asked for at the least, to be compared in full ...
_MOST_FOUND: Final = 1_000  # ... and at the most
_BATCH: Final = 500
_CACHED_COUNTS: Final = 64
_Answer = list[tuple[Any, ...]]


class PgvectorIndex:
    """The contract of `Index` for vectors. A score is a cosine.

    What few entries can answer is compared in full. Of more, an HNSW graph of half precision finds candidates, which
    are then compared in full. The graph holds what is live; the past is always compared in full. Conditions on metadata
    are tested here, on as many of the best entries as it takes.

    Args:
        address: of the memory's database.
        epoch: of its vectors; the entries of earlier ones are dropped.
        graph_from: how many entries have a graph.
        exact_below: how many entries, of those that a query may see, are compared in full though there is one.

    Raises:
        ConfigError: if the server has no pgvector, or an old one; it says what to do.
        StoreUnavailable: if the database cannot be used.
    """

    name = "pgvector"

    def __init__(
        self,
        address: Address,
        *,
        epoch: int = 0,
        graph_from: int = GRAPH_FROM,
        exact_below: int = EXACT_BELOW,
    ) -> None:
        self._address = address
        self._epoch = epoch
        self._graph_from = graph_from
        self._exact_below = exact_below
        self._schema = vectors_schema(address.schema)
        self._table = f"entry_{epoch}"
        self._seen = -1  # the watermark that these two are of:
        self._graph: int | None = None  # the dimension of its vectors; None for no graph
        self._counts: dict[object, int] = {}  # how many entries a query may see
        self._is_closed = False
        self._connector = Connector(address, read_only=False)
        self._pool = Pool(self._connect)
        with self._errors():
            link = self._connector.connect()
            try:
                self._open(link)
            finally:
                link.close()

    def watermark(self) -> int:
        """Return the number of the last change applied."""
        (found,) = self._ask(EVERYBODY, (mark_sql(), (self._epoch,)))
        return self._noted(found)[0]

    def apply(self, changes: Sequence[Change], *, watermark: int, since: int = 0) -> None:
        """Apply changes and move the watermark, in one transaction."""
        with self._writing() as link:
            held, entries, dim, has_graph = self._noted(
                link.execute(mark_sql(locked=True), (self._epoch,)).fetchall()
            )
            if not since <= held < watermark:
                return
            fresh = [change for change in changes if change.seq > held]
            added, dim = self._write(link, self._table, fresh, dim)
            link.execute(
                "UPDATE mark SET seq = %s, entries = entries + %s, dim = %s WHERE epoch = %s",
                (watermark, added, dim, self._epoch),
            )
        if not has_graph and entries + added >= self._graph_from:
            self._make_graph()

    def rebuild(self, changes: Iterable[Change], *, watermark: int) -> None:
        """Forget everything, then apply `changes`; others search what was there until it is done."""
        fresh, entries, dim = f"fresh_{self._epoch}", 0, None
        known: set[str] = set()
        with self._writing() as link:
            self._noted(link.execute(mark_sql(locked=True), (self._epoch,)).fetchall())
            link.execute(f"DROP TABLE IF EXISTS {fresh}".encode())
            link.execute(MAKE_ENTRIES.format(name=fresh).encode())
            iterator = iter(changes)
            while batch := list(islice(iterator, _BATCH)):
                added, dim = self._write(link, fresh, batch, dim, known)
                entries += added
            has_graph = dim is not None and dim <= _MOST_DIM and entries >= self._graph_from
            if has_graph:
                link.execute(graph_sql(fresh, dim))
            link.execute(f"DROP TABLE IF EXISTS {self._table}".encode())
            link.execute(f"ALTER TABLE {fresh} RENAME TO {self._table}".encode())
            link.execute(
                "UPDATE mark SET seq = %s, entries = %s, dim = %s, has_graph = %s WHERE epoch = %s",
                (watermark, entries, dim, has_graph, self._epoch),
            )
        with self._lent() as link:
            link.execute(f"ANALYZE {self._table}".encode())

    def remove(self, ids: Collection[str]) -> None:
        """Take every version of these records away; `clear` lets the database use their room again."""
        with self._writing() as link:
            link.execute(f"DELETE FROM {self._table} WHERE id = ANY(%s)".encode(), (list(ids),))
        self._counts.clear()

    def clear(self) -> None:
        """Take what was removed out of the table and its graph."""
        with self._lent() as link:
            link.execute("SET statement_timeout TO 0")
            try:
                link.execute(f"VACUUM {self._table}".encode())
            finally:
                link.execute("RESET statement_timeout")

    def live_seqs(self) -> Iterable[int]:
        """Return the numbers of all live entries."""
        asked = f"SELECT seq FROM {self._table} WHERE ended = {FOREVER}"
        (found,) = self._ask(EVERYBODY, (asked, ()))
        return [int(seq) for (seq,) in found]

    def search(self, query: Query, *, limit: int) -> list[Match]:
        """Return the entries of the highest cosine, as far as the graph finds them."""
        if query.vector is None:
            return []
        wanted = unit_vector(units_of([query.vector])[0])
        dim = self._graph if query.at is None else None
        if dim is not None and self._visible(query) > self._exact_below:
            best = self._near(query, wanted, limit, dim)
            if len(best) == limit:
                return best
        return self._exactly(query, wanted, limit)

    def close(self) -> None:
        """Close the connections; calling it twice is allowed."""
        self._is_closed = True
        self._pool.close()

    # Reading

    def _visible(self, query: Query) -> int:
        """Return how many entries a query may see, or that they are many; conditions and validity left aside."""
        key = query.view, query.kinds
        if key not in self._counts:
            where, values = where_sql(replace(query, valid_at=None))
            asked = f"SELECT count(*) FROM (SELECT 1 FROM {self._table} WHERE {where} LIMIT {self._exact_below + 1}) AS visible"
            (((count,),),) = self._ask(query.view, (asked, values))
            if len(self._counts) >= _CACHED_COUNTS:
                self._counts.clear()
            self._counts[key] = int(count)
        return self._counts[key]

    def _near(self, query: Query, wanted: UnitVector, limit: int, dim: int) -> list[Match]:
        """Return the best of what the graph finds; it may find less than there is."""
        where, values = where_sql(query)
        # A condition may refuse most of it.
        found = _MOST_FOUND if query.conditions else min(max(_FOUND, 2 * limit), _MOST_FOUND)
        asked = (
            f"SELECT seq, id, metadata, -(v <#> %s) AS score FROM (SELECT seq, id, metadata, v FROM {self._table}"
            f" WHERE {where} ORDER BY v::vector({dim})::halfvec({dim}) <#> %s::vector({dim})::halfvec({dim})"
            f" LIMIT {found}) AS near ORDER BY score DESC, seq"
        )
        told = "SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', %s, true)"
        _, rows = self._ask(query.view, (told, (str(found),)), (asked, (wanted, *values, wanted)))
        return list(islice(_admitted(rows, query), limit))

    def _exactly(self, query: Query, wanted: UnitVector, limit: int) -> list[Match]:
        """Compare all that a query may see; where conditions refuse much of it, more and more of the best."""
        where, values = where_sql(query)
        asked = f"SELECT seq, id, metadata, -(v <#> %s) AS score FROM {self._table} WHERE {where} ORDER BY score DESC, seq LIMIT %s"
        count = 4 * limit if query.conditions else limit
        while True:
            (rows,) = self._ask(query.view, (asked, (wanted, *values, count)))
            best = list(islice(_admitted(rows, query), limit))
            if len(best) == limit or len(rows) < count:
                return best
            count *= 8

    def _ask(self, view: ScopeView, *asked: tuple[str, Sequence[object]]) -> list[_Answer]:
        """Run queries in one transaction that says whose rows it is about; one turn to the server and back."""
        with self._lent() as link:
            with link.pipeline():
                link.execute(WHOLE_SQL, settings_of(view))
                sent = [link.execute(text.encode(), values) for text, values in asked]
            return [one.fetchall() for one in sent]

    def _noted(self, found: _Answer) -> tuple[int, int, int | None, bool]:
        """Return a mark: watermark, entries, dimension, and whether there is a graph."""
        if not found:
            raise StoreUnavailable(
                f"another process replaced all vectors of {self._address}; search again"
            )
        ((seq, entries, dim, has_graph),) = found
        self._graph = dim if has_graph else None
        if seq != self._seen:
            self._counts.clear()
            self._seen = seq
        return seq, entries, dim, has_graph

    # Writing

    def _write(
        self,
        link: Link,
        table: str,
        changes: Sequence[Change],
        dim: int | None,
        known: set[str] | None = None,
    ) -> tuple[int, int | None]:
        """Write changes in a transaction; return how many entries they add, and the dimension.

        `known` are the records that the table has, and those that come to it; None if that is not known.
        """
        count = 0
        # The table may have grown a thousandfold since a plan was made, so each batch has its own.
        end = (
            f"UPDATE {table} AS t SET ended = c.at FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS c (id, at, seq)"
            f" WHERE t.id = c.id AND t.ended = {FOREVER} AND t.seq < c.seq"
        )
        for batch in runs_of(changes, most=_BATCH):
            ends = [change for change in batch if known is None or change.id in known]
            if ends:
                given = ([c.id for c in ends], [c.at for c in ends], [c.seq for c in ends])
                link.execute(end.encode(), given, prepare=False)
            if known is not None:
                known.update(change.id for change in batch)
            entries = [c.added for c in batch if c.added is not None and c.added.vector is not None]
            if not entries:
                continue
            units = units_of([entry.vector or b"" for entry in entries])
            dim = dim or units.shape[1]
            # Not by COPY, which knows no walls.
            rows = [row_of(entry, unit) for entry, unit in zip(entries, units, strict=True)]
            link.cursor().executemany(insert_sql(table), rows)
            count += len(entries)
        return count, dim

    def _make_graph(self) -> None:
        """Make the graph; others go on, and search without it meanwhile."""
        key = key_of("pgvector", self._address.schema, "graph")
        with self._lent() as link:
            if link.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchone() != (True,):
                return  # somebody is at it
            try:
                link.execute("SET statement_timeout TO 0")
                (found,) = self._ask(EVERYBODY, (mark_sql(), (self._epoch,)))
                _, entries, dim, has_graph = self._noted(found)
                if has_graph or dim is None or dim > _MOST_DIM:
                    return
                graphs = link.execute(FAULTY, (self._table,)).fetchall()
                for name, is_valid in graphs:
                    if not is_valid:  # who made it was killed
                        link.execute(f"DROP INDEX {name}".encode())
                if not any(is_valid for _, is_valid in graphs):
                    logger.info("making a graph of %d vectors in %s", entries, self._address)
                    link.execute(graph_sql(self._table, dim, how="CONCURRENTLY"))
                with link.transaction():
                    link.execute(WHOLE_SQL, WHOLE)
                    link.execute(
                        "UPDATE mark SET has_graph = true WHERE epoch = %s", (self._epoch,)
                    )
                self._graph = dim
            finally:
                unlock = sql.SQL("SELECT pg_advisory_unlock(%s)")
                let_go(link, (sql.SQL("RESET statement_timeout"), ()), (unlock, (key,)))

    @contextmanager
    def _writing(self) -> Iterator[Link]:
        """Yield a connection in a transaction that is about everybody."""
        with self._lent() as link, link.transaction():
            link.execute("SET LOCAL statement_timeout TO 0")
            link.execute(WHOLE_SQL, WHOLE)
            yield link

    # Connections

    def _open(self, link: Link) -> None:
        """Make the tables that are not there, and drop those of earlier epochs."""
        find_extension(link, self._address)
        with link.transaction():
            link.execute("SELECT pg_advisory_xact_lock(%s)", (key_of("pgvector", self._schema),))
            if link.execute("SELECT to_regnamespace(%s)", (self._schema,)).fetchone() == (None,):
                make_schema(link, self._schema)
            self._find_names(link)
            link.execute(WHOLE_SQL, WHOLE)
            mark = f"{self._schema}.mark"  # not one of another schema that is looked through
            if link.execute("SELECT to_regclass(%s)", (mark,)).fetchone() == (None,):
                link.execute(MAKE.encode())
            made = "INSERT INTO mark VALUES (%s, 0, 0, NULL, false) ON CONFLICT DO NOTHING"
            if link.execute(made, (self._epoch,)).rowcount:
                link.execute(MAKE_ENTRIES.format(name=self._table).encode())
            old = link.execute("DELETE FROM mark WHERE epoch < %s RETURNING epoch", (self._epoch,))
            for (epoch,) in old.fetchall():
                link.execute(f"DROP TABLE IF EXISTS entry_{epoch}".encode())

    def _connect(self) -> Link:
        link = self._connector.connect()
        try:
            self._find_names(link)
        except BaseException:
            link.close()
            raise
        return link

    def _find_names(self, link: Link) -> None:
        """Let a connection find the tables and the extension, and send vectors as numbers."""
        (place,) = link.execute(PLACE).fetchone() or ("public",)
        path = sql.SQL("SET search_path TO {}, {}")
        link.execute(path.format(sql.Identifier(self._schema), sql.Identifier(place)))
        info = TypeInfo.fetch(link, "vector")
        assert info is not None
        info.register(link)
        link.adapters.register_dumper(UnitVector, type("Sent", (SentVector,), {"oid": info.oid}))

    @contextmanager
    def _lent(self) -> Iterator[Link]:
        if self._is_closed:
            raise MemoryClosed(f"the index of {self._address} is closed")
        with self._errors():
            link = self._pool.take()
            try:
                yield link
            finally:
                self._pool.give_back(link)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            self._pool.drop_idle()  # the server may be another one by now
            raise translate(error, self._address) from error


def _admitted(rows: _Answer, query: Query) -> Iterator[Match]:
    """Yield what the conditions admit."""
    for seq, id, metadata, score in rows:
        held = json.loads(metadata) if query.conditions else {}
        if all(condition.holds(held) for condition in query.conditions):
            yield Match(int(seq), str(id), float(score))
