"""Reading turns: all of a conversation, or those around one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from agentcl.errors import InvalidInput
from agentcl.store.base import Store
from agentcl.store.conversations import Turn
from agentcl.store.records import ScopeView
from agentcl.store.rows import Row, readable


def turns_of(
    store: Store, conversation: str, *, view: ScopeView, at: int | None = None
) -> list[Turn]:
    """Return the live turns of a conversation that a view sees, in their order."""
    return _turns(_rows(store, conversation, view, at))


def turns_around(
    store: Store, id: str, *, view: ScopeView, before: int, after: int
) -> tuple[Turn, ...]:
    """Return a turn with those before and after it.

    Raises:
        NotFound: if the view does not see it.
        InvalidInput: if the id is no turn's.
    """
    turn = store.get(id, view=view)
    if not isinstance(turn, Turn):
        raise InvalidInput(
            f"{id!r} is a {turn.kind}, and only turns of a conversation have neighbours; "
            "`memory.store.passages(id)` shows the pieces of a document"
        )
    rows = _rows(store, turn.conversation_id, view, None)
    place = next(number for number, row in enumerate(rows) if row.id == turn.id)
    return tuple(_turns(rows[max(place - before, 0) : place + 1 + after]))


def _rows(store: Store, conversation: str, view: ScopeView, at: int | None) -> list[Row]:
    """Return the rows of turns in their order; of those with one place, which a merge brings, by time."""
    found: list[tuple[int, datetime, str, Row]] = []
    for row in store.live(view=view, kinds=(Turn.kind,), source=conversation, at=at):
        with suppress(ValueError, LookupError, TypeError, RecursionError):  # damaged
            own = json.loads(row.body)
            place = int(own["ordinal"]), datetime.fromisoformat(own["said_at"]), row.id
            found.append((*place, row))
    return [row for *_, row in sorted(found)]


def _turns(rows: Sequence[Row]) -> list[Turn]:
    return [turn for turn in readable(rows) if isinstance(turn, Turn)]


class Beside:
    """A way back into the memory that a hit came from. A copy in another process has none."""

    __slots__ = ("store", "view")

    def __init__(self, store: Store | None, view: ScopeView) -> None:
        self.store = store
        self.view = view

    def __repr__(self) -> str:
        return f"Beside({self.view})"

    def turns(self, id: str, *, before: int, after: int) -> tuple[Turn, ...]:
        """Return a turn with its neighbours; `turns_around` says more."""
        if self.store is None:
            raise InvalidInput(
                "this hit was copied out of its memory; ask memory.conversations.around(hit)"
            )
        return turns_around(self.store, id, view=self.view, before=before, after=after)

    def __copy__(self) -> Beside:
        return self

    def __deepcopy__(self, memo: object) -> Beside:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Beside, (None, self.view)
