"""The files that rows of vectors are kept in: written once, mapped into memory, cleared row by row.

One generation of them is whole at any time, and a head says which. It is signed with a secret of the user's own, and has
the digest of the graph, which a library reads that trusts its files. So what came with somebody else's folder is
made anew, as what is damaged or cut off.
"""

from __future__ import annotations

import contextlib
import json
import logging
import mmap
import os
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from agentcl.errors import ConfigError, StoreBusy, StoreCorrupt
from agentcl.retrieval import folders
from agentcl.store.sqlite.locks import held_lock
from agentcl.text.homes import secret
from agentcl.text.saving import saving

logger = logging.getLogger(__name__)
KIND: Final = "usearch"
PARTS: Final = ("vectors", "rows", "graph")
HEAD: Final = "head.json"
_LOCKS: Final = {"building.lock", "writing.lock"}
REMOVED: Final = np.iinfo(np.int64).min  # when a row ended that no moment sees
NOWHERE: Final = np.iinfo(np.uint32).max  # of a row that is not in the graph
_VERSION: Final = 1
_SECRET: Final = 32
_DIGEST: Final = 32
_ALIGNED: Final = 64
# While another process clears rows, the graph has not the digest that the head says
_PATIENCE_S: Final = 2.0
_LOOK_S: Final = 0.05
_WAIT_S: Final = 120.0  # for another one that writes files, which are large
_own_secret: Final = secrets.token_bytes(_SECRET)  # of users without a place to keep one
# What comes of files that are damaged, or cannot be read.
UNREADABLE: Final = (OSError, StoreCorrupt, ValueError, TypeError, LookupError, RecursionError)
Arrays = Mapping[str, NDArray[Any]]
Mapped = np.memmap[Any, np.dtype[np.uint8]]


@dataclass(frozen=True, slots=True)
class Head:
    """What is said of one generation of files."""

    generation: str  # 16 hexadecimal digits, with which the names of its files begin
    collection: str  # of which memory, and which epoch of its vectors
    watermark: int
    rows: int
    dim: int
    scopes: Sequence[Sequence[str]]
    kinds: Sequence[str]
    sections: Mapping[str, tuple[int, str, Sequence[int]]]  # where, dtype, shape
    digest: str  # of the graph

    def path(self, folder: Path, part: str) -> Path:
        """Return the path of a file of this generation: "vectors", "rows" or "graph"."""
        return folder / f"{self.generation}.{part}"


def hashes(ids: Sequence[bytes]) -> NDArray[np.uint64]:
    """Return a number for each id, by which it is looked up."""
    digests = b"".join(blake2b(id, digest_size=8).digest() for id in ids)
    return np.frombuffer(digests, np.uint64)


def stamp(folder: Path) -> tuple[int, ...] | None:
    """Return what changes whenever the head does; None if there is none."""
    try:
        status = (folder / HEAD).stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def glance(folder: Path, collection: str) -> Head | None:
    """Return the head of the files in a folder, if there is one of this collection; its graph is not looked at.

    Raises:
        StoreCorrupt, OSError, ValueError, TypeError: if they are not whole, or not ours.
    """
    try:
        head = read_head(folder)
    except FileNotFoundError as error:
        if (folder / HEAD).exists():
            raise StoreCorrupt(f"{Path(error.filename).name} is missing") from error
        return None
    return head if head.collection == collection else None


def read(folder: Path, collection: str) -> Head | None:
    """Return what `glance` does, if the graph is what was written. Raises as that does."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        head = glance(folder, collection)
        if head is None or digest(head.path(folder, "graph")) == head.digest:
            return head
        if time.monotonic() > deadline:
            raise StoreCorrupt("its graph is not what was written")
        time.sleep(_LOOK_S)


@contextlib.contextmanager
def turn(
    folder: Path,
    name: Literal["building", "writing"],
    *,
    mode: int | None,
    wait: bool,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[None]:
    """Hold a lock among all that use a folder: of who builds new files, or of who changes those that there are.

    Raises:
        StoreBusy: if somebody else holds it; at once, unless it is waited for and nothing stops that.
        StoreUnavailable: if no lock can be made there.
    """
    deadline = time.monotonic() + (_WAIT_S if wait else 0)
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(held_lock(folder, name, mode=0o600 if mode is None else mode))
                break
            except StoreBusy:
                if time.monotonic() >= deadline or should_stop():
                    raise
                time.sleep(_LOOK_S)
        yield


def read_head(folder: Path) -> Head:
    """Return the head, if it was written by this user. Raises StoreCorrupt, OSError, ValueError, TypeError."""
    signature, _, text = (folder / HEAD).read_bytes().partition(b"\n")
    if not secrets.compare_digest(signature, _signature(text)):
        raise StoreCorrupt("it was not written here")
    said = json.loads(text)
    if said.pop("version") != _VERSION:
        raise StoreCorrupt("another version of agentcl wrote it")
    head = Head(**said)
    for part in ("vectors", "rows"):
        wanted = _length(head, part)
        if head.path(folder, part).stat().st_size != wanted:
            raise StoreCorrupt(f"its {part} are cut off")
    return head


def write_head(folder: Path, head: Head, *, mode: int | None) -> None:
    """Let files be those that are read from now on. Raises OSError."""
    fields = {name: getattr(head, name) for name in Head.__slots__}
    text = json.dumps({"version": _VERSION, **fields}).encode()
    with saving(folder / HEAD, mode=mode) as file:
        file.write(_signature(text) + b"\n" + text)


def write_sections(
    path: Path, sections: Mapping[str, NDArray[Any]], *, mode: int | None
) -> dict[str, tuple[int, str, Sequence[int]]]:
    """Write arrays to a file; return where each is. Raises OSError."""
    found: dict[str, tuple[int, str, Sequence[int]]] = {}
    with saving(path, mode=mode) as file:
        place = 0
        for name, array in sections.items():
            file.write(b"\0" * (-place % _ALIGNED))
            place += -place % _ALIGNED
            found[name] = place, array.dtype.str, array.shape
            file.write(np.ascontiguousarray(array).data if array.size else b"")
            place += array.nbytes
    return found


def write_vectors(
    path: Path,
    parts: Sequence[NDArray[np.float32]],
    gone: Sequence[NDArray[np.bool_]],
    *,
    mode: int | None,
) -> None:
    """Write vectors to a file, those of each part behind those of the one before, and zeros for those gone. Raises OSError."""
    with saving(path, mode=mode) as file:
        for part, is_gone in zip(parts, gone, strict=True):
            for start in range(0, len(part), 10_000):
                some = part[start : start + 10_000]
                hidden = is_gone[start : start + 10_000]
                if hidden.any():
                    some = np.where(hidden[:, None], np.float32(0), some)
                file.write(np.ascontiguousarray(some).data)


def write_graph(path: Path, whole: NDArray[np.uint8], *, mode: int | None) -> None:
    """Write a graph to a file. Raises OSError."""
    with saving(path, mode=mode) as file:
        file.write(whole.data)


def mapped(folder: Path, head: Head) -> Arrays:
    """Return all arrays of a generation, to be read. Raises OSError, ValueError, TypeError."""
    return _cut(head, *_open(folder, head, "r"))


def _open(folder: Path, head: Head, mode: Literal["r", "r+"]) -> tuple[Mapped, Mapped]:
    vectors = np.memmap(head.path(folder, "vectors"), np.uint8, mode)
    return vectors, np.memmap(head.path(folder, "rows"), np.uint8, mode)


def _cut(head: Head, vectors: Mapped, rows: Mapped) -> Arrays:
    arrays: dict[str, NDArray[Any]] = {
        "vectors": vectors.view(np.ndarray).view("<f4").reshape(head.rows, head.dim)
    }
    for name, (place, dtype, shape) in head.sections.items():
        kind = np.dtype(dtype)
        size = kind.itemsize * int(np.prod(shape, dtype=np.int64))
        arrays[name] = rows[place : place + size].view(np.ndarray).view(kind).reshape(shape)
    return arrays


def rows_of(arrays: Arrays, ids: Sequence[str]) -> list[int]:
    """Return the rows of all versions of some records, those that were removed left out."""
    wanted = hashes([id.encode() for id in ids])
    first = np.searchsorted(arrays["hashes"], wanted, "left")
    last = np.searchsorted(arrays["hashes"], wanted, "right")
    return [
        row
        for n in np.flatnonzero(first < last).tolist()
        for row in arrays["order"][first[n] : last[n]].tolist()
        if arrays["ids"][row] == ids[n].encode()
    ]


def remove(folder: Path, ids: Collection[str], *, mode: int | None) -> None:
    """Clear from the files what they hold of some records. Raises OSError, StoreCorrupt, ValueError, TypeError."""
    head = read_head(folder)
    vectors, whole = _open(folder, head, "r+")
    arrays = _cut(head, vectors, whole)
    rows = rows_of(arrays, list(ids))
    if not rows:
        return
    arrays["vectors"][rows] = 0
    arrays["ids"][rows] = b""
    arrays["ended"][rows] = REMOVED
    if arrays["words"].size:
        arrays["words"][:, rows] = 0
    ends = arrays["metadata_ends"]
    for row in rows:
        arrays["metadata"][ends[row] : ends[row + 1]] = ord(" ")
    vectors.flush()
    whole.flush()
    with head.path(folder, "graph").open("r+b") as file:
        for slot in arrays["slots"][rows].tolist():
            if slot != NOWHERE:
                file.seek(_FIRST_VECTOR + slot * head.dim)
                file.write(bytes(head.dim))
        file.flush()
        os.fsync(file.fileno())
    used = set(np.unique(arrays["scope"][arrays["ended"] != REMOVED]).tolist())
    scopes = [one if n in used else [""] * 4 for n, one in enumerate(head.scopes)]
    changed = replace(head, scopes=scopes, digest=digest(head.path(folder, "graph")))
    write_head(folder, changed, mode=mode)


def delete(folder: Path) -> None:
    """Delete all files. Raises OSError."""
    (folder / HEAD).unlink(missing_ok=True)
    sweep(folder)


def sweep(folder: Path) -> None:
    """Delete all files but those of the generation that is read."""
    try:
        kept = {HEAD, *(f"{read_head(folder).generation}.{part}" for part in PARTS)}
    except UNREADABLE:
        kept = set()
    kept |= _LOCKS
    for path in folders.ours(folder, KIND):
        if path.name not in kept:
            with contextlib.suppress(OSError):  # where a mapped file cannot be deleted
                path.unlink()


# The file of a graph: rows and bytes a row, the vectors, a head of 64 bytes and one of 40, a level for each node, and the
# nodes, each with its key, its level, and for each level a count and room for so many neighbours.
_FIRST_VECTOR: Final = 8
_MAGIC: Final = b"usearch"
_SIZES: Final = np.dtype([("nodes", "<u8"), ("links", "<u8"), ("base_links", "<u8"), ("top", "<u8"), ("entry", "<u8")])  # fmt: skip


def slots(whole: NDArray[np.uint8], rows: int) -> NDArray[np.uint32]:
    """Return where in a graph each row's vector is; `NOWHERE` for those that it has not.

    Raises:
        StoreCorrupt: if it is not as usearch 2 writes it.
    """
    count, width = whole[:8].view("<u4").tolist()
    place = _FIRST_VECTOR + count * width
    if whole[place : place + 7].tobytes() != _MAGIC:
        raise StoreCorrupt("it is no graph of usearch 2")
    sizes = whole[place + 64 : place + 104].view(_SIZES)[0]
    place += 104
    levels = whole[place : place + 2 * count].view("<i2").astype(np.int64)
    place += 2 * count
    lengths = 10 + 4 + 4 * int(sizes["base_links"]) + levels.clip(0) * (4 + 4 * int(sizes["links"]))
    places = place + np.cumsum(lengths) - lengths
    if int(sizes["nodes"]) != count or place + int(lengths.sum()) != len(whole):
        raise StoreCorrupt("it is no graph of usearch 2")
    keys = whole[places[:, None] + np.arange(8)].view("<u8").ravel()
    found = np.full(rows, NOWHERE, np.uint32)
    if len(keys) and int(keys.max()) >= rows:
        raise StoreCorrupt("it names rows that there are not")
    found[keys.astype(np.int64)] = np.arange(count, dtype=np.uint32)
    return found


def digest(path: Path) -> str:
    """Return the digest of a file with the user's secret. Raises OSError."""
    made = blake2b(key=_key(), digest_size=_DIGEST)
    with path.open("rb") as file:
        if path.stat().st_size:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
                made.update(whole)
    return made.hexdigest()


def hide(whole: NDArray[np.uint8], slots: NDArray[np.uint32], dim: int) -> None:
    """Overwrite vectors in a graph with zeros."""
    vectors = whole[_FIRST_VECTOR : len(whole) - (len(whole) - _FIRST_VECTOR) % dim]
    vectors.reshape(-1, dim)[slots[slots != NOWHERE]] = 0


def _signature(text: bytes) -> bytes:
    return blake2b(text, key=_key(), digest_size=_DIGEST).hexdigest().encode()


def _key() -> bytes:
    try:
        return secret("index-secret", _SECRET) or _own_secret
    except ConfigError:
        return _own_secret


def _length(head: Head, part: str) -> int:
    if part == "vectors":
        return head.rows * head.dim * 4
    return max(
        place + np.dtype(dtype).itemsize * int(np.prod(shape, dtype=np.int64))
        for place, dtype, shape in head.sections.values()
    )
