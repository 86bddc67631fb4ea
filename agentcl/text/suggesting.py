"""What to say of a name that is not known: which one was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

_ALIKE: Final = 0.6  # of 1: how much two spellings must share ...
_MEANT: Final = 0.7  # ... for one to be said to be meant


def nearest(name: str, known: Iterable[str], *, most: int = 1, alike: float = _ALIKE) -> list[str]:
    """Return the known names that are spelt like `name`, the nearest first."""
    return get_close_matches(name, list(known), n=most, cutoff=alike)


def did_you_mean(
    name: str, known: Iterable[str], advice: str = "", *, alike: float = _MEANT
) -> str:
    """Return how a message about a wrong name goes on: with the nearest known name, then advice.

    It begins with its own semicolon, so that it follows the wrong name; it may be empty.
    """
    near = nearest(name, known, alike=alike)
    if not near:
        return f"; {advice}" if advice else ""
    return f"; did you mean {near[0]!r}? {advice[:1].upper()}{advice[1:]}".rstrip()
