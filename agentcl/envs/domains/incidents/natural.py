"""The natural voice: incidents as tickets, chats, logs and monitors tell them, with lines beside the point.

A seeded grammar draws the phrases (`phrasings`). What happens in an incident is the same as in the controlled voice, and so
are the actions underneath, which each have one wording.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from agentcl.envs.domains.incidents.incident import Event, Incident
from agentcl.envs.domains.incidents.phrasings import (
    ACTIONS,
    PLAIN,
    PLAIN_CODE,
    PLAIN_HIDDEN,
    Phrasings,
)
from agentcl.envs.names import Names

_NOISE: Final = ("noise", "noise2", "noise3")  # places of lines beside the point
_STATE: Final = "is "  # how a sign that is a state begins ...
_CODE: Final = "raises "  # ... and one that is a code


class Natural:
    """Tells one incident in varied English.

    Args:
        incident: what is told.
        rng: of the phrases. They may depend on nothing else that is hidden, or they would tell it.
        phrasings: the share that they are drawn from.
    """

    def __init__(self, incident: Incident, rng: random.Random, phrasings: Phrasings) -> None:
        self._incident, self._rng, self._phrasings = incident, rng, phrasings
        self._host = f"{incident.name.lower()}{rng.randrange(1, 10)}"
        self._others = Names(rng)
        self.actions = tuple(ACTIONS[verb].format(self._host) for verb in incident.verbs)
        self._verbs = dict(zip(self.actions, incident.verbs, strict=True))
        self.goal = self._filled(phrasings.goals)
        seen = phrasings.hidden if incident.diagnostic else self._signs()
        self.first = self._filled(phrasings.alerts, sign=rng.choice(seen))

    def verb_of(self, action: str) -> str | None:
        """Return the verb of an action that is offered; None if it is not."""
        return self._verbs.get(action)

    def tell(self, event: Event) -> str:
        """Return what is seen after an action, in other words each time."""
        said = self._phrasings
        if event == "sign":
            return self._filled(said.found, sign=self._rng.choice(self._signs()))
        if event == "needed":
            before = ACTIONS[self._incident.before or ""].format(self._host)
            return self._filled(said.needed, before=before)
        return self._filled(
            {
                "unknown": said.unknown,
                "found nothing": said.found_nothing,
                "done": said.done,
                "cleared": said.cleared,
                "worse": said.worse,
                "nothing": said.nothing,
            }[event]
        )

    def _signs(self) -> Sequence[str]:
        """Return the ways to say what is wrong."""
        sign = self._incident.sign
        if sign.startswith(_CODE):
            return [form.format(sign.removeprefix(_CODE)) for form in self._phrasings.codes]
        return self._phrasings.states[sign.removeprefix(_STATE)]

    def _filled(self, forms: Sequence[str], **more: str) -> str:
        """Return one of the forms with all its places filled."""
        rng, names = self._rng, {"kind": self._incident.service, "host": self._host}
        who, whom = rng.sample(self._phrasings.people, 2)
        hour, minute = rng.randrange(24), rng.randrange(50)
        it = rng.choice(self._phrasings.services).format(**names)
        drawn = {
            **names,
            "it": it,
            "It": it if it.startswith(self._host) else it[:1].upper() + it[1:],
            "who": who,
            "whom": whom,
            "at": f"{hour:02}:{minute:02}",
            "later": f"{hour:02}:{minute + rng.randrange(1, 10):02}",
            "day": f"2031-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}",
            "number": str(rng.randrange(1000, 9999)),
            "other": f"{self._others.fresh().lower()}{rng.randrange(1, 10)}",
        }
        for place, line in zip(_NOISE, rng.sample(self._phrasings.noise, len(_NOISE)), strict=True):
            more[place] = line.format(**drawn)
        return rng.choice(forms).format(**drawn, **more)

    @staticmethod
    def situation(service: str, sign: str | None) -> str:
        """Return "a queue is slow to respond"."""
        if sign is None:
            said = PLAIN_HIDDEN
        elif sign.startswith(_CODE):
            said = PLAIN_CODE.format(sign.removeprefix(_CODE))
        else:
            said = PLAIN[sign.removeprefix(_STATE)]
        return f"a {service} {said}"

    @staticmethod
    def act(verb: str, service: str) -> str:
        """Return "flush the buffers of the queue", and "drain it" where that is all."""
        form = ACTIONS[verb]
        return form.format("it" if len(form.split()) == 2 else f"the {service}")

    @staticmethod
    def acting(verb: str, service: str) -> str:
        """Return "you flush the buffers of a queue"."""
        return f"you {ACTIONS[verb].format(f'a {service}')}"
