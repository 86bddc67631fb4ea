"""The tiers of a memory: what is written with each message, and what only after weeks.

A memory of rising period, as the continuum memory of Nested Learning (Behrouz et al. 2025): each tier is made from the one
before it, is written more rarely, and holds what stayed as it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple, cast

from agentcl.store.adapters import Adapter
from agentcl.store.base import Store
from agentcl.store.episodes import Guidance
from agentcl.store.jobs import Job, State
from agentcl.store.records import ScopeView, from_micros, to_micros
from agentcl.store.rows import Churn

PERIOD: Final = timedelta(days=7)


class _Made(NamedTuple):
    """What a tier is made of, and by which jobs."""

    kinds: tuple[str, ...]  # of records
    jobs: tuple[str, ...] = ()


_TIERS: Final = {
    "turn": _Made(("turn", "document", "passage", "conversation")),
    "session": _Made(("statement", "digestion"), ("digest",)),
    "tidy": _Made(("synopsis", "tidying"), ("tidy",)),
    "guidance": _Made(("guidance", "decision")),
    "adapter": _Made(("adapter",), ("consolidate",)),
}
_DONE: Final[tuple[State, ...]] = ("done",)
# What a tier holds; the other kinds say what was done to it.
_KEPT: Final = frozenset({"turn", "document", "statement", "synopsis", "guidance", "adapter"})


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier: how often it was written in the last seven days, and what that took."""

    name: str
    records: int  # that are live
    rows: int  # versions and deletions of the last seven days
    moved_up: int  # records that were newly made from the tier before; in the first tier those that came in
    last: datetime | None  # when it was last written, ever
    jobs: int  # that ended well in the last seven days
    busy_s: float  # seconds that these took, each in its last run
    tokens: int  # of models: what the jobs were estimated to take, and what lessons cost to write


def tiers_of(store: Store, view: ScopeView, *, live: dict[str, int], now: int) -> tuple[Tier, ...]:
    """Return the tiers of a memory, the one that is written most often first.

    Args:
        store: the journal.
        view: whose records.
        live: how many records there are, by kind, as `Store.count` says.
        now: microseconds since 1970.
    """
    since = now - PERIOD // timedelta(microseconds=1)
    written = store.written(view, since=since)
    ended = [job for job in store.jobs(view=view, states=_DONE) if _is_after(job, since)]
    moved = {name: _new(written, made.kinds) for name, made in _TIERS.items()}
    moved["adapter"] = _held_since(store, view, since) if moved["adapter"] else 0
    return tuple(
        Tier(
            name=name,
            records=sum(live.get(kind, 0) for kind in made.kinds if kind in _KEPT),
            rows=sum(written[kind].rows for kind in made.kinds if kind in written),
            moved_up=moved[name],
            last=max(_lasts(written, made.kinds), default=None),
            jobs=sum(job.kind in made.jobs for job in ended),
            busy_s=sum(_took(job) for job in ended if job.kind in made.jobs),
            tokens=sum(_tokens(job) for job in ended if job.kind in made.jobs)
            + (_written_by_teachers(store, view, since) if name == "guidance" else 0),
        )
        for name, made in _TIERS.items()
    )


def _new(written: dict[str, Churn], kinds: Iterable[str]) -> int:
    return sum(written[kind].new for kind in kinds if kind in written and kind in _KEPT)


def _lasts(written: dict[str, Churn], kinds: Iterable[str]) -> list[datetime]:
    return [last for kind in kinds if (last := written.get(kind, Churn()).last) is not None]


def _is_after(job: Job, since: int) -> bool:
    return job.ended_at is not None and job.ended_at >= from_micros(since)


def _took(job: Job) -> float:
    return (
        (job.ended_at - job.started_at).total_seconds() if job.ended_at and job.started_at else 0.0
    )


def _tokens(job: Job) -> int:
    return (job.price.tokens or 0) if job.price else 0


def _held_since(store: Store, view: ScopeView, since: int) -> int:
    """Return how many records moved into adapters that were trained since a moment."""
    adapters = [cast(Adapter, row.record()) for row in store.live(view=view, kinds=("adapter",))]
    first = {one.id: store.history(one.id, view=view)[0].at for one in adapters}
    return sum(len(one.holds) for one in adapters if to_micros(first[one.id]) >= since)


def _written_by_teachers(store: Store, view: ScopeView, since: int) -> int:
    """Return the tokens that it cost to write the lessons of some time."""
    lessons = (cast(Guidance, row.record()) for row in store.live(view=view, kinds=("guidance",)))
    return sum(one.cost_tokens for one in lessons if to_micros(one.created_at) >= since)
