"""The holding suite: what its generator makes is true to itself, and reads back as it was."""

import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcl.envs.questions import holding_phrases, small_talk
from agentcl.envs.questions.histories import (
    UNANSWERED,
    History,
    HoldingQuestion,
    load_histories,
    save_histories,
)
from agentcl.envs.questions.holding import LICENCE, holding_histories
from agentcl.envs.questions.holding_dates import SaidDay, coming_day, past_day
from agentcl.envs.questions.holding_phrases import Forms, Several, Slot
from agentcl.errors import InvalidInput

SHARED = Path(__file__).resolve().parents[5] / "shared/data/holding/holding-dev.json"
made = st.builds(
    lambda seed, held_out: holding_histories(1, seed=seed, held_out=held_out)[0],
    st.integers(0, 10_000),
    st.booleans(),
)


def evidence(history: History, question: HoldingQuestion) -> str:
    """Return what the turns of a question's evidence say, each with who says it."""
    return "\n".join(f"{t.role}: {t.content}" for t in history.turns if t.id in question.evidence)


def stands(value: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text, re.IGNORECASE) is not None


def by_kind(history: History, *kinds: str) -> list[HoldingQuestion]:
    return [question for question in history.questions if question.kind in kinds]


def in_words(question: HoldingQuestion) -> bool:
    """Whether the answer is a value of the text, and not yes, no or a day."""
    return question.answer != "no" and not re.fullmatch(r"\d{4}-\d\d(-\d\d)?", question.answer)


@given(made)
@settings(deadline=None)
def test_a_right_value_stands_in_its_evidence(history: History) -> None:
    for question in by_kind(history, "now", "then", "who", "instruction", "set"):
        if in_words(question):
            said = evidence(history, question)
            parts = question.answer.split(", ") if question.kind == "set" else question.right
            found = [stands(part, said) for part in parts]
            assert all(found) if question.kind == "set" else any(found), question


@given(made)
@settings(deadline=None)
def test_wrong_values_stand_in_the_text_and_are_not_right(history: History) -> None:
    text = "\n".join(turn.content for turn in history.turns)
    for question in history.questions:
        for value in (*question.stale, *question.lure):
            assert value == "yes" or stands(value, text), question
            assert value not in question.right, question


@given(made)
@settings(deadline=None)
def test_what_was_never_said_has_no_right_value_in_the_text(history: History) -> None:
    for question in by_kind(history, *UNANSWERED):
        assert question.answer == "unknown"
        assert question.kind == "never" or question.lure


@given(made)
@settings(deadline=None)
def test_a_value_ends_when_the_next_one_begins(history: History) -> None:
    ends: dict[str, Any] = {}
    for statement in history.statements:
        if (
            statement.kind in ("single", "identifier", "instruction")
            and statement.subject == "user"
        ):
            assert ends.get(statement.attribute, statement.holds_from) == statement.holds_from
            ends[statement.attribute] = statement.holds_to
    assert set(ends.values()) <= {None}


@given(made)
@settings(deadline=None)
def test_what_held_then_was_said_before_and_had_not_ended(history: History) -> None:
    times = {turn.id: turn.time[:10] for turn in history.turns}
    for question in by_kind(history, "then"):
        assert question.as_of is not None
        assert min(times[turn] for turn in question.evidence) <= question.as_of[:10]
    values = {(s.attribute, s.value): s for s in history.statements if s.subject == "user"}
    for question in by_kind(history, "then"):
        for (_, value), statement in values.items():
            if value == question.answer and statement.holds_to:
                assert question.as_of is not None
                assert question.as_of[: len(statement.holds_to)] < statement.holds_to


@given(made)
@settings(deadline=None)
def test_histories_have_twenty_to_sixty_turns_in_order_of_time(history: History) -> None:
    moments = [datetime.fromisoformat(turn.time) for turn in history.turns]
    assert 20 <= len(moments) <= 60
    assert moments == sorted(set(moments))
    roles = [turn.role for turn in history.turns]
    assert roles == ["user", "assistant"] * (len(roles) // 2)


@given(st.integers(0, 1000), st.integers(1, 4), st.booleans())
@settings(deadline=None, max_examples=20)
def test_the_same_seed_gives_the_same_people(seed: int, count: int, held_out: bool) -> None:
    once = holding_histories(count, seed=seed, held_out=held_out)
    assert once == holding_histories(count + 1, seed=seed, held_out=held_out)[:count]
    assert once != holding_histories(count, seed=seed + 1, held_out=held_out)


def banks() -> Iterator[tuple[str, Forms]]:
    """Yield every bank of forms."""
    for name, bank in vars(holding_phrases).items():
        if isinstance(bank, Forms):
            yield name, bank
    for owner in (*holding_phrases.SLOTS, *holding_phrases.SEVERAL):
        assert isinstance(owner, Slot | Several)
        for field in fields(owner):
            if isinstance(bank := getattr(owner, field.name), Forms):
                yield f"{owner.attribute} {field.name}", bank


@pytest.mark.parametrize(("name", "bank"), list(banks()), ids=[name for name, _ in banks()])
def test_held_out_phrasings_are_no_others(name: str, bank: Forms) -> None:
    assert bank.known, name
    assert bank.held_out, name
    assert not set(bank.known) & set(bank.held_out)


def test_held_out_small_talk_is_no_other() -> None:
    assert not set(small_talk.REQUESTS) & set(small_talk.REQUESTS_HELD_OUT)


def test_held_out_histories_have_no_sentence_of_the_others_but_short_ones() -> None:
    def sentences(*, held_out: bool) -> set[str]:
        said = " ".join(
            turn.content
            for history in holding_histories(60, seed=3, held_out=held_out)
            for turn in history.turns
            if turn.role == "user"
        )
        return {part for part in re.split(r"(?<=[.?!])\s+", said) if len(part.split()) > 6}

    shared = sentences(held_out=False) & sentences(held_out=True)
    assert {one for one in shared if one.strip('"') not in holding_phrases.INNOCENT} == set()


@pytest.mark.parametrize("draw", [past_day, coming_day], ids=["past", "coming"])
def test_a_relative_day_is_on_its_side_of_the_day_it_is_said(draw: Callable[..., SaidDay]) -> None:
    said = date(2025, 3, 12)
    for seed in range(200):
        for held_out in (False, True):
            day = draw(Random(seed), said, held_out=held_out)
            assert (day.day < said) == (draw is past_day)
            assert abs(day.day - said) <= timedelta(days=41)


@given(made)
@settings(deadline=None, max_examples=20)
def test_a_history_reads_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, history: History
) -> None:
    path = tmp_path_factory.mktemp("histories") / "people.json"
    save_histories([history], path)
    assert load_histories(path) == (history,)


def test_a_history_is_a_stream_whose_questions_keep_their_evidence() -> None:
    history = holding_histories(1)[0]
    stream = history.stream(LICENCE)
    assert [arrival.id for arrival in stream.arrivals] == [turn.id for turn in history.turns]
    for ours, theirs in zip(history.questions, stream.questions, strict=True):
        assert theirs.evidence == set(ours.evidence)
        assert bool(theirs.answers) == (ours.kind not in UNANSWERED)


@pytest.mark.skipif(not SHARED.exists(), reason="the natural dialogues are not part of the package")
def test_the_natural_dialogues_are_of_the_same_form() -> None:
    histories = load_histories(SHARED)
    assert len(histories) == 14
    assert sum(len(history.questions) for history in histories) == 199


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{}", "is an object and not a list"),
        ('[{"id": "a"}]', "has no 'sessions'"),
        ('[{"id":"a","sessions":[],"statements":[],"questions":[{"q":"?","kind":"odd","answer":"x"}]}]', "kind 'odd'"),
        ('[{"id":"a","sessions":[{"id":"s","time":"2025-01-01","turns":[]}],"statements":[],"questions":[]}]', "without a zone"),
        ('[{"id":"a","sessions":[{"id":"s","time":"soon","turns":[]}],"statements":[],"questions":[]}]', "no ISO 8601"),
        ('[{"id":"a","sessions":[],"statements":[],"questions":[{"q":"?","kind":"now","answer":"x","evidence":["t"]}]}]', "names the turn 't'"),
    ],
    ids=["no list", "no sessions", "kind", "zone", "time", "turn"],
)  # fmt: skip
def test_a_file_of_another_form_is_refused_with_the_reason(
    tmp_path: Path, text: str, fault: str
) -> None:
    path = tmp_path / "people.json"
    path.write_text(text, "utf-8")
    with pytest.raises(InvalidInput, match=re.escape(fault)):
        load_histories(path)


def test_no_people_are_refused() -> None:
    with pytest.raises(InvalidInput, match="at least 1"):
        holding_histories(0)
