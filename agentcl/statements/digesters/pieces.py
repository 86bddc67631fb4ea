"""What the trained model reads of a conversation: pieces of the user's own words, each behind what was said before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from agentcl.statements.english.hearing import own_sentences

_LONGEST: Final = 360  # characters of a piece, unless one sentence is longer
_BEFORE: Final = 320  # characters of what was said before
_LAST_WORDS: Final = (
    160  # characters of what somebody else said last: what he asks stands at its end
)


@dataclass(frozen=True, slots=True)
class OwnWords:
    """Some sentences of one turn."""

    before: str  # the end of what was said before it, by anybody
    text: str
    turn: int  # the place of its turn


def pieces(said: Iterable[tuple[str, str]]) -> Iterator[OwnWords]:
    """Yield the pieces of what a user says himself.

    Args:
        said: roles and texts of turns, in order.
    """
    before = ""
    for place, (role, text) in enumerate(said):
        if role != "user":
            before = f"{before} {' '.join(text[-_LAST_WORDS:].split())}".strip()
            continue
        for part in _parts(text):
            yield OwnWords(before[-_BEFORE:], part, place)
            before = f"{before} {part}".strip()


def _parts(text: str) -> Iterator[str]:
    part = ""
    for sentence in own_sentences(text):
        if part and len(part) + len(sentence) >= _LONGEST:
            yield part
            part = ""
        part = f"{part} {sentence}".strip()
    if part:
        yield part
