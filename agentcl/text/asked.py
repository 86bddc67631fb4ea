"""How much is read of what is asked: of a long question or situation, its beginning and its end.

Whoever asks may paste a whole log. What it is about stands mostly where it begins, or where it ends.
"""

from __future__ import annotations

from typing import Final

MOST_READ: Final = 20_000  # characters of one question or situation, some 3,000 words
_LONGEST_WORD: Final = 200  # characters; of what is longer, a part says something too


def read_of(text: str, most: int = MOST_READ) -> str:
    """Return a text; of one of more than so many characters, the first and the last half of them, in whole words."""
    if len(text) <= most:
        return text
    half = most // 2 - 1
    first, last = text[:half], text[-half:]
    begun, ended = first.rsplit(None, 1), last.split(None, 1)
    if len(begun) == 2 and len(begun[1]) < _LONGEST_WORD:
        first = begun[0]
    if len(ended) == 2 and len(ended[0]) < _LONGEST_WORD:
        last = ended[1]
    return f"{first}\n{last}"
