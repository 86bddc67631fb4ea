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

Nothing is overwritten on the word of a damaged file: the cells and the room of a page must make it up exactly,
a chain must end where its row ends, and the list of free pages must be as long as the file says. Whether two rows end in
the same page is not seen here: who cannot make the file again lets SQLite compare its pages first (`Database.clear_leftovers`).
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
_INDEX_LEAF: Final = 10
_TABLE_LEAF: Final = 13
_TREES: Final = frozenset({_INDEX_INSIDE, _TABLE_INSIDE, _INDEX_LEAF, _TABLE_LEAF})
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
        self._lock = _LOCK_BYTE // self._size + 1
        self._free = self._free_pages(*struct.unpack(">II", header[32:40]))
        self._has_map = any(header[52:56])
        inside = (self._usable - 12) * 64 // 255 - 23
        # The longest content, by the kind of a page, of which nothing overflows.
        self._most = {_INDEX_INSIDE: inside, _INDEX_LEAF: inside, _TABLE_LEAF: self._usable - 35}

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
                dirty = [
                    (range, left)
                    for range in self._unused(number, page)
                    if (left := self._left(range, at, page))
                ]
                if dirty and number not in self._free:
                    self._check(page)
            except (IndexError, struct.error) as error:
                raise StoreCorrupt(f"page {number} is not as SQLite writes it") from error
            for (start, end), left in dirty:
                self._file.seek(start)
                if self._file.write(bytes(end - start)) != end - start:
                    raise StoreUnavailable("the disk took only a part of what was written")
                cleared += left
        return cleared

    def _left(self, unused: Range, at: int, page: bytes) -> int:
        """Return how many bytes of some room are not zero; a page that was read begins at a byte."""
        start, end = unused
        is_inside = at <= start and end <= at + self._size
        held = page[start - at : end - at] if is_inside else self._read(start, end - start)
        return len(held) - held.count(0)

    def _unused(self, number: int, page: bytes) -> Iterator[Range]:
        at = (number - 1) * self._size
        if number == 1 or number == self._lock:
            return  # page 1 holds the schema, and no rows of ours
        if self._has_map and self._is_map(number):
            return
        if number in self._free:
            yield at + self._free[number], at + self._usable
        elif page[0] in _TREES:
            for start, end in self._room(page):
                if not 8 <= start <= end <= self._usable:
                    raise StoreCorrupt(f"page {number} is not as SQLite writes it")
                yield at + start, at + end
            if page[0] != _TABLE_INSIDE:
                yield from self._tails(page)

    def _is_map(self, number: int) -> bool:
        """Return whether a page says who points to which page; one that fell on the lock's page is behind it."""
        each = self._usable // 5 + 1
        return (number - 2) % each == 0 or (number - 1 == self._lock and (number - 3) % each == 0)

    def _check(self, page: bytes) -> None:
        """Raise IndexError unless cells, free room and fragments make up a page of a b-tree."""
        used = [(cell, self._cell(page, cell)[0]) for cell in _cells(page)]
        (gap, *blocks) = self._room(page)
        used += [(start - 4, end) for start, end in blocks]
        at, fragments = gap[1], 0
        for start, end in sorted(used):
            if start < at:
                raise IndexError
            fragments += start - at
            at = end
        if at > self._usable or fragments + self._usable - at != page[7]:
            raise IndexError

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
        short = min(0x80, self._most[page[0]] + 1)
        before = 4 if page[0] == _INDEX_INSIDE else 0
        for cell in _cells(page):
            if page[cell + before] >= short:
                _, following, length = self._cell(page, cell)
                if length:
                    yield self._tail(following, length)

    def _cell(self, page: bytes, start: int) -> tuple[int, int, int]:
        """Return where a cell ends, and of what overflows from it the first page and the length, or 0 and 0."""
        least_end, kind = start + 4, page[0]
        if kind in (_INDEX_INSIDE, _TABLE_INSIDE):
            start += 4
        length, start = _varint(page, start)
        if kind == _TABLE_INSIDE:
            return start, 0, 0
        if kind == _TABLE_LEAF:
            _, start = _varint(page, start)
        most = self._most[kind]
        if length <= most:
            return max(start + length, least_end), 0, 0
        least = (self._usable - 12) * 32 // 255 - 23
        local = least + (length - least) % (self._usable - 4)
        local = local if local <= most else least
        end = start + local + 4
        (following,) = struct.unpack(">I", page[end - 4 : end])
        return end, following, length - local

    def _tail(self, number: int, length: int) -> Range:
        """Return the room behind the end of what fills the pages of a chain."""
        room = self._usable - 4
        while True:
            if not 1 < number <= self.pages or number in self._free:
                raise IndexError
            at = (number - 1) * self._size
            (number,) = struct.unpack(">I", self._read(at, 4))
            if length <= room:
                if number:
                    raise IndexError  # the chain goes on
                return at + 4 + length, at + self._usable
            length -= room

    def _free_pages(self, trunk: int, total: int) -> dict[int, int]:
        """Return the free pages, as many as there are, and from which byte on each holds nothing."""
        free: dict[int, int] = {}
        listed = 0
        while trunk and trunk not in free:
            page = self._read((trunk - 1) * self._size, self._size)
            following, count = struct.unpack(">II", page[:8])
            leaves = struct.unpack_from(f">{min(count, self._usable // 4 - 2)}I", page, 8)
            free[trunk] = 8 + 4 * count
            free.update(dict.fromkeys(leaves, 0))
            listed += 1 + count
            trunk = following
        if not len(free) == listed == total or (
            free and not 1 < min(free) <= max(free) <= self.pages
        ):
            raise StoreCorrupt("the list of free pages is not as SQLite writes it")
        return free

    def _read(self, start: int, length: int, *, is_cut: bool = False) -> bytes:
        """Return bytes of the file: all of them, or with `is_cut` as many as there are."""
        self._file.seek(start)
        read = self._file.read(length)
        if len(read) < length and not is_cut:
            raise StoreCorrupt("the file ends too early")
        return read


def _cells(page: bytes) -> Iterator[int]:
    """Yield where the cells of a page of a b-tree begin."""
    (count,) = struct.unpack(">H", page[3:5])
    start = _header(page)
    for (cell,) in struct.iter_unpack(">H", page[start : start + 2 * count]):
        yield cell


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
