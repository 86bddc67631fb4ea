"""How much is read of what is asked: of a long question or situation, its beginning and its end.

Whoever asks may paste a whole log. What it is about stands mostly where it begins, or where it ends.
"""

from __future__ import annotations

from typing import Final

MOST_READ: Final = 20_000  # characters of one question or situation, some 3,000 words
_HALF: Final = MOST_READ // 2 - 1
_LONGEST_WORD: Final = 200  # characters; of what is longer, a part says something too


def read_of(text: str) -> str:
    """Return a text; of one of more than `MOST_READ` characters, the first and the last half of them, in whole words."""
    if len(text) <= MOST_READ:
        return text
    first, last = text[:_HALF], text[-_HALF:]
    begun, ended = first.rsplit(None, 1), last.split(None, 1)
    if len(begun) == 2 and len(begun[1]) < _LONGEST_WORD:
        first = begun[0]
    if len(ended) == 2 and len(ended[0]) < _LONGEST_WORD:
        last = ended[1]
    return f"{first}\n{last}"
