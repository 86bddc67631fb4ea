"""Record ids: ULIDs, 26 characters that sort by the moment in which they were made.

The format is the ULID specification's: 48 bits of milliseconds since 1970 and 80 bits that set apart what
is made in the same one, in Crockford's base 32. Of these 80, 10 are the microsecond, 20 the place in the
transaction and 50 are random. So ids made one after the other sort in that order; between processes that
write in one microsecond the order is random, and the journal's `seq` is the exact one.
"""

from __future__ import annotations

import hashlib
import os
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# What each byte stands for: the letter of its lower five bits, so that random bytes are random letters.
_LETTERS: Final = bytes(ord(_ALPHABET[byte & 31]) for byte in range(256))
_TIME: Final = 10  # letters of 5 bits
_RANDOM: Final = 10
_LENGTH: Final = 26
_MAX_MILLIS: Final = (1 << 48) - 1
_MAX_PLACE: Final = (1 << 20) - 1


def new_ulid(micros: int, place: int = 0) -> str:
    """Return a fresh ULID for a moment given in microseconds since 1970; see `new_ulids`."""
    return new_ulids(micros, 1, place)[0]


def new_ulids(micros: int, count: int, place: int = 0) -> list[str]:
    """Return fresh ULIDs for one moment, in rising order: so an index takes them up fastest.

    Args:
        micros: microseconds since 1970.
        count: how many.
        place: how many times ids were made for this moment before; those of a later call sort behind.
    """
    millis, rest = divmod(max(micros, 0), 1_000)
    number = (min(millis, _MAX_MILLIS) << 30) | (rest << 20) | min(place, _MAX_PLACE)
    start = "".join([_ALPHABET[(number >> shift) & 31] for shift in range(75, -1, -5)])
    letters = os.urandom(_RANDOM * count).translate(_LETTERS).decode("ascii")
    return sorted(start + letters[n : n + _RANDOM] for n in range(0, len(letters), _RANDOM))


def derived_ulid(id: str, text: str) -> str:
    """Return the ULID that is made of another one and a text: of the same moment, always the same."""
    mark = hashlib.blake2b(f"{id}\0{text}".encode(), digest_size=_LENGTH - _TIME).digest()
    return id[:_TIME] + mark.translate(_LETTERS).decode("ascii")


def is_ulid(text: str) -> bool:
    """Return whether `text` is a ULID in its canonical, upper-case form."""
    return len(text) == _LENGTH and text[0] <= "7" and all(char in _ALPHABET for char in text)
