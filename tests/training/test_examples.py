"""Examples: what is asked can be answered from the context alone, and from nothing else."""

import json
import random
import re
from collections.abc import Callable

import pytest

from agentcl.envs.domains.incidents.deployments import DIAGNOSTICS, REMEDIES
from agentcl.envs.relations import NOT_STATED
from agentcl.models import Message
from agentcl.text.answers import final_answer
from training.acting import Lesson, choose_action, write_guidance
from training.examples import Example
from training.mix import STAGES, draw
from training.reading import choose_facts, read_passage, read_passages

MAKERS: list[Callable[..., Example]] = [
    read_passage,
    read_passages,
    choose_facts,
    choose_action,
    write_guidance,
]
SEEDS = range(150)


@pytest.mark.parametrize("make", MAKERS)
def test_the_same_seed_makes_the_same_example(make: Callable[..., Example]) -> None:
    assert make(random.Random(3)) == make(random.Random(3))
    assert make(random.Random(3)) != make(random.Random(4))


@pytest.mark.parametrize("is_recall", [False, True])
def test_answers_stand_in_the_passages(is_recall: bool) -> None:
    skills = set()
    for seed in SEEDS:
        example = read_passages(random.Random(seed), is_recall=is_recall)
        assert example.context.startswith("Memory of " if is_recall else "Passages:\n[1] ")
        for turn in example.turns:
            skills.add(turn.skill)
            answer = final_answer(turn.answer)
            assert (answer == NOT_STATED) == (turn.skill == "absent")
            if turn.skill != "absent":
                assert answer.lower() in example.context.lower()
            hops = turn.answer.count(". ")
            assert hops == 2 if turn.skill == "two-hop" else hops in (1, 2)
    assert skills == {"answer", "two-hop", "absent"}


def test_a_two_hop_answer_names_the_first_hop() -> None:
    for seed in SEEDS:
        example = read_passages(random.Random(seed), share_two_hop=1.0)
        for turn in example.turns:
            if turn.skill == "two-hop":
                said = r"The (\w+) of (\w+) is (\w+)\. "
                found = re.fullmatch(rf"{said}{said}Answer: (\w+)", turn.answer)
                assert found
                _, subject, bridge, _, again, value, answer = found.groups()
                assert subject in turn.ask
                assert bridge == again
                assert bridge not in turn.ask  # it has to be found first
                assert bridge in example.context
                assert value == answer


def test_facts_and_summary_come_from_the_passage() -> None:
    for seed in SEEDS:
        example = read_passage(random.Random(seed), size=5)
        by_skill = {turn.skill: turn for turn in example.turns}
        for subject, _, value in json.loads(by_skill["facts"].answer)["facts"]:
            assert subject in example.context
            assert value.lower() in example.context.lower()
        summary = by_skill["summary"].answer
        assert summary.count(".") == 2
        assert all(name in example.context for name in re.findall(r"\b(?!Its)[A-Z]\w+", summary))


def test_a_plain_passage_has_one_phrasing_and_answers_only() -> None:
    for seed in SEEDS:
        example = read_passage(random.Random(seed), size=3, is_plain=True)
        assert {turn.skill for turn in example.turns} == {"answer"}
        assert len({turn.ask for turn in example.turns}) == len(example.turns)
        assert all(
            final_answer(turn.answer).lower() in example.context.lower() for turn in example.turns
        )


def test_the_facts_kept_are_those_that_the_question_needs() -> None:
    sizes = set()
    for seed in SEEDS:
        example = choose_facts(random.Random(seed))
        facts = [line.split(". ")[1].split(" | ") for line in example.context.splitlines()[1:]]
        assert len(facts) == 5
        for turn in example.turns:
            kept = [facts[number - 1] for number in json.loads(turn.answer)["keep"]]
            sizes.add(len(kept))
            if len(kept) == 1:
                assert kept[0][0] in turn.ask
            if len(kept) == 2:  # one's value is the other's subject
                assert {kept[0][2], kept[1][2]} & {kept[0][0], kept[1][0]}
    assert sizes == {0, 1, 2}


@pytest.mark.parametrize("held_out", [False, True])
def test_applicable_guidance_decides_the_action(held_out: bool) -> None:
    for seed in SEEDS:
        example = choose_action(random.Random(seed), kind="applicable", held_out=held_out)
        for turn in example.turns:
            action = final_answer(turn.answer)
            assert action in turn.about["admissible"]
            if turn.about["kind"] == "applicable":
                assert action == turn.about["right"]
                assert action.split()[0] in example.context
                assert turn.answer.startswith("When a ")  # it says which guidance it follows


def test_misleading_guidance_is_there_and_never_right() -> None:
    for seed in SEEDS:
        example = choose_action(random.Random(seed), kind="misleading")
        for turn in example.turns:
            if turn.about["kind"] == "misleading":
                assert turn.about["misled"]
                assert final_answer(turn.answer) not in turn.about["misled"]
                assert turn.about["right"] not in turn.about["misled"]
                assert turn.about["right"] in turn.about["admissible"]


def test_without_guidance_nothing_but_chance_is_left() -> None:
    turns = [
        turn
        for seed in range(600)
        for turn in choose_action(random.Random(seed), kind="none").turns
        if turn.about["kind"] == "none"
    ]
    assert not any(choose_action(random.Random(s), kind="none").context for s in SEEDS)
    assert all(" no guidance applies." in turn.answer for turn in turns)
    right = sum(final_answer(turn.answer) == turn.about["right"] for turn in turns) / len(turns)
    chance = sum(turn.about["chance"] for turn in turns) / len(turns)
    assert abs(right - chance) < 0.05


def test_a_hidden_sign_is_looked_for_first_and_then_decides() -> None:
    kinds = set()
    for seed in SEEDS:
        for kind in ("applicable", "none", "misleading"):
            for turn in choose_action(random.Random(seed), kind=kind, hidden=1.0).turns:
                action, shown = final_answer(turn.answer), turn.about["kind"]
                kinds.add(shown)
                assert action in turn.about["admissible"]
                assert "raises an alert" in turn.ask
                tried = turn.ask.partition("History:")[2].partition("Actions:")[0]
                assert (shown in ("hidden", "shown")) >= (": the " in tried)
                if ": the " in tried:  # the sign was found, so nothing is looked for any more
                    assert action.split()[0] in REMEDIES
                else:
                    assert action.split()[0] in DIAGNOSTICS
                    assert f"{action}:" not in tried
                if shown == "hidden":
                    assert turn.answer.startswith("When a ")
                    assert "no guidance" not in turn.answer
    assert kinds == {"hidden", "shown", "unknown"}


def test_what_does_not_help_is_left_out_where_several_lessons_say_so() -> None:
    counts = set()
    for seed in SEEDS:
        example = choose_action(random.Random(seed), kind="applicable", turns=1, crowded=1.0)
        plain = choose_action(random.Random(seed), kind="applicable", turns=1)
        told = sum(" help" in line for line in example.context.splitlines())
        counts.add(told - sum(" help" in line for line in plain.context.splitlines()))
        (turn,) = example.turns
        assert final_answer(turn.answer) == turn.about["right"]
    assert counts >= {1, 2, 3}


def test_an_episode_in_which_the_sign_was_found_teaches_how() -> None:
    for seed in SEEDS:
        example = write_guidance(random.Random(seed), hidden=1.0)
        lessons = json.loads(example.turns[0].answer)["guidance"]
        found = [one for one in lessons if one["when"].endswith("raises an alert")]
        assert [one["claim"] for one in found] == ["useless"] * (len(found) - 1) + ["do"]
        assert all(one["what"].split()[0] in DIAGNOSTICS for one in found)
        assert len(lessons) > len(found)


def test_guidance_written_from_an_episode_is_followed_as_a_sentence() -> None:
    claims = set()
    for seed in SEEDS:
        example = write_guidance(random.Random(seed))
        lessons = json.loads(example.turns[0].answer)["guidance"]
        assert lessons
        for lesson in lessons:
            claims.add(lesson["claim"])
            assert lesson["what"].removesuffix(" it") in REMEDIES
            assert lesson["what"].removesuffix(" it") in example.context
            assert (lesson["claim"] == "do") <= ("the alert is cleared" in example.context)
    assert claims == {"do", "avoid", "useless", "needs"}
    assert Lesson("queue", "is slow", "do", "drain").sentence() == "When a queue is slow, drain it."


def test_the_context_stands_in_the_question_or_is_the_systems() -> None:
    example = read_passage(random.Random(0))
    turn = example.turns[0]
    assert example.messages(turn) == [Message("user", f"{example.context}\n{turn.ask}")]
    assert example.messages(turn, is_context_system=True)[0].role == "system"
    assert example.without_context().messages(turn) == [Message("user", turn.ask)]


def test_every_stage_draws_examples_with_turns() -> None:
    for stage in STAGES:
        rng = random.Random(1)
        for _ in range(300):
            assert draw(rng, stage).turns
