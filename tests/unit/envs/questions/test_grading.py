"""Grades checked against values worked out by hand."""

import math
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import InvalidInput
from agentcl.envs.questions.grading import (
    exact_match,
    has_all_at,
    is_no_answer,
    ndcg_at,
    normalise,
    recall_at,
    reciprocal_rank,
    token_f1,
)


@pytest.mark.parametrize(
    ("answer", "bare"),
    [
        ("The  Eiffel Tower!", "eiffel tower"),
        ("An apple, a pear; the end.", "apple pear end"),
        ("Theatre and Anna", "theatre and anna"),  # articles are words, not letters
        ("U.S.A.", "usa"),
        ("$1.18 trillion", "118 trillion"),
        ("", ""),
    ],
)
def test_normalised_as_squad_does(answer: str, bare: str) -> None:
    assert normalise(answer) == bare


def test_any_right_answer_will_do() -> None:
    assert exact_match("the mayor", ["Zazor", "Mayor"]) == 1
    assert exact_match("the mayors", ["Zazor", "Mayor"]) == 0


@pytest.mark.parametrize(
    ("answer", "answers", "f1"),
    [
        ("the cat sat", ["cat sat down"], 0.8),  # 2 of 2 and 2 of 3 words: 2 * 1 * 2/3 / (5/3)
        ("cat cat cat", ["cat"], 0.5),  # words count as often as they stand: P 1/3, R 1
        ("dog", ["cat"], 0.0),
        ("dog", ["cat", "a dog"], 1.0),  # the best of several
        ("", ["cat"], 0.0),
        ("the", ["a"], 1.0),  # both have no words
    ],
)
def test_f1_by_hand(answer: str, answers: list[str], f1: float) -> None:
    assert token_f1(answer, answers) == pytest.approx(f1)


@given(st.text(), st.lists(st.text(), min_size=1, max_size=3))
def test_f1_is_from_0_to_1_and_never_below_exact_match(answer: str, answers: list[str]) -> None:
    assert exact_match(answer, answers) <= token_f1(answer, answers) <= 1


@pytest.mark.parametrize("grade", [exact_match, token_f1])
def test_a_question_without_answer_wants_to_hear_so(
    grade: Callable[[str, Sequence[str]], float],
) -> None:
    assert grade("Not stated.", ()) == 1
    assert grade("", ()) == 1
    assert grade("I don't know", ()) == 1
    assert grade("Paris", ()) == 0
    assert grade("not stated in Paris", ()) == 0
    assert grade("not stated", ("Paris",)) == 0


def test_phrases_can_be_ones_own() -> None:
    assert is_no_answer("Pass!", phrases={"pass"})
    assert not is_no_answer("not stated", phrases={"pass"})


RETRIEVED = ["x", "a", "y", "b"]


def test_recall_by_hand() -> None:
    assert recall_at(RETRIEVED, {"a", "b"}, 1) == 0
    assert recall_at(RETRIEVED, {"a", "b"}, 2) == 0.5
    assert recall_at(RETRIEVED, {"a", "b"}, 4) == 1
    assert recall_at(RETRIEVED, {"a", "b", "c"}, 9) == pytest.approx(2 / 3)
    assert not has_all_at(RETRIEVED, {"a", "b"}, 3)
    assert has_all_at(RETRIEVED, {"a", "b"}, 4)


def test_pieces_of_one_arrival_count_once() -> None:
    assert recall_at(["x", "x", "x", "a"], {"a"}, 2) == 1
    assert reciprocal_rank(["x", "x", "a"], {"a"}) == 0.5


def test_ranks_by_hand() -> None:
    assert reciprocal_rank(RETRIEVED, {"b", "y"}) == pytest.approx(1 / 3)
    assert reciprocal_rank(RETRIEVED, {"c"}) == 0
    gain, best = 1 / math.log2(3) + 1 / math.log2(5), 1 + 1 / math.log2(3)
    assert ndcg_at(RETRIEVED, {"a", "b"}, 4) == pytest.approx(gain / best)
    assert ndcg_at(["a", "b"], {"a", "b", "c"}, 2) == pytest.approx(1)  # no better with two places


@given(st.lists(st.sampled_from("abcdef")), st.sets(st.sampled_from("abc"), min_size=1))
def test_what_is_retrieved_is_graded_from_0_to_1(retrieved: list[str], evidence: set[str]) -> None:
    recalls = [recall_at(retrieved, evidence, k) for k in range(1, 7)]
    assert recalls == sorted(recalls)
    assert has_all_at(retrieved, evidence, 6) == (evidence <= set(retrieved))
    assert 0 <= ndcg_at(retrieved, evidence, 3) <= 1 + 1e-12


@pytest.mark.parametrize(
    "grade",
    [
        lambda evidence: recall_at(["a"], evidence, 1),
        lambda evidence: ndcg_at(["a"], evidence, 1),
        lambda evidence: reciprocal_rank(["a"], evidence),
    ],
)
def test_without_evidence_there_is_nothing_to_recall(grade: Callable[[set[str]], float]) -> None:
    assert grade({"a"}) == 1
    with pytest.raises(InvalidInput, match="no evidence"):
        grade(set())


def test_no_place_is_no_cutoff() -> None:
    with pytest.raises(InvalidInput, match="k must be at least 1"):
        recall_at(["a"], {"a"}, 0)
