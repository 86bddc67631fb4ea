"""Characters that a reader does not see, and that a program obeys all the same."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

# Unicode's property Default_Ignorable_Code_Point (DerivedCoreProperties.txt, 16.0): joiners, fillers, variation
# selectors, tags and the like, which are drawn as nothing.
_IGNORABLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Controls, formats, private, unassigned, halves of pairs, separators of lines.
_CATEGORIES: Final = frozenset(("Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"))
_STEERING: Final = frozenset(("Cc", "Cs", "Zl", "Zp"))
_BLANK: Final = "\u2800"  # a braille cell without dots
_NO_CHARACTERS: Final = "\ufffe\uffff"
WRITTEN: Final = frozenset("\u200c\u200d\ufe0e\ufe0f")  # scripts and emoji are written with them


def is_ignorable(char: str) -> bool:
    """Return whether a character is one that readers draw as nothing."""
    return bool(_IGNORABLE.match(char))


@lru_cache(maxsize=4_096)
def is_unseen(char: str) -> bool:
    """Return whether nobody sees a character; a newline and a tab are seen by what they do."""
    if char in "\n\t":
        return False
    return unicodedata.category(char) in _CATEGORIES or char == _BLANK or is_ignorable(char)


@lru_cache(maxsize=4_096)
def is_steering(char: str) -> bool:
    """Return whether a character steers what shows it, or hides in it; what scripts and emoji need does not."""
    if char in "\n\t" or char in WRITTEN:
        return False
    return unicodedata.category(char) in _STEERING or char in _NO_CHARACTERS or is_ignorable(char)
