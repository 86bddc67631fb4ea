"""A scripted investigator: no model, and a search order that guidance sets.

It reads the schema, picks the alert that the question speaks of by its title, follows shared values from
the alert that the context speaks of where several have that title, and takes the first value of the kind
that is asked for. What it tries first (which column for a kind of value, which column for the way to the
next alert) is what it was told; without guidance, the names of columns and chance decide. So it can be
measured with a memory and without.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from agentcl.envs.acting import Act, Situation
from agentcl.envs.base import Score
from agentcl.envs.domains.excytin.guidance import (
    NEXT_ALERT,
    Column,
    avoid,
    look_in,
    sorted_by_guidance,
    to_find,
    to_locate,
)
from agentcl.envs.domains.excytin.reading import (
    ValueKind,
    asked_kind,
    best_titles,
    kinds_of,
    rows_of,
    told_values,
)

_ALERTS: Final = "SecurityAlert"
_ID: Final = "SystemAlertId"
_TITLE: Final = "AlertName"
_DESCRIPTION: Final = "Description"
_DESCRIPTION_CHARACTERS: Final = 120  # with more, the list of alerts would fit no observation
_MOST_LOCATIONS: Final = 8  # columns to look for a told value in
_RESERVED: Final = 6  # steps to find the value and submit it
_UNLINKED: Final = frozenset({_ID, "TimeGenerated", "EntityType", "AdditionalFields"})

_Steps = Generator[str, str, None]  # actions out, observations in
_Rows = list[tuple[str, ...]]


class _OutOfSteps(Exception):
    """Only the step to submit is left."""


@dataclass(frozen=True, slots=True)
class _Way:
    """Columns along which alerts were reached, by values that they share."""

    places: tuple[Column, ...]
    alerts: frozenset[str]

    def is_decisive(self, targets: set[str]) -> bool:
        """Whether it leads to a target and nowhere else: a value that many share says little."""
        return len(self.alerts) == 1 and bool(self.alerts & targets)


@dataclass(slots=True)
class _Trace:
    """What an episode used, and what it found."""

    kind: str = ""
    # The kind of the told value, and where.
    located: list[tuple[str, Column]] = field(default_factory=list)
    way: tuple[Column, ...] = ()  # along which the alert was reached
    is_way_sure: bool = False  # it led to that alert and to no other
    source: Column | None = None  # of what was submitted
    is_source_known: bool = False  # guidance or its own name recommends it


class Investigator:
    """Asks memory for guidance for a purpose such as "find a host name"; see `guidance` for its form.

    Call `learn` after an episode, with its score.
    """

    name = "investigator"

    def act(self, situation: Situation) -> Act | None:
        """Return the next query, or the answer."""
        self._recall = situation.ask
        try:
            if situation.history:
                self._left -= 1
                return Act(self._steps.send(situation.seen))
            self._begin(situation)
            return Act(next(self._steps))
        except StopIteration:
            return None

    def learn(self, score: Score) -> Sequence[str]:
        """Return the lines that the episode bears out, from what was seen and the score alone.

        Success recommends the column of the answer, and the way to the alert unless it led to others too.
        Failure speaks against the one thing that was not known to be good: the column of the answer, if
        neither guidance nor its name recommended it; else the way to the alert.
        """
        trace = self._trace
        lines = [look_in(to_locate(kind), place) for kind, place in trace.located]
        if trace.source is None:
            return lines
        if score.is_success:
            lines.append(look_in(to_find(trace.kind), trace.source))
            if trace.is_way_sure:
                lines += [look_in(NEXT_ALERT, place) for place in trace.way]
        elif trace.is_source_known:
            lines += [avoid(NEXT_ALERT, place) for place in trace.way]
        elif not trace.way:
            lines.append(avoid(to_find(trace.kind), trace.source))
        return list(dict.fromkeys(lines))

    def _begin(self, situation: Situation) -> None:
        """Begin an investigation. Chance, where guidance is silent, follows from the task and the seed."""
        task = situation.known_task
        self._rng = random.Random(f"investigator:{task.id}:{situation.seed}")
        self._left = task.max_steps - 1
        self._trace = _Trace()
        self._best = ""
        self._context, self._question = situation.first, situation.goal
        self._steps = self._investigate()

    def _investigate(self) -> _Steps:
        """The main path: schema, alert, answer."""
        kind = asked_kind(self._question)
        self._trace.kind = kind.name
        try:
            schema = yield from self._read_schema()
            alerts = yield from self._find_alerts(schema)
            yield from self._find_value(kind, schema, alerts)
        except _OutOfSteps:
            pass
        yield f"submit[{self._best}]"

    def _query(self, sql: str) -> Generator[str, str, _Rows]:
        if self._left < 1:
            raise _OutOfSteps
        return rows_of((yield f"execute[{sql}]"))

    def _read_schema(self) -> Generator[str, str, list[Column]]:
        """Return the columns of all tables that tell of alerts by their id."""
        places: list[Column] = []
        for (table,) in (yield from self._query("SHOW TABLES")):
            columns = [row[0] for row in (yield from self._query(f"DESCRIBE {table}"))]
            if _ID in columns:
                places += [Column(table, column) for column in columns if column not in _UNLINKED]
        return places

    def _find_alerts(self, schema: Sequence[Column]) -> Generator[str, str, list[str]]:
        """Return the ids of the alerts that the question most likely speaks of."""
        described = f", SUBSTRING({_DESCRIPTION}, 1, {_DESCRIPTION_CHARACTERS})"
        has_description = Column(_ALERTS, _DESCRIPTION) in schema
        listed = yield from self._query(
            f"SELECT DISTINCT {_TITLE}{described if has_description else ''} FROM {_ALERTS}"
        )
        titles = best_titles(self._question, self._context, listed)
        if not titles:
            return []
        rows = yield from self._query(
            f"SELECT {_ID} FROM {_ALERTS} WHERE {_TITLE} = {_literal(titles[0])}"
        )
        targets = [identity for (identity,) in rows]
        if len(targets) > 1:
            reached = yield from self._reach(schema, set(targets))
            targets = [identity for identity in targets if identity in reached] or targets
        return targets

    def _reach(self, schema: Sequence[Column], targets: set[str]) -> Generator[str, str, set[str]]:
        """Return those of the targets that share values with the alert that the context speaks of."""
        start = yield from self._locate(schema)
        if start & targets or not start:
            return start & targets
        columns = self._shuffled(place for place in schema if place.table != _ALERTS)
        known, others, avoided = sorted_by_guidance(columns, NEXT_ALERT, self._recall(NEXT_ALERT))
        first = _Way((), frozenset(start))
        near = yield from self._follow([first], known, targets)
        far = yield from self._follow(near, known, targets)
        ways = [*near, *far]
        for begun in ([*far] or [*near], [first]):
            if not any(way.is_decisive(targets) for way in ways):
                ways += yield from self._follow(begun, [*others, *avoided], targets)
        leading = [way for way in ways if way.alerts & targets]
        if not leading:
            return set()
        best = min(leading, key=lambda way: len(way.alerts))
        self._trace.way = best.places
        self._trace.is_way_sure = best.is_decisive(targets)
        return targets & best.alerts

    def _follow(
        self, begun: Sequence[_Way], columns: Sequence[Column], targets: set[str]
    ) -> Generator[str, str, list[_Way]]:
        """Return ways that go one hop further along some columns; a decisive one ends the search."""
        found: list[_Way] = []
        for way in begun:
            for place in columns:
                if place in way.places or self._left <= _RESERVED:
                    continue
                rows = yield from self._query(
                    f"SELECT DISTINCT {_ID} FROM {place.table} WHERE {place.column} <> '' AND "
                    f"{place.column} IN (SELECT {place.column} FROM {place.table} WHERE {_ID} IN "
                    f"({_literals(way.alerts)}))"
                )
                more = frozenset(identity for (identity,) in rows) - way.alerts
                if more:
                    found.append(_Way((*way.places, place), more))
                    if found[-1].is_decisive(targets):
                        return found
        return found

    def _locate(self, schema: Sequence[Column]) -> Generator[str, str, set[str]]:
        """Return the alerts with a value that the context tells."""
        for value in told_values(self._context):
            for kind in kinds_of(value)[:1]:
                places = self._places(kind, to_locate(kind.name), schema)[0]
                for place in places[:_MOST_LOCATIONS]:
                    rows = yield from self._query(
                        f"SELECT DISTINCT {_ID} FROM {place.table} "
                        f"WHERE {place.column} = {_literal(value)}"
                    )
                    if rows:
                        self._trace.located.append((kind.name, place))
                        return {identity for (identity,) in rows}
        return set()

    def _find_value(
        self, kind: ValueKind, schema: Sequence[Column], alerts: Sequence[str]
    ) -> _Steps:
        """Look for a value of a kind in the alerts, and note the first that the question does not tell."""
        told = f"{self._context}\n{self._question}".casefold()
        places, known = self._places(kind, to_find(kind.name), schema)
        for place in places:
            rows = yield from self._query(
                f"SELECT DISTINCT {place.column} FROM {place.table} "
                f"WHERE {_ID} IN ({_literals(alerts)})"
            )
            for (value,) in rows:
                if kind.shape.fullmatch(value) and value.casefold() not in told:
                    self._best = value
                    self._trace.source = place
                    is_named = place.column.lower() in kind.columns
                    self._trace.is_source_known = is_named or place in known
                    return

    def _places(
        self, kind: ValueKind, purpose: str, schema: Sequence[Column]
    ) -> tuple[list[Column], list[Column]]:
        """Return where to look, the best first, and which of it guidance recommends."""
        columns = self._shuffled(schema)
        columns.sort(key=lambda place: _rank(place.column.lower(), kind.columns))
        known, others, avoided = sorted_by_guidance(columns, purpose, self._recall(purpose))
        return [*known, *others, *avoided], known

    def _shuffled(self, places: Iterable[Column]) -> list[Column]:
        shuffled = list(places)
        self._rng.shuffle(shuffled)
        return shuffled


def _rank(column: str, wanted: Sequence[str]) -> int:
    """Return how unlike a column's name is to those that a kind is likely to have."""
    if column in wanted:
        return wanted.index(column)
    return len(wanted) + (not any(name in column for name in wanted))


def _literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _literals(values: Iterable[str]) -> str:
    return ", ".join(map(_literal, sorted(values))) or "''"
