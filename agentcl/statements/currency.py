"""What holds: the one rule by which the statements of a slot follow each other.

The rule reads nothing but the statements. It gives the same whatever order they came in, and no model has a part
in it. For an attribute of one value:

- What was said last holds, from when it was said to begin, else from when it was said. What held until then ends.
- What is said to begin later takes effect then. Until then the older value holds.
- What is said to have ended (`until` is past) does not end what holds.
- "No longer" ends the values that it matches: the one it names, or all.
- What was to come and was called off never holds.
- A plan without a date ends nothing. What comes true ends it.
- The same value again changes nothing, unless it says another date.
- Two values said at the same moment to hold by then both do, and are a contradiction.
- Values that a statement notes as the same in other words (`same_as`) are one value.

Of an attribute of several values each value follows the rule alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from agentcl.statements.dates.periods import Period, period
from agentcl.statements.slots import value_key
from agentcl.store.conversations import Statement

_LAST: Final = datetime.max.replace(tzinfo=UTC)
_NEVER: Final = timedelta(microseconds=1)  # the shortest span that a record can have


class Span(NamedTuple):
    """When a statement holds."""

    valid_from: datetime | None  # None: always did, as far as anybody said
    valid_to: datetime | None  # exclusive; None: still does
    replaced_by: str = ""  # the id of the statement that ended it
    is_again: bool = False  # that one says the same, as exactly or more so

    def covers(self, moment: datetime) -> bool:
        """Return whether it holds at a moment."""
        begun = self.valid_from is None or self.valid_from <= moment
        return begun and (self.valid_to is None or moment < self.valid_to)


def settle(statements: Iterable[Statement]) -> dict[str, Span]:
    """Return when each of the statements of one slot holds, by id.

    A statement that never came to hold has a span of one microsecond.
    """
    ordered = sorted(in_one_wording(statements), key=_order)
    if not is_set(ordered):
        return _settled(ordered)
    groups: dict[str, list[Statement]] = defaultdict(list)
    for one in ordered:
        groups[_key(one)].append(one)
    of_all = groups.pop("", [])  # "no longer" without a value is about each of them
    spans = _settled(of_all)
    for own in groups.values():
        found = _settled(sorted((*own, *of_all), key=_order) if of_all else own)
        for one in of_all:  # what begins again ends it
            found[one.id] = min(found[one.id], spans[one.id], key=_ends)
        spans.update(found)
    return spans


def _ends(span: Span) -> datetime:
    return _LAST if span.valid_to is None else span.valid_to


def in_one_wording(statements: Iterable[Statement]) -> list[Statement]:
    """Return the statements of one slot with one value for those that are noted as the same in other words."""
    given = list(statements)
    by_id = {one.id: one for one in given}
    words: dict[str, str] = {}
    for one in sorted(given, key=lambda one: one.id):
        if one.same_as in by_id:
            words.setdefault(_key(one), by_id[one.same_as].value)
    if not words:
        return given
    return [replace(one, value=_followed(one.value, words)) for one in given]


def _followed(value: str, words: Mapping[str, str]) -> str:
    """Return what a value leads to; what leads in a circle is left where it is met again."""
    met: set[str] = set()
    while value and (key := value_key(value)) in words and key not in met:
        met.add(key)
        value = words[key]
    return value


def is_set(statements: Iterable[Statement]) -> bool:
    """Return whether values of a slot hold beside each other: if one of its statements says so."""
    return any(one.is_member for one in statements)


def contradictions(statements: Iterable[Statement], at: datetime) -> list[Statement]:
    """Return those of the statements of one slot that contradict each other at a moment, newest first."""
    given = list(statements)
    if is_set(given):
        return []
    spans = settle(given)
    worded = {one.id: value_key(one.value) for one in in_one_wording(given)}
    held = [
        one
        for one in given
        if one.polarity == "holds" and not _is_open_plan(one) and spans[one.id].covers(at)
    ]
    if len({worded[one.id] for one in held}) < 2:
        return []
    return sorted(held, key=_order, reverse=True)


@dataclass(slots=True, eq=False)
class _Line:
    """A statement with its span, as far as the statements up to some moment tell."""

    statement: Statement
    said: datetime
    start: datetime | None
    end: datetime | None = None
    by: str = ""
    is_past: bool = False
    is_plan: bool = False  # without a date

    def holds(self, moment: datetime) -> bool:
        begun = self.start is None or self.start <= moment
        return begun and (self.end is None or moment < self.end)

    def is_alive(self) -> bool:
        return self.end is None or self.start is None or self.start < self.end

    def cut(self, at: datetime, by: str) -> None:
        if self.end is None or at < self.end:
            self.end, self.by = at, by

    def span(self) -> Span:
        if not self.is_alive():
            return _never(self, self.by)
        return Span(self.start, self.end, self.by)


def _settled(ordered: Sequence[Statement]) -> dict[str, Span]:
    """Return the spans of statements, in the order they were said, of which one value holds at a time."""
    void: dict[str, Span] = {}  # those that have no part in what holds
    while True:
        lines: list[_Line] = []
        for one in ordered:
            if one.id in void:
                continue
            if one.polarity == "ended" and (called_off := _called_off(one, lines)):
                void |= {line.statement.id: _never(line, one.id) for line in called_off}
                break  # what these did is to be undone: begin again without them
            twin = _twin(one, lines)
            if twin is None:
                _add(one, lines)
            elif _says_more(one, twin):
                void[twin.statement.id] = _repeated(twin.statement, one.id)
                break
            else:
                void[one.id] = _repeated(one, twin.statement.id)
        else:
            return {line.statement.id: line.span() for line in lines} | void


def _add(one: Statement, lines: list[_Line]) -> None:
    if one.polarity == "ended":
        new = _ended(one, lines)
    elif _is_past(one):
        new = _Line(one, one.moment, *_bounds(one), is_past=True)
    elif _is_open_plan(one):
        new = _Line(one, one.moment, one.moment, is_plan=True)
        for line in lines:
            if line.is_plan and line.said < one.moment:
                line.cut(one.moment, one.id)
    else:
        new = _current(one, lines)
    lines.append(new)


def _current(one: Statement, lines: Sequence[_Line]) -> _Line:
    """Return the line of what holds now or is to hold; end what it replaces."""
    said, since, until = one.moment, _since(one), _until(one)
    earlier = [line for line in lines if line.said < said and not line.is_past]
    if since is None:
        is_first = not any(line.holds(said) or _has_begun(line, said) for line in earlier)
        since = _default_start(one, lines) if is_first else said
    new = _Line(one, said, since, until)
    is_coming = since is not None and since > said
    for line in lines:
        if line.is_past or _is_at_once(line, new):
            continue
        if line.statement.polarity == "ended":
            if not line.statement.value or _key(line.statement) == _key(one):
                line.cut(since or said, one.id)
        elif not is_coming and line.start is not None and line.start > said and line.is_alive():
            new.cut(line.start, line.statement.id)  # what was said to begin later still does
        elif line.is_plan and not is_coming:
            line.cut(said, one.id)
        elif not line.is_plan or _key(line.statement) == _key(one):
            line.cut(since or said, one.id)
    return new


def _is_at_once(one: _Line, other: _Line) -> bool:
    """Return whether two values are said at the same moment to hold by then, so that neither is the newer."""
    if one.said != other.said or one.statement.polarity == "ended":
        return False
    return all(line.start is None or line.start <= line.said for line in (one, other))


def _ended(one: Statement, lines: Sequence[_Line]) -> _Line:
    """Return the line of a "no longer"; end what it matches."""
    at = _end(one)
    for line in _meant(one, lines):
        line.cut(at, one.id)
    return _Line(one, one.moment, at)


def _end(one: Statement) -> datetime:
    until = _until(one)
    return until if until is not None else _since(one) or one.moment


def _meant(one: Statement, lines: Sequence[_Line]) -> list[_Line]:
    """Return what a "no longer" is about."""
    return [
        line
        for line in lines
        if (not one.value or _key(line.statement) == _key(one))
        and line.statement.polarity == "holds"
        and not line.is_past
    ]


def _called_off(one: Statement, lines: Sequence[_Line]) -> list[_Line]:
    """Return what was to come, and does not."""
    at = _end(one)
    meant = (line for line in _meant(one, lines) if line.start is not None and line.start >= at)
    return [line for line in meant if line.is_alive() and line.said < one.moment]


def _twin(one: Statement, lines: Sequence[_Line]) -> _Line | None:
    """Return what is said again: the newest line of the same value that holds or is to hold."""
    if _is_past(one):
        same = (line for line in lines if line.is_past and _dates(line.statement) == _dates(one))
    else:
        same = (
            line
            for line in lines
            if not line.is_past
            and line.is_alive()
            and (line.end is None or line.end > one.moment)
            and not (
                line.is_plan and not _is_open_plan(one)
            )  # a plan that comes true is no repetition
        )
    found = [
        line
        for line in same
        if line.statement.polarity == one.polarity and _key(line.statement) == _key(one)
    ]
    return found[-1] if found else None


def _says_more(one: Statement, twin: _Line) -> bool:
    """Return whether the newer statement of a value says another date, or that it has begun by now."""
    said = twin.statement
    if (one.since and one.since != said.since) or (one.until and one.until != said.until):
        return True
    is_to_come = twin.start is not None and twin.start > one.moment
    return is_to_come and one.sort != "plan" and not one.since


def _never(line: _Line, by: str) -> Span:
    assert line.start is not None
    return _momentary(line.start, by)


def _repeated(one: Statement, by: str) -> Span:
    return _momentary(one.moment, by, is_again=True)


def _momentary(start: datetime, by: str, *, is_again: bool = False) -> Span:
    """Return the shortest span that begins at a moment; at the end of all times it begins before."""
    start = min(start, datetime.max.replace(tzinfo=start.tzinfo) - _NEVER)
    return Span(start, start + _NEVER, by, is_again=is_again)


def _default_start(one: Statement, lines: Sequence[_Line]) -> datetime | None:
    """Return from when the first value holds that was said without a date: since ever, or since the last past one."""
    if one.sort in ("plan", "event", "instruction"):
        return one.moment
    return max((line.end for line in lines if line.is_past and line.end), default=None)


def _has_begun(line: _Line, moment: datetime) -> bool:
    return line.start is None or line.start <= moment


def _since(one: Statement) -> datetime | None:
    """Return when a statement says that it begins."""
    said = _period(one.since, one)
    if said is None:
        return None
    if one.sort == "event":
        return min(said.start, one.moment)  # of an event it is known from when it is said
    is_under_way = said.start <= one.moment < said.end
    return said.end if one.sort == "plan" and is_under_way else said.start


def _until(one: Statement) -> datetime | None:
    said = _period(one.until, one)
    return None if said is None else said.end


def _bounds(one: Statement) -> tuple[datetime | None, datetime | None]:
    return _since(one), _until(one)


def _dates(one: Statement) -> tuple[str, str]:
    return one.since, one.until


def _is_past(one: Statement) -> bool:
    until = _until(one)
    return one.polarity == "holds" and until is not None and until <= one.moment


def _is_open_plan(one: Statement) -> bool:
    return one.sort == "plan" and one.polarity == "holds" and not (one.since or one.until)


def _period(said: str, one: Statement) -> Period | None:
    return period(said, one.moment.tzinfo) if said else None


def _key(one: Statement) -> str:
    return value_key(one.value) if one.value else ""


def _order(one: Statement) -> tuple[object, ...]:
    """Order by when it was said, then by what is said: never by ids, which tell when something arrived."""
    said = (one.since, one.until, _key(one), one.value, one.sort, one.text, one.id)
    return (one.moment, one.polarity != "ended", *said)


def slots(statements: Iterable[Statement]) -> Iterator[list[Statement]]:
    """Yield the statements of each scope and slot together."""
    groups: dict[tuple[object, str], list[Statement]] = defaultdict(list)
    for one in statements:
        groups[one.scope, one.slot].append(one)
    yield from groups.values()
