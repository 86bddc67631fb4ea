"""What a digester reads out of turns: assertions, from which statements are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agentcl.store.conversations import Polarity, Sort, Statement, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """One thing that turns say: a subject's attribute has a value, or has it no longer."""

    subject: str  # "user", or whom or what it is about
    attribute: str
    value: str  # empty with `polarity="ended"`: whatever value there was
    text: str  # one plain sentence
    turns: tuple[int, ...]  # places, among those that were read, of the turns that say it
    sort: Sort = "fact"
    polarity: Polarity = "holds"
    is_member: bool = False  # one of several that hold beside each other
    since: str = ""  # ISO 8601: a moment, a day, a month or a year; empty: not said
    until: str = ""
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Wish:
    """That somebody wishes something to be forgotten."""

    text: str  # as it was said
    about: str  # what is to be forgotten, in words; empty: what was said right before
    turn: int  # the place, among those that were read, of the turn that says it


@dataclass(frozen=True, slots=True)
class Digested:
    """What was read out of some turns."""

    said: tuple[Assertion, ...]
    dropped: int = 0  # that the turns do not bear out
    wishes: tuple[Wish, ...] = ()


class Digester(Protocol):
    """Who reads assertions out of turns."""

    @property
    def name(self) -> str:
        """What statements and conversations are noted as read by."""
        ...

    def digest(self, turns: Sequence[Turn], known: Sequence[Statement]) -> Digested:
        """Return what turns say.

        Args:
            turns: a whole exchange that was not read yet, in order.
            known: what holds already of those whom the turns may be about.

        Raises:
            AgentclError: if they cannot be read now.
        """
        ...
