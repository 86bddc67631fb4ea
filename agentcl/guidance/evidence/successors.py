"""Which lessons gave way to others, and what is on record of the former, told of the latter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from agentcl.store.episodes import Decision, Episode, Guidance, Reflection
from agentcl.store.records import Record
from agentcl.store.rows import Row, superseded_by


def successors_of(rows: Iterable[Row]) -> dict[str, str]:
    """Return which lessons gave way to which, all the way to the one in force."""
    gave: dict[str, str] = {}
    for row in rows:
        by = superseded_by(row)
        if row.kind == Guidance.kind and by:
            gave[row.id] = by
        elif row.op == "put":
            gave.pop(row.id, None)  # it came back
    for id in gave:
        while gave[id] in gave:
            gave[id] = gave[gave[id]]
    return gave


def renamed(record: Record, successors: Mapping[str, str]) -> Record:
    """Return a record with the lessons in force in place of those that gave way."""
    match record:
        case Episode():
            exposures = (
                one._replace(guidance=successors.get(one.guidance, one.guidance))
                for one in record.exposures
            )
            return replace(record, exposures=tuple(exposures))
        case Reflection():
            stated = (
                one._replace(guidance=successors.get(one.guidance, one.guidance))
                for one in record.stated
            )
            return replace(record, stated=tuple(stated))
        case Decision():
            return replace(record, guidance=successors.get(record.guidance, record.guidance))
    return record
