"""Guidance as it helps at one step of an episode: what has to come first stands with what it comes before, until it is done.

A small model that reads "When a, do x" and "Before you do x, do y" apart does x at once, or y again and again. Who acts is
told one thing to do at a time, as Plan-and-Act agents are told their next sub-goal; what is remembered stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentcl.agents.effects import changes
from agentcl.envs.acting import History
from agentcl.guidance.same import content, names
from agentcl.lessons import Lesson, read_sentence


def timely(
    guidance: Sequence[str], first: str, history: History, actions: Sequence[str]
) -> tuple[str, ...]:
    """Return what guidance says now, in its order.

    A lesson that something has to come before an action is left out once that was done. Until then it is joined to the lessons
    that name the action: "When a queue is full, first pause it, then drain it". Any other guidance stays as it is.

    Args:
        guidance: lessons as sentences, and whatever else is said.
        first: what was seen first.
        history: actions, and what was seen then.
        actions: those to choose from.
    """
    read = [(text, read_sentence(text)) for text in guidance]
    needs = {text: one for text, one in read if one is not None and one.claim == "needs"}
    done = [action for action, is_change in changes(first, history, actions) if is_change]
    due = {
        text: one
        for text, one in needs.items()
        if not any(names(one.what, action) for action in done)
    }
    joined: set[str] = set()
    told: dict[str, str] = {}
    for text, lesson in read:
        told[text] = text
        for other, need in due.items():
            if lesson is not None and lesson.claim == "do" and (whole := _joined(text, need)):
                told[text] = whole
                joined.add(other)
                break
    return tuple(
        said for text, said in told.items() if text not in needs or text in due.keys() - joined
    )


def _joined(text: str, need: Lesson) -> str:
    """Return a lesson with what has to come first, empty if it does not name the action that this comes before."""
    aim = content(need.when)
    at = text.find(", ")
    while at >= 0:
        when, what = text[:at], text[at + 2 :]
        said = content(what)
        # "drain it" is "drain a queue" where a queue is spoken of.
        if said and set(said) <= set(aim) and set(aim) - set(said) <= set(content(when)):
            return f"{when}, first {need.what}, then {what}"
        at = text.find(", ", at + 1)
    return ""
