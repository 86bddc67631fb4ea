"""Vectors as the journal keeps them: float32, little-endian, checked on the way in."""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Mapping, Sequence, Set
from typing import Protocol

from agentcl.errors import InvalidInput


class SupportsList(Protocol):
    """An array of numpy, torch or their like."""

    def tolist(self) -> list[float]:
        """Return the numbers as a list."""
        ...


def pack(values: Sequence[float] | SupportsList, *, dim: int | None = None) -> bytes:
    """Return a vector as `4 * len(values)` bytes of little-endian float32.

    Args:
        values: a flat sequence of numbers; a numpy array or a torch tensor will do.
        dim: the length it must have, if known.

    Raises:
        InvalidInput: if it is empty, nested, of the wrong length, all zero (it has no direction), or
            holds a NaN, an infinity or a number beyond float32.
    """
    if isinstance(values, str | bytes | bytearray):
        raise InvalidInput("a vector must be a flat sequence of numbers, not text or bytes")
    if isinstance(values, Set | Mapping):
        raise InvalidInput("a vector must be a flat sequence of numbers, and a set has no order")
    try:
        packed = array("f", values.tolist() if hasattr(values, "tolist") else values)
    except OverflowError as error:
        raise InvalidInput(f"a vector holds a number that float32 cannot: {error}") from error
    except TypeError as error:
        raise InvalidInput(f"a vector must be a flat sequence of numbers: {error}") from error
    if dim is not None and len(packed) != dim:
        raise InvalidInput(f"a vector of {len(packed)} numbers was given where {dim} are expected")
    if not packed:
        raise InvalidInput("a vector must hold at least one number")
    norm = math.hypot(*packed)
    if not math.isfinite(norm):
        raise InvalidInput("a vector holds NaN, infinity or a number beyond float32")
    if norm == 0.0:
        raise InvalidInput("a vector of zeros has no direction and could never be found")
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def unpack(packed: bytes) -> array[float]:
    """Return the float32 numbers of a packed vector."""
    values = array("f")
    values.frombytes(packed)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def has_direction(packed: bytes) -> bool:
    """Return whether a packed vector can be compared with others: `pack` makes no other."""
    values = unpack(packed)
    return any(values) and math.isfinite(sum(values))


def dimension(packed: bytes) -> int:
    """Return how many numbers a packed vector holds."""
    return len(packed) // 4
