"""Full-text search: BM25 by SQLite's FTS5, fed with our own terms.

FTS5 was chosen over tantivy by `benchmarks/fulltext.py`. Terms found in many entries are left out of a
query (unless nothing else is left): they cost most of the time, and the ranking is better without. So are
the function words of a question, which in a conversation are rare enough to be taken for what it is about.
A query without a word ("%") is looked up among the signs of entries.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import accumulate, islice
from pathlib import Path
from typing import Final, NamedTuple, cast

from agentcl.errors import SchemaTooNew, StoreCorrupt
from agentcl.retrieval.index import Change, Entry, Match, Query
from agentcl.store.records import Scope, ScopeView
from agentcl.store.sqlite.conditions import view_sql
from agentcl.store.sqlite.database import STEP_S, Database
from agentcl.text.function_words import content_terms
from agentcl.text.identifiers import FORMS, Identifiers
from agentcl.text.saving import create, make_folder
from agentcl.text.terms import ANALYSIS, indexed_terms, is_beginning, signs, terms

logger = logging.getLogger(__name__)

FREQUENT: Final = 0.1  # a term in more than this share of what a query sees is frequent ...
_FREQUENT_FROM: Final = 500  # ... but only among at least this many entries
MOST_SCORED: Final = 5_000  # entries that a query's terms may have together, rarest first
_MAX_TERMS: Final = 64  # of one query, the rarest ones
_MAX_SCOPES: Final = 64  # more visible scopes than this are tested entry by entry
_TAG_BELOW: Final = 0.25  # of all entries; a tag that more of them have costs more than it saves
_BATCH: Final = 200  # changes looked at together
_MERGED: Final = 150  # pages of 4 kB that FTS5 writes in one step of a merge
_SEGMENT: Final = 37  # bits that a segment's number is above its pages'
_MAX_COUNTED: Final = 50_000  # terms whose counts are kept
_MAX_VIEWS: Final = 1_000  # views whose tags are kept
_Ranked = tuple[int, float, str | None, str | None]  # seq, BM25; id and metadata if let through
_SCHEMA: Final = (
    "CREATE TABLE mark (watermark INTEGER NOT NULL)",
    "INSERT INTO mark VALUES (0)",
    "CREATE TABLE scope (id INTEGER PRIMARY KEY, tenant TEXT, user TEXT, agent TEXT, session TEXT,"
    " live INTEGER NOT NULL DEFAULT 0, past INTEGER NOT NULL DEFAULT 0,"
    " UNIQUE (tenant, user, agent, session))",
    # A past version keeps its entry, with the moment at which it ended.
    "CREATE TABLE entry (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, kind TEXT NOT NULL,"
    " scope INTEGER NOT NULL, created_at INTEGER NOT NULL, ended_at INTEGER, valid_from INTEGER,"
    " valid_to INTEGER, metadata TEXT NOT NULL, signs TEXT NOT NULL)",
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


_BY_WORDS: Final = (
    "SELECT rowid AS seq, -bm25(words, 0.0, 1.0) AS score FROM words WHERE words MATCH ?"
)


class _Asked(NamedTuple):
    """A query for entries' `seq` and `score`, and its parameters."""

    sql: str
    parameters: tuple[str | int, ...]


@dataclass(slots=True)
class _Known:
    """What was counted of the entries as they stand at a watermark."""

    mark: int = 0
    counts: dict[tuple[str, str], int] = field(default_factory=dict)  # by statement and expression
    # By view and whether the present is asked: the tags worth asking for, and the entries behind them.
    tags: dict[tuple[ScopeView, bool], tuple[list[str], int]] = field(default_factory=dict)


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
    """

    name = "fulltext"

    def __init__(
        self,
        folder: Path,
        *,
        busy_timeout_s: float = 30.0,
        frequent: float = FREQUENT,
        mode: int | None = None,
    ) -> None:
        self._file = folder / "fulltext.db"
        self._frequent = frequent
        self._lock = threading.Lock()
        self._known = _Known()
        self._busy_timeout_s = busy_timeout_s
        self._mode = mode
        make_folder(folder)
        try:
            self._database = self._open()
        except (StoreCorrupt, SchemaTooNew) as error:
            logger.warning("%s; starting it anew", error)
            self._database = self._replace()

    def watermark(self) -> int:
        """Return the number of the last change applied; 0, which fills it anew, if the file has none."""
        (mark,) = next(iter(self._database.read("SELECT watermark FROM mark")), (0,))
        return mark if type(mark) is int and mark >= 0 else 0

    def apply(self, changes: Sequence[Change], *, watermark: int) -> None:
        """Apply changes and move the watermark, in one transaction."""
        with self._database.write() as connection:
            (held,) = connection.execute("SELECT watermark FROM mark").fetchone()
            self._apply(connection, (change for change in changes if change.seq > held))
            if watermark > held:
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
            self._known = _Known()
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
        self._database.clear_leftovers()

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
        if self._mode is not None:
            with suppress(FileExistsError), create(self._file, mode=self._mode):
                pass
        return Database(
            self._file,
            busy_timeout_s=self._busy_timeout_s,
            durability="normal",
            migrations=(_create,) * (ANALYSIS + FORMS),
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
        counts = Counter(entry.scope for entry in entries)
        scopes = {scope: self._scope_id(connection, scope) for scope in counts}
        connection.executemany(
            "INSERT INTO entry VALUES (?, ?, ?, ?, ?, NULL, ?, ?, ?, ?)",
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
                )
                for entry in entries
            ),
        )
        read = [(entry, Identifiers(entry.text)) for entry in entries]
        connection.executemany(
            "INSERT INTO words (rowid, tag, body) VALUES (?, ?, ?)",
            (
                (
                    entry.seq,
                    f"live scope{scopes[entry.scope]}",
                    " ".join([*indexed_terms(entry.text), *found.part_terms()]),
                )
                for entry, found in read
            ),
        )
        connection.executemany(
            "INSERT INTO identifier VALUES (?, ?)",
            ((key, entry.seq) for entry, found in read for key in found.held_keys()),
        )
        connection.executemany(
            "UPDATE scope SET live = live + ? WHERE id = ?",
            [(count, scopes[scope]) for scope, count in counts.items()],
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
                    seq = left.pop()
                    connection.execute("DELETE FROM words WHERE rowid = ?", seq)
                    connection.execute("DELETE FROM identifier WHERE seq = ?", seq)
            self._database.rest(begun)

    def _remove(self, connection: sqlite3.Connection, ids: Sequence[str]) -> None:
        are_these = f"id IN ({', '.join('?' * len(ids))})"
        counts = connection.execute(
            "SELECT sum(ended_at IS NULL), sum(ended_at IS NOT NULL), scope FROM entry"
            f" WHERE {are_these} GROUP BY scope",
            ids,
        ).fetchall()
        connection.execute(f"DELETE FROM entry WHERE {are_these}", ids)
        connection.executemany(
            "UPDATE scope SET live = live - ?, past = past - ? WHERE id = ?", counts
        )
        connection.executemany(
            "DELETE FROM scope WHERE id = ? AND live + past = 0", [row[2:] for row in counts]
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
            return _Asked(_by_keys(len(query.identifiers)), query.identifiers)
        if not terms(query.text):
            found = signs(query.text)
            return _Asked(_by_signs(found), tuple(found)) if found else None
        expression = self._expression(query)
        return _Asked(_BY_WORDS, (expression,)) if expression else None

    def _expression(self, query: Query) -> str | None:
        """Return the FTS5 expression of a query, or None when nothing can match it."""
        is_cut = self._frequent < 1
        words = _asked_words(query.text) if is_cut else list(dict.fromkeys(terms(query.text)))
        known = self._up_to_date()
        tags, seen = self._tags(query, known)
        if not words or not seen:
            return None
        prefix = f"tag : ({' AND '.join(tags)}) AND " if tags else ""
        telling = self._telling(words, prefix, seen, known)
        if not telling:
            return None
        body = " OR ".join(map(_phrase, telling))
        return f"{prefix}body : ({body})"

    def _up_to_date(self) -> _Known:
        """Return what was counted since the entries changed last."""
        mark = self.watermark()
        with self._lock:
            if mark != self._known.mark or len(self._known.counts) > _MAX_COUNTED:
                self._known = _Known(mark)
            return self._known

    def _tags(self, query: Query, known: _Known) -> tuple[list[str], int]:
        """Return the tags worth asking for, and how many entries the query sees through them."""
        key = (query.view, query.at is None)
        if key not in known.tags:
            while len(known.tags) >= _MAX_VIEWS:
                known.tags.pop(next(iter(known.tags)), None)
            known.tags[key] = self._count_tags(query)
        return known.tags[key]

    def _count_tags(self, query: Query) -> tuple[list[str], int]:
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

    def _telling(self, words: list[str], prefix: str, seen: int, known: _Known) -> list[str]:
        """Return the terms worth asking for, rarest first: those that occur, few of them often.

        Counting stops where a term is frequent, and scoring is bounded: both are what FTS5 spends its
        time on.
        """
        most = MOST_SCORED
        if seen >= _FREQUENT_FROM:
            most = min(most, int(self._frequent * seen))
        sql = f"SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT {most + 1})"
        each = self._counts(sql, [f"{prefix}body : {_phrase(word)}" for word in words], known)
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

    def _counts(self, sql: str, expressions: Sequence[str], known: _Known) -> list[int]:
        """Return what a query counts for each expression; as long as nothing changes, it is asked once."""
        found = []
        for expression in expressions:
            key = (sql, expression)
            if key not in known.counts:
                known.counts[key] = cast(int, self._database.read(sql, (expression,))[0][0])
            found.append(known.counts[key])
        return found

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


def _asked_words(query: str) -> list[str]:
    """Return what a query is looked up by: its terms, each once, and phrases of those that are written as one."""
    found = Identifiers(query)
    return list(dict.fromkeys([*content_terms(query), *found.part_terms(), *found.compounds()]))


def _by_keys(count: int) -> str:
    """Return the query for entries with some of these keys; their score is how many of them they have."""
    asked = ", ".join("?" * count)
    return f"SELECT seq, count(*) AS score FROM identifier WHERE key IN ({asked}) GROUP BY seq"


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


def _phrase(term: str) -> str:
    """Return a term as FTS5 is asked for it."""
    return f'"{term}" *' if is_beginning(term) else f'"{term}"'


def _by_signs(found: str) -> str:
    """Return the query for entries with some of these signs; their score is how many of them they have."""
    score = " + ".join(["(instr(signs, ?) > 0)"] * len(found))
    return f"SELECT seq, {score} AS score FROM entry WHERE signs <> '' AND score > 0"


def _holds(query: Query, metadata: str) -> bool:
    own = json.loads(metadata)
    return all(condition.holds(own) for condition in query.conditions)
