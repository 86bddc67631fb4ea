"""What a folder's `.gitignore` files leave out."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from pathspec import GitIgnoreSpec

from agentcl.errors import LoadError

NAME: Final = ".gitignore"
_MOST_BYTES: Final = 1_000_000
# A pattern becomes a regular expression, and the folder may be somebody else's: each star within one name costs
# one more power of the name's length.
_MOST_STARS: Final = 3
_STARS: Final = re.compile(r"(?<!\\)\*+")


class Ignored:
    """Tells what is ignored below a folder, by its own `.gitignore` files and those above it in its repository.

    The rules are git's: a pattern of a nearer file counts before one of a farther file, and within a file the last
    one that fits. What is in an ignored folder is ignored.

    Args:
        folder: where a walk begins.
    """

    def __init__(self, folder: Path) -> None:
        here = folder.resolve()
        above = [here, *here.parents]
        # Not Path.exists, which raises where a folder is closed to us.
        top = next((one for one in above if os.path.exists(one / ".git")), here)  # noqa: PTH110
        self._top = top
        self._specs: dict[Path, GitIgnoreSpec | None] = {}
        self.passed_over: list[tuple[Path, str]] = []  # files and their patterns that cost too much

    def leaves_out(self, path: Path, *, is_folder: bool) -> bool:
        """Return whether a file or folder is ignored, if what it lies in is not.

        Args:
            path: absolute, with links in its folders followed.
            is_folder: whether it is one.

        Raises:
            LoadError: if a `.gitignore` cannot be read.
        """
        for base in path.parents:
            spec = self._spec(base)
            if spec is not None:
                name = path.relative_to(base).as_posix() + "/" * is_folder
                found = spec.check_file(name).include
                if found is not None:
                    return found
            if base == self._top:
                break
        return False

    def _spec(self, folder: Path) -> GitIgnoreSpec | None:
        if folder not in self._specs:
            self._specs[folder] = self._read(folder / NAME)
        return self._specs[folder]

    def _read(self, path: Path) -> GitIgnoreSpec | None:
        try:
            if not path.is_file():
                return None
        except (
            PermissionError
        ):  # the folder is closed: nothing in it can be read anyway, and each file says so
            return None
        except OSError as error:
            raise LoadError(f"{path} cannot be read: {error.strerror or error}") from error
        try:
            with path.open("rb") as file:
                raw = file.read(_MOST_BYTES + 1)
        except OSError as error:
            raise LoadError(f"{path} cannot be read: {error.strerror or error}") from error
        if len(raw) > _MOST_BYTES:
            raise LoadError(
                f"{path} has more than {_MOST_BYTES:,} bytes; that is no list of patterns"
            )
        lines = []
        for line in raw.decode(errors="replace").splitlines():
            is_costly = any(len(_STARS.findall(name)) > _MOST_STARS for name in line.split("/"))
            if is_costly and not line.startswith("#"):
                self.passed_over.append((path, line))
            else:
                lines.append(line)
        try:
            return GitIgnoreSpec.from_lines(lines)
        except ValueError as error:
            raise LoadError(f"{path} has a pattern that cannot be used: {error}") from error
