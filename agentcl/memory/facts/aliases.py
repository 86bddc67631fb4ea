"""`memory.aliases`: names of which somebody says that they are one thing's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Unpack

from agentcl.errors import InvalidInput, NotFound
from agentcl.memory.bound import UNBOUND, Bound
from agentcl.memory.opened import Opened
from agentcl.retrieval.aliases import alias_key, joined
from agentcl.retrieval.graph.phrases import LONGEST, normalise
from agentcl.store.checks import ReadScope, WriteScope, check_text
from agentcl.store.records import Alias
from agentcl.text.suggesting import nearest

_SUGGESTED: Final = 3


class Aliases:
    """Names that are one thing's: "Bob Lindholm" and "Robert Lindholm". Made by `Memory.aliases`.

    The graph has one node for them, and who asks by one name is answered by what is said of the other too. The texts
    stay as they are. Names that are one with a third are one with each other.
    """

    def __init__(self, opened: Opened, bound: Bound = UNBOUND) -> None:
        self._opened = opened
        self._bound = bound

    def add(self, name: str, other: str, **scope: Unpack[WriteScope]) -> Alias:
        """Say that two names are one thing's, whether or not a text names it yet; return what is stored.

        What is said already is returned as it is. `remove` takes it back.

        Args:
            name: one name, at most 200 characters. Capitals and spaces do not matter.
            other: the other one.
            scope: `tenant`, `user`, `agent`, `session`: who sees them as one; see `Memory`.

        Raises:
            InvalidInput: if a name is none, or both are the same already.
        """
        owner, key = self._bound.owner(scope), check_alias(name, other)
        one = Alias(
            id="",
            scope=owner,
            key=key,
            name=" ".join(name.split()),
            other=" ".join(other.split()),
        )
        with self._opened.journal.writing() as writing:
            held = self._opened.journal.find(kind=Alias.kind, scope=owner, key=key)
            stored = writing.create(one) if held is None else held
        assert isinstance(stored, Alias)
        return stored

    def list(self, name: str = "", **scope: Unpack[ReadScope]) -> Sequence[Alias]:
        """Return what was said of names, oldest first.

        Args:
            name: only what names this one.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.
        """
        wanted = _check_name(name) if name else ""
        every = self._opened.journal.records(Alias, view=self._bound.view(scope))
        return [
            one for one in every if not wanted or wanted in map(normalise, (one.name, one.other))
        ]

    def names(self, name: str, **scope: Unpack[ReadScope]) -> Sequence[str]:
        """Return all names of what has this one, in the form that all spellings share; itself among them.

        Args:
            name: one of them.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.
        """
        wanted = _check_name(name)
        same = joined(self.list(**scope))
        return sorted({wanted, *(one for _, names in same if wanted in names for one in names)})

    def remove(self, name: str, other: str, **scope: Unpack[WriteScope]) -> None:
        """Take back that two names are one; the history stays.

        Args:
            name: one name.
            other: the other one.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Raises:
            NotFound: if nobody said so in exactly this scope.
        """
        owner, key = self._bound.owner(scope), check_alias(name, other)
        with self._opened.journal.writing() as writing:
            held = self._opened.journal.find(kind=Alias.kind, scope=owner, key=key)
            if held is None:
                raise NotFound(
                    f"nobody said of {name!r} and {other!r} that they are one, in this scope{self._near(name, scope)}"
                )
            writing.delete(held)

    def _near(self, name: str, scope: WriteScope) -> str:
        """Return in words what was said of names like this one."""
        known = {f"{one.name} = {one.other}": one for one in self.list(**scope)}
        like = nearest(
            normalise(name),
            [normalise(part) for one in known.values() for part in (one.name, one.other)],
            most=_SUGGESTED,
        )
        said = [
            words
            for words, one in known.items()
            if {*map(normalise, (one.name, one.other))} & {*like}
        ]
        return f"; what was said: {', '.join(said)}" if said else ""


def check_alias(name: str, other: str) -> str:
    """Return the key of two names. Raises InvalidInput if a name is none, or both are the same."""
    if _check_name(name) == _check_name(other):
        raise InvalidInput(
            f"{name!r} and {other!r} are one name already: capitals, spaces and signs around it do not matter"
        )
    return alias_key(name, other)


def _check_name(name: str) -> str:
    """Return a name in the form that all its spellings share. Raises InvalidInput."""
    check_text(name, "a name")
    if len(name) > LONGEST or not normalise(name):
        raise InvalidInput(
            f"a name has letters or digits, and at most {LONGEST} characters: {name[:60]!r}"
        )
    return normalise(name)
