"""Other people's JSON, read so that an error says where the file differs from what was expected."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from agentcl.errors import InvalidInput
from agentcl.text.json_values import fault_of_line
from agentcl.text.parsing import parsed_json
from agentcl.text.paths import unread


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON value, with where it stands and in what layout of file.

    Raises:
        InvalidInput: from every method, where the value is of another kind than asked for.
    """

    value: Any
    place: str  # such as "dev.json.gz: data[3].paragraphs[0]"
    layout: str  # what kind of file this should be

    def has(self, name: str) -> bool:
        """Tell whether this is an object with a field of that name that is not null."""
        return isinstance(self.value, dict) and self.value.get(name) is not None

    def at(self, name: str) -> Json:
        """Return the field of that name."""
        fields = self.object()
        if fields.get(name) is None:
            self._refuse(f"has no {name!r}, only {', '.join(sorted(fields)[:8]) or 'nothing'}")
        separator = "" if self.place.endswith(": ") else "."
        return Json(fields[name], f"{self.place}{separator}{name}", self.layout)

    def object(self) -> Mapping[str, Any]:
        """Return the fields of an object."""
        if not isinstance(self.value, dict):
            self._refuse(f"is {_kind(self.value)} and not an object")
        return self.value

    def items(self, name: str = "") -> list[Json]:
        """Return the items of a list, or of the field of that name."""
        if name:
            return self.at(name).items()
        if not isinstance(self.value, list):
            self._refuse(f"is {_kind(self.value)} and not a list")
        return [
            Json(item, f"{self.place}[{number}]", self.layout)
            for number, item in enumerate(self.value)
        ]

    def text(self, name: str = "", default: str | None = None) -> str:
        """Return a string, or a number as one; of the field of that name, or `default` without it."""
        if name:
            is_missing = self.object().get(name) is None
            return default if default is not None and is_missing else self.at(name).text()
        if isinstance(self.value, bool) or not isinstance(self.value, str | int | float):
            self._refuse(f"is {_kind(self.value)} and not a text")
        return str(self.value)

    def texts(self, name: str = "") -> list[str]:
        """Return a list of strings, numbers among them as strings."""
        return [item.text() for item in self.items(name)]

    def refuse(self, fault: str) -> InvalidInput:
        """Return the error that says `fault` of this place."""
        return InvalidInput(f"{self.place.removesuffix(': ')} {fault}; expected {self.layout}")

    def _refuse(self, fault: str) -> NoReturn:
        raise self.refuse(fault)


def read_json(path: Path, *, layout: str) -> Json:
    """Return what a `.json` or `.json.gz` file holds.

    Args:
        path: the file.
        layout: what kind of file it should be; ends the messages of all errors.

    Raises:
        InvalidInput: if it is absent, cut short or no JSON.
    """
    text = _read(path, layout)
    try:
        return Json(parsed_json(text), f"{path.name}: ", layout)
    except ValueError as error:
        raise _not_json(path, error, layout) from error


def read_rows(path: Path, *, layout: str) -> list[Json]:
    """Return the rows of a JSON list or of JSON lines, either of them gzipped or not.

    Raises:
        InvalidInput: if the file is absent, cut short or neither of the two.
    """
    text = _read(path, layout)
    if text.lstrip().startswith("["):
        return read_json(path, layout=layout).items()
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(Json(parsed_json(line), f"{path.name}: line {number}", layout))
        except ValueError as error:
            raise _not_json(path, error, layout, line=number) from error
    if not rows:
        raise InvalidInput(f"{path} has no rows; expected {layout}")
    return rows


def _read(path: Path, layout: str) -> str:
    try:
        content = path.read_bytes()
        return (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    except FileNotFoundError as error:
        raise InvalidInput(
            f"there is no file {path}; give the path of your own copy, {layout}"
        ) from error
    except EOFError as error:
        raise InvalidInput(f"{path} is cut short; copy it again") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 text; expected {layout}") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InvalidInput(f"{path} is damaged, or no gzip file: {error}; copy it again") from error
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {unread(error)}") from error


def _not_json(path: Path, error: ValueError, layout: str, line: int | None = None) -> InvalidInput:
    where = f"{path}, line {line}," if line else str(path)
    fault = fault_of_line(error) if line else error
    return InvalidInput(
        f"{where} is not JSON ({fault}); it may be cut short, or another kind of file; expected {layout}"
    )


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return names.get(type(value), "a number")
