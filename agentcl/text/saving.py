"""Files that a user names: written through to what the path is, and read from it.

A path may be a link, a device, a pipe or a file that others rely on. Writing must leave it what it is.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

STDIN: Final = Path("/dev/stdin")  # these two are understood on every system
STDOUT: Final = Path("/dev/stdout")
_STANDARD: Final = {STDIN: 0, STDOUT: 1, Path("/dev/stderr"): 2}
_OPEN_FILE: Final = re.compile(r"/(dev|proc/(?:self|thread-self|\d+))/fd/(\d+)")
_OWN: Final = ("dev", "proc/self", "proc/thread-self")
_MOST_LINKS: Final = 40  # as Linux follows


_PRIVATE: Final = 0o700


def named_stream(path: str | os.PathLike[str]) -> str:
    """Return what a message calls a path: `-` on a command line is standard input."""
    return "standard input" if Path(path) == STDIN else str(path)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, if they are not there; nobody else can look into them.

    Raises:
        OSError: if that is not possible, or something else has the name.
    """
    if path.is_dir():
        return
    if path.parent != path:
        make_folder(path.parent)
    path.mkdir(mode=_PRIVATE, exist_ok=True)


@contextmanager
def create(path: Path, *, mode: int) -> Iterator[BinaryIO]:
    """Yield a new file with just this mode. Raises FileExistsError, whatever is there, and OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags, mode), "wb") as file:
        path.chmod(mode)
        yield file


@contextmanager
def saving(path: str | os.PathLike[str], *, mode: int | None = None) -> Iterator[BinaryIO]:
    """Yield a file whose content goes to where a path leads. Raises OSError.

    - A link is followed, and stays.
    - A device, a pipe, or an open file of this process, as `/dev/stdout` is, is written directly.
    - A regular file is replaced when all is written, and only then. It keeps its mode and its owner.
    - A new file has the mode that the umask leaves it, of all or of `mode`.

    Nothing is left behind when the block raises.
    """
    named = Path(path)
    descriptor = _descriptor(named)
    if descriptor is not None:
        sys.stdout.flush()
        with os.fdopen(os.dup(descriptor), "wb") as file:
            yield file
        return
    held = _status(named)
    if held is not None and not stat.S_ISREG(held.st_mode):
        with named.open("wb") as file:
            yield file
        return
    # Never through `named`: another program may turn the link meanwhile.
    with _replacing(Path(os.path.realpath(named)), held, mode) as file:
        yield file


def save_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text as UTF-8; see `saving`."""
    with saving(path) as file:
        file.write(text.encode())


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Yield a file to be read; `/dev/stdin` is standard input on every system. Raises OSError."""
    descriptor = _descriptor(Path(path))
    if descriptor is None:
        with Path(path).open("rb") as file:
            yield file
        return
    with os.fdopen(os.dup(descriptor), "rb") as file:
        yield file


def is_stream(path: str | os.PathLike[str]) -> bool:
    """Return whether what is written to a path goes on to somebody else, and no file is kept."""
    if _descriptor(Path(path)) is not None:
        return True
    try:
        held = _status(Path(path))
    except OSError:
        return False
    return held is not None and not stat.S_ISREG(held.st_mode) and not stat.S_ISDIR(held.st_mode)


def is_stdout(path: str | os.PathLike[str]) -> bool:
    """Return whether what is written to a path is printed."""
    return _descriptor(Path(path)) == 1


def _descriptor(path: Path) -> int | None:
    """Return the open file of this process that a path leads to; its links may lead on from there."""
    for _ in range(_MOST_LINKS):
        if path in _STANDARD:
            return _STANDARD[path]
        found = _OPEN_FILE.fullmatch(path.absolute().as_posix())
        if found:
            return int(found[2]) if found[1] in _OWN or found[1] == f"proc/{os.getpid()}" else None
        if not os.path.islink(path):  # noqa: PTH114  # it takes what may not be looked at
            return None
        path = path.parent / path.readlink()
    return None


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


@contextmanager
def _replacing(target: Path, held: os.stat_result | None, mode: int | None) -> Iterator[BinaryIO]:
    """Yield a file beside the target that takes its place in the end."""
    if held is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    partial = target.with_name(f".agentcl-{secrets.token_hex(8)}.partial")
    descriptor = _create(partial, held, mode)
    if descriptor is None:  # the file may be written, and its folder not
        with target.open("wb") as file:
            yield file
        return
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if held is None:
            partial.replace(target)
        elif not _takes_place(partial, target, held):
            shutil.copyfile(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _create(partial: Path, held: os.stat_result | None, wanted: int | None) -> int | None:
    """Open a new file that nobody can read who cannot read the one that it replaces."""
    new = 0o666 if wanted is None else wanted
    mode = new if held is None else stat.S_IMODE(held.st_mode)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        return os.open(partial, flags, mode)
    except PermissionError:
        if held is None:
            raise
        return None


def _takes_place(partial: Path, target: Path, held: os.stat_result) -> bool:
    """Put a file in another's place; False where the other can only be written over.

    That is a file with several names, another user's, or one that is mounted by itself.
    """
    if held.st_nlink > 1:
        return False
    try:
        if hasattr(os, "chown"):
            os.chown(partial, held.st_uid, held.st_gid)
        partial.chmod(stat.S_IMODE(held.st_mode))
        partial.replace(target)
    except OSError:
        return False
    return True
