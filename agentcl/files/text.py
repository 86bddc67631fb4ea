"""Plain text and markup. Text is UTF-8, or UTF-16 with its byte order mark; nothing is guessed."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from agentcl.errors import LoadError
from agentcl.files.limits import ReadLimits
from agentcl.files.source import Source, document, read_all, shorten, shown

_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_FRONT_MATTER: Final = re.compile(
    r"\A(---|\+\+\+)[ \t]*\r?\n(.*?)^\1[ \t]*$", re.DOTALL | re.MULTILINE
)
_FRONT_TITLE: Final = re.compile(r"(?im)^title[ \t]*[:=](.*)")
_FENCED: Final = re.compile(r"^ {0,3}(```|~~~).*?(?:^ {0,3}\1|\Z)", re.DOTALL | re.MULTILINE)
_HEADING: Final = re.compile(
    r"^#{1,6}[ \t]+(?P<marked>\S.*)"
    r"|^(?P<underlined>\S.{0,200})\r?\n(?:={3,}|-{3,}|~{3,})[ \t]*\r?$",
    re.MULTILINE,
)
_LINK: Final = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)")


def decode(raw: bytes, name: str, *, offset: int = 0) -> str:
    """Return bytes as text; `offset` is where they are in the file."""
    encoding = "utf-16" if raw.startswith(_UTF16_MARKS) and offset == 0 else "utf-8"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise LoadError(
            f"{name} is not {encoding.upper()} text: {error.reason} at byte {offset + error.start}; "
            f"convert it first, e.g. with iconv -f LATIN1 -t UTF-8"
        ) from error
    nul = text.find("\0")
    if nul >= 0:
        raise LoadError(
            f"{name} is not text: it holds a NUL at byte {offset + len(text[:nul].encode(encoding))}; if it is "
            "UTF-16 or UTF-32, convert it first, e.g. with iconv -t UTF-8"
        )
    return text.removeprefix("\ufeff") if offset == 0 else text


def lines_of(file: BinaryIO, where: str, limits: ReadLimits) -> Iterator[str]:
    """Yield the lines of a text file with their ends, read as they are asked for.

    Raises:
        LoadError: if one is longer than a document may be, or is not text.
    """
    first = _line(file, where, limits)
    if first.startswith(_UTF16_MARKS):
        text = decode(first + read_all(file, where, limits), where)
        yield from io.StringIO(text, newline="\n")
        return
    offset = 0
    while first:
        yield decode(first, where, offset=offset)
        offset += len(first)
        first = _line(file, where, limits)


def _line(file: BinaryIO, where: str, limits: ReadLimits) -> bytes:
    line = file.readline(limits.bytes + 1)
    if len(line) > limits.bytes:
        limits.refuse(where, "megabytes", f"has a line of more than {limits.megabytes:,} megabytes")
    return line


def read_plain(file: BinaryIO, path: Path, limits: ReadLimits) -> Iterator[Source]:
    """Yield the file as it is, under its name."""
    text = decode(read_all(file, shown(path), limits), shown(path))
    yield document(path, text, "", "text/plain")


def read_markup(file: BinaryIO, path: Path, limits: ReadLimits) -> Iterator[Source]:
    """Yield Markdown or reStructuredText as it is, under its first heading."""
    text = decode(read_all(file, shown(path), limits), shown(path))
    is_markdown = path.suffix.lower() != ".rst"
    media_type = "text/markdown" if is_markdown else "text/x-rst"
    yield document(path, text, shorten(_title(text, is_markdown=is_markdown)), media_type)


def _title(text: str, *, is_markdown: bool) -> str:
    front = _FRONT_MATTER.match(text) if is_markdown else None
    named = _FRONT_TITLE.search(front.group(2)) if front else None
    if named and (title := named.group(1).strip()):
        return title.strip("\"'")
    body = text[front.end() if front else 0 :]
    heading = _HEADING.search(_FENCED.sub("", body) if is_markdown else body)
    if heading is None:
        return ""
    marked = heading["marked"]
    found = heading["underlined"] if marked is None else marked.rstrip().rstrip("#").rstrip()
    return re.sub(r"[*`]", "", _LINK.sub(r"\1", found))
