"""Guidance at one step: what has to come first stands with what it comes before, until it was done."""

import pytest

from agentcl.agents.effects import is_refused, still_worth_trying
from agentcl.agents.student import Student
from agentcl.agents.timely import timely
from agentcl.envs.acting import Situation
from agentcl.models.scripted import ScriptedModel

DO = "When a queue is full, drain it."
NEEDS = "Before you drain a queue, pause the queue."
ACTIONS = ("drain Tavon", "pause Tavon", "flush Tavon")
SEEN = "The queue Tavon is full."


def told(guidance: tuple[str, ...], *history: tuple[str, str]) -> tuple[str, ...]:
    return timely(guidance, SEEN, history, ACTIONS)


@pytest.mark.parametrize("guidance", [(DO, NEEDS), (NEEDS, DO)])
def test_what_has_to_come_first_is_joined_to_what_it_comes_before(
    guidance: tuple[str, ...],
) -> None:
    assert told(guidance) == ("When a queue is full, first pause the queue, then drain it.",)


def test_once_it_was_done_it_is_not_said_again() -> None:
    assert told((DO, NEEDS), ("pause Tavon", "It is paused.")) == (DO,)


@pytest.mark.parametrize(
    "came",
    ["nothing happens.", "You cannot, drain Tavon first.", "It got worse."],
)
def test_what_was_tried_in_vain_was_not_done(came: str) -> None:
    assert told((DO, NEEDS), ("pause Tavon", came)) == told((DO, NEEDS))


def test_a_lesson_whose_action_no_other_names_stays_until_it_was_done() -> None:
    assert told((NEEDS,)) == (NEEDS,)
    assert told((NEEDS,), ("pause Tavon", "It is paused.")) == ()


def test_a_situation_may_hold_commas() -> None:
    full = "When a queue is red on the board, no details, drain the queue."
    assert told((full, NEEDS)) == (
        "When a queue is red on the board, no details, first pause the queue, then drain the queue.",
    )


@pytest.mark.parametrize(
    "other",
    [
        "When a queue is full, do not drain it.",
        "When a queue is full, it does not help to drain it.",
        "When a queue is full, flush it.",
        "When a cache is full, drain it.",
        "Queues are drained on Mondays",
    ],
)
def test_what_does_not_say_to_do_it_stays_as_it_is(other: str) -> None:
    assert told((other, NEEDS)) == (other, NEEDS)


def test_what_an_outcome_asks_for_instead_makes_an_action_wait_for_it() -> None:
    refused = ("drain Tavon", "Refused: you have to pause Tavon first.")
    assert still_worth_trying(ACTIONS, SEEN, (refused,)) == ("pause Tavon", "flush Tavon")
    assert still_worth_trying(ACTIONS, SEEN, (refused, ("pause Tavon", "Done."))) == ACTIONS


@pytest.mark.parametrize(
    "outcome",
    ["You can flush Tavon or pause Tavon.", "It must cool down first.", "Done.", ""],
)
def test_an_outcome_that_asks_for_nothing_that_is_offered_is_no_refusal(outcome: str) -> None:
    assert not is_refused("drain Tavon", outcome, ACTIONS)


def test_a_student_is_told_what_is_due() -> None:
    model = ScriptedModel(lambda _: "Answer: drain Tavon")
    done = (("pause Tavon", "It is paused."),)
    student = Student(model, form="shown")
    student.act(Situation("g", SEEN, offered=ACTIONS, guidance=(DO, NEEDS)))
    student.act(Situation("g", SEEN, done, ACTIONS, (DO, NEEDS)))
    first, then = (asked[-1].content for asked in model.asked)
    assert "- When a queue is full, first pause the queue, then drain it." in first
    assert f"- {DO}" in then
    assert "Before you" not in then


def test_a_model_trained_on_the_form_is_told_everything() -> None:
    model = ScriptedModel(lambda _: "Answer: drain Tavon")
    Student(model, instructions="").act(Situation("g", SEEN, offered=ACTIONS, guidance=(DO, NEEDS)))
    assert NEEDS in model.asked[0][-1].content
