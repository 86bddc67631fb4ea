"""The teacher: what it changes, and that garbage changes nothing."""

import json
import sys
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.agents.prompts import CONTRASTING, DISTILLING, ask_lessons
from agentcl.agents.teacher import Distiller, Teacher
from agentcl.agents.transcript import Transcript
from agentcl.bench.learners import LessonWriter
from agentcl.envs.acting import Situation
from agentcl.errors import MissingExtra, ModelUnavailable
from agentcl.lessons import Lesson
from agentcl.memory.facts.extraction import ModelExtractor
from agentcl.models.base import Message
from agentcl.models.scripted import ScriptedModel
from agentcl.models.structured import ask_object

pytest.importorskip("jsonschema")

SEEN = Situation("clear it", "The queue is slow.", offered=("drain Tavon", "flush Tavon"))
GOOD = Transcript("clear it", "slow", (("drain Tavon", "the alert is cleared"),), 1.0)
BAD = Transcript("clear it", "slow", (("flush Tavon", "the alert gets worse"),), 0.2)
DRAIN = {"when": "a queue is slow", "claim": "do", "what": "drain it"}
GARBAGE = ["I would rather not.", "[", '{"other": 1}', "null", '{"plan": 3, "score": "high"}', ""]


def teacher_of(*answers: str) -> tuple[Teacher, ScriptedModel]:
    model = ScriptedModel(answers)
    return Teacher(model), model


def guidance(*lessons: object) -> str:
    return json.dumps({"guidance": lessons})


def test_a_better_plan_replaces_one_and_the_same_plan_is_no_change() -> None:
    teacher, model = teacher_of('{"problems": "waits", "plan": "1. drain"}', '{"plan": " wait "}')
    review = teacher.review(SEEN, "1. wait")
    assert (review.plan, review.is_changed, review.problem) == ("1. drain", True, "")
    assert "Proposed plan: 1. wait" in model.asked[0][1].content
    assert not teacher.review(SEEN, "wait").is_changed


def test_an_empty_plan_that_comes_back_leaves_the_plan() -> None:
    review = teacher_of('{"plan": " "}')[0].review(SEEN, "1. wait")
    assert (review.plan, review.is_changed) == ("1. wait", False)
    assert review.problem


def test_a_correction_is_an_admissible_action_or_none() -> None:
    teacher, model = teacher_of(
        '{"reason": "it helps", "action": "Drain tavon"}', '{"reason": "?", "action": "explode"}'
    )
    right = teacher.correct(SEEN, "flush Tavon")
    assert (right.action, right.reason, right.problem) == ("drain Tavon", "it helps", "")
    assert "Proposed action: flush Tavon" in model.asked[0][1].content
    wrong = teacher.correct(SEEN, "flush Tavon")
    assert wrong.action == "flush Tavon"
    assert "explode" in wrong.problem


def test_where_nobody_knows_the_actions_a_correction_is_taken_as_it_stands() -> None:
    teacher, _ = teacher_of('{"reason": "", "action": "look around"}')
    assert teacher.correct(Situation("g", "f"), "wait").action == "look around"


def test_a_sure_judgement_has_a_score_and_an_unsure_one_has_none() -> None:
    form = '{{"principles": [], "reason": "cleared", "score": {}, "uncertainty": {}}}'
    asked = [(0.8, 0.1), (0.0, 0.3), (0.8, 0.31), (1, 1), ("NaN", 0.1), (0.5, "NaN")]
    teacher, _ = teacher_of(*(form.format(*one) for one in asked))
    scores = [teacher.judge(GOOD).score for _ in asked]
    assert scores == [0.8, 0.0, None, None, None, None]


def test_lessons_are_drawn_from_one_episode_with_its_score() -> None:
    teacher, model = teacher_of(guidance(DRAIN, {**DRAIN, "level": "anywhere", "what": "wait"}))
    found = teacher.distil(BAD)
    assert found.lessons == (
        Lesson("a queue is slow", "do", "drain it"),
        Lesson("a queue is slow", "do", "wait"),
    )
    assert found.levels == ("family", "anywhere")
    assert (found.problem, found.usage.calls) == ("", 1)
    system, *shown, asked = model.asked[0]
    assert system == Message("system", DISTILLING)
    assert [turn.role for turn in shown] == ["user", "assistant"]
    assert "1. flush Tavon: the alert gets worse.\nScore: 0.20" in asked.content


@pytest.mark.parametrize("pair", [(GOOD, BAD), (BAD, GOOD)])
def test_of_two_episodes_the_better_one_is_shown_as_the_good_one(
    pair: Sequence[Transcript],
) -> None:
    teacher, model = teacher_of(guidance(DRAIN))
    teacher.distil(pair[0], contrast=pair[1])
    system, asked = model.asked[0]
    assert system == Message("system", CONTRASTING)
    good, bad = asked.content.index("Good episode:"), asked.content.index("Bad episode:")
    assert good < asked.content.index("drain Tavon") < bad < asked.content.index("flush Tavon")


@pytest.mark.parametrize("score", [None, 1.0])
def test_without_a_difference_there_is_no_contrast(score: float | None) -> None:
    teacher, model = teacher_of(guidance(DRAIN))
    teacher.distil(GOOD, contrast=Transcript("g", "f", (), score))
    assert model.asked[0][0] == Message("system", DISTILLING)


def test_a_model_trained_on_the_form_is_asked_exactly_that() -> None:
    model = ScriptedModel([guidance(DRAIN)])
    Teacher(model, instructions="").distil(GOOD, contrast=BAD)
    asked = ask_lessons(goal=GOOD.goal, scene=GOOD.first, history=GOOD.steps)
    assert model.asked == [(Message("user", asked),)]


def test_one_broken_answer_is_asked_for_again_and_both_are_paid_for() -> None:
    teacher, model = teacher_of("no", guidance(DRAIN))
    found = teacher.distil(GOOD)
    assert len(found.lessons) == 1
    assert (found.usage.calls, len(model.asked)) == (2, 2)


def test_what_is_no_lesson_among_lessons_is_left_out_and_said() -> None:
    found = teacher_of(guidance(DRAIN, {**DRAIN, "what": " "}, DRAIN))[0].distil(GOOD)
    assert len(found.lessons) == len(found.levels) == 1
    assert "a lesson" in found.problem


def test_a_flood_of_lessons_is_cut() -> None:
    flood = [{**DRAIN, "what": f"drain it {n} times"} for n in range(100)]
    found = teacher_of(guidance(*flood))[0].distil(GOOD)
    assert len(found.lessons) == 8
    assert "first 8" in found.problem


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_twice_changes_nothing_says_so_and_is_paid_for(garbage: str) -> None:
    def fresh() -> Teacher:
        return teacher_of(garbage, garbage)[0]

    review = fresh().review(SEEN, "1. wait")
    assert (review.plan, review.is_changed, review.usage.calls) == ("1. wait", False, 2)
    correction = fresh().correct(SEEN, "flush Tavon")
    assert (correction.action, correction.usage.calls) == ("flush Tavon", 2)
    judgement = fresh().judge(GOOD)
    assert (judgement.score, judgement.usage.calls) == (None, 2)
    found = fresh().distil(GOOD)
    assert (found.lessons, found.usage.calls) == ((), 2)
    assert review.problem
    assert correction.problem
    assert judgement.reason
    assert found.problem


@given(st.text() | st.recursive(st.none() | st.booleans() | st.floats() | st.text(),
       lambda inner: st.lists(inner) | st.dictionaries(
           st.sampled_from(["guidance", "when", "claim", "what", "level", "plan", "score"]), inner),
       max_leaves=8).map(json.dumps))  # fmt: skip
def test_no_answer_makes_distilling_raise(answer: str) -> None:
    distiller: Distiller = Teacher(ScriptedModel([answer, answer]))
    found = distiller.distil(GOOD, contrast=BAD)
    assert found.lessons or found.problem or json.loads(answer)["guidance"] == []


def test_a_teacher_that_cannot_be_asked_is_said() -> None:
    with pytest.raises(ModelUnavailable):
        teacher_of()[0].distil(GOOD)
    with pytest.raises(ModelUnavailable):
        teacher_of("garbage")[0].judge(GOOD)


def test_a_lesson_of_our_own_examples_is_not_taken_for_one_of_the_record() -> None:
    copied = {**DRAIN, "when": "a pump is loud", "what": "cool it"}
    teacher, _ = teacher_of(guidance(copied, DRAIN), guidance(copied))
    found = teacher.distil(BAD)
    assert found.lessons == (Lesson("a queue is slow", "do", "drain it"),)
    assert "copied" in found.problem
    pumps = Transcript("repair it", "The pump is loud.", (("cool it", "it runs"),), 1.0)
    assert teacher.distil(pumps).lessons == (Lesson("a pump is loud", "do", "cool it"),)


@pytest.mark.parametrize("asks", [Teacher, ModelExtractor, LessonWriter])
def test_who_cannot_check_answers_says_so_before_anything_is_asked(
    asks: Callable[[ScriptedModel], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    model = ScriptedModel(["{}"])
    with pytest.raises(MissingExtra, match=r"agentcl\[reference\]"):
        asks(model)
    with pytest.raises(MissingExtra):
        ask_object(model, [Message("user", "?")], schema={})
    assert not model.asked


def test_very_many_actions_are_told_by_their_kinds() -> None:
    rooms = tuple(f"go to room {n}" for n in range(60))
    situation = Situation("find it", "You are here.", offered=(*rooms, "wait"))
    model = ScriptedModel(['{"reason": "r", "action": "go to room 7"}'])
    assert Teacher(model).correct(situation, "wait").action == "go to room 7"
    assert "Actions: go to room ...; wait.\nWhat ends in" in model.asked[0][-1].content
