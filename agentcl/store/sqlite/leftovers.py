"""What SQLite leaves of deleted rows in the pages of a file, and clearing it.

`secure_delete` overwrites a row where it stands and pages that become free. It leaves copies behind: where a
page is full, SQLite deals its rows out anew among the neighbours, and the room below the rows of each keeps
the bytes that were there (`rebuildPage` in btree.c). A file that was written without `secure_delete` has more
such places. This module knows the file format (sqlite.org/fileformat2.html) and finds all room that belongs
to nothing:

- between the list of cells and the first cell of a page of a b-tree, and in its free blocks,
- in free pages,
- behind the end of what overflows from a row into further pages.

Not looked for are fragments, at most three bytes each.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from typing import BinaryIO, Final

from agentcl.errors import StoreCorrupt, StoreUnavailable

_INDEX_INSIDE: Final = 2
_TABLE_INSIDE: Final = 5
_TABLE_LEAF: Final = 13
_TREES: Final = frozenset({_INDEX_INSIDE, _TABLE_INSIDE, 10, _TABLE_LEAF})
_LOCK_BYTE: Final = 1 << 30  # the page with this byte holds nothing, and other systems lock it
# Of more pages than these, the number of an overflow page may look like the kind of a b-tree's page.
_MOST_PAGES: Final = _INDEX_INSIDE << 24
_READ: Final = 64  # pages read at once
Range = tuple[int, int]  # in the file: from a byte, to before another


class Leftovers:
    """The pages of one file. Whoever makes one keeps all others from writing the file for as long as it is used.

    Raises:
        StoreCorrupt: (also the methods) if the file is not as SQLite writes it.
        StoreUnavailable: if it is larger than 256 GB, at the usual size of a page.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        header = self._read(0, 100)
        (size,) = struct.unpack(">H", header[16:18])
        self._size = 65_536 if size == 1 else size
        self._usable = self._size - header[20]
        self.pages = os.fstat(file.fileno()).st_size // self._size
        if self.pages >= _MOST_PAGES:
            raise StoreUnavailable(
                "the file is too large for its leftovers to be told from its rows"
            )
        self._free = self._free_pages(int.from_bytes(header[32:36], "big"))
        self._has_map = any(header[52:56])

    def clear_from(self, first: int, *, seconds: float) -> tuple[int, int]:
        """Overwrite with zeros what is left over in pages from a number on, as far as the time reaches.

        Returns:
            How many bytes of it were not zero, and the number of the page to go on with.
        """
        deadline = time.monotonic() + seconds
        cleared = 0
        while True:
            cleared += self.clear(first, _READ)
            first += _READ
            if first > self.pages or time.monotonic() > deadline:
                return cleared, first

    def clear(self, first: int, count: int) -> int:
        """Overwrite with zeros what is left over in some pages, the first being number 1.

        Returns:
            How many bytes of it were not zero.
        """
        begin = (first - 1) * self._size
        pages = memoryview(self._read(begin, count * self._size, is_cut=True))
        cleared = 0
        for number in range(first, first + len(pages) // self._size):
            at = (number - 1) * self._size
            page = bytes(pages[at - begin : at - begin + self._size])
            try:
                unused = list(self._unused(number, page))
            except (IndexError, struct.error) as error:
                raise StoreCorrupt(f"page {number} is not as SQLite writes it") from error
            for start, end in unused:
                is_inside = at <= start and end <= at + self._size
                held = page[start - at : end - at] if is_inside else self._read(start, end - start)
                left = len(held) - held.count(0)
                if left:
                    self._file.seek(start)
                    self._file.write(bytes(end - start))
                    cleared += left
        return cleared

    def _unused(self, number: int, page: bytes) -> Iterator[Range]:
        at = (number - 1) * self._size
        if number == 1 or at <= _LOCK_BYTE < at + self._size:
            return  # page 1 holds the schema, and no rows of ours
        if self._has_map and (number - 2) % (self._usable // 5 + 1) == 0:
            return  # says who points to which page
        if number in self._free:
            yield at + self._free[number], at + self._usable
        elif page[0] in _TREES:
            for start, end in self._room(page):
                if not 8 <= start <= end <= self._usable:
                    raise StoreCorrupt(f"page {number} is not as SQLite writes it")
                yield at + start, at + end
            if page[0] != _TABLE_INSIDE:
                yield from self._tails(page)

    def _room(self, page: bytes) -> Iterator[Range]:
        """Yield the room between the cells of a page of a b-tree."""
        block, cells, content = struct.unpack(">HHH", page[1:7])
        yield _header(page) + 2 * cells, content or 65_536
        while block:
            following, length = struct.unpack(">HH", page[block : block + 4])
            yield block + 4, block + length
            if following and following <= block:
                raise IndexError  # free blocks are in order
            block = following

    def _tails(self, page: bytes) -> Iterator[Range]:
        """Yield the room behind the end of what overflows from the cells of a page."""
        is_table = page[0] == _TABLE_LEAF
        least = (self._usable - 12) * 32 // 255 - 23
        most = self._usable - 35 if is_table else (self._usable - 12) * 64 // 255 - 23
        (cells,) = struct.unpack(">H", page[3:5])
        for (cell,) in struct.iter_unpack(">H", page[_header(page) : _header(page) + 2 * cells]):
            start = cell + 4 if page[0] == _INDEX_INSIDE else cell
            if page[start] < 0x80:
                continue  # too short to overflow
            length, start = _varint(page, start)
            if length <= most:
                continue
            if is_table:
                _, start = _varint(page, start)
            local = least + (length - least) % (self._usable - 4)
            local = local if local <= most else least
            (following,) = struct.unpack(">I", page[start + local : start + local + 4])
            yield self._tail(following, length - local)

    def _tail(self, number: int, length: int) -> Range:
        """Return the room behind the end of what fills the pages of a chain."""
        room = self._usable - 4
        while True:
            if not 1 < number <= self.pages:
                raise IndexError
            at = (number - 1) * self._size
            if length <= room:
                return at + 4 + length, at + self._usable
            (number,) = struct.unpack(">I", self._read(at, 4))
            length -= room

    def _free_pages(self, trunk: int) -> dict[int, int]:
        """Return the free pages, and from which byte on each holds nothing."""
        free: dict[int, int] = {}
        while trunk:
            if not 1 < trunk <= self.pages or trunk in free:
                raise StoreCorrupt("the list of free pages is not as SQLite writes it")
            page = self._read((trunk - 1) * self._size, self._size)
            following, count = struct.unpack(">II", page[:8])
            free[trunk] = 8 + 4 * count
            free.update((leaf, 0) for (leaf,) in struct.iter_unpack(">I", page[8 : 8 + 4 * count]))
            trunk = following
        return free

    def _read(self, start: int, length: int, *, is_cut: bool = False) -> bytes:
        """Return bytes of the file: all of them, or with `is_cut` as many as there are."""
        self._file.seek(start)
        read = self._file.read(length)
        if len(read) < length and not is_cut:
            raise StoreCorrupt("the file ends too early")
        return read


def _header(page: bytes) -> int:
    """Return the length of the header of a page of a b-tree."""
    return 12 if page[0] in (_INDEX_INSIDE, _TABLE_INSIDE) else 8


def _varint(page: bytes, start: int) -> tuple[int, int]:
    """Return a number of SQLite's variable length, and where it ends."""
    value = 0
    for place in range(start, start + 8):
        value = value << 7 | page[place] & 0x7F
        if page[place] < 0x80:
            return value, place + 1
    return value << 8 | page[start + 8], start + 9
