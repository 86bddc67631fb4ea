"""The table of jobs."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from agentcl.errors import NotFound
from agentcl.store.checks import canonical_json, check_json_object
from agentcl.store.fields import fits
from agentcl.store.jobs import Job, Price, State
from agentcl.store.records import Scope, ScopeView, from_micros, to_micros
from agentcl.store.rows import fields_of, is_moment
from agentcl.store.sql.conditions import view_sql
from agentcl.store.sql.tables import EVERYBODY, SqlConnection, Tables, marks

_NAMES: Final = (
    'id, kind, state, spec, tenant, "user", agent, session, units, tokens, done, total, attempts, error,'
    " created_at, started_at, ended_at"
)
_MARKS: Final = ", ".join("?" * 17)


def new(
    id: str, kind: str, spec: Mapping[str, Any], scope: Scope, price: Price | None, *, now: int
) -> Job:
    """Return a job that nobody has begun."""
    return Job(
        id=id,
        kind=kind,
        spec=check_json_object(spec, "a job's spec"),
        scope=scope,
        state="queued",
        price=price,
        done=0,
        total=None,
        attempts=0,
        error="",
        created_at=from_micros(now),
        started_at=None,
        ended_at=None,
    )


def insert(connection: SqlConnection, job: Job) -> None:
    """Add a job."""
    connection.execute(f"INSERT INTO job ({_NAMES}) VALUES ({_MARKS})", _values(job))


def update(connection: SqlConnection, job: Job) -> None:
    """Put a job in the place of what it was. Raises NotFound."""
    sql = f"UPDATE job SET ({_NAMES}) = ({_MARKS}) WHERE id = ?"
    if not connection.execute(sql, (*_values(job), job.id)).rowcount:
        raise NotFound(f"job {job.id!r} is not there any more")


def delete(connection: SqlConnection, ids: Iterable[str]) -> None:
    """Delete jobs."""
    connection.executemany("DELETE FROM job WHERE id = ?", [(id,) for id in ids])


def select(
    tables: Tables,
    view: ScopeView,
    *,
    states: Collection[State] | None = None,
    id: str | None = None,
) -> list[Job]:
    """Return the jobs of a view, oldest first; one that cannot be read is left out, and `faults` names it."""
    condition, parameters = view_sql(view, "j")
    if states is not None:
        condition += f" AND j.state IN ({marks(states)})"
        parameters += sorted(states)
    if id is not None:
        condition += " AND j.id = ?"
        parameters.append(id)
    rows = tables.query(
        f"SELECT {_NAMES} FROM job AS j WHERE {condition} ORDER BY j.number", parameters, view=view
    )
    return [job for row in rows if (job := _job(row)) is not None]


def faults(tables: Tables) -> Iterator[str]:
    """Yield in words which jobs cannot be read."""
    sql = f"SELECT number, {_NAMES} FROM job ORDER BY number"
    for number, *row in tables.query(sql, view=EVERYBODY):
        if _job(tuple(row)) is None:
            yield f"job {number} is none that agentcl wrote, and is left out"


def delete_orphans(connection: SqlConnection, emptied: Collection[Scope]) -> None:
    """Delete the jobs of scopes that lost records and now have none, nor has any scope below them."""
    owners = connection.execute(
        'SELECT DISTINCT tenant, "user", agent, session FROM job'
    ).fetchall()
    for fields in owners:
        owner = Scope(*fields)
        if not any(_is_below(scope, owner) for scope in emptied):
            continue
        left = connection.execute(
            """SELECT 1 FROM scope WHERE ? IN (tenant, '') AND ? IN ("user", '') AND ? IN (agent, '')"""
            " AND ? IN (session, '') LIMIT 1",
            fields,
        )
        if left.fetchone() is None:
            connection.execute(
                'DELETE FROM job WHERE tenant = ? AND "user" = ? AND agent = ? AND session = ?',
                fields,
            )


def _is_below(scope: Scope, owner: Scope) -> bool:
    return all(
        not own or own == field
        for own, field in zip(fields_of(owner), fields_of(scope), strict=True)
    )


def _values(job: Job) -> tuple[object, ...]:
    price = (None, None) if job.price is None else (job.price.units, job.price.tokens)
    return (
        job.id, job.kind, job.state, canonical_json(job.spec), *fields_of(job.scope), *price, job.done,
        job.total, job.attempts, job.error, to_micros(job.created_at), _micros(job.started_at),
        _micros(job.ended_at),
    )  # fmt: skip


class _Row(NamedTuple):
    id: str
    kind: str
    state: State
    spec: str
    tenant: str
    user: str
    agent: str
    session: str
    units: int | None
    tokens: int | None
    done: int
    total: int | None
    attempts: int
    error: str
    created_at: int
    started_at: int | None
    ended_at: int | None


def _job(row: tuple[Any, ...]) -> Job | None:
    """Return the job of a row; None if nobody wrote it: SQLite keeps any value in any column."""
    times = (time for time in row[-3:] if time is not None)
    if not fits(_Row)(row) or not all(map(is_moment, times)):
        return None
    id, kind, state, spec, tenant, user, agent, session, units, tokens, *rest = row
    done, total, attempts, error, created_at, started_at, ended_at = rest
    try:
        wanted = json.loads(spec)
    except (ValueError, RecursionError):
        return None
    if not isinstance(wanted, dict):
        return None
    return Job(
        id=id,
        kind=kind,
        spec=wanted,
        scope=Scope(tenant, user, agent, session),
        state=state,
        price=None if units is None else Price(units, tokens),
        done=done,
        total=total,
        attempts=attempts,
        error=error,
        created_at=from_micros(created_at),
        started_at=None if started_at is None else from_micros(started_at),
        ended_at=None if ended_at is None else from_micros(ended_at),
    )


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)
