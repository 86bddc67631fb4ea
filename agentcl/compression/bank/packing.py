"""Soft tokens as they are stored: as float16, or as int8 with a scale for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from agentcl.compression.base import Vectors
from agentcl.errors import InvalidInput

Form = Literal["float16", "int8"]
Parts = Mapping[str, NDArray[Any]]  # by name, arrays whose first axis is the rows
FORMS: Final[tuple[Form, ...]] = ("float16", "int8")
MEMORIES: Final = "memories"
SCALES: Final = "scales"
_MOST: Final = 127  # of an int8
_MOST_FLOAT16: Final = 65_504.0


def packed(memories: Vectors, form: Form) -> Parts:
    """Return memories of shape (rows, slots, width) as they are stored.

    Raises:
        InvalidInput: if there is a number among them that the form cannot hold.
    """
    highest = float(np.max(np.abs(memories), initial=0.0))
    if not highest <= _MOST_FLOAT16:
        raise InvalidInput(
            f"the codec gave soft tokens that no float16 can hold (up to {highest:g}); nothing was kept of them"
        )
    if form == "float16":
        return {MEMORIES: memories.astype("<f2")}
    # One scale a soft token: their lengths differ far more than the numbers within one.
    scales = np.max(np.abs(memories), axis=2, initial=0.0).astype("<f4") / _MOST
    steps = memories / np.where(scales > 0, scales, 1)[:, :, None]
    return {MEMORIES: np.rint(steps).clip(-_MOST, _MOST).astype("|i1"), SCALES: scales}


def unpacked(row: Parts) -> Vectors:
    """Return one row's soft tokens, of shape (slots, width)."""
    found: Vectors = row[MEMORIES].astype(np.float32)
    return found * row[SCALES][:, None].astype(np.float32) if SCALES in row else found


def bytes_of(slots: int, width: int, form: Form) -> int:
    """Return how many bytes one row takes."""
    return slots * width * 2 if form == "float16" else slots * (width + 4)
