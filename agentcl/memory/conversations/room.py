"""`memory.conversations`: the sessions that were remembered, turn by turn."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Unpack

from agentcl.errors import InvalidInput, NotFound
from agentcl.memory.bound import UNBOUND, Bound
from agentcl.memory.conversations.remembering import correct, find
from agentcl.memory.opened import Opened
from agentcl.retrieval.recall import Hit
from agentcl.store.checks import ReadScope, WriteScope, check_count, check_unicode
from agentcl.store.conversations import Conversation, Turn
from agentcl.store.turns import turns_around, turns_of


class Conversations:
    """What was said. Made by `Memory.conversations`; `Memory.remember` fills it."""

    def __init__(self, opened: Opened, bound: Bound = UNBOUND) -> None:
        self._opened = opened
        self._bound = bound

    def list(self, *, limit: int = 100, **scope: Unpack[ReadScope]) -> Sequence[Conversation]:
        """Return conversations, oldest first.

        Args:
            limit: how many at the most.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.
        """
        found = self._opened.journal.records(Conversation, view=self._bound.view(scope))
        return [*islice(found, check_count(limit, "limit"))]

    def get(self, **scope: Unpack[WriteScope]) -> Conversation:
        """Return the conversation of a session, by the scope that it was remembered with.

        Raises:
            NotFound: if there is none.
        """
        held = find(self._opened.journal, self._bound.owner(scope))
        if held is None:
            raise NotFound(
                "there is no conversation of that session; `memory.conversations.list(...)` tells which "
                "there are, and `memory.remember(...)` begins one"
            )
        return held

    def turns(self, id: str | None = None, **scope: Unpack[WriteScope]) -> Sequence[Turn]:
        """Return the turns of a conversation, in order.

        Args:
            id: which conversation; default: that of the session which the scope names.
            scope: `tenant`, `user`, `agent`, `session`, as it was remembered with.

        Raises:
            NotFound: if the scope sees no such conversation.
            InvalidInput: if the id is of something else.
        """
        if id is None:
            held = self.get(**scope)
            return turns_of(self._opened.journal, held.id, view=held.scope.view())
        view = self._bound.owner(scope).view()
        record = self._opened.journal.get(check_unicode(id, "id"), view=view)
        if not isinstance(record, Conversation):
            raise InvalidInput(f"{id!r} is a {record.kind}, and only conversations have turns")
        return turns_of(self._opened.journal, record.id, view=view)

    def around(
        self, turn: str | Hit, *, before: int = 1, after: int = 1, **scope: Unpack[ReadScope]
    ) -> Sequence[Turn]:
        """Return a turn with those before and after it; of a hit, `hit.around()` does the same.

        Args:
            turn: its id, or a hit in it.
            before: how many turns before it.
            after: how many after it.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Raises:
            NotFound: if the scope does not see the turn.
            InvalidInput: if it is a piece of a document.
        """
        return turns_around(
            self._opened.journal,
            turn.document_id if isinstance(turn, Hit) else check_unicode(turn, "turn"),
            view=self._bound.view(scope),
            before=check_count(before, "before", least=0),
            after=check_count(after, "after", least=0),
        )

    def correct(self, turn: str, text: str, **scope: Unpack[WriteScope]) -> Turn:
        """Store what a turn should say in its place, and return that.

        The turn itself is deleted, since what was said is not rewritten, and so is what only it stated. `statements.digest`
        reads the new one. It has the place, the speaker and the time of the old one.

        Args:
            turn: its id.
            text: what it should say, whole.
            scope: exactly that of the turn, as its `scope` tells.

        Raises:
            NotFound: if there is no such turn in this scope, or no more.
            InvalidInput: if it is no turn, or the text is empty.
        """
        return correct(self._opened, turn, text, self._bound.owner(scope))
