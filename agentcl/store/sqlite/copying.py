"""Copies of the file, made whole."""

from __future__ import annotations

import os
import secrets
import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path

from agentcl.errors import InvalidInput, StoreUnavailable
from agentcl.store.sqlite.database import Database
from agentcl.text.saving import make_folder


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
    try:
        if not folder.exists():
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
    finally:
        with suppress(OSError):  # there may be no such folder, and never one
            partial.unlink(missing_ok=True)
    return target
