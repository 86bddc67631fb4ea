"""Reading files and folders as documents."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

import pypdf
from bs4 import BeautifulSoup, Tag
from pypdf.errors import PyPdfError

from agentcl.errors import LoadError

_TEXT_KEYS: Final = ("text", "content", "body")
_TITLE_KEYS: Final = ("title", "name")
_URI_KEYS: Final = ("uri", "url", "id")
_BLOCKS: Final = [
    "address",
    "article",
    "blockquote",
    "br",
    "dd",
    "div",
    "dl",
    "dt",
    "figcaption",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "main",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "td",
    "th",
    "tr",
    "ul",
]
_NOT_CONTENT: Final = ("script", "style", "noscript", "template", "nav", "svg")
_HEADING: Final = re.compile(r"(?m)^#{1,6}\s+(.+?)\s*#*\s*$")
_FRONT_MATTER: Final = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_FRONT_TITLE: Final = re.compile(r"(?m)^title:\s*[\"']?(.+?)[\"']?\s*$")


@dataclass(frozen=True, slots=True)
class Source:
    """One document as it was read."""

    text: str
    title: str
    uri: str  # the path as given; `#row-N` is added for one row of several
    media_type: str
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file in a folder that was not read, and why."""

    path: str
    reason: str


def load(path: Path, *, skipped: list[Skipped] | None = None) -> Iterator[Source]:
    """Yield the documents of a file, or of all files below a folder in the order of their names.

    In a folder, hidden files are passed over, and files that cannot be read are noted in `skipped`.

    Raises:
        LoadError: naming the file, the place in it, and what to do; for files named directly.
    """
    if path.is_dir():
        yield from _load_folder(path, [] if skipped is None else skipped)
        return
    if not path.exists():
        raise LoadError(f"{path} does not exist")
    reader = _READERS.get(path.suffix.lower(), _read_plain)
    try:
        yield from reader(path)
    except OSError as error:
        raise LoadError(f"{path} cannot be read: {error}") from error


def load_stream(stream: BinaryIO, name: str) -> Source:
    """Return what a stream holds, to its end, as one text. Raises LoadError if it is not text."""
    return Source(_decode(stream.read(), name), "", "" if name == "-" else name, "text/plain")


def _load_folder(folder: Path, skipped: list[Skipped]) -> Iterator[Source]:
    for root, names, files in os.walk(folder):  # does not follow links, so loops cannot trap it
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            path = Path(root) / name
            if name.startswith("."):
                continue
            if path.suffix.lower() not in _READERS:
                skipped.append(Skipped(path.as_posix(), f"no reader for {path.suffix or name!r}"))
                continue
            try:
                yield from load(path)
            except LoadError as error:
                skipped.append(Skipped(path.as_posix(), str(error)))


def _decode(raw: bytes, name: str) -> str:
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise LoadError(
            f"{name} is not {encoding.removesuffix('-sig').upper()} text (byte {error.start}); convert "
            "it first, e.g. with iconv"
        ) from error


def _read_plain(path: Path) -> Iterator[Source]:
    text = _decode(path.read_bytes(), path.as_posix())
    if text.strip():
        yield Source(text, path.stem, path.as_posix(), "text/plain")


def _read_markdown(path: Path) -> Iterator[Source]:
    text = _decode(path.read_bytes(), path.as_posix()).replace("\r\n", "\n")
    front = _FRONT_MATTER.match(text)
    named = _FRONT_TITLE.search(front.group(1)) if front else None
    heading = named or _HEADING.search(text)
    if text.strip():
        title = heading.group(1) if heading else path.stem
        yield Source(text, title, path.as_posix(), "text/markdown")


def _read_html(path: Path) -> Iterator[Source]:
    soup = BeautifulSoup(_decode(path.read_bytes(), path.as_posix()), "html.parser")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    for element in soup(list(_NOT_CONTENT)):
        element.decompose()
    body = soup.body or soup
    for block in body(_BLOCKS):
        if isinstance(block, Tag):
            block.insert_before("\n")
            block.append("\n")
    lines = (" ".join(line.split()) for line in body.get_text().splitlines())
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    if text:
        yield Source(text, title or path.stem, path.as_posix(), "text/html")


def _read_pdf(path: Path) -> Iterator[Source]:
    try:
        reader = pypdf.PdfReader(path)
        if reader.is_encrypted:
            raise LoadError(f"{path} is encrypted; save a copy without a password")
        text = "\n\n".join(page.extract_text() for page in reader.pages)
        title = (reader.metadata.title if reader.metadata else None) or path.stem
    except PyPdfError as error:
        raise LoadError(f"{path} is not a readable PDF: {error}") from error
    if not text.strip():
        raise LoadError(f"{path} holds no text, only pictures; run text recognition on it first")
    yield Source(text, title, path.as_posix(), "application/pdf")


def _read_json_lines(path: Path) -> Iterator[Source]:
    text = _decode(path.read_bytes(), path.as_posix())
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise LoadError(f"{where} is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise LoadError(f"{where} is a {type(row).__name__}; each line must be an object")
        yield _from_row(path, where, number, row, "application/json")


def _read_table(path: Path) -> Iterator[Source]:
    text = _decode(path.read_bytes(), path.as_posix())
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for number, row in enumerate(rows, start=1):
            where = f"{path}, row {number}"
            if None in row or None in row.values():
                raise LoadError(f"{where} does not have the {len(row)} columns of the header")
            if not any(key in row for key in _TEXT_KEYS):
                row = {**row, "text": "\n".join(f"{k}: {v}" for k, v in row.items() if v)}
            yield _from_row(path, where, number, row, "text/csv")
    except csv.Error as error:
        raise LoadError(f"{path}, line {rows.line_num} is not valid CSV: {error}") from error


def _from_row(path: Path, where: str, number: int, row: dict[str, Any], media_type: str) -> Source:
    """Make a document of a row: text, title and uri by their usual names, the rest as metadata."""
    text_key = next((key for key in _TEXT_KEYS if row.get(key)), None)
    if text_key is None or not isinstance(row[text_key], str):
        raise LoadError(
            f"{where} has no text under {' or '.join(_TEXT_KEYS)}; it has {sorted(row)}"
        )
    title_key = next((key for key in _TITLE_KEYS if isinstance(row.get(key), str)), None)
    uri_key = next((key for key in _URI_KEYS if isinstance(row.get(key), str | int)), None)
    own = row[uri_key] if uri_key is not None else f"row-{number}"
    used = {text_key, title_key, uri_key}
    return Source(
        row[text_key],
        row[title_key] if title_key is not None else "",
        f"{path.as_posix()}#{own}",
        media_type,
        {key: value for key, value in row.items() if key not in used},
    )


_READERS: Final[dict[str, Callable[[Path], Iterator[Source]]]] = {
    ".txt": _read_plain,
    ".text": _read_plain,
    ".rst": _read_plain,
    ".md": _read_markdown,
    ".markdown": _read_markdown,
    ".html": _read_html,
    ".htm": _read_html,
    ".pdf": _read_pdf,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".csv": _read_table,
    ".tsv": _read_table,
}
