"""Which days the words of a turn mean, for its label: "last Friday" tells nothing weeks later."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC
from itertools import islice
from typing import Final

from agentcl.errors import NotFound, StoreCorrupt
from agentcl.memory.context.blocks import Showable
from agentcl.memory.opened import Opened
from agentcl.retrieval.framing import day_of
from agentcl.statements.dates.dating import dated
from agentcl.statements.dates.periods import period
from agentcl.store.conversations import Turn
from agentcl.store.records import ScopeView

_DATES: Final = 4  # that a label resolves
_OF_PAST: Final = ("past", "before")  # words that a label has only of what holds no longer


def with_days(opened: Opened, view: ScopeView, item: Showable) -> Showable:
    """Return a turn that stands under the day of its speaker, and whose label names the days that its words mean."""
    if item.kind != "turn" or item.at is None:
        return item
    at = item.at
    # A hit has the moment in UTC, where the evening of one day is the next one.
    with suppress(NotFound, StoreCorrupt):
        turn = opened.journal.get(item.id, view=view)
        at = turn.moment if isinstance(turn, Turn) else at
    told: dict[str, str] = {}
    for one in dated(item.text, at):
        day = written(one.date)
        said = " ".join(one.said.rstrip(".").split())
        if day != day_of(at) and day.lower() != said.lower():
            is_plain = any(word in said for word in _OF_PAST) or _is_written_out(said, day)
            told.setdefault(day, "" if is_plain else said)
    return replace(item, at=at, about=", ".join(filter(None, (item.about, *_named(told)))))


def _is_written_out(said: str, day: str) -> bool:
    """Return whether words name the day and its month themselves: they need not stand in the label once more."""
    number, _, rest = day.partition(" ")
    words, month = said.lower(), rest[:3].lower()
    return (
        bool(month) and month in words and re.search(rf"(?<!\d){number}(?!\d)", words) is not None
    )


def written(date: str) -> str:
    """Return an ISO 8601 day, month or year as labels have it."""
    day, month, year = day_of(period(date, UTC).start).split()
    return {4: year, 7: f"{month} {year}"}.get(len(date), f"{day} {month} {year}")


def _named(told: Mapping[str, str]) -> list[str]:
    some = islice(told.items(), _DATES)
    return [f"{said}: {day}" if said else day for day, said in some]
