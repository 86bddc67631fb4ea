"""One incident with all that is hidden, and the ways in which it can be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

# What comes of an action, whatever words it is told in: there is no such action; a diagnostic shows nothing; it
# shows the sign; another action has to come first; that other one is done; and what became of the alert.
Event = Literal[
    "unknown", "found nothing", "sign", "needed", "done", "cleared", "worse", "nothing"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Incident:
    """One alert with all that is hidden."""

    name: str  # of the instance
    service: str
    sign: str
    remedy: str
    before: str | None  # what the remedy needs
    harm: str
    diagnostic: str | None  # what shows the sign; None: it is seen
    actions: tuple[str, ...]  # with the instance's name, in the order in which they are offered

    @property
    def verbs(self) -> tuple[str, ...]:
        """The actions without the instance's name, in the same order."""
        return tuple(action.removesuffix(f" {self.name}") for action in self.actions)


class Voice(Protocol):
    """Tells one incident, event by event.

    What it says first follows from the service, its name, and the sign where that is seen; never from what helps or harms.
    """

    goal: str
    first: str  # what is seen at first

    @property
    def actions(self) -> Sequence[str]:
        """Those offered, in the order of the incident's."""
        ...

    def verb_of(self, action: str) -> str | None:
        """Return the verb of an action that is offered; None if it is not."""
        ...

    def tell(self, event: Event) -> str:
        """Return what is seen after an action."""
        ...


class Wording(Protocol):
    """Says rules of any incident in the words of a voice."""

    @staticmethod
    def situation(service: str, sign: str | None) -> str:
        """Return a clause for a kind of service with a sign; None: with an alert that does not tell it."""
        ...

    @staticmethod
    def act(verb: str, service: str) -> str:
        """Return an order to do something to the service that a situation names."""
        ...

    @staticmethod
    def acting(verb: str, service: str) -> str:
        """Return a clause in which the reader does something to a kind of service."""
        ...
