"""What reading one document may take, and what is said of one that takes more."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final, NoReturn

from agentcl.errors import InvalidInput, LoadError
from agentcl.text.suggesting import did_you_mean

MEGABYTE: Final = 1_000_000
_SECONDS_A_MEGABYTE: Final = 10  # a book of 1,500 pages takes pypdf a minute


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLimits:
    """What reading one document may take: a file, or a row of a table. More is refused.

    Nothing here bounds how many files a folder has, or a table rows.
    """

    megabytes: int = 200  # of a document as it is stored, and of what it unpacks to
    seconds: int = 20  # for what is parsed apart; 10 are added for each megabyte of the file
    pages: int = 10_000  # of a PDF
    columns: int = 16_384  # of a table; as many as spreadsheets have
    memory: int = 2_000  # megabytes, for what is parsed apart; where the system can bound it

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InvalidInput(f"{one.name} must be a whole number from 1, not {value!r}")

    @property
    def bytes(self) -> int:
        """How many bytes a document may have."""
        return self.megabytes * MEGABYTE

    def seconds_for(self, size: int) -> float:
        """Return how long reading a document of so many bytes may take."""
        return self.seconds + _SECONDS_A_MEGABYTE * size / MEGABYTE

    def refuse(self, where: str, limit: str, fault: str) -> NoReturn:
        """Raise the error of a document that met a limit.

        Args:
            where: the document.
            limit: the name of the limit.
            fault: what it has or does, e.g. "has 12,000 pages".

        Raises:
            LoadError: with what is allowed, and how to allow more.
        """
        raise LoadError(
            f"{where} {fault}; {getattr(self, limit):,} {_UNITS.get(limit, limit)} are allowed. To read it all "
            f"the same, allow more: `--allow {limit}=NUMBER`, in Python "
            f"`load(..., limits=ReadLimits({limit}=NUMBER))`"
        )


_UNITS: Final = {
    "memory": "megabytes of memory",
    "seconds": f"seconds, and {_SECONDS_A_MEGABYTE} for each megabyte,",
}
DEFAULT: Final = ReadLimits()


def read_limits(given: tuple[str, ...]) -> ReadLimits:
    """Return the limits that NAME=NUMBER items name; the others are the defaults.

    Raises:
        InvalidInput: if an item names no limit or no number.
    """
    known = [one.name for one in fields(ReadLimits)]
    named: dict[str, Any] = {}
    for item in given:
        name, _, number = item.partition("=")
        if name not in known:
            meant = did_you_mean(name, known, f"there are {', '.join(known)}")
            raise InvalidInput(f"--allow {item}: there is no limit {name!r}{meant}")
        if not number.isascii() or not number.isdigit() or len(number) > 9:
            raise InvalidInput(f"--allow {item}: write a whole number, as in --allow {name}=1000")
        named[name] = int(number)
    return ReadLimits(**named)
