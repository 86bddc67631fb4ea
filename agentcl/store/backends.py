"""Which store a memory is in: one in its folder, or one in a database."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from agentcl.errors import ConfigError, StoreReadOnly, StoreUnavailable, needs
from agentcl.store.base import Store
from agentcl.store.postgres.address import Address, is_address, parse
from agentcl.store.records import now_micros
from agentcl.store.rows import checked_clock
from agentcl.store.sql.reading import SqlStore
from agentcl.store.sqlite.connecting import Durability
from agentcl.store.sqlite.store import FILE, SqliteStore
from agentcl.text.paths import check_path, unread
from agentcl.text.saving import make_folder

Place = Path | Address  # of a memory


def place_of(text: object) -> Place:
    """Return the place that a text or path names: a database by its URL, else a folder.

    Raises:
        InvalidInput: if it is neither.
        ConfigError: if the URL cannot be read, or there is no such home.
    """
    if isinstance(text, Address):
        return text
    if is_address(text):
        return parse(str(text))
    try:
        return check_path(text).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{text}: nobody here has the home that ~ stands for") from error


def open_store(
    place: str | os.PathLike[str],
    *,
    busy_timeout_s: float = 30.0,
    durability: Durability = "full",
    read_only: bool = False,
    clock: Callable[[], int] = now_micros,
) -> Store:
    """Open the store of a memory; a new one is made there unless `read_only`.

    Args:
        place: a folder that exists, or a database's URL.
        busy_timeout_s: how long a writer waits for its turn.
        durability: "full" survives a power cut after each write; "normal" may lose the last writes
            in a power cut, but nothing in a crash of the process. A database has a setting of its own.
        read_only: never write, not even to migrate.
        clock: microseconds since 1970, as an int; record times rise strictly even when it steps back.

    Raises:
        InvalidInput: if the place or the clock is none; and from a verb, whenever the clock tells what is no moment until the
            year 9999.
        StoreUnavailable: (or a subclass) if it cannot be opened.
        MissingExtra: if what it needs is not installed.
    """
    clock, place = checked_clock(clock), place_of(place)
    if isinstance(place, Address):
        with _needed():
            from agentcl.store.postgres.store import PostgresStore
        return PostgresStore(place, busy_timeout_s=busy_timeout_s, read_only=read_only, clock=clock)
    return SqliteStore(
        place,
        busy_timeout_s=busy_timeout_s,
        durability=durability,
        read_only=read_only,
        clock=clock,
    )


def copy_store(
    source: Place,
    target: Place,
    progress: Callable[[int, int], None] = lambda done, total: None,
    beside: Callable[[Store, Store], None] = lambda one, other: None,
) -> int:
    """Copy a memory with all that it is into an empty place; one that was cut off goes on.

    Args:
        source: what is copied.
        target: a folder, which is made if absent, or a database.
        progress: called with the numbers of the newest row that is copied, and of the newest there is.
        beside: copies from one to the other what lies beside their rows; called twice.

    Returns:
        How many rows were new in the target.

    Raises:
        InvalidInput: if the target holds anything else.
        StoreUnavailable: if a folder cannot be made for it.
        StoreCorrupt: if a row is not what was written.
    """
    from agentcl.store.sql.mirroring import Mirroring

    with ExitStack() as stack:
        opened = [_to_copy(source)]
        stack.callback(opened[0].close)
        if isinstance(target, Path):
            folder_for_memory(target)
        opened.append(open_store(target))
        stack.callback(opened[1].close)
        one, other = opened
        assert isinstance(one, SqlStore)
        assert isinstance(other, SqlStore)
        return Mirroring(one, other).run(progress, lambda: beside(one, other))


def _to_copy(source: Place) -> Store:
    """Open what is copied: in a database so that nobody writes meanwhile, if we may keep others from it."""
    if isinstance(source, Path):
        return open_store(source, read_only=True)
    try:
        return open_store(source)
    except StoreReadOnly:
        return open_store(source, read_only=True)


def folder_for_memory(path: Path) -> None:
    """Make the folder that a memory is to be in. Raises StoreUnavailable."""
    try:
        make_folder(path)
    except (FileExistsError, NotADirectoryError) as error:
        raise StoreUnavailable(f"{path} is a file; a memory needs a folder") from error
    except OSError as error:
        raise StoreUnavailable(f"cannot make the folder {path}: {unread(error)}") from error


@contextmanager
def removing_new_folder(folder: Place) -> Iterator[None]:
    """Take away a folder without records that the block made, and those above it, if it raises.

    Nothing else is touched: a folder that was there stays, and one in which something else was put. So does
    what was made in a database.
    """
    if isinstance(folder, Address):
        yield
        return
    new = [path for path in (folder, *folder.parents) if not _is_there(path)]
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
    begun = {FILE, *(f"{FILE}{end}" for end in ("-journal", "-wal", "-shm"))}
    try:
        store = open_store(folder, read_only=True)
    except StoreReadOnly:  # cut off before its tables were made
        return {entry.name for entry in folder.iterdir()} <= begun
    try:
        return store.last_seq() == 0 and {entry.name for entry in folder.iterdir()} <= store.files()
    finally:
        store.close()


def holds_store(place: str | os.PathLike[str]) -> bool:
    """Return whether there is a store in a folder or a database. Raises InvalidInput, StoreUnavailable and MissingExtra."""
    place = place_of(place)
    if isinstance(place, Address):
        with _needed():
            from agentcl.store.postgres.opening import holds_memory
        return holds_memory(place)
    return _is_there(place / FILE)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:  # its name is too long, or a folder above it may not be entered
        raise StoreUnavailable(
            f"cannot look at {path.parent}: {error.strerror}; check the path, and who may enter it"
        ) from error


def _needed() -> AbstractContextManager[None]:
    return needs("a memory in PostgreSQL", "postgres")
