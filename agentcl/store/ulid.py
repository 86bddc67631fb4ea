"""Record ids: ULIDs, 26 characters that sort by the millisecond in which they were made.

The format is the ULID specification's: 48 bits of milliseconds since 1970 and 80 random bits, in
Crockford's base 32. Order within one millisecond is random; the journal's `seq` is the exact order.
"""

from __future__ import annotations

import hashlib
import os
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# What each byte stands for: the letter of its lower five bits, so that random bytes are random letters.
_LETTERS: Final = bytes(ord(_ALPHABET[byte & 31]) for byte in range(256))
_RANDOM: Final = 16  # letters of 5 bits
_LENGTH: Final = 26
_MAX_MILLIS: Final = (1 << 48) - 1


def new_ulid(millis: int) -> str:
    """Return a fresh ULID for a moment given in milliseconds since 1970."""
    return new_ulids(millis, 1)[0]


def new_ulids(millis: int, count: int) -> list[str]:
    """Return fresh ULIDs for one moment, in rising order: so an index takes them up fastest."""
    number = min(max(millis, 0), _MAX_MILLIS)
    time = "".join([_ALPHABET[(number >> shift) & 31] for shift in range(45, -1, -5)])
    letters = os.urandom(_RANDOM * count).translate(_LETTERS).decode("ascii")
    return sorted(time + letters[n : n + _RANDOM] for n in range(0, len(letters), _RANDOM))


def derived_ulid(id: str, text: str) -> str:
    """Return the ULID that is made of another one and a text: of the same moment, always the same."""
    mark = hashlib.blake2b(f"{id}\0{text}".encode(), digest_size=_RANDOM).digest()
    return id[: _LENGTH - _RANDOM] + mark.translate(_LETTERS).decode("ascii")


def is_ulid(text: str) -> bool:
    """Return whether `text` is a ULID in its canonical, upper-case form."""
    return len(text) == _LENGTH and text[0] <= "7" and all(char in _ALPHABET for char in text)
