"""The folders of adapters: written once, compared with their hashes before use, and erased."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from agentcl.errors import EraseIncomplete, StoreCorrupt
from agentcl.memory.opened import ADAPTERS
from agentcl.store.adapters import Adapter

SHARDS: Final = "shards"  # in the folder of an adapter that is made of parts: theirs, by number


def check_files(folder: Path, held: Adapter) -> Path:
    """Compare an adapter's files with the hashes in its record; return their folder.

    Args:
        folder: the memory's.
        held: the adapter.

    Raises:
        StoreCorrupt: if a file is missing, was changed, or is too many.
    """
    own = folder / ADAPTERS / held.name
    try:
        found = hashes_of(own)
    except OSError as error:
        raise StoreCorrupt(
            f"the files of the adapter {held.name} cannot be read: {error}"
        ) from error
    if found != dict(held.files) or not found:
        wrong = sorted({*found.items()} ^ {*held.files.items()}) or [("no file", "")]
        raise StoreCorrupt(
            f"{own / wrong[0][0]} is not what was trained: an adapter's folder is never changed. "
            f"Train anew with `agentcl consolidate`; `agentcl adapters revoke {held.name}` puts it out of use"
        )
    return own


def hashes_of(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a folder, by its path in it. Raises OSError."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[path.relative_to(folder).as_posix()] = "a link" if path.is_symlink() else digest
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not there")
    return found


def erase_files(
    folder: Path, names: Sequence[str], *, keeping: Mapping[str, Collection[int]] | None = None
) -> list[str]:
    """Delete the folders of adapters, with rows and checkpoints in them; nothing behind a link is touched.

    Args:
        folder: the memory's.
        names: of the adapters.
        keeping: by name, the numbers of shards that stay.

    Returns:
        The files that were deleted, each behind the name of its adapter.

    Raises:
        EraseIncomplete: naming what cannot be deleted.
    """
    home, erased = folder / ADAPTERS, list[str]()
    if home.is_symlink():
        return erased
    for name in names:
        own = home / name
        if own.parent != home or own.is_symlink() or not own.is_dir():
            continue
        kept = {own / SHARDS / str(number) for number in (keeping or {}).get(name, ())}
        before = _files(own)
        try:
            _remove(own, {one for one in kept if one.is_dir() and not one.is_symlink()})
        except OSError as error:
            raise EraseIncomplete(
                f"the adapter {name} is revoked, and its files in {own} cannot be deleted: {error.strerror}; "
                "delete the folder, and forget again"
            ) from error
        erased += [one.relative_to(home).as_posix() for one in before - _files(own)]
    return sorted(erased)


def _files(folder: Path) -> set[Path]:
    return {one for one in folder.rglob("*") if not one.is_dir()}


def _remove(folder: Path, kept: Collection[Path]) -> None:
    """Delete a folder but for some below it."""
    if not any(folder in one.parents for one in kept):
        shutil.rmtree(folder)
        return
    for child in folder.iterdir():
        if child in kept:
            continue
        if child.is_symlink() or not child.is_dir():
            child.unlink()
        else:
            _remove(child, kept)
