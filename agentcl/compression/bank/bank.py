"""The bank: which rows of soft tokens lie where, appended, read, and cleared."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from agentcl.compression.bank.packing import MEMORIES, Form, Parts, bytes_of, packed, unpacked
from agentcl.compression.bank.shards import Shard, write
from agentcl.compression.base import Codec, Vectors
from agentcl.errors import InvalidInput, StoreCorrupt

_NAME: Final = re.compile(r"([0-9a-f]{16})-([0-9]{6})\.safetensors")
_PARTIAL: Final = ".agentcl-*.partial"  # of a write that was cut off
_SHARD_BYTES: Final = 8 << 20  # a shard is written anew when rows come to it, so it stays small
_DIMENSIONS: Final = 3


@dataclass(frozen=True, slots=True)
class ShardRow:
    """Where one memory lies, and what must lie there."""

    shard: str
    row: int
    digest: str


class Bank:
    """Soft tokens of passages, in a folder of shards; several codecs and bases side by side.

    It holds nothing in memory. What is true is said by the journal: a row counts only if a record names it, and if its
    digest is the record's. So a crash between the two leaves rows that nobody names, and the next `append` writes over
    them.

    Args:
        folder: where the shards lie.
        mode: of its files, as bits.
    """

    name = "compressed"

    def __init__(self, folder: Path, *, mode: int = 0o600) -> None:
        self.folder = folder
        self._mode = mode

    def shards(self) -> list[str]:
        """Return the names of the shards that are there."""
        if not self.folder.is_dir():
            return []
        return sorted(one.name for one in self.folder.iterdir() if _NAME.fullmatch(one.name))

    def append(
        self, codec: Codec, memories: Vectors, *, used: Mapping[str, int], form: Form = "float16"
    ) -> list[ShardRow]:
        """Write memories behind those that are there; they are on the disk when this returns.

        Args:
            codec: that made them.
            memories: of shape (passages, slots, width).
            used: by shard, how many of its rows the journal names, up to the last one: what lies behind them is of a
                write that was cut off.
            form: how they are kept.

        Returns:
            Where they lie, in order.

        Raises:
            InvalidInput: if they have another shape, or a number that cannot be kept.
            OSError: if they cannot be written.
        """
        if memories.ndim != _DIMENSIONS or memories.shape[2] != codec.width:
            raise InvalidInput(
                f"the codec {codec.name!r} says that its soft tokens have {codec.width} numbers, and gave an array of "
                f"shape {memories.shape}; nothing was kept of it"
            )
        parts = packed(memories, form)
        _, slots, width = memories.shape
        most = max(1, _SHARD_BYTES // bytes_of(slots, width, form))
        prefix = _prefix(codec, slots, form)
        places: list[ShardRow] = []
        while len(places) < len(memories):
            name, held = self._last(prefix, used, most, (slots, width))
            first, rows = len(places), 0 if held is None else len(held[MEMORIES])
            taken = {one: part[first : first + most - rows] for one, part in parts.items()}
            whole = (
                taken
                if held is None
                else {one: np.concatenate([held[one], part]) for one, part in taken.items()}
            )
            write(self.folder / name, whole, mode=self._mode)
            count = len(taken[MEMORIES])
            places += (
                ShardRow(name, rows + at, _digest({one: part[at] for one, part in taken.items()}))
                for at in range(count)
            )
            used = {**used, name: rows + count}
        return places

    def read(self, place: ShardRow) -> Vectors:
        """Return the soft tokens that lie somewhere, of shape (slots, width).

        Raises:
            StoreCorrupt: if the shard is missing, cut off, or holds something else there.
        """
        if not _NAME.fullmatch(place.shard):
            raise StoreCorrupt(f"{place.shard[:60]!r} is no name of a shard")
        row = Shard(self.folder / place.shard).row(place.row)
        if _digest(row) != place.digest:
            raise StoreCorrupt(
                f"row {place.row} of the shard {place.shard} does not match its checksum"
            )
        return unpacked(row)

    def take_over(self, shard: str, rows: Mapping[int, str], source: Bank) -> int:
        """Copy rows of a shard from another bank, each checked; what is here already, and sound, stays.

        Rows that are not named are left empty, whatever lies there.

        Args:
            shard: its name in both.
            rows: their digests.
            source: the other bank.

        Returns:
            How many of them are missing or damaged in both.

        Raises:
            OSError: if they cannot be written.
        """
        held = dict(self._sound(shard, rows))
        if len(held) == len(rows):
            return 0
        held |= source._sound(shard, {row: one for row, one in rows.items() if row not in held})
        if held:
            kind = next(iter(held.values()))
            parts = {
                name: np.zeros((max(held) + 1, *part.shape), part.dtype)
                for name, part in kind.items()
            }
            for row, one in held.items():
                for name, part in one.items():
                    parts[name][row] = part
            write(self.folder / shard, parts, mode=self._mode)
        return len(rows) - len(self._sound(shard, rows))

    def _sound(self, shard: str, rows: Mapping[int, str]) -> dict[int, Parts]:
        """Return the rows of a shard that are what their digests say."""
        found: dict[int, Parts] = {}
        if not _NAME.fullmatch(shard):
            return found
        with suppress(StoreCorrupt):
            lying = Shard(self.folder / shard)
            for row, digest in rows.items():
                with suppress(StoreCorrupt):
                    one = lying.row(row)
                    if _digest(one) == digest:
                        found[row] = one
        return found

    def clear(self, named: Mapping[str, Collection[int]], *, only: str) -> int:
        """Overwrite all rows of a shard that nobody names, and delete it if nobody names any.

        Args:
            named: by shard, the rows that the journal names.
            only: the shard.

        Returns:
            How many rows had something in them.

        Raises:
            OSError: if that is not possible.
        """
        path = self.folder / only
        rows = named.get(only, ())
        try:
            shard = Shard(path, "r+")
        except StoreCorrupt:  # whole rows of what is to be cleared may be in it
            path.unlink(missing_ok=True)
            return 0
        cleared = sum(shard.clear(row) for row in range(shard.rows) if row not in rows)
        shard.flush()
        if not rows:
            path.unlink()
        return cleared

    def clear_partial(self) -> None:
        """Delete what writes left behind that were cut off. Raises OSError."""
        for partial in [*self.folder.glob(_PARTIAL)]:
            partial.unlink(missing_ok=True)

    def _last(
        self, prefix: str, used: Mapping[str, int], most: int, shape: tuple[int, int]
    ) -> tuple[str, Parts | None]:
        """Return the shard that rows are appended to, with those that the journal names; None for a new one."""
        own = [name for name in {*self.shards(), *used} if name.startswith(prefix)]
        number = max((int(name[len(prefix) + 1 :].split(".")[0]) for name in own), default=0)
        name = f"{prefix}-{number:06}.safetensors"
        rows = used.get(name, 0)
        if rows == 0:
            return name, None
        if rows < most:
            with suppress(StoreCorrupt):
                shard = Shard(self.folder / name)
                if shard.rows >= rows and shard.shape == shape:
                    return name, shard.first(rows)
        return f"{prefix}-{number + 1:06}.safetensors", None


def _prefix(codec: Codec, slots: int, form: Form) -> str:
    """Return what the shards of a codec are called: memories of several sizes and forms lie apart."""
    said = f"{codec.fingerprint}\0{slots}\0{codec.width}\0{form}"
    return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()


def _digest(row: Parts) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(row):
        digest.update(np.ascontiguousarray(row[name]).tobytes())
    return digest.hexdigest()
