"""Guidance at one step: what has to come first stands with what it comes before, until it was done."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from agentcl.agents.effects import is_refused, still_worth_trying
from agentcl.agents.student import Student
from agentcl.agents.timely import timely
from agentcl.envs.acting import Situation
from agentcl.errors import NoAnswer
from agentcl.models.base import GREEDY, Message, Reply, Sampling, Schema
from agentcl.models.scripted import ScriptedModel

DO = "When a queue is full, drain it."
NEEDS = "Before you drain a queue, pause the queue."
DUE = "Before you drain Tavon, pause the queue."
NOW = "All that comes first was done, so the next action is: drain Tavon."
ACTIONS = ("drain Tavon", "pause Tavon", "flush Tavon")
SEEN = "The queue Tavon is full."


def told(guidance: tuple[str, ...], *history: tuple[str, str]) -> tuple[str, ...]:
    return timely(guidance, SEEN, history, ACTIONS).guidance


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
def test_what_was_tried_in_vain_was_not_done_and_is_not_said_again(came: str) -> None:
    assert told((DO, NEEDS), ("pause Tavon", came)) == (DO,)
    assert told((NEEDS,), ("pause Tavon", came)) == ()


def test_a_kind_that_was_not_seen_is_none_once_all_was_looked_up() -> None:
    needs = ("Before you drain a queue that is red, flush it.",)
    looked = ("pause Tavon", "The queue Tavon is green.")

    def may_change(action: str) -> bool:
        return not action.startswith("pause")

    assert timely(needs, SEEN, (), ACTIONS, may_change).guidance == needs
    assert timely(needs, SEEN, (looked,), ACTIONS, may_change).guidance == ()


def test_an_action_that_was_in_vain_is_advised_again_once_something_changed() -> None:
    vain = ("drain Tavon", "nothing happens.")
    assert told((DO,), vain) == ()
    assert told((DO,), vain, ("flush Tavon", "It is half empty.")) == (DO,)


def test_what_was_looked_up_is_not_looked_up_again_and_changes_nothing() -> None:
    looked = ("pause Tavon", "It has 40 jobs.")
    refused = ("drain Tavon", "nothing happens.")

    def may_change(action: str) -> bool:
        return not action.startswith("pause")

    left = still_worth_trying(ACTIONS, SEEN, (refused, looked), may_change)
    assert left == tuple(one for one in ACTIONS if one.split()[0] not in ("pause", "drain"))
    assert timely((NEEDS,), SEEN, (looked,), ACTIONS, may_change).guidance == (NOW,)


def test_a_lesson_whose_action_no_other_names_stays_until_it_was_done() -> None:
    assert told((NEEDS,)) == (DUE,)
    assert told((NEEDS,), ("pause Tavon", "It is paused.")) == (NOW,)


def test_what_can_be_done_now_is_not_said_once_it_was_done_in_vain() -> None:
    steps = (("pause Tavon", "It is paused."), ("drain Tavon", "nothing happens."))
    assert told((NEEDS,), *steps) == ()


def test_what_another_lesson_speaks_of_is_not_said_to_be_next() -> None:
    against = "When a queue is full, it does not help to drain it."
    assert told((against, NEEDS), ("pause Tavon", "It is paused.")) == (against,)


MOVES = ("move T1", "look up T1", "look up the customer", "call the customer", "send a code")
LOOK = "Before you move an order, look up the customer."
CALL = "Before you move an order of a new customer, call the customer."
CODE = "Before you move an order of a club member, send a code."
TICKET = "The order T1 is on the van."
IS_NEW = ("look up the customer", "The order T1 has a new customer.")


def moving(*history: tuple[str, str], of: tuple[str, ...] = (CODE, LOOK, CALL)) -> tuple[str, ...]:
    return timely(of, TICKET, history, MOVES).guidance


def test_what_holds_whatever_is_seen_comes_before_what_hangs_on_something_unseen() -> None:
    assert moving() == ("Before you move T1, look up the customer.",)


def test_of_what_hangs_on_a_kind_only_that_of_the_kind_which_was_seen_is_said() -> None:
    assert moving(IS_NEW) == ("Before you move T1, call the customer.",)


def test_once_that_was_done_what_is_for_other_kinds_stays_unsaid() -> None:
    assert moving(IS_NEW, ("call the customer", "They are verified.")) == (
        "All that comes first was done, so the next action is: move T1.",
    )


def test_once_all_was_done_what_had_to_come_first_is_set_aside() -> None:
    done = (IS_NEW, ("call the customer", "They are verified."))
    said = timely((CODE, LOOK, CALL), TICKET, done, MOVES)
    assert said.aside == {"look up the customer", "call the customer", "send a code"}
    assert not timely((CODE, LOOK, CALL), TICKET, (), MOVES).aside & {"move T1", "look up T1"}


def test_what_is_said_of_one_kind_is_not_said_of_all() -> None:
    general = "Before you move an order, send a code."
    assert moving(IS_NEW, of=(general, CALL)) == (
        "Before you move T1, send a code.",
        "Before you move T1, call the customer.",
    )
    assert moving(IS_NEW, of=(general, CODE, CALL)) == ("Before you move T1, call the customer.",)


def test_words_of_a_kind_that_stand_apart_do_not_tell_of_it() -> None:
    apart = ("look up the customer", "The order T1 has an old customer. She wants a new lamp.")
    assert moving(apart) == (CODE, CALL)
    late = "Before you move an order that is late and whose customer is new, send a code."
    both = ("look up the customer", "The order T1 is late. Its customer is new.")
    assert moving(both, of=(late, CALL)) == ("Before you move T1, send a code.",)


def test_what_comes_first_for_other_kinds_is_set_aside_while_another_one_is_due() -> None:
    assert timely((CODE, LOOK, CALL), TICKET, (), MOVES).aside == {
        "call the customer",
        "send a code",
    }
    assert "call the customer" not in timely((CODE, LOOK, CALL), TICKET, (IS_NEW,), MOVES).aside
    assert "send a code" in timely((CODE, LOOK, CALL), TICKET, (IS_NEW,), MOVES).aside
    assert not timely((CODE, CALL), TICKET, (), MOVES).aside


def test_what_is_due_for_something_else_is_not_set_aside() -> None:
    looked = ("look up the customer", "The order T1 has a new customer.")
    other = "Before you look up T1, send a code."
    done = (looked, ("call the customer", "They are verified."))
    assert "send a code" not in timely((CODE, LOOK, CALL, other), TICKET, done, MOVES).aside


def test_a_kind_that_is_told_in_other_words_leaves_all_kinds_to_the_model() -> None:
    seen = ("look up the customer", "Order T1: first purchase.")
    assert moving(seen) == (CODE, CALL)


def test_an_action_on_something_else_is_not_what_had_to_come_first() -> None:
    assert moving(("look up T1", "The order T1 is a vase.")) == moving()


def test_what_is_said_of_more_things_goes_on_after_what_is_said_of_all() -> None:
    both = ("Before you move an order of a new customer who pays later, send a code.", CALL)
    history = (IS_NEW, ("call the customer", "They are verified."))
    assert moving(*history, of=both) == both[:1]


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
    assert told((other, NEEDS)) == (other, DUE)


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


@pytest.mark.parametrize(
    ("answer", "taken"),
    [
        ("Action: flush Tavon; drain Tavon; pause Tavon", "drain Tavon"),
        ("Action: flush Tavon; open Tavon", "flush Tavon"),
        ("Action: drain Tavon; open", "drain Tavon"),
    ],
)
def test_of_actions_that_an_answer_lists_the_one_that_guidance_names_is_taken(
    answer: str, taken: str
) -> None:
    student = Student(ScriptedModel(lambda _: answer), form="shown")
    act = student.act(Situation("g", SEEN, offered=ACTIONS, guidance=(DO,)))
    assert act.action == taken


class _CutOff(ScriptedModel):
    """Comes to no end of its answers."""

    def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling = GREEDY,
        schema: Schema | None = None,
    ) -> Reply:
        reply = super().chat(messages, sampling=sampling, schema=schema)
        return replace(reply, finish="length")


def test_an_action_that_holds_a_semicolon_is_no_list() -> None:
    asked = ("SELECT 1", "SELECT 1; SELECT 2")
    student = Student(ScriptedModel(lambda _: f"Action: {asked[1]}"), form="shown")
    assert student.act(Situation("g", SEEN, offered=asked)).action == asked[1]


def test_a_list_that_is_cut_off_is_asked_once() -> None:
    model = _CutOff(lambda _: "Action: flush Tavon; drain Tavon; pau")
    act = Student(model, form="shown").act(
        Situation("g", SEEN, (("pause Tavon", "It is paused."),), ACTIONS, (NEEDS,))
    )
    assert act.action == "drain Tavon"
    assert len(model.asked) == 1


def test_one_action_that_may_be_cut_off_is_asked_for_again() -> None:
    model = _CutOff(lambda _: "Action: drain Tavon")
    with pytest.raises(NoAnswer):
        Student(model, form="shown").act(Situation("g", SEEN, offered=ACTIONS, guidance=(DO,)))


def test_a_model_trained_on_the_form_is_told_everything() -> None:
    model = ScriptedModel(lambda _: "Answer: drain Tavon")
    Student(model, instructions="").act(Situation("g", SEEN, offered=ACTIONS, guidance=(DO, NEEDS)))
    assert NEEDS in model.asked[0][-1].content
