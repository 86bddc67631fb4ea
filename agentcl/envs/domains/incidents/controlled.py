"""The controlled voice: incidents in the reference model's English (`docs/concepts/reference-model.md`)."""

from __future__ import annotations

from agentcl.envs.domains.incidents.deployments import (
    CLEARED,
    DONE,
    FOUND_NOTHING,
    HIDDEN,
    NOTHING,
    WORSE,
)
from agentcl.envs.domains.incidents.incident import Event, Incident

NO_SUCH = "there is no such action"


class Controlled:
    """Says the same thing always in the same words."""

    def __init__(self, incident: Incident) -> None:
        thing = f"{incident.service} {incident.name}"
        seen = HIDDEN if incident.diagnostic else incident.sign
        self.goal = f"clear the alert of {incident.name}."
        self.first = f"The {thing} {seen}."
        self.actions = incident.actions
        self._verbs = dict(zip(incident.actions, incident.verbs, strict=True))
        self._said: dict[Event, str] = {
            "unknown": NO_SUCH,
            "found nothing": FOUND_NOTHING,
            "sign": f"the {thing} {incident.sign}",
            "needed": f"{incident.before} it before",
            "done": DONE,
            "cleared": CLEARED,
            "worse": WORSE,
            "nothing": NOTHING,
        }

    def verb_of(self, action: str) -> str | None:
        """Return the verb of an action that is offered; None if it is not."""
        return self._verbs.get(action)

    def tell(self, event: Event) -> str:
        """Return what is seen after an action."""
        return self._said[event]

    @staticmethod
    def situation(service: str, sign: str | None) -> str:
        """Return "a queue is slow"."""
        return f"a {service} {sign or HIDDEN}"

    @staticmethod
    def act(verb: str, service: str) -> str:
        """Return "drain it"."""
        return f"{verb} it"

    @staticmethod
    def acting(verb: str, service: str) -> str:
        """Return "you drain a queue"."""
        return f"you {verb} a {service}"
