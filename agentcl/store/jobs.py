"""A job: work that was asked for, and how far it is. The store keeps it; `agentcl.jobs` runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from agentcl.store.records import Scope

State = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Price:
    """What a job is estimated to take."""

    units: int  # what it works on, one by one: passages, rows, episodes
    tokens: int | None = None  # that models read and write for it, rather too many; None: unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work that was asked for, and how far it is."""

    id: str  # a ULID, so that ids sort by the time of asking
    kind: str  # who knows how to run it
    spec: Mapping[str, Any]  # what the kind needs to know; JSON values
    scope: Scope
    state: State
    price: Price | None  # None: nobody estimated it
    done: int  # units, of the newest run
    total: int | None  # that the newest run had to do; None before it began
    attempts: int  # how often it was begun
    error: str  # why it failed, or what the newest run met; empty when nothing
    created_at: datetime
    started_at: datetime | None  # of the newest run
    ended_at: datetime | None  # None while it is queued or running

    @property
    def is_ended(self) -> bool:
        """Whether nobody will work on it again unless it is asked for again."""
        return self.state in ("done", "failed", "cancelled")
