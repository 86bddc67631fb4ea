"""Characters that a reader does not see, and that a program obeys all the same."""

from __future__ import annotations

import unicodedata
from typing import Final

# Unicode's property Default_Ignorable_Code_Point (DerivedCoreProperties.txt, 16.0): joiners, fillers, variation
# selectors, tags and the like, which are drawn as nothing.
_IGNORABLE: Final = (
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
# Controls, formats, private, unassigned, halves of pairs, separators of lines.
_CATEGORIES: Final = frozenset(("Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"))
_STEERING: Final = frozenset(("Cc", "Cs", "Zl", "Zp"))
_BLANK: Final = "\u2800"  # a braille cell without dots
_WRITTEN: Final = frozenset("\u200c\u200d\ufe0e\ufe0f")  # scripts and emoji are written with them


def is_ignorable(char: str) -> bool:
    """Return whether a character is one that readers draw as nothing."""
    code = ord(char)
    return code > 0x7F and any(first <= code <= last for first, last in _IGNORABLE)


def is_unseen(char: str) -> bool:
    """Return whether nobody sees a character; a newline and a tab are seen by what they do."""
    if char in "\n\t":
        return False
    return unicodedata.category(char) in _CATEGORIES or char == _BLANK or is_ignorable(char)


def is_steering(char: str) -> bool:
    """Return whether a character steers what shows it, or hides in it; what scripts and emoji need does not."""
    if char in _WRITTEN or char in "\n\t":
        return False
    return unicodedata.category(char) in _STEERING or is_ignorable(char)
