"""Reading files and folders as documents.

Text is read as UTF-8, or UTF-16 with its byte order mark; nothing is guessed. What is left out is
noted, so that it can be shown.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import re
import stat
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

import pypdf
from pypdf.errors import DependencyError, PyPdfError

from agentcl.errors import InvalidInput, LoadError
from agentcl.files.html import decode_as_declared, read_page
from agentcl.store.checks import MAX_TEXT, check_label, check_metadata, check_text

_TEXT_KEYS: Final = ("text", "content", "body")
_TITLE_KEYS: Final = ("title", "name")
_URI_KEYS: Final = ("uri", "url", "id")
_MAX_TITLE: Final = 200  # characters of a title that was found in a text; each passage repeats it

_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_FRONT_MATTER: Final = re.compile(
    r"\A(---|\+\+\+)[ \t]*\r?\n(.*?)^\1[ \t]*$", re.DOTALL | re.MULTILINE
)
_FRONT_TITLE: Final = re.compile(r"(?im)^title[ \t]*[:=][ \t]*(.*\S)")
_FENCED: Final = re.compile(r"^ {0,3}(```|~~~).*?(?:^ {0,3}\1|\Z)", re.DOTALL | re.MULTILINE)
_HEADING: Final = re.compile(
    r"^#{1,6}[ \t]+(?P<marked>\S.*?)[ \t]*#*[ \t]*\r?$"
    r"|^(?P<underlined>\S.{0,200})\r?\n(?:={3,}|-{3,}|~{3,})[ \t]*\r?$",
    re.MULTILINE,
)
_LINK: Final = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)")

# What pypdf is known to raise, beside its own errors, for files that are damaged.
_PDF_ERRORS: Final = (
    PyPdfError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class Source:
    """One document as it was read."""

    text: str
    title: str
    uri: str  # the path as given; `#row-N` or `#ID` is added for one row of several
    media_type: str
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file, or a row of one, that was left out, and why."""

    path: str
    reason: str


def load(path: Path, *, skipped: list[Skipped] | None = None) -> Iterator[Source]:
    """Yield the documents of a file, or of all files below a folder in the order of their names.

    A file that is named is read by its suffix, or as plain text if that is unknown. In a folder,
    hidden files are passed over, and what cannot be read is noted in `skipped`, as are empty texts
    anywhere. A folder is walked without following links to other folders.

    Raises:
        LoadError: naming the file, the place in it, and what to do; only for a file that is named.
    """
    notes: list[Skipped] = [] if skipped is None else skipped
    if not _is_folder(path):
        yield from _load_file(path, notes)
        return
    for file in _walk(path, notes):
        try:
            yield from _load_file(file, notes)
        except LoadError as error:
            notes.append(Skipped(_shown(file), str(error)))


def load_stream(stream: BinaryIO, name: str) -> Source:
    """Return what a stream holds, to its end, as one text; it has no uri if the name is "-".

    Raises:
        LoadError: if it is empty or not text.
    """
    shown = "standard input" if name == "-" else name
    text = _decode(stream.read(), shown)
    if not text.strip():
        raise LoadError(f"{shown} holds no text, so there is nothing to remember")
    return _checked(Source(text, "", "" if name == "-" else name, "text/plain"), shown)


def count(paths: Iterable[Path]) -> int:
    """Return about how many documents `load` will yield for all paths, to show progress by.

    Rows are counted by lines and nothing else is opened, so that this is quick. "-" counts as one.

    Raises:
        LoadError: if a path does not exist, or cannot be opened.
    """
    total = 0
    for path in paths:
        if path == Path("-"):
            total += 1
        elif _is_folder(path):
            total += sum(_count_file(file, is_named=False) for file in _walk(path, []))
        else:
            total += _count_file(path, is_named=True)
    return total


def _count_file(path: Path, *, is_named: bool) -> int:
    suffix = path.suffix.lower()
    try:
        is_regular = stat.S_ISREG(path.stat().st_mode)
        if suffix not in _ROWS or not is_regular:  # a pipe can be read only once
            return 1
        with path.open("rb") as lines:
            rows = sum(1 for line in lines if line.strip())
            return rows if suffix in _JSON_LINES else max(rows - 1, 0)
    except OSError as error:
        if is_named:
            _fail_to_open(path, error)
        return 0


def _walk(folder: Path, skipped: list[Skipped]) -> Iterator[Path]:
    """Yield the files below a folder that have a reader, each folder's own files first, sorted."""

    def note(error: OSError) -> None:
        skipped.append(Skipped(_shown(Path(error.filename)), f"cannot be read: {error.strerror}"))

    for root, names, files in os.walk(folder, onerror=note):
        visible = sorted(name for name in names if not name.startswith("."))
        links = [name for name in visible if Path(root, name).is_symlink()]
        names[:] = [name for name in visible if name not in links]
        for name in links:
            reason = "is a link to a folder; name it itself to read it"
            skipped.append(Skipped(_shown(Path(root, name)), reason))
        for name in sorted(files):
            path = Path(root, name)
            if name.startswith("."):
                continue
            if path.suffix.lower() not in _READERS:
                kind = f"{path.suffix} files" if path.suffix else "files without a suffix"
                skipped.append(
                    Skipped(_shown(path), f"no reader for {kind}; name it to read it as text")
                )
            elif path.exists() and not path.is_file():
                skipped.append(Skipped(_shown(path), "is not a regular file"))
            else:
                yield path


def _load_file(path: Path, skipped: list[Skipped]) -> Iterator[Source]:
    try:
        path.as_posix().encode()
    except UnicodeEncodeError as error:
        raise LoadError(f"the name of {_shown(path)} is not UTF-8; rename the file") from error
    reader = _READERS.get(path.suffix.lower(), _read_plain)
    try:
        for source in reader(path):
            if source.text.strip():
                yield source
            else:
                skipped.append(Skipped(source.uri, "holds no text"))
    except OSError as error:
        _fail_to_open(path, error)


def _fail_to_open(path: Path, error: OSError) -> NoReturn:
    if isinstance(error, FileNotFoundError):
        raise LoadError(f"{_shown(path)} does not exist; check the path") from error
    raise LoadError(f"{_shown(path)} cannot be read: {error.strerror or error}") from error


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError as error:  # e.g. a folder above it is closed to us
        _fail_to_open(path, error)


def _shown(path: Path) -> str:
    """Return a path as it can be printed, even if its bytes are not UTF-8."""
    return path.as_posix().encode(errors="backslashreplace").decode()


def _checked(source: Source, where: str) -> Source:
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


def _decode(raw: bytes, name: str, *, offset: int = 0) -> str:
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


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a text file with their ends, read as they are asked for."""
    with path.open("rb") as file:
        first = file.readline()
        if first.startswith(_UTF16_MARKS):
            yield from io.StringIO(_decode(first + file.read(), _shown(path)), newline="\n")
            return
        offset = 0
        while first:
            yield _decode(first, _shown(path), offset=offset)
            offset += len(first)
            first = file.readline()


def _document(path: Path, text: str, title: str, media_type: str) -> Source:
    """Make a document of a whole file; without a title it has the file's name."""
    return _checked(Source(text, title or path.stem, path.as_posix(), media_type), _shown(path))


def _shorten(title: str | None) -> str:
    """Return a title found in a text as one line of bounded length."""
    line = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", " ", title or "").split())
    return line if len(line) <= _MAX_TITLE else f"{line[: _MAX_TITLE - 1]}\u2026"


def _read_plain(path: Path) -> Iterator[Source]:
    text = _decode(path.read_bytes(), _shown(path))
    yield _document(path, text, path.stem, "text/plain")


def _read_markup(path: Path) -> Iterator[Source]:
    text = _decode(path.read_bytes(), _shown(path))
    is_markdown = path.suffix.lower() != ".rst"
    media_type = "text/markdown" if is_markdown else "text/x-rst"
    front = _FRONT_MATTER.match(text) if is_markdown else None
    named = _FRONT_TITLE.search(front.group(2)) if front else None
    if named:
        title = named.group(1).strip("\"'")
    else:
        body = text[front.end() if front else 0 :]
        heading = _HEADING.search(_FENCED.sub("", body) if is_markdown else body)
        found = (heading["marked"] or heading["underlined"]) if heading else ""
        title = re.sub(r"[*`]", "", _LINK.sub(r"\1", found))
    yield _document(path, text, _shorten(title), media_type)


def _read_html(path: Path) -> Iterator[Source]:
    raw = path.read_bytes()
    try:
        markup = _decode(raw, _shown(path))
    except LoadError:
        declared = decode_as_declared(raw)
        if declared is None:
            raise
        markup = declared
    title, text = read_page(markup)
    yield _document(path, text, _shorten(title), "text/html")


def _read_pdf(path: Path) -> Iterator[Source]:
    shown = _shown(path)
    try:
        reader = pypdf.PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise LoadError(f"{shown} is encrypted; save a copy without a password")
        text = "\n\n".join(page.extract_text().strip() for page in reader.pages)
        title = _shorten(reader.metadata.title if reader.metadata else None)
    except DependencyError as error:
        raise LoadError(f"{shown} is encrypted; save a copy without a password") from error
    except _PDF_ERRORS as error:
        raise LoadError(f"{shown} is not a readable PDF: {error}") from error
    if not text.strip():
        raise LoadError(
            f"{shown} holds no text, only pictures; run text recognition (OCR) on it first"
        )
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "")
    yield _document(path, text, title, "application/pdf")


def _read_json_lines(path: Path) -> Iterator[Source]:
    taken: set[str] = set()
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        where = f"{_shown(path)}, line {number}"
        try:
            row = json.loads(line, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise LoadError(f"{where} is not JSON: {error}; each line must be an object") from error
        if not isinstance(row, dict):
            raise LoadError(f"{where} is a {type(row).__name__}; each line must be an object")
        yield _from_row(path, where, number, row, "application/json", taken)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _read_table(path: Path) -> Iterator[Source]:
    shown = _shown(path)
    # The limit belongs to the process and is too low for articles; it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_TEXT))
    lines = _lines(path)
    first = next(lines, "")
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    if delimiter == "," and "," not in first and ";" in first:
        delimiter = ";"  # as spreadsheets write it where the comma is in the numbers
    rows = csv.reader(_chain(first, lines), delimiter=delimiter, strict=True)
    taken: set[str] = set()
    try:
        header = [name.strip() or f"column {n}" for n, name in enumerate(next(rows, []), start=1)]
        if not header:
            raise LoadError(f"{shown} is empty; its first line must name the columns")
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice:
            raise LoadError(f"{shown} names a column twice: {', '.join(twice)}; rename one")
        filled = (row for row in rows if row)
        for number, row in enumerate(filled, start=1):
            where = f"{shown}, row {number} (line {rows.line_num})"
            if len(row) != len(header):
                raise LoadError(
                    f"{where} has {len(row)} columns, and the header {len(header)}: {', '.join(header)}"
                )
            named = dict(zip(header, row, strict=True))
            if _key(named, _TEXT_KEYS) is None:
                named["text"] = "\n".join(
                    f"{key}: {value}" for key, value in named.items() if value
                )
            yield _from_row(path, where, number, named, "text/csv", taken)
    except csv.Error as error:
        raise LoadError(f"{shown}, line {rows.line_num} is not a valid table: {error}") from error


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
        yield from rest


def _key(row: dict[str, Any], wanted: tuple[str, ...]) -> str | None:
    """Return the key of a row that is spelled like the first of `wanted` it has, in any case."""
    spelled = {key.lower(): key for key in reversed(row)}
    return next((spelled[name] for name in wanted if name in spelled), None)


def _from_row(
    path: Path, where: str, number: int, row: dict[str, Any], media_type: str, taken: set[str]
) -> Source:
    """Make a document of a row: text, title and uri by their usual names, the rest as metadata."""
    text_key = _key(row, _TEXT_KEYS)
    if text_key is None or not isinstance(row[text_key], str):
        seen = ", ".join(sorted(row)) or "nothing"
        raise LoadError(f"{where} has no string under {' or '.join(_TEXT_KEYS)}; it has: {seen}")
    title_key = _key(row, _TITLE_KEYS)
    if title_key is not None and not isinstance(row[title_key], str):
        title_key = None
    uri_key = _key(row, _URI_KEYS)
    own = row[uri_key] if uri_key is not None else None
    if isinstance(own, bool) or not isinstance(own, str | int) or own == "":
        own, uri_key = f"row-{number}", None
    # Two rows with one id are two documents, and the later one must not replace the earlier.
    name = f"{own}#row-{number}" if str(own) in taken else str(own)
    taken.add(name)
    used = {text_key, title_key, uri_key}
    source = Source(
        row[text_key],
        "" if title_key is None else row[title_key],
        f"{path.as_posix()}#{name}",
        media_type,
        {key: value for key, value in row.items() if key not in used},
    )
    return _checked(source, where)


_READERS: Final[dict[str, Callable[[Path], Iterator[Source]]]] = {
    ".txt": _read_plain,
    ".text": _read_plain,
    ".rst": _read_markup,
    ".md": _read_markup,
    ".markdown": _read_markup,
    ".html": _read_html,
    ".htm": _read_html,
    ".pdf": _read_pdf,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".csv": _read_table,
    ".tsv": _read_table,
}
_JSON_LINES: Final = frozenset({".jsonl", ".ndjson"})
_ROWS: Final = _JSON_LINES | {".csv", ".tsv"}
