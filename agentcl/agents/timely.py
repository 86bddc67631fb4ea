"""Guidance as it helps at one step of an episode: what has to come first stands with what it comes before, until it is done.

A small model that reads "When a, do x" and "Before you do x, do y" apart does x at once, or y again and again; of "Before you do x
to a b, do y" it does y to anything. Who acts is told one thing to do at a time, as Plan-and-Act agents are told their next
sub-goal; what is remembered stays as it is.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from agentcl.agents.clauses import sentences
from agentcl.agents.effects import changes, still_worth_trying
from agentcl.envs.acting import History, any_may
from agentcl.guidance.meaning.same import content, names
from agentcl.lessons import Lesson, read_sentence

# "an order whose customer is new and that is late"
_CLAUSE: Final = re.compile(r"\b(?:who|whose|which|that|and)\b")
_DONE: Final = "All that comes first was done, so the next action is: "


@dataclass(frozen=True, slots=True)
class _Need:
    """A lesson that something has to come before an action."""

    text: str
    said: str  # how it is told: of the very action, where it is seen to be about it
    lesson: Lesson
    about: frozenset[str]  # words that say of what the action is, beside its own
    is_known: bool  # all of these were seen, those of a clause in one sentence
    is_done: bool  # what has to come first
    is_vain: bool  # it was tried, and nothing changed since


@dataclass(frozen=True, slots=True)
class Timely:
    """What guidance says at one step."""

    guidance: tuple[str, ...]  # in its order
    aside: frozenset[str]  # actions that come first at times, and not now


def timely(
    guidance: Sequence[str],
    first: str,
    history: History,
    actions: Sequence[str],
    may_change: Callable[[str], bool] = any_may,
) -> Timely:
    """Return what guidance says now.

    A lesson that something has to come before an action is left out once that was done. Until then it is joined to the lessons
    that name the action: "When a queue is full, first pause it, then drain it". Of lessons that say so of things of several kinds,
    those are left out whose kind was not seen, as long as another one is due, or once that of the kind that was seen is done, or
    all was looked up; so is one that says of all what another says of one kind. What they say to do is set aside. When nothing has
    to come first any more, the action is said to be next where no other lesson speaks of it.
    What was done in vain since something last changed, or looked up, is not told again.
    Any other guidance stays as it is.

    Args:
        guidance: lessons as sentences, and whatever else is said.
        first: what was seen first.
        history: actions, and what was seen then.
        actions: those to choose from.
        may_change: whether an action does more than look something up.
    """
    hopeful = still_worth_trying(actions, first, history, may_change)
    read = [(text, read_sentence(text)) for text in guidance]
    needs = _needs(read, first, history, actions, hopeful)
    looks = [one for one in actions if not may_change(one)]
    is_all_seen = bool(looks) and not any(one in hopeful for one in looks)
    due_before = {action: _due(action, some, is_all_seen) for action, some in needs.items()}
    due = {need.text: need for some in due_before.values() for need in some}
    joined: set[str] = set()
    told: dict[str, str] = {}
    for text, lesson in read:
        if lesson is None or lesson.claim != "needs":
            told[text] = text
        if lesson is None or lesson.claim != "do":
            continue
        for other, need in due.items():
            if whole := _joined(text, need.lesson):
                told[text] = whole
                joined.add(other)
                break
        else:
            if _is_over(lesson.what, actions, hopeful):
                del told[text]
    told |= {text: need.said for text, need in due.items() if text not in joined}
    said = [told[text] for text, _ in read if text in told]
    spoken_of = [one.what for _, one in read if one is not None and one.claim != "needs"]
    ready = [
        action
        for action, some in needs.items()
        if action in hopeful
        and any(need.is_done and need.is_known for need in some)
        and not due_before[action]
    ]
    said += [
        f"{_DONE}{action}."
        for action in ready
        if not any(names(what, action) for what in spoken_of)
    ]
    unsaid = [
        need.lesson.what
        for action, some in needs.items()
        if action in ready or any(need.is_known for need in due_before[action])
        for need in some
        if need not in due_before[action]
    ]
    still = [need.lesson.what for need in due.values()]
    aside = (
        one
        for one in actions
        if any(_is_meant(what, one, actions) for what in unsaid)
        and not any(_is_meant(what, one, actions) for what in still)
    )
    return Timely(tuple(dict.fromkeys(said)), frozenset(aside).difference(ready))


def is_named(action: str, told: str, actions: Sequence[str]) -> bool:
    """Return whether a line of what is told now says to do an action, of those that are offered."""
    if told == f"{_DONE}{action}.":
        return True
    lesson = read_sentence(told)
    is_advice = lesson is not None and lesson.claim in ("do", "needs")
    return lesson is not None and is_advice and _is_meant(lesson.what, action, actions)


def _needs(
    read: Sequence[tuple[str, Lesson | None]],
    first: str,
    history: History,
    actions: Sequence[str],
    hopeful: Sequence[str],
) -> dict[str, list[_Need]]:
    """Return what has to come before each action, and under no action what comes before one that is not offered."""
    done = [action for action, is_change in changes(first, history, actions) if is_change]
    texts = (first, *(outcome for _, outcome in history))
    seen = [frozenset(content(one)) for text in texts for one in sentences(text)]
    needs = defaultdict[str, list[_Need]](list)
    for text, lesson in read:
        if lesson is None or lesson.claim != "needs":
            continue
        action = _aim(lesson.when, actions)
        said_of = [
            frozenset(content(one)).difference(content(action))
            for one in _CLAUSE.split(lesson.when)
        ]
        about = frozenset[str]().union(*said_of)
        is_known = bool(action) and all(any(one <= told for told in seen) for one in said_of)
        said = f"Before you {action}, {lesson.what}." if is_known else text
        is_done = any(_is_meant(lesson.what, one, actions) for one in done)
        is_vain = not is_done and _is_over(lesson.what, actions, hopeful)
        needs[action].append(_Need(text, said, lesson, about, is_known, is_done, is_vain))
    return {action: _without_general(some) for action, some in needs.items()}


def _without_general(needs: Sequence[_Need]) -> list[_Need]:
    """Return what has to come first without what is said of all kinds of things and, by another lesson, of one kind alone."""
    return [
        need
        for need in needs
        if not any(
            need.about < other.about and content(need.lesson.what) == content(other.lesson.what)
            for other in needs
        )
    ]


def _due(action: str, needs: Sequence[_Need], is_all_seen: bool) -> list[_Need]:
    """Return what has to come before an action now."""
    left = [need for need in needs if not need.is_done and not need.is_vain]
    if not action:
        return left
    if due := [need for need in left if need.is_known]:
        return due
    if is_all_seen:
        return []
    met = [need.about for need in needs if need.is_done and need.is_known]
    return [need for need in left if all(about <= need.about for about in met)]


def _is_meant(what: str, action: str, actions: Sequence[str]) -> bool:
    """Return whether a lesson means an action: "look up the customer" is not "look up C422" where it is offered itself."""
    words = set(content(what))
    exact = [one for one in actions if words <= set(content(one))]
    return action in exact if exact else names(what, action)


def _is_over(what: str, actions: Sequence[str], hopeful: Sequence[str]) -> bool:
    """Return whether all that a lesson means of what is offered was done in vain."""
    meant = [one for one in actions if _is_meant(what, one, actions)]
    return bool(meant) and not any(one in hopeful for one in meant)


def _aim(said: str, actions: Sequence[str]) -> str:
    """Return the action that is spoken of: of those with the same verb the one with most words in common; empty if none is."""
    words = content(said)
    alike = [one for one in actions if words[:1] and content(one)[:1] == words[:1]]
    common = [len(set(words).intersection(content(one))) for one in alike]
    best = [one for one, count in zip(alike, common, strict=True) if count == max(common)]
    return best[0] if len(best) == 1 else ""


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
