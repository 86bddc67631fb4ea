"""An actor for incidents in the natural voice that understands every phrase: the scripted responder behind an interpreter.

What is seen, and the lessons that are shown, are put into the controlled English that the responder reads, and its actions back
into the words that are offered. So its score is that of the lessons that it is shown, and misses nothing by misreading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from agentcl.envs.acting import Act, Situation
from agentcl.envs.domains.incidents.deployments import SERVICES, STATES
from agentcl.envs.domains.incidents.incident import Event
from agentcl.envs.domains.incidents.phrasings import ACTIONS, PLAIN, PLAIN_CODE, SHARES
from agentcl.envs.domains.incidents.responder import Responder
from agentcl.lessons import Claim, Lesson

_NAME: Final = "It"  # of every incident, as the responder hears it
_HOST: Final = re.compile(r"\b[a-z]+\d\b")
_PLACE: Final = re.compile(r"\\\{\w*\\\}")
_SERVICE: Final = re.compile(rf"\b({'|'.join(SERVICES)})\b")
# Its situation may hold commas, which a lesson's own reader stops at.
_LESSON: Final = re.compile(
    r"(?P<first>When|Before) (?P<when>.+), (?P<not>do not |it does not help to |)(?P<what>[^,]+)\."
)
_CLAIMS: Final[dict[str, Claim]] = {"do not ": "avoid", "it does not help to ": "useless"}
_EVENTS: Final[tuple[tuple[Event, str], ...]] = (
    ("cleared", "the alert is cleared"), ("worse", "the alert gets worse"), ("done", "done"),
    ("nothing", "nothing changes"), ("found nothing", "nothing is found"), ("unknown", "there is no such action"),
)  # fmt: skip


class Listener:
    """The responder, in the natural voice."""

    def __init__(self) -> None:
        self._responder = Responder()

    def act(self, situation: Situation) -> Act | None:
        """Return the responder's action, as it is offered."""
        offered = {verb: action for action in situation.actions or () if (verb := _verb(action))}
        heard = replace(
            situation,
            first=f"The {_situation(situation.first)}.",
            history=tuple(
                (f"{_verb(did)} {_NAME}", _event(seen)) for did, seen in situation.history
            ),
            offered=[f"{verb} {_NAME}" for verb in offered],
            guidance=tuple(filter(None, map(_lesson, situation.guidance))),
        )
        act = self._responder.act(heard)
        return act and Act(offered[act.action.removesuffix(f" {_NAME}")])


def _situation(text: str) -> str:
    """Return what is told of a service: "queue It is slow"."""
    service, sign = _SERVICE.search(text), _sign(text)
    return f"{service[0] if service else 'thing'} {_NAME} {sign or 'raises an alert'}"


def _sign(text: str) -> str:
    for state in STATES:
        if any(phrase in text for phrase in (PLAIN[state], *_of_state(state))):
            return f"is {state}"
    for form in (PLAIN_CODE, *(form for share in SHARES.values() for form in share.codes)):
        if found := re.search(re.escape(form).replace(r"\{\}", r"([A-Z]\w+)"), text):
            return f"raises {found[1]}"
    return ""


def _of_state(state: str) -> Iterator[str]:
    for share in SHARES.values():
        yield from share.states[state]


def _event(text: str) -> str:
    """Return what is told of an action."""
    for share in SHARES.values():
        if _is_any(share.needed, text):
            needed = max((verb for verb in ACTIONS if ACTIONS[verb] in _HOST.sub("{}", text)),
                         key=lambda verb: len(ACTIONS[verb]))  # fmt: skip
            return f"{needed} it before"
        if _is_any(share.found, text):
            return f"the {_situation(text)}"
        for event, said in _EVENTS:
            if _is_any(getattr(share, event.replace(" ", "_")), text):
                return said
    return text


def _is_any(forms: Sequence[str], text: str) -> bool:
    return any(
        re.fullmatch(_PLACE.sub("(?s:.+)", re.escape(_unescaped(form))), text) for form in forms
    )


def _unescaped(form: str) -> str:
    return form.replace("{{", "{").replace("}}", "}")


def _verb(action: str) -> str:
    bare = _HOST.sub("{}", action)
    return next((verb for verb, form in ACTIONS.items() if form == bare), "")


def _lesson(text: str) -> str | None:
    """Return a lesson that is shown, in controlled English; None for one that says nothing of incidents."""
    found = _LESSON.fullmatch(text.strip())
    service = found and _SERVICE.search(found["when"])
    if found is None or service is None or not (verb := _meant(found["what"])):
        return None
    if found["first"] == "Before":
        when = f"you {_meant(found['when'].removeprefix('you '))} a {service[0]}"
        return Lesson(when, "needs", f"{verb} it").sentence()
    claim = _CLAIMS.get(found["not"], "do")
    when = f"a {service[0]} {_sign(found['when']) or 'raises an alert'}"
    return Lesson(when, claim, f"{verb} it").sentence()


def _meant(said: str) -> str:
    """Return the verb of an action that a lesson names."""
    bare = re.sub(rf"\b(?:(?:the|an?) )?(?:it|{'|'.join(SERVICES)})\b", "{}", said)
    return next((verb for verb, form in ACTIONS.items() if form == bare), "")
