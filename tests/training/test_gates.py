"""The gates: who answers rightly passes, who guesses or follows anything does not."""

import random
from collections.abc import Callable

import pytest

from agentcl.envs.relations import NOT_STATED
from agentcl.models import ScriptedModel
from training.gates import Asked, Score, ask, draw_sets, judge, read_triples

SETS = draw_sets(3, 60)
BLIND = {name: ["I do not know"] * len(asked) for name, asked in SETS.items()}


def judged(answer: Callable[[str, Asked], str]) -> dict[str, Score]:
    replies = {name: [answer(name, q) for q in asked] for name, asked in SETS.items()}
    return {score.name: score for score in judge(SETS, replies, BLIND)}


def guess(name: str, question: Asked, rng: random.Random) -> str:
    about = question.turn.about
    wrong = set(about["misled"]) if name == "misleading" else set()
    service = about["right"].split()[1]
    tried = question.turn.ask.partition("History:")[2].partition("Actions:")[0]
    open_: list[str] = [a for a in about["admissible"] if service in a and f"{a}:" not in tried]
    return rng.choice([a for a in open_ if a not in wrong] or open_)


def test_right_answers_pass_every_gate_and_wrong_ones_fail() -> None:
    rng = random.Random(0)
    right = judged(
        lambda name, q: guess(name, q, rng) if name in ("none", "misleading") else q.turn.answer
    )
    assert all(score.is_passed for score in right.values()), right
    wrong = judged(lambda name, q: "nonsense")
    assert not any(score.is_passed for score in wrong.values() if score.limit is not None)
    assert all(score.without_context == 0 for score in wrong.values() if score.limit is not None)


def test_one_who_follows_misleading_guidance_fails_its_gate() -> None:
    found = judged(
        lambda name, q: q.turn.about["misled"][0] if name == "misleading" else q.turn.answer
    )
    assert not found["action, misleading guidance"].is_passed


def test_one_who_knows_the_hidden_rules_fails_the_gate_of_no_guidance() -> None:
    found = judged(lambda name, q: q.turn.about["right"] if name == "none" else q.turn.answer)
    assert not found["action, no guidance"].is_passed


def test_one_who_always_denies_has_recall_without_precision() -> None:
    found = judged(lambda name, q: NOT_STATED)
    assert found["not there, recall"].value == 1
    assert found["not there, precision"].value == 0.5
    assert not found["not there, precision"].is_passed


def test_questions_are_held_out_and_each_of_its_own_world() -> None:
    for asked in SETS.values():
        assert len({q.example.context + q.turn.ask for q in asked}) == len(asked)
    assert SETS.keys() == draw_sets(3, 1).keys()
    assert draw_sets(3, 2) == draw_sets(3, 2)
    assert draw_sets(3, 2) != draw_sets(4, 2)


@pytest.mark.parametrize(
    "reply", ["", "no", "[]", '{"facts": 3}', '{"facts": [3, ["a", "b"]]}', '{"facts": null}']
)
def test_a_listing_that_is_not_in_the_format_has_no_triples(reply: str) -> None:
    assert read_triples(reply) == set()


def test_a_model_is_asked_with_and_without_the_context() -> None:
    def reply(messages: object) -> str:
        return "seen" if "Passage" in str(messages) else "blind"

    asked = SETS["answer"][:4]
    assert ask(ScriptedModel(reply), asked, workers=2) == ["seen"] * 4
    assert ask(ScriptedModel(reply), asked, has_context=False) == ["blind"] * 4
