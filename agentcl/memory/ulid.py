"""Record ids: ULIDs, 26 characters that sort by the millisecond in which they were made.

The format is the ULID specification's: 48 bits of milliseconds since 1970 and 80 random bits, in
Crockford's base 32. Order within one millisecond is random; the journal's `seq` is the exact order.
"""

from __future__ import annotations

import os
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS: Final = [high + low for high in _ALPHABET for low in _ALPHABET]
_LENGTH: Final = 26
_MAX_MILLIS: Final = (1 << 48) - 1


def new_ulid(millis: int) -> str:
    """Return a fresh ULID for a moment given in milliseconds since 1970."""
    number = (min(max(millis, 0), _MAX_MILLIS) << 80) | int.from_bytes(os.urandom(10), "big")
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)])


def is_ulid(text: str) -> bool:
    """Return whether `text` is a ULID in its canonical, upper-case form."""
    return len(text) == _LENGTH and text[0] <= "7" and all(char in _ALPHABET for char in text)
