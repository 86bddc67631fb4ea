"""What the plain form of a state holds: a file is compared with it before anything is read from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from agentcl.guidance.progress.change import Direction
from agentcl.guidance.progress.lanes import Lane
from agentcl.store.fields import Amount, fits

_Ids = tuple[str, ...]
_Counts = Mapping[str, int]
_Pair = tuple[Amount, Amount]
_Test = tuple[bool, int, int]
_Scope = tuple[str, str, str]
# A, B, shown, withheld, then the counts of all that there were.
_Evidence = tuple[Amount, float, Amount, Amount, int, int, int, int, int]


class _Lesson(NamedTuple):
    first_seq: int
    seq: int
    uses: int
    wins: int
    losses: int
    tests: tuple[tuple[str, bool, int | None], ...]
    balance: _Counts
    decided: str
    examples: tuple[tuple[str, bool, str, str], ...]


class _Change(NamedTuple):
    episode: str
    since: str
    where: str
    line: str
    direction: Direction
    expected: float
    sd: Amount
    height: Amount
    highest: Amount
    after: int


# By name: the type in JSON; what is nested stands below a name of its own.
_STATE: Final[Mapping[str, Any]] = {
    "watermark": int,
    "folded": int,
    "successors": Mapping[str, str],
    "ignored": tuple[tuple[int, int, str, str, str], ...],
    "aside": _Ids,
    "lessons": tuple[_Lesson, ...],
    "situations": Mapping[str, tuple[_Ids, ...]],
    "trust": Mapping[str, Any],
    "credit": Mapping[str, Any],
    "courses": Mapping[str, Mapping[str, Any]],
    "changes": tuple[_Change, ...],
    "attempts": tuple[tuple[str, bool, tuple[tuple[_Scope, tuple[int, str]], ...]], ...],
    "episodes": Mapping[str, tuple[str, str, bool, bool, _Scope | None]],
    "openings": Mapping[str, _Ids],
    "tested": Mapping[str, _Ids],
}
_TRUST: Final[Mapping[str, Any]] = {
    "tests": Mapping[str, Mapping[str, Mapping[str, tuple[_Test, ...]]]],
    "born": Mapping[str, str],
    "classes": Mapping[str, Mapping[str, _Pair]],
    "carried": Mapping[str, _Pair],
    "aging": Mapping[str, _Counts],
    "number": int,
}
_CREDIT: Final[Mapping[str, Any]] = {
    "noise": Mapping[str, _Pair],
    "lessons": Mapping[str, Mapping[str, Mapping[str, _Evidence]]],
}
_COURSE: Final[Mapping[str, Any]] = {
    "expectation": Mapping[str, tuple[Amount, float, Amount]],
    "lanes": Mapping[str, Mapping[Lane, tuple[Amount, Amount, Amount, float]]],
    "detector": Mapping[str, tuple[Amount, Amount, str, str]],
    "tried": Mapping[str, _Ids],
    "class_means": Mapping[str, float],
    "credited": int,
    "due": int,
}


def is_kept_state(plain: Any) -> bool:  # noqa: ANN401  # any JSON
    """Return whether this is JSON that a state could have written."""
    return (
        _holds(plain, _STATE)
        and _holds(plain["trust"], _TRUST)
        and all(  # who tested a lesson did so once at least
            made
            for worlds in plain["trust"]["tests"].values()
            for lines in worlds.values()
            for made in lines.values()
        )
        and _holds(plain["credit"], _CREDIT)
        and all(_holds(course, _COURSE) for course in plain["courses"].values())
    )


def seqs_of(plain: Mapping[str, Any]) -> list[int]:
    """Return the numbers of the rows that say what the lessons of a kept state are."""
    return sorted({seq for first, newest, *_ in plain["lessons"] for seq in (first, newest)})


def _holds(plain: Any, shape: Mapping[str, Any]) -> bool:  # noqa: ANN401  # any JSON
    return (
        isinstance(plain, dict)
        and plain.keys() == shape.keys()
        and all(fits(hint)(plain[name]) for name, hint in shape.items())
    )
