"""The folders that indexes are kept in: which of them are ours, and how they are cleared.

A folder of ours lies in the memory's own folder, not behind a link, and has a marker. In it, what has a name
that we give is deleted, and nothing else.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentcl.errors import StoreUnavailable
from agentcl.store.base import Store
from agentcl.text.saving import create, make_folder

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

logger = logging.getLogger(__name__)
FOLDER: Final = "indexes"
MARKER: Final = ".agentcl-index"
_SAYS: Final = b"A cache of agentcl, derived from journal.db. It may be deleted.\n"
_PARTIAL: Final = r"\.agentcl-[0-9a-f]{16}\.partial"
# By the name of a folder, what agentcl names what it keeps there.
_NAMES: Final = {
    "fulltext": re.compile(r"fulltext\.db(-wal|-shm|-journal)?"),
    "episodes": re.compile(r"fulltext\.db(-wal|-shm|-journal)?"),
    "graph": re.compile(rf"graph\.npz(\.partial)?|{_PARTIAL}"),
    "guidance": re.compile(rf"[0-9a-f]{{32}}\.json|{_PARTIAL}"),
    "compressed": re.compile(rf"[0-9a-f]{{16}}-[0-9]{{6}}\.safetensors|{_PARTIAL}"),
    "usearch": re.compile(rf"head\.json|[0-9a-f]{{16}}\.(vectors|rows|graph)|(building|writing)\.lock(-journal)?|{_PARTIAL}"),
    "chroma": re.compile(r"(marks\.db|chroma\.sqlite3)(-wal|-shm|-journal)?|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
}  # fmt: skip
_DEAR: Final = frozenset({"compressed"})  # takes a model to make: it is cleared row by row
_DELETIONS: Final = 10  # tries to delete a folder while another process writes files there


def home(journal: Store) -> Path | None:
    """Return the folder that a memory's indexes are kept in; None where it is not to be trusted.

    That is where it, or anything of ours in it, is a link, or where somebody else keeps files under the names
    of our folders.
    """
    folder = journal.folder / FOLDER
    wrong = next(_strange(folder), "")
    if wrong:
        logger.warning(
            "%s: indexes are made anew for this run, in a folder of their own; see `agentcl doctor`",
            wrong,
        )
        return None
    return folder


def scratch() -> TemporaryDirectory[str]:
    """Return a folder for the indexes of one run. Raises StoreUnavailable if the temporary folder takes none."""
    from tempfile import TemporaryDirectory

    try:
        return TemporaryDirectory(prefix="agentcl-")
    except OSError as error:
        raise StoreUnavailable(
            f"the indexes of this run need a place in the temporary folder: {error}. Make room there, or name "
            "another one in the environment variable TMPDIR"
        ) from error


def claim(folder: Path, *, mode: int) -> Path:
    """Make a folder ours, and let nobody read in it who cannot read the journal.

    Args:
        folder: to be made, if it is not there.
        mode: of the journal's file.

    Raises:
        StoreUnavailable: if that is not possible.
    """
    try:
        make_folder(folder)
        with suppress(FileExistsError), create(folder / MARKER, mode=mode) as file:
            file.write(_SAYS)
        for entry in ours(folder, folder.name):
            with suppress(FileNotFoundError):  # SQLite takes some of its own away
                if entry.is_file() and stat.S_IMODE(entry.stat().st_mode) != mode:
                    entry.chmod(mode)
    except OSError as error:
        raise StoreUnavailable(f"cannot keep an index in {folder}: {error}") from error
    return folder


def clear(folder: Path, *, kind: str = "") -> bool:
    """Delete what we keep in a folder, and the folder if nothing is left; return whether there was anything.

    Args:
        folder: nothing is done if it is a link, or not ours.
        kind: the name that such a folder has with us; default: its own.
    """
    if folder.is_symlink() or not folder.is_dir() or next(_foreign(folder, kind), None):
        return False
    delete(ours(folder, kind or folder.name))
    (folder / MARKER).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
    return True


def clear_others(folder: Path, used: set[str]) -> list[str]:
    """Clear the folders of indexes that are not in use; return their names."""
    return [name for name in sorted(_NAMES.keys() - used - _DEAR) if clear(folder / name)]


def strangers(journal: Store) -> Iterator[str]:
    """Yield in words what lies among the indexes and is not ours, and which links there are."""
    folder = journal.folder / FOLDER
    if folder.is_symlink() or not folder.is_dir():
        return
    for entry in sorted(folder.iterdir()):
        if entry.is_symlink():
            yield f"{FOLDER}/{entry.name} is a link, which is not followed"
        elif entry.name not in _NAMES:
            yield f"{FOLDER}/{entry.name} does not belong to agentcl"
        elif entry.is_dir():
            for other in sorted(set(entry.iterdir()) - set(ours(entry, entry.name))):
                if other.name != MARKER and not other.is_symlink():
                    yield f"{FOLDER}/{entry.name}/{other.name} does not belong to agentcl"
            yield from (f"{link} is a link, which is not followed" for link in _links(entry))


def _strange(folder: Path) -> Iterator[str]:
    """Yield in words why a folder of indexes must not be used."""
    if folder.is_symlink():
        yield f"{folder} is a link"
    elif folder.exists() and not folder.is_dir():
        yield f"{folder} is no folder"
    elif folder.is_dir():
        for name in _NAMES:
            yield from _strange_in(folder / name)


def _strange_in(folder: Path, kind: str = "") -> Iterator[str]:
    if folder.is_symlink():
        yield f"{folder} is a link"
        return
    if not folder.exists():
        return
    if not folder.is_dir():
        yield f"{folder} is no folder"
        return
    yield from (f"{link} is a link" for link in _links(folder))
    yield from (f"{entry} is not agentcl's" for entry in _foreign(folder, kind))


def _foreign(folder: Path, kind: str = "") -> Iterator[Path]:
    """Yield what says that a folder is somebody else's; those of earlier versions have no marker."""
    if not (folder / MARKER).is_file():
        yield from set(folder.iterdir()) - set(ours(folder, kind or folder.name))


def _links(folder: Path) -> Iterator[Path]:
    for root, names, files in os.walk(folder):
        yield from (path for name in (*names, *files) if (path := Path(root, name)).is_symlink())


def ours(folder: Path, kind: str) -> Iterator[Path]:
    """Yield what has a name that we give to what such a folder holds; a link is none of ours."""
    held = (entry for entry in folder.iterdir() if _NAMES[kind].fullmatch(entry.name))
    return (entry for entry in held if not entry.is_symlink())


def delete(entries: Iterable[Path]) -> None:
    """Delete files and folders, which another process may be writing to."""
    entries = list(entries)
    for _ in range(_DELETIONS):
        try:
            for entry in entries:
                if entry.is_dir():
                    shutil.rmtree(entry)
                else:
                    entry.unlink(missing_ok=True)
        except OSError as error:
            last = error
        else:
            return
    raise last
