"""Summaries: a few sentences that what was said bears out, without a model or by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from agentcl.text.function_words import FUNCTION_WORDS
from agentcl.text.terms import terms

_SHARE: Final = 0.7  # of a sentence's telling words that the lines must have that bear it out
_LONGEST: Final = 300  # characters of a sentence
_SAYING: Final = frozenset(  # words that a summary tells with, and that need not have been said
    """
    user assistant person they say said says tell told ask asked asks mention mentioned want wanted like talk talked
    discuss discussed about has have lives live currently now recently also new name named conversation
    """.split()  # noqa: SIM905  # as a list it takes many lines
)


@dataclass(frozen=True, slots=True)
class Gist:
    """One sentence of a summary."""

    text: str
    of: tuple[int, ...]  # places of the lines that bear it out


class Summariser(Protocol):
    """Who tells lines in a few sentences."""

    @property
    def name(self) -> str:
        """What summaries are noted as written by."""
        ...

    def summarise(self, lines: Sequence[str], *, about: str) -> Sequence[Gist]:
        """Return a few sentences. Who asks leaves out those that the lines do not bear out.

        Args:
            lines: what was said, or what holds, in order.
            about: what the lines are, in words.

        Raises:
            AgentclError: if they cannot be told now.
        """
        ...


def is_told(gist: Gist, lines: Sequence[str]) -> bool:
    """Return whether the lines that a sentence names say it: every number, and most of its other telling words."""
    if not 0 < len(gist.text) <= _LONGEST or not gist.text.isprintable():
        return False
    if not gist.of or not all(0 <= place < len(lines) for place in gist.of):
        return False
    said = set(terms(" ".join(lines[place] for place in gist.of)))
    numbers = {word for word in terms(gist.text) if any(char.isdigit() for char in word)}
    words = set(terms(gist.text)) - FUNCTION_WORDS - _SAYING
    if not words or not numbers <= said:
        return False
    return len(words & said) >= _SHARE * len(words)
