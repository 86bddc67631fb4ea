"""A stream of questions: what one memory meets, as a value that can be saved and run again.

Documents arrive and questions are asked, in one order. What was asked may need what arrived before it,
never what arrives later.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from datetime import UTC, datetime
from typing import Any, Final, Literal, get_args

from agentcl.errors import InvalidInput
from agentcl.text.json_values import fault_of_line
from agentcl.text.parsing import parsed_json
from agentcl.text.paths import check_path, unread
from agentcl.text.saving import saving

Delay = Literal["early", "late", ""]
FORMAT: Final = "agentcl question stream"
VERSION: Final = 1
_DELAYS: Final = get_args(Delay)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A document that arrives."""

    id: str
    text: str
    title: str = ""
    said_at: datetime | None = None  # aware; when it was said or written, not when it arrives
    speaker: str = ""
    group: str = ""  # what it is a part of: an article, a session, a conversation


@dataclass(frozen=True, slots=True)
class Question:
    """A question that is asked once all before it has arrived."""

    id: str
    text: str
    answers: tuple[str, ...]  # any of them is right; empty: it cannot be answered from the stream
    evidence: frozenset[str] = frozenset()  # ids of the arrivals which hold the answer
    category: str = ""
    asked_at: datetime | None = None  # aware
    delay: Delay = ""  # how long after its evidence it is asked


@dataclass(frozen=True, slots=True)
class QuestionStream:
    """Arrivals and questions in the order in which they happen.

    Raises:
        InvalidInput: from the constructor, if two arrivals or two questions have the same id, an event is
            empty, a time has no time zone, or a question's evidence has not arrived when it is asked.
    """

    name: str
    licence: str  # of the texts; kept with them wherever they are saved
    events: tuple[Arrival | Question, ...]

    def __post_init__(self) -> None:
        _check(self.events, f"stream {self.name!r}, event", first=1)

    @property
    def arrivals(self) -> tuple[Arrival, ...]:
        """The documents, in their order."""
        return tuple(event for event in self.events if isinstance(event, Arrival))

    @property
    def questions(self) -> tuple[Question, ...]:
        """The questions, in their order."""
        return tuple(event for event in self.events if isinstance(event, Question))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the stream as JSON lines: a header, then one line an event. Replaces the file at once.

        Raises:
            InvalidInput: if the file cannot be written there.
        """
        path = check_path(path)
        try:
            with saving(path) as file:
                for line in _lines(self):
                    file.write(json.dumps(line).encode() + b"\n")
        except OSError as error:
            raise InvalidInput(
                f"the question stream cannot be written to {path}: {unread(error)}"
            ) from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> QuestionStream:
        """Return the stream that `save` wrote.

        Raises:
            InvalidInput: if there is no such file or it holds no valid stream; names the line.
        """
        path = check_path(path)
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(
                f"the question stream {path} cannot be read: {unread(error)}"
            ) from error
        where = f"{path}, line"
        header = _parsed(lines[0], f"{where} 1")
        if header.get("format") != FORMAT or header.get("version") != VERSION:
            raise InvalidInput(
                f"{where} 1: this is no question stream of version {VERSION}; its first line must say "
                f'{{"format": "{FORMAT}", "version": {VERSION}, ...}}, as QuestionStream.save writes it'
            )
        body = lines[1:-1] if lines[-1] == "" else lines[1:]
        events = tuple(
            _event(_parsed(line, f"{where} {number}"), f"{where} {number}")
            for number, line in enumerate(body, start=2)
        )
        if len(events) != header.get("events"):
            raise InvalidInput(
                f"{path} is cut short: its header promises {header.get('events')} events and "
                f"{len(events)} are there; save or copy it again"
            )
        _check(events, where, first=2)
        return cls(str(header.get("name", "")), str(header.get("licence", "")), events)


def _check(events: Sequence[Arrival | Question], where: str, *, first: int) -> None:
    arrived: set[str] = set()
    asked: set[str] = set()
    for number, event in enumerate(events, start=first):
        here = f"{where} {number}"
        is_arrival = isinstance(event, Arrival)
        seen, kind = (arrived, "arrival") if is_arrival else (asked, "question")
        if not event.id or not event.text.strip():
            raise InvalidInput(f"{here}: {kind} {event.id!r} has no {'text' if event.id else 'id'}")
        if event.id in seen:
            raise InvalidInput(f"{here}: there is a second {kind} with the id {event.id!r}")
        seen.add(event.id)
        moment = event.said_at if isinstance(event, Arrival) else event.asked_at
        if moment is not None and moment.utcoffset() is None:
            raise InvalidInput(f"{here}: the time of {event.id!r} has no time zone; use UTC")
        if isinstance(event, Question):
            if missing := sorted(event.evidence - arrived):
                raise InvalidInput(
                    f"{here}: question {event.id!r} is asked before its evidence {missing[0]!r} has "
                    "arrived; move it behind, or correct the id"
                )
            if event.delay not in _DELAYS:
                raise InvalidInput(f"{here}: {event.delay!r} is no delay; early, late or empty")


def _lines(stream: QuestionStream) -> Iterator[Mapping[str, Any]]:
    yield {"format": FORMAT, "version": VERSION, "name": stream.name, "licence": stream.licence,
           "events": len(stream.events)}  # fmt: skip
    for event in stream.events:
        kind = "arrival" if isinstance(event, Arrival) else "question"
        held = {one.name: getattr(event, one.name) for one in dataclass_fields(event)}
        yield {"event": kind, **{name: _written(value) for name, value in held.items() if value}}


def _written(value: str | Sequence[str] | frozenset[str] | datetime) -> str | Sequence[str]:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return sorted(value) if isinstance(value, frozenset) else value


def _parsed(line: str, here: str) -> Mapping[str, Any]:
    try:
        fields = parsed_json(line)
    except ValueError as error:
        raise InvalidInput(
            f"{here}: this is not JSON ({fault_of_line(error)}); the file may be cut short"
        ) from error
    if not isinstance(fields, dict):
        raise InvalidInput(f"{here}: expected a JSON object, found {type(fields).__name__}")
    return fields


def _event(fields: Mapping[str, Any], here: str) -> Arrival | Question:
    kind = fields.get("event")
    if kind not in ("arrival", "question"):
        raise InvalidInput(f"{here}: an event is an arrival or a question, not {kind!r}")
    made: type[Arrival | Question] = Arrival if kind == "arrival" else Question
    read = {"said_at": _moment, "asked_at": _moment, "answers": _texts, "evidence": _texts}
    found: dict[str, Any] = {
        one.name: read.get(one.name, _text)(fields, one.name, here)
        for one in dataclass_fields(made)
    }
    if made is Question:
        found["evidence"] = frozenset(found["evidence"])
    return made(**found)


def _text(fields: Mapping[str, Any], name: str, here: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise InvalidInput(f"{here}: {name} must be a string, not {type(value).__name__}")
    return value


def _texts(fields: Mapping[str, Any], name: str, here: str) -> tuple[str, ...]:
    values = fields.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InvalidInput(f"{here}: {name} must be a list of strings")
    return tuple(values)


def _moment(fields: Mapping[str, Any], name: str, here: str) -> datetime | None:
    value = _text(fields, name, here)
    if not value:
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise InvalidInput(f"{here}: {name} is no ISO 8601 time: {value!r}") from error
