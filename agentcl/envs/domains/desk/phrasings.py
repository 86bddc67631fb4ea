"""What customers say, read from the file beside this module, and put together by chance."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

_HELD_OUT: Final = "* "
_SELDOM: Final = 0.4  # of a greeting, and of a farewell


@cache
def phrasings(section: str, *, held_out: bool = False) -> tuple[str, ...]:
    """Return the phrasings of a section that are held out, or the others. Raises KeyError if there is no such section."""
    return tuple(
        line.removeprefix(_HELD_OUT)
        for line in _sections()[section]
        if line.startswith(_HELD_OUT) == held_out
    )


@cache
def words(section: str) -> tuple[str, ...]:
    """Return the words of a section of words, which are on one line."""
    (line,) = _sections()[section]
    return tuple(line.split("; ") if ";" in line else line.split())


class Voice:
    """One customer's way of saying things.

    Args:
        rng: where chance comes from.
        held_out: whether only held-out phrasings are used, or only the others.
    """

    def __init__(self, rng: random.Random, *, held_out: bool) -> None:
        self._rng, self._held_out = rng, held_out

    def says(self, section: str, **named: str) -> str:
        """Return a phrasing of a section, with what it names filled in."""
        return self._rng.choice(phrasings(section, held_out=self._held_out)).format(**named)

    def writes(self, wish: str, *claims: str, **named: str) -> str:
        """Return a message: what is wanted, and around it what this customer says beside it.

        Args:
            wish: what is wanted.
            claims: what is said to be so; each a section.
            named: what phrasings name.
        """
        parts = [self.says(wish, **named), *(self.says(f"claims {claim}") for claim in claims)]
        if self._rng.random() < _SELDOM:
            parts.insert(0, self.says("opening"))
        if self._rng.random() < _SELDOM:
            parts.append(self.says("closing"))
        return " ".join(parts)


@cache
def _sections() -> Mapping[str, tuple[str, ...]]:
    text = files(__package__).joinpath("phrasings.txt").read_text("utf-8")
    found: dict[str, tuple[str, ...]] = {}
    for block in text.split("\n[")[1:]:
        name, _, lines = block.partition("]\n")
        found[name] = tuple(line for line in lines.splitlines() if line)
    return found
