"""Which store a folder of memory holds, whatever it is made of."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agentcl.store.base import Store
from agentcl.store.records import now_micros
from agentcl.store.sqlite.connecting import Durability
from agentcl.store.sqlite.store import FILE, SqliteStore


def open_store(
    folder: Path,
    *,
    busy_timeout_s: float = 30.0,
    durability: Durability = "full",
    read_only: bool = False,
    clock: Callable[[], int] = now_micros,
) -> Store:
    """Open the store of a folder; a new one is made there unless `read_only`.

    Args:
        folder: that exists.
        busy_timeout_s: how long a writer waits for its turn.
        durability: "full" survives a power cut after each write; "normal" may lose the last writes
            in a power cut, but nothing in a crash of the process.
        read_only: never write, not even to migrate.
        clock: microseconds since 1970; record times rise strictly even when it steps back.

    Raises:
        StoreUnavailable: (or a subclass) if it cannot be opened.
    """
    return SqliteStore(
        folder,
        busy_timeout_s=busy_timeout_s,
        durability=durability,
        read_only=read_only,
        clock=clock,
    )


@contextmanager
def removing_new_folder(folder: Path) -> Iterator[None]:
    """Take away a folder without records that the block made, and those above it, if it raises.

    Nothing else is touched: a folder that was there stays, and one in which something else was put.
    """
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        yield
    except BaseException:
        if new and holds_store(folder) and _is_empty(folder):
            with suppress(OSError):
                shutil.rmtree(folder)
                for path in new[1:]:
                    path.rmdir()
        raise


def _is_empty(folder: Path) -> bool:
    store = open_store(folder, read_only=True)
    try:
        return store.last_seq() == 0 and {entry.name for entry in folder.iterdir()} <= store.files()
    finally:
        store.close()


def holds_store(folder: Path) -> bool:
    """Return whether there is a store in a folder."""
    return (folder / FILE).exists()
