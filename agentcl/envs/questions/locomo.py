"""Conversations of LoCoMo (Maharana et al., 2024) as streams, one for each of them.

Turns arrive in their sessions, with the time of the session; the questions are asked at the end. The
texts are under CC BY-NC 4.0: evaluate with them, and ship neither them nor streams made of them.

Public harnesses swap the names of the categories, so each category here is its number and its name.
Category 5, the adversarial questions, is kept apart from the others: counted together with them it is
what published scores of one system differ by.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from agentcl.envs.questions.json_files import Json, read_json
from agentcl.envs.questions.records import Arrival, Question, QuestionStream
from agentcl.errors import InvalidInput
from agentcl.text.paths import check_path

LOCOMO_LICENCE: Final = "CC BY-NC 4.0: for evaluation only, not to be shipped"
CATEGORIES: Final[Mapping[int, str]] = {
    1: "1 multi-hop",
    2: "2 temporal",
    3: "3 open-domain",
    4: "4 single-hop",
    5: "5 adversarial",
}
ADVERSARIAL: Final = 5
_LAYOUT: Final = "LoCoMo's JSON: [{sample_id, conversation: {session_1: [...]}, qa: [...]}]"
_FAULTS: Final = "a JSON list of faults in its answers: [{sample_id, question, error_type}]"
_WRONG_CITATION: Final = "WRONG_CITATION"  # the answer is right, its evidence is not
_TURN: Final = re.compile(r"D:?(\d+):(\d+)")  # some ids are "D:11:26", some fields hold several

FaultHandling = Literal["keep", "mark", "leave out"]


@dataclass(frozen=True, slots=True)
class Locomo:
    """The streams of a file, and what is wrong with it."""

    streams: tuple[QuestionStream, ...]
    # Citations in `evidence` that name no turn, by the question's id; their questions are asked all the same.
    dropped_evidence: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # The known fault of a question's answer or evidence, by its id, among those asked or left out.
    faults: Mapping[str, str] = field(default_factory=dict)


def read_locomo(
    path: str | os.PathLike[str],
    *,
    adversarial: bool = False,
    faults: str | os.PathLike[str] | None = None,
    faulty: FaultHandling = "mark",
    licence: str = LOCOMO_LICENCE,
) -> Locomo:
    """Return the conversations of a LoCoMo file.

    Args:
        path: `locomo10.json`, or a part of it, gzipped or not.
        adversarial: ask category 5 and nothing else; otherwise all but it. These questions have no answer,
            apart from two that come with one.
        faults: an audit of the answers, such as that of `dial481/locomo-audit` with `sample_id` added.
        faulty: what becomes of a question with a known fault: "keep" it as it is, "mark" its category
            with "(wrong key)" or "(wrong citation)", or "leave out".
        licence: of the texts, if it is not LoCoMo's.

    Raises:
        InvalidInput: if a file is absent, cut short or of another layout.
    """
    if faulty not in ("keep", "mark", "leave out"):
        raise InvalidInput(f"faulty must be 'keep', 'mark' or 'leave out', not {faulty!r}")
    known = {} if faults is None else _faults(check_path(faults, "faults"))
    streams: list[QuestionStream] = []
    dropped: dict[str, tuple[str, ...]] = {}
    met: dict[str, str] = {}
    for sample in read_json(check_path(path), layout=_LAYOUT).items():
        name = sample.text("sample_id")
        arrivals, ended = _turns(name, sample.at("conversation"))
        ids = {arrival.id for arrival in arrivals}
        questions = []
        for number, item in enumerate(sample.items("qa")):
            question, missing = _question(item, f"{name}/qa{number}", name, ids)
            if (question.category == CATEGORIES[ADVERSARIAL]) != adversarial:
                continue
            if missing:
                dropped[question.id] = missing
            fault = known.get((name, question.text))
            if fault is not None:
                met[question.id] = fault
                if faulty == "leave out":
                    continue
                if faulty == "mark":
                    kind = "citation" if fault == _WRONG_CITATION else "key"
                    question = replace(question, category=f"{question.category} (wrong {kind})")
            questions.append(replace(question, asked_at=ended))
        streams.append(QuestionStream(f"locomo/{name}", licence, (*arrivals, *questions)))
    return Locomo(tuple(streams), dropped, met)


def _turns(name: str, conversation: Json) -> tuple[list[Arrival], datetime | None]:
    """Return the turns in their order, and the time of the last session.

    Some conversations have times of sessions that do not exist, so the sessions lead.
    """
    numbers = sorted(
        int(key.removeprefix("session_"))
        for key in conversation.object()
        if key.removeprefix("session_").isdigit()
    )
    if not numbers:
        raise conversation.refuse("has no session_1")
    arrivals = []
    said_at = None
    for number in numbers:
        said_at = _time(conversation, f"session_{number}_date_time")
        for turn in conversation.items(f"session_{number}"):
            if not (text := _said(turn)):
                continue
            arrivals.append(
                Arrival(
                    id=f"{name}/{turn.text('dia_id')}",
                    text=text,
                    said_at=said_at,
                    speaker=turn.text("speaker"),
                    group=f"{name}/session_{number}",
                )
            )
    return arrivals, said_at


def _said(turn: Json) -> str:
    """The pictures themselves are not published, only what a captioning model said of them."""
    text = turn.text("text", "").strip()
    caption = turn.text("blip_caption", "").strip()
    return " ".join(
        part for part in (text, f"[shares a picture: {caption}]" if caption else "") if part
    )


def _time(conversation: Json, name: str) -> datetime | None:
    """Read such as "1:56 pm on 8 May, 2023"; no time zone is published, so it is taken as UTC."""
    if not conversation.has(name):
        return None
    text = conversation.text(name)
    try:
        return datetime.strptime(text, "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)
    except ValueError as error:
        raise conversation.refuse(f"has a {name} that is no time: {text!r}") from error


def _question(
    item: Json, number: str, sample: str, turns: set[str]
) -> tuple[Question, tuple[str, ...]]:
    category = item.at("category").value
    if category not in CATEGORIES:
        raise item.refuse(f"has the category {category!r}, and LoCoMo has 1 to 5")
    evidence: set[str] = set()
    missing: list[str] = []
    for cited in item.texts("evidence") if item.has("evidence") else ():
        found = [f"{sample}/D{session}:{turn}" for session, turn in _TURN.findall(cited)]
        evidence.update(turn for turn in found if turn in turns)
        missing += [cited] if not found else [turn for turn in found if turn not in turns]
    is_answered = item.has("answer")
    if not is_answered and category != ADVERSARIAL:
        raise item.refuse("has no answer")
    question = Question(
        id=number,
        text=item.text("question").strip(),
        answers=(item.text("answer"),) if is_answered else (),
        evidence=frozenset(evidence),
        category=CATEGORIES[category],
    )
    return question, tuple(missing)


def _faults(path: Path) -> dict[tuple[str, str], str]:
    return {
        (fault.text("sample_id"), fault.text("question").strip()): fault.text("error_type")
        for fault in read_json(path, layout=_FAULTS).items()
    }
