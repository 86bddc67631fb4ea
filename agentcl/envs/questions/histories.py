"""Histories: what one user and an assistant said over months, what of it holds, and questions about that.

The form is that of the holding suite's files, a JSON list of people. What `agentcl.envs.questions.holding`
makes has the same form, so one loader and one benchmark read both.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args

from agentcl.envs.questions.json_files import Json, read_json
from agentcl.envs.questions.records import Arrival, Question, QuestionStream
from agentcl.errors import InvalidInput
from agentcl.text.paths import check_path
from agentcl.text.saving import saving

Asks = Literal[
    "now", "then", "since", "date", "who", "set", "count", "instruction", "never", "hostile"
]
GoldSort = Literal["single", "set", "other", "instruction", "event", "identifier"]
UNANSWERED: Final = ("never", "hostile")  # kinds that are right when nothing is said to be known
_ASKS: Final = get_args(Asks)
_SORTS: Final = get_args(GoldSort)
_LAYOUT: Final = (
    "a file of the holding suite: a list of people with sessions, statements and questions"
)


@dataclass(frozen=True, slots=True)
class Utterance:
    """One turn: who said what, and when."""

    id: str
    role: str  # "user" or "assistant"
    time: str  # ISO 8601 with offset, the user's local time
    content: str


@dataclass(frozen=True, slots=True)
class Sitting:
    """One session: turns that follow each other."""

    id: str
    time: str  # of its first turn
    turns: tuple[Utterance, ...]


@dataclass(frozen=True, slots=True)
class GoldStatement:
    """One thing that the turns say; a perfect reading has all of them."""

    subject: str  # "user", or whom or what it is about
    attribute: str
    value: str
    holds_from: str | None  # ISO 8601: a moment, a day, a month or a year; None: before it was said
    holds_to: str | None  # None: it holds after the last turn
    turns: tuple[str, ...]
    kind: GoldSort


@dataclass(frozen=True, slots=True)
class HoldingQuestion:
    """A question about what holds, held or was never said."""

    q: str
    kind: Asks
    answer: str
    accept: tuple[str, ...] = ()  # other right strings
    stale: tuple[str, ...] = ()  # values that were right once, and are wrong here
    lure: tuple[str, ...] = ()  # values of the text that were never right, or not yet
    evidence: tuple[str, ...] = ()  # ids of turns
    as_of: str | None = None  # ISO 8601; the moment that is asked about

    @property
    def right(self) -> tuple[str, ...]:
        """All strings that answer it."""
        return (self.answer, *self.accept)


@dataclass(frozen=True, slots=True)
class History:
    """All that one user said, what of it holds, and what is asked.

    Raises:
        InvalidInput: from the constructor, if two turns have one id, or a statement or question names a turn
            that there is not.
    """

    id: str
    sessions: tuple[Sitting, ...]
    statements: tuple[GoldStatement, ...]
    questions: tuple[HoldingQuestion, ...]

    def __post_init__(self) -> None:
        ids = [turn.id for turn in self.turns]
        if len(set(ids)) < len(ids):
            raise InvalidInput(f"history {self.id!r} has two turns with one id; number them apart")
        named = {turn for one in self.statements for turn in one.turns}
        named |= {turn for one in self.questions for turn in one.evidence}
        if missing := sorted(named - set(ids)):
            raise InvalidInput(
                f"history {self.id!r} names the turn {missing[0]!r}, and has none such"
            )

    @property
    def turns(self) -> tuple[Utterance, ...]:
        """All turns, in their order."""
        return tuple(turn for session in self.sessions for turn in session.turns)

    def stream(self, licence: str) -> QuestionStream:
        """Return the history as arrivals, one a turn, and questions after the last of them.

        A question of what was never said has no answers. What `stale` and `lure` are for is lost.
        """
        arrivals = [
            Arrival(turn.id, turn.content, said_at=datetime.fromisoformat(turn.time), speaker=turn.role,
                    group=session.id)
            for session in self.sessions
            for turn in session.turns
        ]  # fmt: skip
        questions = [
            Question(
                f"{self.id}-q{number}",
                one.q,
                () if one.kind in UNANSWERED else one.right,
                frozenset(one.evidence),
                one.kind,
                arrivals[-1].said_at,
            )
            for number, one in enumerate(self.questions, start=1)
        ]
        return QuestionStream(self.id, licence, (*arrivals, *questions))


def load_histories(path: str | os.PathLike[str]) -> tuple[History, ...]:
    """Return the people of a file, gzipped or not.

    Raises:
        InvalidInput: if the file is absent, cut short or of another layout; names the place.
    """
    return tuple(_history(one) for one in read_json(check_path(path), layout=_LAYOUT).items())


def save_histories(histories: Iterable[History], path: str | os.PathLike[str]) -> None:
    """Write people as the JSON that `load_histories` reads. Replaces the file at once.

    Raises:
        InvalidInput: if `path` is no path.
        OSError: if it cannot be written.
    """
    with saving(check_path(path)) as file:
        file.write(json.dumps([asdict(one) for one in histories], ensure_ascii=False).encode())


def _history(one: Json) -> History:
    sessions = tuple(
        Sitting(
            session.text("id"), _time(session, "time"), tuple(map(_turn, session.items("turns")))
        )
        for session in one.items("sessions")
    )
    statements = tuple(map(_statement, one.items("statements")))
    return History(
        one.text("id"), sessions, statements, tuple(map(_question, one.items("questions")))
    )


def _turn(one: Json) -> Utterance:
    content = one.text("content")
    return Utterance(one.text("id"), one.text("role"), _time(one, "time"), content)


def _statement(one: Json) -> GoldStatement:
    return GoldStatement(
        one.text("subject"),
        one.text("attribute"),
        one.text("value"),
        one.text("holds_from", "") or None,
        one.text("holds_to", "") or None,
        tuple(one.texts("turns")),
        _one_of(one, _SORTS),
    )


def _question(one: Json) -> HoldingQuestion:
    lists: Mapping[str, tuple[str, ...]] = {
        name: tuple(one.texts(name)) if one.has(name) else ()
        for name in ("accept", "stale", "lure", "evidence")
    }
    kind: Any = _one_of(one, _ASKS)
    as_of = _time(one, "as_of") if one.has("as_of") else None
    return HoldingQuestion(one.text("q"), kind, one.text("answer"), **lists, as_of=as_of)


def _one_of(one: Json, allowed: tuple[str, ...]) -> Any:  # noqa: ANN401  # one of a Literal's
    kind = one.text("kind")
    if kind not in allowed:
        raise one.refuse(f"has the kind {kind!r}, and there are {', '.join(allowed)}")
    return kind


def _time(one: Json, name: str) -> str:
    text = one.text(name)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise one.refuse(f"has a {name} that is no ISO 8601 time: {text!r}") from error
    if moment.utcoffset() is None:
        raise one.refuse(f"has a {name} without a zone: {text!r}")
    return text
