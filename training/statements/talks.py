"""Labelled conversations: reading them, as pieces to learn from and as histories to measure on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agentcl.statements.digesters.pieces import pieces
from agentcl.statements.digesters.tagging import SLOTS, Tagged
from training.statements.sentences import Labelled

FOLDER: Final = Path(__file__).parent / "talks"
_DAY: Final = re.compile(r"-- (\d{4}-\d\d-\d\d)")
_NEAR: Final = 3  # turns, the last one too, in which it stands of whom something is said


@dataclass(slots=True)
class Said:
    """One turn, and what it states."""

    role: str
    text: str
    says: list[Tagged] = field(default_factory=list)


@dataclass(slots=True)
class Session:
    """What was said on one day."""

    day: str
    turns: list[Said] = field(default_factory=list)


@dataclass(slots=True)
class Talk:
    """A conversation of one user over some time."""

    title: str
    file: str
    sessions: list[Session] = field(default_factory=list)

    @property
    def turns(self) -> list[Said]:
        """All turns, in order."""
        return [turn for session in self.sessions for turn in session.turns]


def load_talks(files: Iterable[Path] | None = None) -> list[Talk]:
    """Return the conversations of files; of all here, if none are named.

    Raises:
        ValueError: if a line is none of the form, or a label is not in the words, naming file and line.
    """
    found: list[Talk] = []
    for file in sorted(FOLDER.glob("*.txt")) if files is None else files:
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            try:
                _read(line.rstrip(), found, file.stem)
            except (ValueError, IndexError) as error:
                raise ValueError(f"{file.name}, line {number}: {error}: {line}") from None
    return found


def _read(line: str, found: list[Talk], file: str) -> None:
    if not line:
        return
    if line.startswith("### "):
        found.append(Talk(line[4:], file))
    elif day := _DAY.match(line):
        found[-1].sessions.append(Session(day[1]))
    elif line.startswith(("U: ", "A: ")):
        role = "user" if line[0] == "U" else "assistant"
        found[-1].sessions[-1].turns.append(Said(role, line[3:]))
    elif line.startswith("= "):
        turns = found[-1].sessions[-1].turns
        turns[-1].says.append(_label(line[2:], [turn.text for turn in found[-1].turns[-_NEAR:]]))
    else:
        raise ValueError("no line of a conversation")


def _label(line: str, near: list[str]) -> Tagged:
    slot, who, value, *rest = (part.strip() for part in line.split("|"))
    more = dict(part.split(": ", 1) for part in rest if part != "ended")
    one = Tagged(
        slot, value, who, more.get("attr", ""), more.get("when", ""), ended="ended" in rest
    )
    both = "\n".join(near)
    is_there = value and value in near[-1] and one.when in near[-1] and one.attr in both
    if slot not in SLOTS or not is_there or (who != "user" and who not in both):
        raise ValueError("a label that is not in the words")
    return one


def labelled(talks: Iterable[Talk]) -> list[Labelled]:
    """Return the pieces of conversations, with what they state: what `LearnedDigester` gives to the model."""
    return [one for talk in talks for session in talk.sessions for one in _pieces(session)]


def _pieces(session: Session) -> Iterator[Labelled]:
    left = [list(turn.says) for turn in session.turns]
    for piece in pieces((turn.role, turn.text) for turn in session.turns):
        says = tuple(one for one in left[piece.turn] if one.value in piece.text)
        left[piece.turn] = [one for one in left[piece.turn] if one not in says]
        yield Labelled(piece.before, piece.text, tuple(_here(one, piece.text) for one in says))


def _here(one: Tagged, text: str) -> Tagged:
    """Return a label without words that stand in another piece of its turn."""
    return Tagged(
        one.slot, one.value, one.who, one.attr, one.when if one.when in text else "", one.ended
    )
