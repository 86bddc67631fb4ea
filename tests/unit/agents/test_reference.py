"""The shipped model in both roles: it acts by guidance that applies, and writes what an episode teaches."""

import json
import random

import pytest

pytest.importorskip("numpy")
pytest.importorskip("jsonschema")

from agentcl.agents.student import Student
from agentcl.agents.teacher import Teacher
from agentcl.agents.transcript import Transcript
from agentcl.envs.acting import Situation
from agentcl.guidance.admission import refusal
from agentcl.lessons import read_json
from agentcl.models import ChatModel
from agentcl.models.reference.shipped import open_reference
from training.acting import choose_action, write_guidance


@pytest.fixture(scope="module")
def model() -> ChatModel:
    return open_reference()


def test_the_student_acts_right_under_guidance_that_applies(model: ChatModel) -> None:
    student = Student(model, instructions="")
    right = 0
    for seed in range(8):
        example = choose_action(random.Random(f"student {seed}"), turns=1, kind="applicable")
        turn = example.turns[0]
        lines = turn.ask.split("\n")
        told = [line.removeprefix("- ") for line in example.context.split("\n")[1:]]
        steps = [line.split(". ", 1)[1] for line in lines if line[:1].isdigit()]
        situation = Situation(
            goal=lines[0].removeprefix("Goal: "),
            first=lines[1].removeprefix("Observation: "),
            history=tuple((a, s) for a, s in (step.split(": ", 1) for step in steps)),
            offered=tuple(turn.about["admissible"]),
            guidance=tuple(told),
        )
        act = student.act(situation)
        assert act.action in turn.about["admissible"]
        right += act.action == turn.answer.rpartition("Answer: ")[2]
    assert right >= 6


def test_the_teacher_writes_the_lessons_of_an_episode(model: ChatModel) -> None:
    teacher = Teacher(model, instructions="", max_tokens=320)
    right = 0
    for seed in range(3):
        example = write_guidance(random.Random(f"teacher {seed}"))
        _, goal, first, *lines = example.context.split("\n")
        steps = [line.split(". ", 1)[1].split(": ", 1) for line in lines]
        found = teacher.distil(
            Transcript(
                goal.removeprefix("Goal: "),
                first.removeprefix("Observation: "),
                tuple((action, seen) for action, seen in steps),
                1.0,
            )
        )
        assert not any(refusal(lesson) for lesson in found.lessons)
        meant = json.loads(example.turns[0].answer)["guidance"]
        right += found.lessons == tuple(read_json(one) for one in meant)
    assert right >= 2
