"""How many entries of full text have a term, of those that a query sees, and which terms are worth asking for.

Counting costs most of what a search does, so what was counted is kept until entries change.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final, NamedTuple, cast

from agentcl.retrieval.index import Query
from agentcl.retrieval.words.weighing import Statistics
from agentcl.store.records import ScopeView
from agentcl.store.sql.conditions import view_sql
from agentcl.store.sqlite.database import Database
from agentcl.text.terms import is_beginning

FREQUENT: Final = 0.1  # a term in more than this share of what a query sees is frequent ...
_FREQUENT_FROM: Final = 500  # ... but only among at least this many entries
MOST_SCORED: Final = 5_000  # entries that a query's terms may have together, rarest first
MAX_TERMS: Final = 64  # of one query, the rarest ones
_MAX_SCOPES: Final = 64  # more visible scopes than this are tested entry by entry
_TAG_BELOW: Final = 0.25  # of all entries; a tag that more of them have costs more than it saves
_MAX_COUNTED: Final = 50_000  # terms whose counts are kept
_MAX_VIEWS: Final = 1_000  # views whose tags are kept
# Terms that are counted by one statement; SQLite takes 2,000 columns at the most
_AT_ONCE: Final = 200
_EVERYTHING: Final = (
    "SELECT gone + (SELECT coalesce(sum(live + past), 0) FROM scope),"
    " gone_size + (SELECT coalesce(sum(size), 0) FROM scope), gone FROM mark"
)


class InView(NamedTuple):
    """What a view sees, and how it is asked for."""

    tags: list[str]  # worth asking for
    behind: int  # entries that have them
    counting: str | None  # the condition that lets nothing else be counted; None: entry by entry
    view: Statistics
    everything: Statistics

    @property
    def is_all(self) -> bool:
        """Whether there is nothing that it does not see."""
        return self.view.entries == self.everything.entries


@dataclass(slots=True)
class _Known:
    """What was counted of the entries as they stand at a watermark."""

    mark: int = 0
    counts: dict[tuple[object, ...], int] = field(default_factory=dict)  # by what was asked
    views: dict[tuple[ScopeView, bool], InView] = field(
        default_factory=dict
    )  # is the present asked?


class TermCounts:
    """Counts terms of an index's file, and keeps what it counted.

    Args:
        database: with the tables of `FullTextIndex`.
        frequent: the share above which a term is frequent; 1 takes none for frequent.
    """

    def __init__(self, database: Database, *, frequent: float) -> None:
        self._database = database
        self._frequent = frequent
        self._lock = threading.Lock()
        self._known = _Known()

    def forget(self) -> None:
        """Count anew: entries were taken away."""
        self._known = _Known()

    def look(self, query: Query, *, mark: int | None = None) -> Look:
        """Return what a query sees of the entries as they stand at a watermark; by default, at that of the last look."""
        with self._lock:
            mark = self._known.mark if mark is None else mark
            if mark != self._known.mark or len(self._known.counts) > _MAX_COUNTED:
                self._known = _Known(mark)
            known = self._known
        key = (query.view, query.at is None)
        if key not in known.views:
            while len(known.views) >= _MAX_VIEWS:
                known.views.pop(next(iter(known.views)), None)
            known.views[key] = self._seen(query)
        return Look(self._database, self._frequent, query, known, known.views[key])

    def _seen(self, query: Query) -> InView:
        condition, parameters = view_sql(query.view)
        rows = self._database.read(
            f"SELECT s.id, s.live, s.past, s.size FROM scope AS s WHERE {condition}", parameters
        )
        visible = cast(list[tuple[int, int, int, int]], rows)
        (row,) = self._database.read(_EVERYTHING)
        entries, size, gone = cast(tuple[int, int, int], row)
        everything = Statistics(entries, size)
        view = Statistics(
            sum(live + past for _, live, past, _ in visible), sum(size for *_, size in visible)
        )
        live = sum(live for _, live, *_ in visible)
        named = "(" + " OR ".join(f'"scope{id}"' for id, *_ in visible) + ")"
        is_few = len(visible) <= _MAX_SCOPES
        tags = []
        if query.at is None and live < _TAG_BELOW * view.entries:
            tags.append("live")
        if view.entries < _TAG_BELOW * everything.entries and is_few:
            tags.append(named)
        is_all = view.entries == everything.entries
        counting = "" if is_all else named if is_few and not gone else None
        behind = live if "live" in tags else view.entries
        return InView(tags, behind, counting, view, everything)


class Look(NamedTuple):
    """What one query sees. Made by `TermCounts.look`."""

    database: Database
    frequent: float
    query: Query
    known: _Known
    seen: InView

    def weights(self, words: Sequence[str]) -> dict[str, float]:
        """Return how telling each word is, which is its idf among what is seen; words that nothing has are left out."""
        if not words or not self.seen.behind:
            return {}
        counts = self.counts(words, is_live="live" in self.seen.tags, most=self._most())
        return {
            word: self.seen.view.idf(count)
            for word, count in zip(words, counts, strict=True)
            if count
        }

    def telling(self, words: list[str]) -> list[str]:
        """Return the terms worth asking for, rarest first: those that occur, few of them often.

        Counting stops where a term is frequent, and scoring is bounded: both are what FTS5 spends its
        time on.
        """
        most = self._most()
        each = self.counts(words, is_live="live" in self.seen.tags, most=most)
        counts = dict(zip(words, each, strict=True))
        found = sorted((word for word in words if counts[word]), key=lambda word: counts[word])
        if self.frequent >= 1:
            return found[:MAX_TERMS]
        telling = [word for word in found if counts[word] <= most] or found
        scored = list(accumulate(counts[word] for word in telling))
        return [
            word
            for word, total in zip(telling, scored, strict=True)
            if total <= MOST_SCORED or word == telling[0]
        ][:MAX_TERMS]

    def counts(
        self,
        words: Sequence[str],
        *,
        is_live: bool = False,
        is_anywhere: bool = False,
        most: int | None = None,
    ) -> list[int]:
        """Return how many entries have each word, of those in view, or of all.

        What was counted is kept as long as nothing changes. Past `most`, nothing is counted.
        """
        source, parameters = "words", list[object]()
        tags = ["live"] if is_live else []
        if not is_anywhere and self.seen.counting is None:
            condition, parameters = view_sql(self.query.view)
            source = "words AS w JOIN entry AS e ON e.seq = w.rowid"
            scopes = f"AND e.scope IN (SELECT s.id FROM scope AS s WHERE {condition})"
        else:
            scopes = ""
            if not is_anywhere and self.seen.counting:
                tags.append(self.seen.counting)
        prefix = f"tag : ({' AND '.join(tags)}) AND " if tags else ""
        limit = "" if most is None else f" LIMIT {most + 1}"
        sql = f"(SELECT count(*) FROM (SELECT 1 FROM {source} WHERE words MATCH ? {scopes}{limit}))"
        asked = [(scopes, f"{prefix}body : {phrase(word)}", *parameters) for word in words]
        counts = self.known.counts  # where counting stopped, what it stopped at stands beside
        missing = [key for key in asked if key not in counts and (most, key) not in counts]
        for begin in range(0, len(missing), _AT_ONCE):
            some = missing[begin : begin + _AT_ONCE]
            values = [value for _, *values in some for value in values]
            (row,) = self.database.read(f"SELECT {', '.join([sql] * len(some))}", values)
            for key, count in zip(some, cast(tuple[int, ...], row), strict=True):
                counts[key if most is None or count <= most else (most, key)] = count
        return [counts[key] if key in counts else counts[most, key] for key in asked]

    def _most(self) -> int:
        """Return how many entries a term may have that is not frequent."""
        if self.seen.behind < _FREQUENT_FROM:
            return MOST_SCORED
        return min(MOST_SCORED, int(self.frequent * self.seen.behind))


def phrase(term: str) -> str:
    """Return a term as FTS5 is asked for it."""
    return f'"{term}" *' if is_beginning(term) else f'"{term}"'
