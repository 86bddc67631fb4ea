"""What a user states, as lines that a language model writes below each of his turns, and the conversation that asks for them.

A conversation is asked about turn by turn: a question of the user is what was said since his last turn, an answer is its
lines. So all that was said and read before stands in the prompt, the same each time (a server's prefix cache keeps it).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agentcl.models.base import Message, conversation
from agentcl.statements.hearing import own_sentences
from agentcl.statements.tagged import SLOTS, Tagged
from agentcl.text.escaping import Prompt, escape, inline, prompt_of, unescape

INSTRUCTIONS: Final = "List what the user states."
NOTHING: Final = "-"
_LAST_WORDS: Final = 320  # characters of what others said last: what they ask stands at its end
_MOST_LINES: Final = 16  # of an answer: more are said when a model repeats itself
_LONGEST: Final = 1_600  # characters of a turn that is asked about


@dataclass(frozen=True, slots=True)
class OwnTurn:
    """What a user says himself in a turn, and what others said right before it."""

    before: str
    text: str
    turn: int  # its place


def heard(said: Sequence[tuple[str, str]]) -> Iterator[OwnTurn]:
    """Yield what a user says himself, turn by turn. Turns in which he says nothing himself are passed over.

    Args:
        said: roles and texts of turns, in order.
    """
    before = ""
    for place, (role, text) in enumerate(said):
        if role != "user":
            before = " ".join(text[-_LAST_WORDS:].split())
            continue
        if own := " ".join(own_sentences(text))[:_LONGEST]:
            yield OwnTurn(before, own, place)
        before = ""


def ask_lines(one: OwnTurn) -> Prompt:
    """Return the prompt for what a turn states."""
    lines = [f"Assistant: {inline(one.before)}"] if one.before else []
    return prompt_of(*lines, f"User: {inline(one.text)}")


def messages(asked: Sequence[tuple[OwnTurn, str]], one: OwnTurn) -> list[Message]:
    """Return the conversation that asks about a turn, behind others with their answers."""
    before = [(ask_lines(other), answer) for other, answer in asked]
    return conversation(INSTRUCTIONS, ask_lines(one), before)


def written(said: Sequence[Tagged]) -> str:
    """Return the answer that says what a turn states."""
    return "\n".join(map(_line, said)) or NOTHING


def _line(one: Tagged) -> str:
    parts = [one.slot, one.who, one.value]
    parts += [f"attr: {one.attr}"] if one.attr else []
    parts += [f"when: {one.when}"] if one.when else []
    parts += ["ended"] if one.ended else []
    return " | ".join(escape(" ".join(part.split()).replace("|", "/")) for part in parts)


def read_lines(answer: str, one: OwnTurn) -> tuple[list[Tagged], int]:
    """Return what an answer says that a turn states, and how many lines of it are no statement in the turn's words."""
    plain = unescape(answer, seen_in=ask_lines(one)).strip()
    lines = list(dict.fromkeys(line.strip() for line in plain.split("\n") if line.strip()))
    lines = [line for line in lines if line != NOTHING][:_MOST_LINES]
    read = [_tagged(line, one) for line in lines]
    return [held for held in read if held], read.count(None)


def _tagged(line: str, one: OwnTurn) -> Tagged | None:
    slot, who, value, *rest = (*(part.strip() for part in line.split("|")), "", "", "")
    more = dict(part.partition(": ")[::2] for part in rest if part)
    if slot not in SLOTS or not who or not value or value.casefold() not in one.text.casefold():
        return None
    when = more.get("when", "")
    return Tagged(
        slot,
        value,
        who,
        more.get("attr", ""),
        when if when.casefold() in one.text.casefold() else "",
        ended="ended" in more,
    )
