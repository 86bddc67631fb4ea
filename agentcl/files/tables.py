"""Tables: each row of a CSV file, and each line of a JSON lines file, is a document."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

from agentcl.errors import LoadError
from agentcl.files.limits import ReadLimits
from agentcl.files.source import Source, checked, shown, uri_of
from agentcl.files.text import lines_of
from agentcl.store.checks import MAX_TEXT
from agentcl.text.json_values import fault_of_line
from agentcl.text.parsing import parsed_json

_TEXT_KEYS: Final = ("text", "content", "body")
_TITLE_KEYS: Final = ("title", "name")
_URI_KEYS: Final = ("uri", "url", "id")
_TOLD: Final = re.compile("sep=(.)", re.IGNORECASE)
_SHOWN: Final = 20  # names in a message


def read_json_lines(file: BinaryIO, path: Path, limits: ReadLimits) -> Iterator[Source]:
    """Yield a document for each line; a line must be a JSON object."""
    uri, taken = uri_of(path), set[str]()
    for number, line in enumerate(lines_of(file, shown(path), limits), start=1):
        if not line.strip():
            continue
        where = f"{shown(path)}, line {number}"
        try:
            row = parsed_json(line, parse_constant=_refuse_constant)
        except ValueError as error:
            fault = fault_of_line(error)
            raise LoadError(f"{where} is not JSON: {fault}; each line must be an object") from error
        if not isinstance(row, dict):
            raise LoadError(f"{where} is a {type(row).__name__}; each line must be an object")
        yield _from_row(uri, where, number, row, "application/json", taken)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def read_table(file: BinaryIO, path: Path, limits: ReadLimits) -> Iterator[Source]:
    """Yield a document for each row below the header; without a text column, all of the row."""
    name = shown(path)
    # The limit belongs to the process and is too low for articles; it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_TEXT))
    lines = lines_of(file, name, limits)
    first = next(lines, "")
    delimiter = ""
    if told := _TOLD.fullmatch(
        first.rstrip("\r\n")
    ):  # a line for the spreadsheet, before the header
        delimiter, first = told[1], next(lines, "")
    delimiter = delimiter or _delimiter(first, path)
    narrow = _narrow(_chain(first, lines), name, delimiter, limits)
    rows = csv.reader(narrow, delimiter=delimiter, strict=True)
    uri, taken = uri_of(path), set[str]()
    try:
        header = _header(next(rows, []), name)
        filled = (row for row in rows if row)
        for number, row in enumerate(filled, start=1):
            where = f"{name}, row {number} (line {rows.line_num})"
            if len(row) != len(header):
                raise LoadError(
                    f"{where} has {len(row)} columns, and the header {len(header)}: {_listed(header)}"
                )
            named = dict(zip(header, row, strict=True))
            if _key(named, _TEXT_KEYS) is None:
                named["text"] = "\n".join(
                    f"{key}: {value}" for key, value in named.items() if value
                )
            yield _from_row(uri, where, number, named, "text/csv", taken)
    except csv.Error as error:
        raise LoadError(f"{name}, line {rows.line_num} is not a valid table: {error}") from error


def _delimiter(header: str, path: Path) -> str:
    """Return what stands between columns: a tab, or, where the header has no comma, what spreadsheets write instead."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    if "," in header:
        return ","
    return max("\t;", key=header.count) if any(one in header for one in "\t;") else ","


def _header(cells: list[str], name: str) -> list[str]:
    """Return the names of the columns. Raises LoadError."""
    header = [cell.strip() or f"column {n}" for n, cell in enumerate(cells, start=1)]
    if not header:
        raise LoadError(f"{name} is empty; its first line must name the columns")
    twice = sorted(column for column, count in Counter(header).items() if count > 1)
    if twice:
        raise LoadError(f"{name} names a column twice: {_listed(twice)}; rename one")
    return header


def _narrow(lines: Iterator[str], name: str, delimiter: str, limits: ReadLimits) -> Iterator[str]:
    """Yield lines of no more columns than are allowed, before anybody makes a list of them."""
    is_quoted = False  # does the line begin within a cell?
    for number, line in enumerate(lines, start=1):
        if line.count(delimiter) >= limits.columns:
            outside = line.split('"')[is_quoted::2]
            columns = 1 + sum(piece.count(delimiter) for piece in outside)
            if columns > limits.columns:
                limits.refuse(f"{name}, line {number}", "columns", f"has {columns:,} columns")
        is_quoted ^= line.count('"') % 2 == 1
        yield line


def _listed(names: list[str]) -> str:
    return ", ".join([*names[:_SHOWN], *(["..."] if len(names) > _SHOWN else [])])


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
        yield from rest


def _key(row: dict[str, Any], wanted: tuple[str, ...]) -> str | None:
    """Return the key of a row that is spelled like the first of `wanted` it has, in any case."""
    spelled = {key.lower(): key for key in reversed(row)}
    return next((spelled[name] for name in wanted if name in spelled), None)


def _from_row(
    uri: str, where: str, number: int, row: dict[str, Any], media_type: str, taken: set[str]
) -> Source:
    """Make a document of a file's row: text, title and uri by their usual names, the rest as metadata."""
    text_key = _key(row, _TEXT_KEYS)
    if text_key is None or not isinstance(row[text_key], str):
        seen = _listed(sorted(row)) or "nothing"
        raise LoadError(
            f"{where} has no string under {' or '.join(_TEXT_KEYS)}; it has: {seen}. Rename the one that is the text"
        )
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
        f"{uri}#{name}" if uri else "",
        media_type,
        {key: value for key, value in row.items() if key not in used},
    )
    return checked(source, where)
