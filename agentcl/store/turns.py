"""Reading turns: all of a conversation, or those around one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agentcl.errors import InvalidInput
from agentcl.store.base import Store
from agentcl.store.conversations import Turn
from agentcl.store.records import ScopeView
from agentcl.store.rows import readable


def turns_of(
    store: Store, conversation: str, *, view: ScopeView, at: int | None = None
) -> list[Turn]:
    """Return the live turns of a conversation that a view sees, in their order."""
    rows = store.live(view=view, kinds=(Turn.kind,), source=conversation, at=at)
    return sorted(_turns(readable(rows)), key=lambda turn: (turn.ordinal, turn.moment, turn.id))


def _turns(records: Iterator[Any]) -> Iterator[Turn]:
    return (record for record in records if isinstance(record, Turn))


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
    turns = turns_of(store, turn.conversation_id, view=view)
    place = next(number for number, one in enumerate(turns) if one.id == turn.id)
    return tuple(turns[max(place - before, 0) : place + 1 + after])


@dataclass(frozen=True, slots=True)
class Beside:
    """A way back into the memory that a hit came from. A copy in another process has none."""

    store: Store | None
    view: ScopeView

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
