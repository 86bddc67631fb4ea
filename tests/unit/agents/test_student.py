"""The student: what it is asked, what it does, and what that cost."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from agentcl.agents.prompts import ACTING, AIMING, PLANNING, ask_action
from agentcl.agents.student import Student
from agentcl.envs.acting import Actor, Situation
from agentcl.envs.base import Environment, Task
from agentcl.envs.domains.incidents.domain import IncidentDomain
from agentcl.errors import ModelUnavailable, NoAnswer
from agentcl.lessons import Stretch
from agentcl.models.base import Message
from agentcl.models.scripted import ScriptedModel
from agentcl.testing import ActorContract

SEEN = Situation(
    "clear the alert of Tavon.",
    "The queue Tavon is slow.",
    history=(("flush Tavon", "nothing changes."),),
    offered=("drain Tavon", "flush Tavon"),
    guidance=("When a queue is slow, drain it.",),
)


def test_a_model_trained_on_the_form_is_asked_exactly_that() -> None:
    model = ScriptedModel(["When a queue is slow, drain it. Answer: drain Tavon"])
    act = Student(model, instructions="").act(SEEN)
    assert act.action == "drain Tavon"
    assert act.thought == "When a queue is slow, drain it. Answer: drain Tavon"
    asked = ask_action(
        guidance=SEEN.guidance,
        goal=SEEN.goal,
        scene=SEEN.first,
        history=SEEN.history,
        actions=SEEN.actions,
    )
    assert model.asked == [(Message("user", asked),)]
    assert asked == (
        "Guidance:\n- When a queue is slow, drain it.\nGoal: clear the alert of Tavon.\n"
        "Observation: The queue Tavon is slow.\nHistory:\n1. flush Tavon: nothing changes.\n"
        "Actions: drain Tavon; flush Tavon.\nNext action?"
    )


def test_passages_and_plan_stand_in_the_prompt_only_where_there_are_any() -> None:
    model = ScriptedModel(lambda _: "Answer: drain Tavon")
    Student(model).act(Situation("g", "f", passages=("Queues are drained.",), plan="1. drain"))
    Student(model).act(Situation("g", "f"))
    (system, *_, full), (*_, bare) = model.asked
    assert system == Message("system", ACTING)
    assert full.content == (
        "Passages:\n[1] Queues are drained.\nGoal: g\nObservation: f\nPlan: 1. drain\nNext action?"
    )
    assert bare.content == "Goal: g\nObservation: f\nNext action?"


PAST = (
    Stretch(
        "clear the alert of Bela.", "The queue Bela is slow.", (("drain Bela", "cleared"),), True
    ),
)


def test_past_stretches_stand_before_the_task_and_guidance_where_it_always_stands() -> None:
    model = ScriptedModel(lambda _: "Answer: drain Tavon")
    Student(model).act(replace(SEEN, stretches=PAST))
    Student(model).act(SEEN)
    with_them, without = (asked[-1].content for asked in model.asked)
    assert with_them == "\n".join(PAST[0].lines()) + "\n" + without
    assert Student(model).plan(replace(SEEN, stretches=PAST)).text
    assert PAST[0].lines()[0] in model.asked[-1][-1].content


def test_a_model_trained_on_the_form_is_shown_no_past_stretch() -> None:
    model = ScriptedModel(lambda _: "Answer: drain Tavon")
    student = Student(model, instructions="")
    student.act(SEEN)
    student.act(replace(SEEN, stretches=PAST))
    assert model.asked[0] == model.asked[1]


def test_prompts_of_one_episode_share_their_head() -> None:
    model = ScriptedModel(lambda _: "Answer: drain Tavon")
    student = Student(model)
    first = Situation("g", "f", (), ("a", "b"), ("one",), ("two",), "p")
    later = Situation("g", "f", (("a", "x"), ("b", "y")), ("b", "c"), ("one",), ("two",), "p")
    for situation in (first, later):
        student.act(situation)
    head = model.asked[0][-1].content.partition("Actions:")[0]
    assert "Plan: p" in head
    assert model.asked[1][-1].content.startswith(head)


def test_what_means_no_admissible_action_is_taken_as_it_stands() -> None:
    student = Student(ScriptedModel(["I am lost", "Answer: Drain it", "SELECT 1\nFROM t"]))
    assert student.act(SEEN).action == "I am lost"
    assert student.act(SEEN).action == "drain Tavon"
    assert student.act(Situation("g", "f")).action == "SELECT 1\nFROM t"


def test_a_planner_names_the_sub_goal_and_both_calls_count_for_their_own_role() -> None:
    planner = ScriptedModel(["The queue\nhas to be empty."])
    model = ScriptedModel(["Answer: drain Tavon"])
    act = Student(model, planner=planner).act(SEEN)
    assert (act.action, act.sub_goal) == ("drain Tavon", "The queue has to be empty.")
    assert planner.asked[0][0] == Message("system", AIMING)
    assert planner.asked[0][1].content.endswith("Next sub-goal?")
    assert "Sub-goal: The queue has to be empty.\nActions:" in model.asked[0][-1].content
    assert (act.usage.calls, act.planning.calls) == (1, 1)
    assert act.usage.tokens > 0
    assert act.planning.tokens > 0
    assert act.usage != act.planning


def test_a_plan_is_asked_of_the_planner_or_of_the_model_without_one() -> None:
    alone, planner = ScriptedModel(["1. drain"]), ScriptedModel(["1. wait"])
    assert Student(alone).plan(SEEN).text == "1. drain"
    assert alone.asked[0][0] == Message("system", PLANNING)
    plan = Student(ScriptedModel([]), planner=planner).plan(SEEN)
    assert (plan.text, plan.usage.calls) == ("1. wait", 1)


def test_only_recent_steps_are_shown() -> None:
    model = ScriptedModel(lambda _: "Answer: a")
    steps = tuple((f"act{n}", "seen") for n in range(9))
    Student(model, recent=2).act(Situation("g", "f", steps))
    assert "History:\n1. act7: seen.\n2. act8: seen.\n" in model.asked[0][-1].content
    assert "act6" not in model.asked[0][-1].content


def test_a_model_that_cannot_be_asked_is_said() -> None:
    with pytest.raises(ModelUnavailable):
        Student(ScriptedModel([])).act(SEEN)


class TestStudent(ActorContract):
    """A model that says the same to the same prompt."""

    def open(self) -> Actor:
        def said(messages: Sequence[Message]) -> str:
            actions = messages[-1].content.partition("Actions: ")[2].split(".")[0].split("; ")
            return f"Answer: {actions[len(messages[-1].content) % len(actions)] or 'wait'}"

        return Student(ScriptedModel(said))

    def environment(self) -> Environment:
        return IncidentDomain().make()

    def task(self) -> Task:
        return next(IncidentDomain().tasks("test", family="remedy"))

    def guidance(self) -> tuple[str, ...]:
        return ("When a queue is slow, drain it.",)


@pytest.mark.parametrize(
    "said",
    [
        "<think>I could flush Tavon, but not drain.</think>\ndrain Tavon",
        "I could flush Tavon.\n</think>\n\nAnswer: drain Tavon",
        "Thought: flush Tavon would be too weak.\nAction: drain Tavon",
        "<|channel|>analysis<|message|>flush Tavon?<|end|><|start|>assistant<|channel|>final<|message|>drain Tavon",
        "```\ndrain Tavon\n```",
        '{"thought": "flush Tavon would be too weak", "action": "drain it"}',
        '```json\n{"reason": "not flush Tavon", "answer": "drain Tavon"}\n```',
    ],
)
def test_thoughts_are_told_from_the_action_and_kept(said: str) -> None:
    act = Student(ScriptedModel([said])).act(SEEN)
    assert act.action == "drain Tavon"
    assert "flush Tavon" in act.thought or "flush" not in said


@pytest.mark.parametrize("thought", ["<think>I could drain Tav", "Thought: drain Tavon", ""])
def test_a_thought_is_never_an_action(thought: str) -> None:
    act = Student(ScriptedModel([thought, "Answer: drain Tavon"])).act(SEEN)
    assert (act.action, act.usage.calls) == ("drain Tavon", 2)
    with pytest.raises(NoAnswer, match="scripted gave no answer"):
        Student(ScriptedModel([thought, thought])).act(SEEN)


def test_plans_and_sub_goals_come_without_thoughts() -> None:
    planner = ScriptedModel(["<think>Hm.</think>The queue has to be empty.", "Hm.</think>1. drain"])
    student = Student(ScriptedModel(["Answer: drain Tavon"]), planner=planner)
    assert student.act(SEEN).sub_goal == "The queue has to be empty."
    assert student.plan(SEEN).text == "1. drain"


def test_where_nobody_knows_the_actions_an_object_is_one() -> None:
    said = '{"action": "click", "x": 3}'
    assert Student(ScriptedModel([said])).act(Situation("g", "f")).action == said


def test_a_model_is_shown_turns_in_the_form_it_is_asked_in() -> None:
    model = ScriptedModel(lambda _: "drain Tavon")
    Student(model).act(SEEN)
    Student(model, instructions="Act.").act(SEEN)
    Student(model, instructions="Act.", demonstrations=[("What?", "wait")]).act(SEEN)
    default, told, own = model.asked
    assert [turn.role for turn in default[1:-1]] == ["user", "assistant"] * 3
    assert all(turn.content.endswith("Next action?") for turn in default if turn.role == "user")
    assert all(turn.content.startswith("Thought: ") for turn in default if turn.role == "assistant")
    assert [turn.role for turn in told] == ["system", "user"]
    assert [turn.content for turn in own[1:3]] == ["What?", "wait"]


def test_guidance_stands_right_before_the_question() -> None:
    model = ScriptedModel(lambda _: "drain Tavon")
    Student(model).act(SEEN)
    Student(model, form="bare").act(SEEN)
    default, bare = (asked[-1].content for asked in model.asked)
    lessons = "".join(f"- {one}\n" for one in SEEN.guidance)
    assert default.endswith(f"Guidance:\n{lessons}Next action?")
    assert bare.startswith(f"Guidance:\n{lessons}Goal: ")


def test_without_guidance_there_is_nothing_to_think_about() -> None:
    model = ScriptedModel(lambda _: "drain Tavon")
    Student(model, form="thought").act(replace(SEEN, guidance=()))
    Student(model, form="shown").act(replace(SEEN, guidance=()))
    thought, shown = model.asked
    assert thought == shown


def test_what_brought_nothing_is_not_offered_again_until_something_changes() -> None:
    model = ScriptedModel(lambda _: "drain Tavon")
    student = Student(model)
    student.act(SEEN)
    assert "Actions: drain Tavon." in model.asked[-1][-1].content
    student.act(
        replace(SEEN, history=(*SEEN.history, ("pause Tavon", "the queue Tavon is paused")))
    )
    assert "Actions: drain Tavon; flush Tavon." in model.asked[-1][-1].content
    all_vain = (("flush Tavon", "nothing changes"), ("drain Tavon", "nothing changes"))
    student.act(replace(SEEN, history=all_vain))
    assert "Actions: drain Tavon; flush Tavon." in model.asked[-1][-1].content


def test_an_answer_that_cannot_be_taken_becomes_the_nearest_one_that_can() -> None:
    said = ["flush the buffers of Tavon", "I am lost"]
    actions = ("pause Tavon", "flush the cache of Tavon", "drain Tavon")
    student = Student(ScriptedModel(said))
    situation = replace(SEEN, offered=actions)
    assert student.act(situation).action == "flush the cache of Tavon"
    assert student.act(situation).action == "I am lost"


def test_what_was_in_vain_is_not_done_again_because_the_model_says_so() -> None:
    situation = Situation("clear it", "The queue Tavon is slow.", offered=["drain Tavon", "pause Tavon"], history=(("drain Tavon", "Nothing changes."),))  # fmt: skip
    assert Student(ScriptedModel(["drain Tavon"])).act(situation).action == "pause Tavon"


def test_an_answer_that_is_not_on_offer_now_means_what_guidance_names() -> None:
    again = replace(SEEN, offered=("drain Tavon", "flush Tavon", "wait for Ona"))
    student = Student(ScriptedModel(lambda _: "Thought: Once more.\nAction: flush Tavon"))
    assert student.act(again).action == "drain Tavon"
    unsaid = replace(again, guidance=("Look at the queue.",))
    assert student.act(unsaid).action in ("drain Tavon", "flush Tavon")


def test_what_told_the_same_before_is_in_vain_until_something_changes() -> None:
    looks = (
        ("look around", "A cellar."),
        ("look in the box", "Nothing."),
        ("look around", "A cellar."),
    )
    offered = ("look around", "look in the box", "open the door")
    model = ScriptedModel(lambda _: "open the door")
    Student(model).act(Situation("g", "A hall.", looks, offered))
    assert "Actions: look in the box; open the door." in model.asked[0][-1].content
    Student(model).act(Situation("g", "A hall.", (*looks, ("open the door", "A yard.")), offered))
    assert "Actions: look around; look in the box; open the door." in model.asked[1][-1].content


def test_what_only_looks_is_looked_up_once() -> None:
    looked = replace(
        SEEN,
        history=(("look at Tavon", "It has 40 jobs."),),
        offered=("drain Tavon", "look at Tavon"),
        may_change=lambda action: not action.startswith("look"),
    )
    model = ScriptedModel(lambda _: "Action: drain Tavon")
    Student(model).act(looked)
    assert "Actions: drain Tavon." in model.asked[0][-1].content
    Student(model).act(replace(looked, may_change=lambda action: True))
    assert "look at Tavon" in model.asked[1][-1].content.rpartition("Actions:")[2]


ROOMS = tuple(f"go to the {room}" for room in ("attic", "cellar", "garage", "hall", "kitchen"))
MANY = replace(SEEN, goal="Find it.", guidance=(), offered=(*ROOMS, "look around"))


def test_a_model_that_names_a_kind_of_action_is_asked_among_these() -> None:
    model = ScriptedModel(["go to the ...", "go to the attic"])
    act = Student(model, most_shown=5).act(MANY)
    assert (act.action, act.usage.calls) == ("go to the attic", 2)
    asked, again = (prompt[-1].content for prompt in model.asked)
    assert "Actions: go to the ...; look around.\nWhat ends in" in asked
    assert f"Actions: {'; '.join(ROOMS)}.\nNext action?" in again


def test_what_a_kind_stands_for_may_be_said_at_once() -> None:
    for said in ("go to the cellar", "Thought: Down.\nAction: go to the cellar"):
        act = Student(ScriptedModel([said]), most_shown=5).act(MANY)
        assert (act.action, act.usage.calls) == ("go to the cellar", 1)


def test_a_kind_said_again_is_asked_for_once() -> None:
    act = Student(ScriptedModel(["go to the ...", "go to the ..."]), most_shown=5).act(MANY)
    assert (act.action, act.usage.calls) == ("go to the attic", 2)  # the nearest


@pytest.mark.parametrize("said", ["look ...", '"Look ..."', "Action: look ..."])
def test_a_kind_is_meant_though_an_action_is_its_beginning(said: str) -> None:
    ways = ("up", "down", "left", "right", "back", "ahead", "inside")
    offered = ("look", *(f"look {way}" for way in ways), "wait")
    act = Student(ScriptedModel([said, "look back"]), most_shown=5).act(
        replace(MANY, offered=offered)
    )
    assert (act.action, act.usage.calls) == ("look back", 2)
    act = Student(ScriptedModel([said, "look"]), most_shown=5).act(replace(MANY, offered=offered))
    assert (act.action, act.usage.calls) == ("look", 2)
    act = Student(ScriptedModel(["look"]), most_shown=5).act(replace(MANY, offered=offered))
    assert (act.action, act.usage.calls) == ("look", 1)


def test_a_model_trained_on_the_form_is_shown_all_actions() -> None:
    model = ScriptedModel(["look around"])
    Student(model, instructions="", most_shown=5).act(MANY)
    assert "go to the attic; go to the cellar" in model.asked[0][-1].content
