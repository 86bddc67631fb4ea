"""Copies of the file, made whole."""

from __future__ import annotations

import os
import secrets
import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from agentcl.errors import InvalidInput, StorageFull, StoreUnavailable
from agentcl.store.sqlite.database import Database
from agentcl.text.saving import make_folder

# What SQLite calls a write that failed; only the copy is written.
_NOT_WRITTEN: Final = ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC")


def copy_into(folder: Path, name: str, database: Database) -> Path:
    """Write a consistent, compact copy into a new folder; it is there whole or not at all.

    Who cannot read the memory can read neither the copy nor, if it is new, its folder.

    Raises:
        InvalidInput: if the folder holds a memory already.
        StoreUnavailable: if it cannot be written.
    """
    folder = Path(os.path.realpath(folder))  # `mkdir` does not follow a link to nothing yet
    target = folder / name
    if os.path.lexists(target):
        raise InvalidInput(f"{folder} already holds a memory; name a new folder for the snapshot")
    partial = folder / f".agentcl-{secrets.token_hex(8)}.partial"
    held = database.path
    is_new = False
    try:
        is_new = not folder.exists()
        if is_new:
            make_folder(folder)
            folder.chmod(stat.S_IMODE(held.parent.stat().st_mode))
        mode = stat.S_IMODE(held.stat().st_mode)
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        # As bytes: a name may be no Unicode.
        database.read("VACUUM INTO CAST(? AS TEXT)", (os.fsencode(partial),))
        # A copy leads a life of its own, so an index on a server must not be shared between the two.
        with closing(sqlite3.connect(partial)) as copy, copy:
            copy.execute("UPDATE meta SET value = lower(hex(randomblob(10))) WHERE key = 'id'")
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.rename(target)
    except OSError as error:
        raise StoreUnavailable(
            f"cannot write a snapshot to {folder}: {error.strerror or error}"
        ) from error
    except StoreUnavailable as error:
        if getattr(error.__cause__, "sqlite_errorname", "") not in _NOT_WRITTEN:
            raise
        raise StorageFull(
            f"cannot write a snapshot to {folder}: {error.__cause__}. Free some space there, then retry"
        ) from error
    finally:
        with suppress(OSError):  # there may be no such folder, and never one
            partial.unlink(missing_ok=True)
            if is_new:
                folder.rmdir()  # unless it holds the copy
    return target
