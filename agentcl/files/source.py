"""One document as it was read, and how a file is named and refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from agentcl.errors import InvalidInput, LoadError
from agentcl.files.limits import ReadLimits
from agentcl.store.checks import check_label, check_metadata, check_text

_MAX_TITLE: Final = 200  # characters of a title that was found in a text; each passage repeats it


@dataclass(frozen=True, slots=True)
class Source:
    """One document as it was read."""

    text: str
    title: str
    uri: str  # of the file, see `uri_of`; `#row-N` or `#ID` is added for one row of several
    media_type: str
    metadata: dict[str, Any] = field(default_factory=dict)


Left = Literal["unread", "hidden", "ignored"]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file, a folder, or a part of a file, that was left out, and why."""

    path: str
    reason: str
    sort: Left = "unread"  # hidden by its name, ignored by a `.gitignore`, or not read


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a parser found in a document."""

    title: str  # empty if it names none
    text: str
    left_out: tuple[str, ...] = ()  # parts that hold no text, in words: "page 2 of 3 ..."


def read_all(file: BinaryIO, where: str, limits: ReadLimits) -> bytes:
    """Return what a file holds. Raises LoadError if that is more than a document may have."""
    raw = file.read(limits.bytes + 1)
    if len(raw) > limits.bytes:
        limits.refuse(where, "megabytes", f"has more than {limits.megabytes:,} megabytes")
    return raw


def shown(path: Path) -> str:
    """Return a path as it can be printed, even if its bytes are not UTF-8."""
    return path.as_posix().encode(errors="backslashreplace").decode()


def uri_of(path: Path) -> str:
    """Return the one name of a file, however its path is spelled: absolute, and no link.

    It is empty for a pipe: what comes through it next is something else.
    """
    return path.resolve().as_posix() if path.is_file() else ""


def checked(source: Source, where: str) -> Source:
    """Return the source if it can be stored; found here, an error can still name its place."""
    try:
        if source.text.strip():  # else it is left out, with a note
            check_text(source.text)
        check_label(source.title, "title")
        check_label(source.uri, "uri")
        check_metadata(source.metadata)
    except InvalidInput as error:
        raise LoadError(f"{where} cannot be kept: {error}") from error
    return source


def document(path: Path, text: str, title: str, media_type: str) -> Source:
    """Make a document of a whole file; without a title it has the file's name."""
    uri = uri_of(path)
    return checked(Source(text, title or Path(uri).stem, uri, media_type), shown(path))


def shorten(title: str | None) -> str:
    """Return a title found in a text as one line of bounded length."""
    line = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", " ", title or "").split())
    return line if len(line) <= _MAX_TITLE else f"{line[: _MAX_TITLE - 1]}\u2026"
