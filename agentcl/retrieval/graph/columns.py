"""Arrays in a file that somebody else may have written: read within the bytes that the file has.

`numpy.load` makes an array of whatever size a header claims, and unpacks whatever is packed. So the headers are
compared with the bytes first. What a file holds must also fit together before compiled code walks over it.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[Any]]
_SUFFIX: Final = ".npy"
_MOST_HEADER: Final = 1_000  # bytes of the header of one array


def read_columns(path: Path, kinds: Mapping[str, str]) -> Columns:
    """Return the flat arrays of a file that `numpy.savez` wrote.

    Args:
        path: the file.
        kinds: the name of each array that must be there, and its dtype.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is damaged, packed, claims more than it has, or has other arrays.
        zipfile.BadZipFile: if it is no archive, or its checksums do not fit.
    """
    size = path.stat().st_size
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if sorted(one.filename for one in members) != sorted(f"{name}{_SUFFIX}" for name in kinds):
            raise ValueError("it has other arrays")
        if any(one.compress_type != zipfile.ZIP_STORED or one.flag_bits & 1 for one in members):
            raise ValueError("it is packed")
        if sum(one.file_size for one in members) > size:
            raise ValueError("it claims more bytes than it has")
        columns = {}
        for one in members:
            name = one.filename.removesuffix(_SUFFIX)
            with archive.open(one) as member:
                columns[name] = _read(member, one.file_size, np.dtype(kinds[name]))
        return columns


def _read(member: IO[bytes], size: int, kind: np.dtype[Any]) -> NDArray[Any]:
    version = np.lib.format.read_magic(member)
    if version != (1, 0):
        raise ValueError(f"an array of format {version}")
    shape, _, dtype = np.lib.format.read_array_header_1_0(member, max_header_size=_MOST_HEADER)
    if dtype != kind or len(shape) != 1 or dtype.hasobject:
        raise ValueError(f"an array of {dtype} and shape {shape}")
    if math.prod(shape) * dtype.itemsize != size - member.tell():
        raise ValueError("an array claims more bytes than it has")
    return np.frombuffer(bytearray(member.read()), dtype)


def check_below(numbers: NDArray[Any], limit: int) -> None:
    """Raise ValueError for a number that is no place among so many."""
    if len(numbers) and not (numbers.min() >= 0 and numbers.max() < limit):
        raise ValueError("a number is out of range")


def check_among(numbers: NDArray[Any], known: NDArray[Any]) -> None:
    """Raise ValueError for a number that is not among some."""
    if not np.isin(numbers, known).all():
        raise ValueError("a number names nothing")


def check_ends(ends: NDArray[Any], flat: NDArray[Any], count: int) -> None:
    """Raise ValueError unless these are the ends of so many lists in a flat one, and the beginning."""
    if len(ends) != count + 1 or ends[0] != 0 or ends[-1] != len(flat) or (np.diff(ends) < 0).any():
        raise ValueError("lists end where they cannot")


def check_rising(numbers: NDArray[Any]) -> None:
    """Raise ValueError unless each number is higher than the one before."""
    if (np.diff(numbers) <= 0).any():
        raise ValueError("numbers do not rise")
