"""Full-text search: BM25 by SQLite's FTS5, fed with our own terms.

FTS5 was chosen over tantivy by `benchmarks/fulltext.py`. Terms found in many entries are left out of a
query (unless nothing else is left): they cost most of the time, and the ranking is better without. So are
the function words of a question, which in a conversation are rare enough to be taken for what it is about.
A query without a word ("%") is looked up among the signs of entries.

Where there are entries that a query may not see, its scores are computed anew without them (`weighing`).
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final, NamedTuple, cast

from agentcl.errors import SchemaTooNew, StoreCorrupt
from agentcl.retrieval.index import Change, Entry, Match, Query
from agentcl.retrieval.words.counting import FREQUENT, MAX_TERMS, Look, TermCounts, phrase
from agentcl.retrieval.words.weighing import Having, size_of, weighed
from agentcl.store.records import Scope
from agentcl.store.sql.conditions import view_sql
from agentcl.store.sql.tables import STEP_S
from agentcl.store.sqlite.database import Database
from agentcl.text.function_words import content_terms
from agentcl.text.identifiers import FORMS, Identifiers
from agentcl.text.paths import check_path
from agentcl.text.saving import create, make_folder
from agentcl.text.terms import ANALYSIS, indexed_terms, signs, terms, written_otherwise

logger = logging.getLogger(__name__)

_BATCH: Final = 200  # changes looked at together
_MERGED: Final = 150  # pages of 4 kB that FTS5 writes in one step of a merge
_SEGMENT: Final = 37  # bits that a segment's number is above its pages'
_LAYOUT: Final = 2  # raise it with every change of the tables
_Ranked = tuple[int, float, str | None, str | None]  # seq, BM25; id and metadata if let through
_SCHEMA: Final = (
    # `gone` counts entries that were removed and whose words are still there, `gone_size` their terms.
    "CREATE TABLE mark (watermark INTEGER NOT NULL, gone INTEGER NOT NULL DEFAULT 0,"
    " gone_size INTEGER NOT NULL DEFAULT 0)",
    "INSERT INTO mark (watermark) VALUES (0)",
    "CREATE TABLE scope (id INTEGER PRIMARY KEY, tenant TEXT, user TEXT, agent TEXT, session TEXT,"
    " live INTEGER NOT NULL DEFAULT 0, past INTEGER NOT NULL DEFAULT 0,"
    " size INTEGER NOT NULL DEFAULT 0,"
    " UNIQUE (tenant, user, agent, session))",
    # A past version keeps its entry, with the moment at which it ended.
    "CREATE TABLE entry (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, kind TEXT NOT NULL,"
    " scope INTEGER NOT NULL, created_at INTEGER NOT NULL, ended_at INTEGER, valid_from INTEGER,"
    " valid_to INTEGER, metadata TEXT NOT NULL, signs TEXT NOT NULL, size INTEGER NOT NULL)",
    "CREATE INDEX entry_id ON entry (id)",
    "CREATE INDEX entry_signs ON entry (signs, seq) WHERE signs <> ''",
    # Our terms have nothing of ASCII but letters and digits; the ascii tokenizer leaves them whole. `tag`
    # holds "live" or "past" and the scope, so that what a query cannot see need not be scored.
    "CREATE VIRTUAL TABLE words USING fts5 (tag, body, tokenize = 'ascii')",
    # Identifiers as they stand. They are no terms: a text with many would count as a long one.
    "CREATE TABLE identifier (key INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (key, seq)) WITHOUT ROWID",
    "CREATE INDEX identifier_seq ON identifier (seq)",
)
_TABLES: Final = ("identifier", "words", "entry", "scope", "mark")


# Entries with some of the keys in a JSON list; their score is how many of them they have.
_BY_KEYS: Final = (
    "SELECT seq, count(*) AS score FROM identifier"
    " WHERE key IN (SELECT value FROM json_each(?)) GROUP BY seq"
)
_BY_WORDS: Final = (
    "SELECT rowid AS seq, -bm25(words, 0.0, 1.0) AS score FROM words WHERE words MATCH ?"
)


class _Asked(NamedTuple):
    """A query for entries' `seq` and `score`, and its parameters."""

    sql: str
    parameters: tuple[object, ...]


def _create(connection: sqlite3.Connection) -> None:
    """Make the tables, empty. Terms of an earlier analysis are dropped, so that the index is filled anew."""
    for table in _TABLES:
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    for statement in _SCHEMA:
        connection.execute(statement)


class FullTextIndex:
    """The contract of `Index` for text, in a folder of its own. A match's score is its BM25.

    A file that is damaged or not ours is deleted with a warning: the journal can rebuild it.

    Args:
        folder: made if absent; the index keeps its one file there.
        mode: of that file; default: as the umask leaves it.
        busy_timeout_s: how long to wait for another process's write.
        frequent: the share above which a term is frequent; 1 asks for every term, however slow,
            function words as well.

    Raises:
        InvalidInput: if `folder` is no path.
    """

    name = "fulltext"

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        busy_timeout_s: float = 30.0,
        frequent: float = FREQUENT,
        mode: int | None = None,
    ) -> None:
        folder = check_path(folder, "folder")
        self._file = folder / "fulltext.db"
        self._frequent = frequent
        self._busy_timeout_s = busy_timeout_s
        self._mode = mode
        make_folder(folder)
        try:
            self._open()
        except (StoreCorrupt, SchemaTooNew) as error:
            logger.warning("%s; starting it anew", error)
            self._replace()

    def watermark(self) -> int:
        """Return the number of the last change applied; 0, which fills it anew, if the file has none."""
        (mark,) = next(iter(self._database.read("SELECT watermark FROM mark")), (0,))
        return mark if type(mark) is int and mark >= 0 else 0

    def apply(self, changes: Sequence[Change], *, watermark: int, since: int = 0) -> None:
        """Apply changes and move the watermark, in one transaction."""
        with self._database.write() as connection:
            (held,) = connection.execute("SELECT watermark FROM mark").fetchone()
            if since <= held < watermark:
                self._apply(connection, (change for change in changes if change.seq > held))
                connection.execute("UPDATE mark SET watermark = ?", (watermark,))

    def remove(self, ids: Collection[str]) -> None:
        """Take every version of these records away, in steps that leave others their turns.

        Their terms and identifiers stay in the file, and lead to nothing, until `clear` is called.
        """
        left = list(ids)
        while left:
            some, left = left[:_BATCH], left[_BATCH:]
            with self._database.write() as connection:
                begun = time.monotonic()
                self._remove(connection, some)
            self._counts.forget()
            if left:
                self._database.rest(begun)

    def clear(self) -> None:
        """Clear the bytes of what was removed, in steps that leave others their turns.

        FTS5 only notes a deletion. What takes the terms away is to merge the segments that there are.
        """
        self._delete_words()
        old = None  # segments that were there at the beginning
        pages = -_MERGED  # a negative number begins a merge of all segments
        while old is None or old:
            with self._database.write() as connection:
                begun = time.monotonic()
                old = _segments(connection) if old is None else old
                before = connection.total_changes
                connection.execute("INSERT INTO words (words, rank) VALUES ('merge', ?)", (pages,))
                is_idle = connection.total_changes - before < 2
                old &= _segments(connection)
            if is_idle and pages < 0:
                break  # a single segment
            pages = -_MERGED if is_idle else _MERGED
            self._database.rest(begun)
        self._database.clear_leftovers(is_derived=True)

    def search(self, query: Query, *, limit: int) -> list[Match]:
        """Return the entries with the highest BM25 for the query's terms."""
        asked = self._asked(query)
        if asked is None:
            return []
        wanted = limit
        while True:
            ranked = self._ranked(query, asked, wanted)
            matches = [
                Match(seq, id, score)
                for seq, score, id, metadata in ranked
                if id is not None and (metadata is None or _holds(query, metadata))
            ]
            if len(matches) >= limit or len(ranked) < wanted:
                return matches[:limit]
            wanted *= 4

    def weights(self, query: Query) -> dict[str, float]:
        """Return how telling each term of a query is, which is its idf among what the query sees.

        Terms that nothing has are left out. What a search has counted is not counted again.
        """
        return self._counts.look(query).weights(content_terms(query.text)[:MAX_TERMS])

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
            self._replace()
            raise

    def reset(self) -> None:
        """Delete the file and start empty, with watermark 0."""
        self._replace()

    def close(self) -> None:
        """Close the file; calling it twice is allowed."""
        self._database.close()

    def _open(self) -> None:
        if self._mode is not None:
            with suppress(FileExistsError), create(self._file, mode=self._mode):
                pass
        self._database = Database(
            self._file,
            busy_timeout_s=self._busy_timeout_s,
            durability="normal",
            migrations=(_create,) * (ANALYSIS + FORMS + _LAYOUT),
            remedy="Run `agentcl reindex`: the journal holds everything that was in it",
        )
        self._counts = TermCounts(self._database, frequent=self._frequent)

    def _replace(self) -> None:
        if hasattr(self, "_database"):
            self._database.close()
        for suffix in ("", "-wal", "-shm"):
            self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)
        self._open()

    def _refill(self, changes: Iterable[Change], watermark: int) -> None:
        with self._database.write() as connection:
            _create(connection)
            self._apply(connection, changes)
            connection.execute("UPDATE mark SET watermark = ?", (watermark,))

    def _apply(self, connection: sqlite3.Connection, changes: Iterable[Change]) -> None:
        iterator = iter(changes)
        while some := list(islice(iterator, _BATCH)):
            ids = list({change.id for change in some})
            added = [change.added for change in some if change.added is not None]
            is_live = f"ended_at IS NULL AND id IN ({', '.join('?' * len(ids))})"
            found = connection.execute(f"SELECT 1 FROM entry WHERE {is_live} LIMIT 1", ids)
            if len(added) == len(ids) == len(some) and found.fetchone() is None:
                self._add(connection, added)
            else:
                for change in some:
                    self._change(connection, change)

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
            self._add(connection, [change.added])

    def _add(self, connection: sqlite3.Connection, entries: Sequence[Entry]) -> None:
        """Take up entries as live ones; none of their records may have one."""
        scopes = {
            scope: self._scope_id(connection, scope)
            for scope in dict.fromkeys(entry.scope for entry in entries)
        }
        read = [Identifiers(entry.text) for entry in entries]
        bodies = [
            " ".join([*indexed_terms(entry.text), *found.part_terms()])
            for entry, found in zip(entries, read, strict=True)
        ]
        sizes = [size_of(body) for body in bodies]
        connection.executemany(
            "INSERT INTO entry VALUES (?, ?, ?, ?, ?, NULL, ?, ?, ?, ?, ?)",
            (
                (
                    entry.seq,
                    entry.id,
                    entry.kind,
                    scopes[entry.scope],
                    entry.created_at,
                    entry.valid_from,
                    entry.valid_to,
                    json.dumps(dict(entry.metadata)),
                    signs(entry.text),
                    size,
                )
                for entry, size in zip(entries, sizes, strict=True)
            ),
        )
        connection.executemany(
            "INSERT INTO words (rowid, tag, body) VALUES (?, ?, ?)",
            (
                (entry.seq, f"live scope{scopes[entry.scope]}", body)
                for entry, body in zip(entries, bodies, strict=True)
            ),
        )
        connection.executemany(
            "INSERT INTO identifier VALUES (?, ?)",
            (
                (key, entry.seq)
                for entry, found in zip(entries, read, strict=True)
                for key in found.held_keys()
            ),
        )
        connection.executemany(
            "UPDATE scope SET live = live + 1, size = size + ? WHERE id = ?",
            [(size, scopes[entry.scope]) for entry, size in zip(entries, sizes, strict=True)],
        )

    def _delete_words(self) -> None:
        """Delete the terms and identifiers of what has no entry any more."""
        left = self._database.read(
            "SELECT id FROM words_docsize WHERE id NOT IN (SELECT seq FROM entry)"
        )
        while left:
            with self._database.write() as connection:
                begun = time.monotonic()
                while left and time.monotonic() < begun + STEP_S:
                    self._delete_words_of(connection, left.pop())
            self._counts.forget()
            self._database.rest(begun)

    def _delete_words_of(self, connection: sqlite3.Connection, seq: tuple[object, ...]) -> None:
        for (body,) in connection.execute("SELECT body FROM words WHERE rowid = ?", seq).fetchall():
            connection.execute("DELETE FROM words WHERE rowid = ?", seq)
            connection.execute("DELETE FROM identifier WHERE seq = ?", seq)
            connection.execute(
                "UPDATE mark SET gone = gone - 1, gone_size = gone_size - ?", (size_of(body),)
            )

    def _remove(self, connection: sqlite3.Connection, ids: Sequence[str]) -> None:
        are_these = f"id IN ({', '.join('?' * len(ids))})"
        counts = connection.execute(
            "SELECT sum(ended_at IS NULL), sum(ended_at IS NOT NULL), sum(size), scope FROM entry"
            f" WHERE {are_these} GROUP BY scope",
            ids,
        ).fetchall()
        connection.execute(f"DELETE FROM entry WHERE {are_these}", ids)
        connection.executemany(
            "UPDATE scope SET live = live - ?, past = past - ?, size = size - ? WHERE id = ?",
            counts,
        )
        connection.executemany(
            "UPDATE mark SET gone = gone + ?, gone_size = gone_size + ?",
            [(live + past, size) for live, past, size, _ in counts],
        )
        connection.executemany(
            "DELETE FROM scope WHERE id = ? AND live + past = 0", [row[3:] for row in counts]
        )

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

    def _asked(self, query: Query) -> _Asked | None:
        """Return which entries a query is about, or None when nothing can match it."""
        if query.identifiers:
            return _Asked(_BY_KEYS, (json.dumps(query.identifiers),))
        if not terms(query.text):
            found = signs(query.text)
            return _Asked(_by_signs(found), tuple(found)) if found else None
        return self._asked_by_words(query)

    def _asked_by_words(self, query: Query) -> _Asked | None:
        is_cut = self._frequent < 1
        words = _asked_words(query.text) if is_cut else list(dict.fromkeys(terms(query.text)))
        look = self._look(query)
        seen = look.seen
        if not words or not seen.behind:
            return None
        prefix = f"tag : ({' AND '.join(seen.tags)}) AND " if seen.tags else ""
        telling = look.telling(words)
        if not telling:
            return None
        if not seen.is_all:
            return _weighed(telling, prefix, look)
        body = " OR ".join(map(phrase, telling))
        return _Asked(_BY_WORDS, (f"{prefix}body : ({body})",))

    def _look(self, query: Query) -> Look:
        return self._counts.look(query, mark=self.watermark())

    def _ranked(self, query: Query, asked: _Asked, wanted: int) -> list[_Ranked]:
        """Return the entries with the highest BM25; those that the query keeps out have no id."""
        visible, parameters = view_sql(query.view)
        conditions = [f"e.scope IN (SELECT s.id FROM scope AS s WHERE {visible})"]
        if query.at is None:
            conditions.append("e.ended_at IS NULL")
        else:
            conditions.append("e.created_at <= ? AND (e.ended_at IS NULL OR e.ended_at > ?)")
            parameters += [query.at, query.at]
        if query.valid_at is not None:
            conditions.append("(e.valid_from IS NULL OR e.valid_from <= ?)")
            conditions.append("(e.valid_to IS NULL OR e.valid_to > ?)")
            parameters += [query.valid_at, query.valid_at]
        if query.kinds is not None:
            conditions.append(f"e.kind IN ({', '.join('?' * len(query.kinds))})")
            parameters += sorted(query.kinds)
        metadata = "e.metadata" if query.conditions else "NULL"
        ranked = self._database.read(
            f"SELECT b.seq, b.score, e.id, {metadata} FROM"
            f" ({asked.sql} ORDER BY score DESC, seq LIMIT ?) AS b"
            f" LEFT JOIN entry AS e ON e.seq = b.seq AND {' AND '.join(conditions)}"
            " ORDER BY b.score DESC, b.seq",
            (*asked.parameters, wanted, *parameters),
        )
        return cast(list[_Ranked], ranked)


def _weighed(words: list[str], prefix: str, look: Look) -> _Asked:
    """Return how entries are asked for that are scored by what a query sees."""
    in_view, anywhere = look.counts(words), look.counts(words, is_anywhere=True)
    having = [
        Having(f"{prefix}body : {phrase(word)}", here, there)
        for word, here, there in zip(words, in_view, anywhere, strict=True)
    ]
    scopes, parameters = view_sql(look.query.view)
    seen = look.seen
    return _Asked(
        *weighed(
            having, view=seen.view, everything=seen.everything, scopes=scopes, parameters=parameters
        )
    )


def _asked_words(query: str) -> list[str]:
    """Return what a query is looked up by: its terms, each once, and phrases of those that are written as one."""
    found = Identifiers(query)
    words = [*content_terms(query), *written_otherwise(query)]
    return list(dict.fromkeys([*words, *found.part_terms(), *found.compounds()]))


def _segments(connection: sqlite3.Connection) -> set[int]:
    """Return the numbers of FTS5's segments; a number is used again when its segment is gone."""
    found: set[int] = set()
    row: tuple[int | None] = (1 << _SEGMENT,)
    while True:
        row = connection.execute("SELECT min(id) FROM words_data WHERE id >= ?", row).fetchone()
        if row[0] is None:
            return found
        segment = row[0] >> _SEGMENT
        found.add(segment)
        row = (segment + 1 << _SEGMENT,)


def _by_signs(found: str) -> str:
    """Return the query for entries with some of these signs; their score is how many of them they have."""
    score = " + ".join(["(instr(signs, ?) > 0)"] * len(found))
    return f"SELECT seq, {score} AS score FROM entry WHERE signs <> '' AND score > 0"


def _holds(query: Query, metadata: str) -> bool:
    own = json.loads(metadata)
    return all(condition.holds(own) for condition in query.conditions)
