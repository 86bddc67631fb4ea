"""LongMemEval (Wu et al., 2025) from a user's own copy: a long chat history for each question.

Read as its repository documents the files `longmemeval_s.json`, `longmemeval_m.json` and
`longmemeval_oracle.json`, cleaned versions included. Tested on files of that schema which the tests
write, not on the data itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, Literal

from agentcl.envs.questions.json_files import Json, read_rows
from agentcl.envs.questions.records import Arrival, Question, QuestionStream
from agentcl.errors import InvalidInput
from agentcl.text.paths import check_path

LONGMEMEVAL_LICENCE: Final = "MIT"
ABSTENTION: Final = "abstention"
_LAYOUT: Final = (
    "LongMemEval's JSON: [{question_id, question_type, question, answer, question_date, "
    "haystack_session_ids, haystack_dates, haystack_sessions, answer_session_ids}]"
)
_TIME: Final = re.compile(r"(\d{4})/(\d\d)/(\d\d) \(\w+\) (\d\d):(\d\d)")

Unit = Literal["turn", "session"]


def longmemeval_streams(
    path: str | os.PathLike[str], *, unit: Unit = "turn", licence: str = LONGMEMEVAL_LICENCE
) -> Iterator[QuestionStream]:
    """Yield one stream for each question of a file: its sessions by date, then the question.

    Evidence are the turns marked with `has_answer`, or all turns of the answer's sessions where none of
    them is; with `unit="session"`, these sessions. A question whose id ends in "_abs" has no answer and
    no evidence, as its authors leave those out when they measure retrieval. Answers are to be judged by
    a model there; the metrics of `agentcl.envs.questions.grading` are stricter.

    Args:
        path: the file; it is read into memory whole.
        unit: what arrives: single turns, or sessions as one text each.
        licence: of the texts.

    Raises:
        InvalidInput: if the file is absent, cut short or of another layout.
    """
    if unit not in ("turn", "session"):
        raise InvalidInput(f"unit must be 'turn' or 'session', not {unit!r}")
    return (_stream(row, unit, licence) for row in read_rows(check_path(path), layout=_LAYOUT))


def _stream(row: Json, unit: Unit, licence: str) -> QuestionStream:
    name = row.text("question_id")
    is_abstention = name.endswith("_abs")
    arrivals, evidence = _history(row, unit)
    question = Question(
        id=name,
        text=row.text("question"),
        answers=() if is_abstention else (row.text("answer"),),
        evidence=frozenset() if is_abstention else frozenset(evidence),
        category=f"{row.text('question_type')}{f' ({ABSTENTION})' if is_abstention else ''}",
        asked_at=_time(row.at("question_date")),
    )
    return QuestionStream(f"longmemeval/{name}", licence, (*arrivals, question))


def _history(row: Json, unit: Unit) -> tuple[list[Arrival], set[str]]:
    """Return what arrives by date (the oracle file is not sorted), and what of it is evidence."""
    ids = row.texts("haystack_session_ids")
    dates = [_time(date) for date in row.items("haystack_dates")]
    sessions = row.items("haystack_sessions")
    if not len(ids) == len(dates) == len(sessions):
        raise row.refuse(
            f"has {len(sessions)} sessions, {len(ids)} ids and {len(dates)} dates for them"
        )
    answering = set(row.texts("answer_session_ids"))
    arrivals: list[Arrival] = []
    marked: set[str] = set()
    within: set[str] = set()
    seen: set[str] = set()
    for date, place in sorted((date, place) for place, date in enumerate(dates)):
        # Some histories have a session twice.
        group = ids[place] if ids[place] not in seen else f"{ids[place]}#{place}"
        seen.add(ids[place])
        turns = _turns(sessions[place], group, date)
        if unit == "session":
            text = "\n".join(f"{turn.speaker}: {turn.text}" for turn, _ in turns)
            whole = [Arrival(group, text, said_at=date, group=group)] if text else []
        else:
            whole = [turn for turn, _ in turns]
            marked.update(turn.id for turn, has_answer in turns if has_answer)
        arrivals += whole
        if ids[place] in answering:
            within.update(arrival.id for arrival in whole)
    return arrivals, marked or within


def _turns(session: Json, group: str, date: datetime) -> list[tuple[Arrival, bool]]:
    turns = []
    for number, turn in enumerate(session.items()):
        text = turn.text("content", "").strip()
        if not text:
            continue
        arrival = Arrival(
            id=f"{group}/{number}", text=text, said_at=date, speaker=turn.text("role"), group=group
        )
        turns.append((arrival, turn.object().get("has_answer") is True))
    return turns


def _time(date: Json) -> datetime:
    """Read such as "2023/05/30 (Tue) 23:40"; no time zone is published, so it is taken as UTC."""
    match = _TIME.fullmatch(date.text())
    if match is None:
        raise date.refuse(f'is no time like "2023/05/30 (Tue) 23:40": {date.text()!r}')
    year, month, day, hour, minute = map(int, match.groups())
    try:
        return datetime(year, month, day, hour, minute, tzinfo=UTC)
    except ValueError as error:
        raise date.refuse(f"is no time: {date.text()!r}") from error
