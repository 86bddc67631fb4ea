"""A copy of the database in a folder, which is a memory of its own."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from agentcl.errors import InvalidInput, StoreUnavailable
from agentcl.store.sql.mirroring import Mirroring
from agentcl.store.sql.reading import SqlStore
from agentcl.store.sqlite.store import FILE, SqliteStore
from agentcl.text.saving import make_folder

_PRIVATE: Final = 0o700


def written_into(folder: Path, store: SqlStore) -> Path:
    """Write a copy as one file into a new folder; it is there whole or not at all.

    Raises:
        InvalidInput: if the folder holds a memory already.
        StoreUnavailable: if it cannot be written.
    """
    folder = Path(os.path.realpath(folder))  # `mkdir` does not follow a link to nothing yet
    target = folder / FILE
    if os.path.lexists(target):
        raise InvalidInput(f"{folder} already holds a memory; name a new folder for the snapshot")
    partial = folder / f".agentcl-{secrets.token_hex(8)}.partial"
    is_new = not folder.exists()
    try:
        if is_new:
            make_folder(folder)
            folder.chmod(_PRIVATE)
        partial.mkdir(mode=_PRIVATE)
        with closing(SqliteStore(partial)) as copy:
            Mirroring(store, copy).run()
            copy.database.empty_log()
        (partial / FILE).rename(target)
    except OSError as error:
        raise StoreUnavailable(
            f"cannot write a snapshot to {folder}: {error.strerror or error}"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if is_new and not target.exists():
            with suppress(OSError):  # somebody put something in
                folder.rmdir()
    return target
