"""Files and folders as documents: which reader reads what, and what is left out and noted."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, NoReturn

from agentcl.errors import LoadError
from agentcl.files.apart import Apart, Parser
from agentcl.files.ignored import NAME, Ignored
from agentcl.files.kinds import HEAD, named_as, refuse_foreign
from agentcl.files.limits import DEFAULT, ReadLimits
from agentcl.files.source import Skipped, Source, checked, document, read_all, shown, uri_of
from agentcl.files.tables import read_json_lines, read_table
from agentcl.files.text import decode, read_markup, read_plain
from agentcl.store.checks import check_each
from agentcl.text import pages
from agentcl.text.paths import check_path


def load(
    path: str | os.PathLike[str],
    *,
    skipped: list[Skipped] | None = None,
    limits: ReadLimits = DEFAULT,
    leave_out: Collection[str | os.PathLike[str]] = (),
) -> Iterator[Source]:
    """Yield the documents of a file, or of all files below a folder in the order of their names.

    A file that is named is read by its suffix, or as plain text if that is unknown. In a folder,
    hidden files are passed over, and what its `.gitignore` files leave out. Both are noted in `skipped`, and so are what
    cannot be read, empty texts anywhere, and pages of a PDF without text. A folder is walked without following links to
    other folders, or out of it.

    Args:
        path: the file or folder.
        skipped: takes what was left out.
        limits: what reading one document may take. PDF, HTML, mail, Office and EPUB files are parsed in a child process.
        leave_out: files and folders, with links followed, that are passed over without a note in a folder.

    Raises:
        LoadError: naming the file, the place in it, and what to do; only for a file that is named.
        InvalidInput: if `path`, or what is to be left out, is no path.
    """
    path = check_path(path)
    left_out = [check_path(one) for one in check_each(leave_out, "leave_out", "paths")]
    notes: list[Skipped] = [] if skipped is None else skipped
    with Apart(limits) as apart:
        if not _is_folder(path):
            yield from _load_file(path, notes, limits, apart)
            return
        for file in _walk(path, notes, left_out):
            try:
                yield from _load_file(file, notes, limits, apart)
            except LoadError as error:
                reason = str(error).removeprefix(shown(file)).lstrip(", ")
                notes.append(Skipped(shown(file), reason))


def load_stream(stream: BinaryIO, name: str, *, limits: ReadLimits = DEFAULT) -> Source:
    """Return what a stream holds, to its end, as one text; it has no uri if the name is "-".

    Raises:
        LoadError: if it is empty, not text, or larger than is allowed.
    """
    where = "standard input" if name == "-" else name
    raw = read_all(stream, where, limits)
    refuse_foreign(io.BytesIO(raw), raw[:HEAD], where)
    text = decode(raw, where)
    if not text.strip():
        raise LoadError(f"{where} holds no text, so there is nothing to remember")
    return checked(Source(text, "", "" if name == "-" else name, "text/plain"), where)


def count(paths: Iterable[str | os.PathLike[str]]) -> int:
    """Return about how many documents `load` will yield for all paths, to show progress by.

    Rows are counted by lines and nothing else is opened, so that this is quick. "-" counts as one.

    Raises:
        LoadError: if a path does not exist, or cannot be opened.
        InvalidInput: if one is no path.
    """
    total = 0
    for path in map(check_path, check_each(paths, "paths", "paths")):
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
            rows, is_begun = 0, False
            while piece := lines.readline(_PIECE):
                rows += not is_begun and bool(piece.strip())
                is_begun = not piece.endswith(b"\n")
            return rows if suffix in _JSON_LINES else max(rows - 1, 0)
    except OSError as error:
        if is_named:
            _fail_to_open(path, error)
        return 0


def _walk(folder: Path, skipped: list[Skipped], leave_out: Collection[Path] = ()) -> Iterator[Path]:
    """Yield the files below a folder that have a reader, each folder's own files first, sorted."""

    def note(error: OSError) -> None:
        skipped.append(Skipped(shown(Path(error.filename)), f"cannot be read: {error.strerror}"))

    ignored = Ignored(folder)

    def left(here: Path, names: Iterable[str], *, are_folders: bool) -> Iterator[Path]:
        """Yield what is neither hidden nor ignored, nor to be left out; note the rest."""
        for name in sorted(names):
            path = Path(root, name)
            if name in own:
                continue
            if name.startswith("."):
                skipped.append(Skipped(shown(path), "is hidden", "hidden"))
            elif ignored.leaves_out(here / name, is_folder=are_folders):
                skipped.append(Skipped(shown(path), f"is ignored by a {NAME}", "ignored"))
            else:
                yield path

    for root, names, files in os.walk(folder, onerror=note):
        here = Path(root).resolve()
        own = {path.name for path in leave_out if path.parent == here}
        # A memory in a hidden folder: nobody wants to be told.
        own |= {
            path.parent.name
            for path in leave_out
            if path.parent.parent == here and path.parent.name[0] == "."
        }
        folders = list(left(here, names, are_folders=True))
        names[:] = [path.name for path in folders if not path.is_symlink()]
        for path in folders:
            if path.is_symlink():
                reason = "is a link to a folder; name it itself to read it"
                skipped.append(Skipped(shown(path), reason))
        for path in left(here, files, are_folders=False):
            reason = _left_out(path, folder)
            if reason:
                skipped.append(Skipped(shown(path), reason))
            else:
                yield path
    for path, pattern in ignored.passed_over:
        reason = f"{pattern!r} has too many stars; what it names is read"
        skipped.append(Skipped(shown(path), reason))


def _left_out(path: Path, folder: Path) -> str:
    """Return why a file of a folder is not read; empty if it is. One that cannot even be looked at is no reason to stop."""
    if path.suffix.lower() not in _READERS:
        return _unread(path)
    try:
        is_regular = stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:  # said as it is opened
        return ""
    except OSError as error:  # e.g. a link into a folder that is closed to us
        return f"cannot be read: {error.strerror or error}"
    if not is_regular:
        return "is not a regular file"
    if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
        return "is a link to a file outside of the folder; name it itself to read it"
    return ""


def _unread(path: Path) -> str:
    """Return why a file of a folder has no reader."""
    kind = f"{path.suffix} files" if path.suffix else "files without a suffix"
    office = named_as(path.suffix.lower())
    return office or f"no reader for {kind}; if it holds text, name it"


def _load_file(
    path: Path, skipped: list[Skipped], limits: ReadLimits, apart: Apart
) -> Iterator[Source]:
    try:
        _check_name(path)
        with path.open("rb") as file:
            for source in _read(file, path, limits, apart):
                if isinstance(source, Skipped):
                    skipped.append(source)
                elif source.text.strip():
                    yield source
                else:
                    skipped.append(Skipped(source.uri or shown(path), "holds no text"))
    except OSError as error:
        _fail_to_open(path, error)


def _read(
    file: io.BufferedReader, path: Path, limits: ReadLimits, apart: Apart
) -> Iterator[Source | Skipped]:
    suffix, where = path.suffix.lower(), shown(path)
    refuse_foreign(file, file.peek(HEAD), where, suffix)
    reader = _READERS.get(suffix, read_plain)
    if not isinstance(reader, tuple):
        yield from reader(file, path, limits)
        return
    parser, media_type = reader
    parsed = apart.parse(parser, read_all(file, where, limits), where)
    yield from (Skipped(where, f"in part: {words}") for words in parsed.left_out)
    yield document(path, parsed.text, parsed.title, media_type)


def _check_name(path: Path) -> None:
    try:
        uri_of(path).encode()
    except UnicodeEncodeError as error:
        name = shown(path.resolve())
        raise LoadError(f"the name of {name} is not UTF-8; rename the file or folder") from error


def _fail_to_open(path: Path, error: OSError) -> NoReturn:
    if isinstance(error, FileNotFoundError):
        raise LoadError(f"{shown(path)} does not exist; check the path") from error
    raise LoadError(f"{shown(path)} cannot be read: {error.strerror or error}") from error


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError as error:  # e.g. a folder above it is closed to us
        _fail_to_open(path, error)


_Reader = Callable[[BinaryIO, Path, ReadLimits], Iterator[Source]]
_HTML: Final[tuple[Parser, str]] = ("html", "text/html")
_MAIL: Final[tuple[Parser, str]] = ("mail", "message/rfc822")
_WORD: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_READERS: Final[dict[str, _Reader | tuple[Parser, str]]] = {
    ".txt": read_plain,
    ".text": read_plain,
    ".rst": read_markup,
    ".md": read_markup,
    ".markdown": read_markup,
    ".html": _HTML,
    ".htm": _HTML,
    ".xhtml": _HTML,
    ".eml": _MAIL,
    ".mht": _MAIL,
    ".mhtml": _MAIL,
    ".pdf": ("pdf", pages.PDF),
    ".docx": ("word", _WORD),
    ".pptx": ("slides", pages.SLIDES),
    ".xlsx": ("workbook", pages.WORKBOOK),
    ".epub": ("epub", pages.EPUB),
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".csv": read_table,
    ".tsv": read_table,
}
_JSON_LINES: Final = frozenset({".jsonl", ".ndjson"})
_ROWS: Final = _JSON_LINES | {".csv", ".tsv"}
_PIECE: Final = 1 << 16  # bytes of a line that are looked at together
