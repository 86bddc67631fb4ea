"""Files of databases, opened past SQLite.

POSIX drops all locks that a process holds on a file when the process closes any descriptor of it. SQLite
would not notice. Another process would take the database for one that nobody has open, and delete its log
with what was written last. So what is opened here stays open until this process has the file open no more.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from pathlib import Path
from typing import BinaryIO, Final

_LOCK: Final = threading.RLock()
_USERS: Final = Counter[str]()
_FILES: Final[dict[str, list[BinaryIO]]] = {}
_DEAD: Final[list[BinaryIO]] = []  # of a parent, which reads at the same place of the file


def enter(path: Path) -> str:
    """Count one more who has a file open through SQLite; return what to `leave`."""
    name = os.path.realpath(path)
    with _LOCK:
        _USERS[name] += 1
    return name


def leave(name: str) -> None:
    """Count one less; the last one closes what was opened here."""
    with _LOCK:
        _USERS[name] -= 1
        if not _USERS[name]:
            del _USERS[name]
            for file in _FILES.pop(name, ()):
                file.close()


def opened(path: Path) -> BinaryIO:
    """Return a database's file, unbuffered, to read and write. Only who has entered may ask, and none closes it."""
    name = os.path.realpath(path)
    with _LOCK:
        files = _FILES.setdefault(name, [])
        for file in files:
            if is_at(file, path):
                return file
        files.append(Path(name).open("r+b", buffering=0))  # noqa: SIM115  # see above
        return files[-1]


def is_at(file: BinaryIO, path: Path) -> bool:
    """Return whether a path leads to just this open file, and not to one that took its place."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def after_fork_in_child() -> None:
    """Use nothing that a parent opened; the caller has made sure that no other thread was here."""
    for files in _FILES.values():
        _DEAD.extend(files)
    _FILES.clear()
