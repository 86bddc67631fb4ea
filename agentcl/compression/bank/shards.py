"""One shard: rows of soft tokens in a file in the safetensors format, read where it lies.

The format is a length, a header in JSON and the arrays one behind the other. So a row is at a known place, and can be
read, or overwritten, without the others.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from agentcl.compression.bank.packing import MEMORIES, SCALES, Parts
from agentcl.errors import StoreCorrupt
from agentcl.text.saving import saving

_LENGTH: Final = 8  # bytes, in front of the header
_MOST_HEADER: Final = 4_096  # ours has less than a tenth of it
_DTYPES: Final = {"F16": "<f2", "I8": "|i1", "F32": "<f4"}
_NAMES: Final = {np.dtype(kind): name for name, kind in _DTYPES.items()}
_KNOWN: Final = ({MEMORIES: ("F16", 3)}, {MEMORIES: ("I8", 3), SCALES: ("F32", 2)})


def write(path: Path, parts: Parts, *, mode: int) -> None:
    """Write a shard; it is there wholly or not at all. Raises OSError."""
    header: dict[str, Any] = {}
    at = 0
    for name, array in parts.items():
        size = array.nbytes
        header[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [at, at + size],
        }
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _LENGTH)
    with saving(path, mode=mode) as file:
        file.write(len(text).to_bytes(_LENGTH, "little") + text)
        for array in parts.values():
            file.write(np.ascontiguousarray(array).data)


class Shard:
    """A shard that lies on the disk.

    Args:
        path: of the file.
        access: "r" to read, "r+" to overwrite rows.

    Raises:
        StoreCorrupt: if it is missing, cut off, or no shard.
    """

    def __init__(self, path: Path, access: Literal["r", "r+"] = "r") -> None:
        self._path = path
        try:
            self._parts: dict[str, Any] = {
                name: np.memmap(path, dtype, access, offset, shape)
                for name, dtype, offset, shape in _layout(path)
            }
        except FileNotFoundError:
            raise StoreCorrupt(f"the shard {path.name} is missing") from None
        except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
            raise StoreCorrupt(f"the shard {path.name} cannot be read: {error}") from error

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return int(self._parts[MEMORIES].shape[0])

    @property
    def shape(self) -> tuple[int, int]:
        """The soft tokens of a row, and how long one is."""
        _, slots, width = self._parts[MEMORIES].shape
        return int(slots), int(width)

    def row(self, row: int) -> Parts:
        """Return what lies in a row. Raises StoreCorrupt if there is no such row."""
        if not 0 <= row < self.rows:
            raise StoreCorrupt(f"the shard {self._path.name} has no row {row}: it was cut off")
        return {name: np.array(part[row]) for name, part in self._parts.items()}

    def first(self, rows: int) -> Parts:
        """Return copies of its first rows."""
        return {name: np.array(part[:rows]) for name, part in self._parts.items()}

    def clear(self, row: int) -> bool:
        """Overwrite a row; return whether anything was in it."""
        held = [part[row] for part in self._parts.values() if part[row].view(np.uint8).any()]
        for one in held:
            one[...] = 0
        return bool(held)

    def flush(self) -> None:
        """See to it that what was overwritten is on the disk."""
        for part in self._parts.values():
            part.flush()


def _layout(path: Path) -> Iterator[tuple[str, str, int, tuple[int, ...]]]:
    """Yield of each array the name, the type, where it begins, and its shape; all lies within the file."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH), "little")
        if not 0 < length <= _MOST_HEADER:
            raise ValueError("it has no header")
        header = json.loads(file.read(length))
        end = file.seek(0, 2)
    if not isinstance(header, dict) or not all(isinstance(one, dict) for one in header.values()):
        raise ValueError("its header is no object of objects")
    header.pop("__metadata__", None)
    kinds = {name: (one["dtype"], len(one["shape"])) for name, one in header.items()}
    if kinds not in _KNOWN:
        raise ValueError("it holds something else")
    if len({tuple(one["shape"][:2]) for one in header.values()}) > 1:
        raise ValueError("its arrays do not fit together")
    for name, one in header.items():
        shape, begin = tuple(one["shape"]), one["data_offsets"][0]
        if not all(type(size) is int and size > 0 for size in shape) or type(begin) is not int:
            raise ValueError("its header has odd numbers")
        dtype: NDArray[Any] | str = _DTYPES[one["dtype"]]
        at = _LENGTH + length + begin
        if begin < 0 or at + math.prod(shape) * np.dtype(dtype).itemsize > end:
            raise ValueError("it was cut off")
        yield name, str(dtype), at, shape
