"""Whose evidence counts for whom.

Within a tenant each user is a witness of his own. A *line* is a user together with an agent: what one of them lives
through is kept by it, whatever the session. A reader believes what happened in the lines that he sees; of the
others he learns only through lessons that they may see as well, and of them no user weighs more than any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar

from agentcl.store.records import Scope, ScopeView

Line = str  # the user and the agent of a scope; a line break stands in neither
T = TypeVar("T")


def line_of(scope: Scope) -> Line:
    """Return the line that a scope's evidence belongs to."""
    return f"{scope.user}\n{scope.agent}"


NOBODY: Final = line_of(Scope())


@lru_cache(maxsize=4_096)
def user_of(line: Line) -> str:
    """Return the user of a line, empty for none."""
    return line.partition("\n")[0]


class Sight(NamedTuple):
    """What a reader sees of others' experience; None: of any user, or agent."""

    users: frozenset[str] | None
    agents: frozenset[str] | None

    def is_own(self, user: str) -> bool:
        """Return whether what a user found out counts in full."""
        return self.users is None or user in self.users

    def own(self, lines: Iterable[Line]) -> Iterable[Line]:
        """Return the lines whose tests and outcomes of a lesson count in full.

        Whatever their agent: who tested a lesson could see it.
        """
        users = self.users
        return lines if users is None else [line for line in lines if user_of(line) in users]

    def sees_all(self, lines: Iterable[Line]) -> bool:
        """Return whether all lines count in full."""
        users = self.users
        return users is None or not any(user_of(line) not in users for line in lines)

    def witnesses(self, held: Mapping[Line, T]) -> list[T]:
        """Return what the lines hold that count in full."""
        return [held[line] for line in self.own(held)]

    def ways(self, held: Mapping[Line, T]) -> list[T]:
        """Return what is held of how things go for the reader: of his users and agents alone, his own first."""
        if self.users is not None and self.agents is not None:
            return [held[line] for line in _lines(self.users, self.agents) if line in held]
        found = []
        for line, one in held.items():
            user, _, agent = line.partition("\n")
            if self.is_own(user) and (self.agents is None or agent in self.agents):
                found.append(one)
        return found


@lru_cache(maxsize=4_096)
def _lines(users: frozenset[str], agents: frozenset[str]) -> tuple[Line, ...]:
    """Return the lines of users and agents, the most particular one first."""
    return tuple(
        f"{user}\n{agent}"
        for user in sorted(users, reverse=True)
        for agent in sorted(agents, reverse=True)
    )


EVERYBODY: Final = Sight(None, None)


def sight_of(view: ScopeView) -> Sight:
    """Return what the readers of a view see."""
    return Sight(view.user, view.agent)


def sight_of_line(line: Line) -> Sight:
    """Return the sight of whoever lives in a line."""
    user, _, agent = line.partition("\n")
    return Sight(frozenset({"", user}), frozenset({"", agent}))


def may_test(witness: Scope, lesson: Scope) -> bool:
    """Return whether evidence of a scope counts for a lesson: who cannot see it says nothing of it."""
    return witness.view().sees(lesson)


def sight_of_lesson(owner: Scope, view: ScopeView | None) -> Sight:
    """Return whose evidence of a lesson counts in full for a view; None, or an open one, sees as its owner does."""
    if view is not None and view.user is not None:
        return sight_of(view)
    if view is None:
        agents = frozenset({"", owner.agent}) if owner.agent else None
        return Sight(frozenset({"", owner.user}), agents)
    return Sight(frozenset({"", owner.user}) if owner.user else None, view.agent)
