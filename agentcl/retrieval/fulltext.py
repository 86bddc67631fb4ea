"""Full-text search: BM25 by SQLite's FTS5, fed with our own terms.

FTS5 was chosen over tantivy by `benchmarks/fulltext.py`. Terms found in many entries are left out of a
query (unless nothing else is left): they cost most of the time, and the ranking is better without.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Collection, Iterable, Sequence
from itertools import accumulate, islice
from pathlib import Path
from typing import Final, cast

from agentcl.errors import SchemaTooNew, StoreCorrupt
from agentcl.memory.database import Database
from agentcl.memory.journal import view_sql
from agentcl.memory.records import Scope
from agentcl.retrieval.analysis import terms
from agentcl.retrieval.index import Change, Entry, Match, Query

logger = logging.getLogger(__name__)

FREQUENT: Final = 0.1  # a term in more than this share of what a query sees is frequent ...
_FREQUENT_FROM: Final = 500  # ... but only among at least this many entries
MOST_SCORED: Final = (
    5_000  # entries that the terms of one query may have together, rarest terms first
)
_MAX_TERMS: Final = 64  # of one query, the rarest ones
_MAX_SCOPES: Final = 64  # more visible scopes than this are tested entry by entry
_TAG_BELOW: Final = 0.25  # of all entries; a tag that more of them have costs more than it saves
_MAX_COUNTED: Final = 50_000  # terms whose counts are kept
_BATCH: Final = 500
_SCHEMA: Final = (
    "CREATE TABLE mark (watermark INTEGER NOT NULL)",
    "INSERT INTO mark VALUES (0)",
    "CREATE TABLE scope (id INTEGER PRIMARY KEY, tenant TEXT, user TEXT, agent TEXT, session TEXT,"
    " live INTEGER NOT NULL DEFAULT 0, past INTEGER NOT NULL DEFAULT 0,"
    " UNIQUE (tenant, user, agent, session))",
    # A past version keeps its entry, with the moment at which it ended.
    "CREATE TABLE entry (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, kind TEXT NOT NULL,"
    " scope INTEGER NOT NULL, created_at INTEGER NOT NULL, ended_at INTEGER, valid_from INTEGER,"
    " valid_to INTEGER, metadata TEXT NOT NULL)",
    "CREATE INDEX entry_id ON entry (id)",
    # Our terms are letters and digits of any script; the ascii tokenizer leaves them whole. `tag`
    # holds "live" or "past" and the scope, so that what a query cannot see need not be scored.
    "CREATE VIRTUAL TABLE words USING fts5 (tag, body, tokenize = 'ascii')",
)
_TABLES: Final = ("words", "entry", "scope", "mark")


def _create(connection: sqlite3.Connection) -> None:
    for statement in _SCHEMA:
        connection.execute(statement)


class FullTextIndex:
    """The contract of `Index` for text, in a folder of its own. A match's score is its BM25.

    A file that is damaged or not ours is deleted with a warning: the journal can rebuild it.

    Args:
        folder: made if absent; the index keeps its one file there.
        busy_timeout_s: how long to wait for another process's write.
        frequent: the share above which a term is frequent; 1 asks for every term, however slow.
    """

    name = "fulltext"

    def __init__(
        self, folder: Path, *, busy_timeout_s: float = 30.0, frequent: float = FREQUENT
    ) -> None:
        self._file = folder / "fulltext.db"
        self._frequent = frequent
        self._lock = threading.Lock()
        self._counted_at = 0  # the watermark at which these were counted
        self._counted: dict[tuple[str, str], int] = {}
        self._busy_timeout_s = busy_timeout_s
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._database = self._open()
        except (StoreCorrupt, SchemaTooNew) as error:
            logger.warning("%s; starting it anew", error)
            self._database = self._replace()

    def watermark(self) -> int:
        """Return the number of the last change applied."""
        return cast(int, self._database.read("SELECT watermark FROM mark")[0][0])

    def apply(self, changes: Sequence[Change], *, watermark: int) -> None:
        """Apply changes and move the watermark, in one transaction."""
        with self._database.write() as connection:
            (held,) = connection.execute("SELECT watermark FROM mark").fetchone()
            for change in changes:
                if change.seq > held:
                    self._change(connection, change)
            if watermark > held:
                connection.execute("UPDATE mark SET watermark = ?", (watermark,))

    def remove(self, ids: Collection[str]) -> None:
        """Take every version of these records away and rewrite the file without their bytes."""
        with self._database.write() as connection:
            for id in ids:
                connection.execute(
                    "DELETE FROM words WHERE rowid IN (SELECT seq FROM entry WHERE id = ?)", (id,)
                )
                connection.execute("DELETE FROM entry WHERE id = ?", (id,))
            connection.execute("DELETE FROM scope WHERE id NOT IN (SELECT scope FROM entry)")
            connection.execute(
                "UPDATE scope SET (live, past) = (SELECT coalesce(sum(ended_at IS NULL), 0),"
                " coalesce(sum(ended_at IS NOT NULL), 0) FROM entry WHERE scope = scope.id)"
            )
            self._counted = {}
            # FTS5 only notes a deletion; merging all its segments is what takes the terms away.
            connection.execute("INSERT INTO words (words) VALUES ('optimize')")
        self._database.compact()

    def search(self, query: Query, *, limit: int) -> list[Match]:
        """Return the entries with the highest BM25 for the query's terms."""
        expression = self._expression(query)
        if expression is None:
            return []
        matches: list[Match] = []
        wanted = limit
        while True:
            ranked = self._database.read(
                "SELECT rowid, -bm25(words, 0.0, 1.0) AS score FROM words WHERE words MATCH ?"
                " ORDER BY score DESC, rowid LIMIT ?",
                (expression, wanted),
            )
            scores = cast(list[tuple[int, float]], ranked)
            admitted = self._admitted([seq for seq, _ in scores], query)
            matches = [Match(seq, admitted[seq], score) for seq, score in scores if seq in admitted]
            if len(matches) >= limit or len(scores) < wanted:
                return matches[:limit]
            wanted *= 4

    def live_seqs(self) -> Iterable[int]:
        """Return the numbers of all live entries that full text holds."""
        rows = self._database.read(
            "SELECT e.seq FROM entry AS e JOIN words AS w ON w.rowid = e.seq"
            " WHERE e.ended_at IS NULL"
        )
        return [cast(int, row[0]) for row in rows]

    def rebuild(self, changes: Iterable[Change], *, watermark: int) -> None:
        """Forget everything, then apply `changes`, in one transaction; a damaged file is replaced."""
        try:
            self._refill(changes, watermark)
        except StoreCorrupt as error:
            # `changes` may be used up, so the caller comes again: the watermark is 0 now.
            logger.warning("%s; starting it anew", error)
            self._database = self._replace()
            raise

    def reset(self) -> None:
        """Delete the file and start empty, with watermark 0."""
        self._database = self._replace()

    def close(self) -> None:
        """Close the file; calling it twice is allowed."""
        self._database.close()

    def _open(self) -> Database:
        return Database(
            self._file,
            busy_timeout_s=self._busy_timeout_s,
            durability="normal",
            migrations=(_create,),
            remedy="Run `agentcl reindex`: the journal holds everything that was in it",
        )

    def _replace(self) -> Database:
        if hasattr(self, "_database"):
            self._database.close()
        for suffix in ("", "-wal", "-shm"):
            self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)
        return self._open()

    def _refill(self, changes: Iterable[Change], watermark: int) -> None:
        with self._database.write() as connection:
            for table in _TABLES:
                connection.execute(f"DROP TABLE {table}")
            _create(connection)
            for change in changes:
                self._change(connection, change)
            connection.execute("UPDATE mark SET watermark = ?", (watermark,))

    def _change(self, connection: sqlite3.Connection, change: Change) -> None:
        ended = connection.execute(
            "SELECT seq, scope FROM entry WHERE id = ? AND ended_at IS NULL", (change.id,)
        ).fetchone()
        if ended is not None:
            seq, scope = ended
            connection.execute("UPDATE entry SET ended_at = ? WHERE seq = ?", (change.at, seq))
            connection.execute(
                "UPDATE words SET tag = ? WHERE rowid = ?", (f"past scope{scope}", seq)
            )
            connection.execute(
                "UPDATE scope SET live = live - 1, past = past + 1 WHERE id = ?", (scope,)
            )
        if change.added is not None:
            self._add(connection, change.added)

    def _add(self, connection: sqlite3.Connection, entry: Entry) -> None:
        scope = self._scope_id(connection, entry.scope)
        connection.execute(
            "INSERT INTO entry VALUES (?, ?, ?, ?, ?, NULL, ?, ?, ?)",
            (
                entry.seq,
                entry.id,
                entry.kind,
                scope,
                entry.created_at,
                entry.valid_from,
                entry.valid_to,
                json.dumps(dict(entry.metadata)),
            ),
        )
        connection.execute(
            "INSERT INTO words (rowid, tag, body) VALUES (?, ?, ?)",
            (entry.seq, f"live scope{scope}", " ".join(terms(entry.text))),
        )
        connection.execute("UPDATE scope SET live = live + 1 WHERE id = ?", (scope,))

    def _scope_id(self, connection: sqlite3.Connection, scope: Scope) -> int:
        fields = (scope.tenant, scope.user, scope.agent, scope.session)
        found = connection.execute(
            "SELECT id FROM scope WHERE tenant = ? AND user = ? AND agent = ? AND session = ?",
            fields,
        ).fetchone()
        if found is not None:
            return int(found[0])
        cursor = connection.execute(
            "INSERT INTO scope (tenant, user, agent, session) VALUES (?, ?, ?, ?)", fields
        )
        return int(cursor.lastrowid or 0)

    def _expression(self, query: Query) -> str | None:
        """Return the FTS5 expression of a query, or None when nothing can match it."""
        words = list(dict.fromkeys(terms(query.text)))
        tags, seen = self._tags(query)
        if not words or not seen:
            return None
        prefix = f"tag : ({' AND '.join(tags)}) AND " if tags else ""
        telling = self._telling(words, prefix, seen)
        if not telling:
            return None
        body = " OR ".join(f'"{word}"' for word in telling)
        return f"{prefix}body : ({body})"

    def _tags(self, query: Query) -> tuple[list[str], int]:
        """Return the tags worth asking for, and how many entries the query sees through them."""
        condition, parameters = view_sql(query.view)
        rows = self._database.read(
            f"SELECT s.id, s.live, s.past, {condition} FROM scope AS s", parameters
        )
        scopes = cast(list[tuple[int, int, int, int]], rows)
        visible = [(id, live, past) for id, live, past, is_seen in scopes if is_seen]
        everything = sum(live + past for _, live, past, _ in scopes)
        live = sum(live for _, live, _ in visible)
        seen = live + sum(past for _, _, past in visible)
        tags = []
        if query.at is None and live < _TAG_BELOW * seen:
            tags.append("live")
        if seen < _TAG_BELOW * everything and len(visible) <= _MAX_SCOPES:
            tags.append("(" + " OR ".join(f'"scope{id}"' for id, _, _ in visible) + ")")
        return tags, live if "live" in tags else seen

    def _telling(self, words: list[str], prefix: str, seen: int) -> list[str]:
        """Return the terms worth asking for, rarest first: those that occur, few of them often.

        Counting stops where a term is frequent, and scoring is bounded: both are what FTS5 spends its
        time on.
        """
        most = MOST_SCORED
        if seen >= _FREQUENT_FROM:
            most = min(most, int(self._frequent * seen))
        sql = f"SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT {most + 1})"
        each = self._counts(sql, [f'{prefix}body : "{word}"' for word in words])
        counts = dict(zip(words, each, strict=True))
        found = sorted((word for word in words if counts[word]), key=lambda word: counts[word])
        if self._frequent >= 1:
            return found[:_MAX_TERMS]
        telling = [word for word in found if counts[word] <= most] or found
        scored = list(accumulate(counts[word] for word in telling))
        return [
            word
            for word, total in zip(telling, scored, strict=True)
            if total <= MOST_SCORED or word == telling[0]
        ][:_MAX_TERMS]

    def _counts(self, sql: str, expressions: Sequence[str]) -> list[int]:
        """Return what a query counts for each expression; as long as nothing changes, it is asked once."""
        mark = self.watermark()
        with self._lock:
            if mark != self._counted_at or len(self._counted) > _MAX_COUNTED:
                self._counted_at, self._counted = mark, {}
            counted = self._counted
        found = []
        for expression in expressions:
            key = (sql, expression)
            if key not in counted:
                counted[key] = cast(int, self._database.read(sql, (expression,))[0][0])
            found.append(counted[key])
        return found

    def _admitted(self, seqs: Sequence[int], query: Query) -> dict[int, str]:
        """Return the ids of those entries that the query lets through, by number."""
        where, parameters = view_sql(query.view)
        if query.at is None:
            where += " AND e.ended_at IS NULL"
        else:
            where += " AND e.created_at <= ? AND (e.ended_at IS NULL OR e.ended_at > ?)"
            parameters += [query.at, query.at]
        if query.valid_at is not None:
            where += " AND (e.valid_from IS NULL OR e.valid_from <= ?)"
            where += " AND (e.valid_to IS NULL OR e.valid_to > ?)"
            parameters += [query.valid_at, query.valid_at]
        if query.kinds is not None:
            where += f" AND e.kind IN ({', '.join('?' * len(query.kinds))})"
            parameters += sorted(query.kinds)
        admitted: dict[int, str] = {}
        iterator = iter(seqs)
        while some := list(islice(iterator, _BATCH)):
            marks = ", ".join("?" * len(some))
            rows = self._database.read(
                "SELECT e.seq, e.id, e.metadata FROM entry AS e JOIN scope AS s ON s.id = e.scope"
                f" WHERE e.seq IN ({marks}) AND {where}",
                (*some, *parameters),
            )
            for seq, id, metadata in cast(list[tuple[int, str, str]], rows):
                own = json.loads(metadata) if query.conditions else {}
                if all(condition.holds(own) for condition in query.conditions):
                    admitted[seq] = id
        return admitted
