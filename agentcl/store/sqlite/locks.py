"""Locks that a thread of a process holds, whatever becomes of the process."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from agentcl.errors import StoreBusy, StoreUnavailable
from agentcl.store.checks import check_lock
from agentcl.text.saving import create, make_folder

_GLANCE_S: Final = 0.1  # longer than `is_held` looks at a lock


@contextmanager
def held_lock(folder: Path, name: str, *, mode: int) -> Iterator[None]:
    """Hold the lock of a name below a folder, which is made if absent, on a file of this mode.

    Raises:
        StoreBusy: at once, if another thread or process holds it.
        InvalidInput: if the name has other signs than lower-case letters, digits and hyphens.
    """
    check_lock(name)
    try:
        make_folder(folder)
        file = folder / f"{name}.lock"
        if folder.is_symlink() or file.is_symlink():
            raise StoreUnavailable(
                f"{folder} or the lock in it is a link, which is not followed; delete it"
            )
        with suppress(FileExistsError), create(file, mode=mode):
            pass
        # A lock of SQLite works on every system that SQLite does, and dies with its process.
        connection = sqlite3.connect(
            file, timeout=_GLANCE_S, isolation_level=None, check_same_thread=False
        )
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailable(f"cannot make the lock {name} in {folder}: {error}") from error
    with closing(connection):
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise StoreBusy(
                f"another run holds the lock {name!r} of {folder.parent}; wait for it, or stop it first"
            ) from error
        yield


def is_held(folder: Path, name: str) -> bool:
    """Return whether somebody holds the lock of a name now; takes nothing from who is about to."""
    path = folder / f"{name}.lock"
    if not path.exists():
        return False
    with closing(
        sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", timeout=0, uri=True)
    ) as connection:
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:
            return True
    return False
