"""What the holding benchmark counts as right, wrong beside it, and marked as past."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from agentcl.envs.questions.histories import HoldingQuestion

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"
CITY = HoldingQuestion(
    "Where does the user live?", "now", "Leuven", stale=("Gent",), lure=("Antwerp",)
)


@pytest.fixture
def scores(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("parts.holding_scores")


def test_a_value_stands_as_whole_words_only(scores: ModuleType) -> None:
    assert scores.scored(CITY, "I live in Leuven.").right
    assert not scores.scored(CITY, "The Leuvener beer is good.").right


def test_what_contains_a_value_is_not_that_value(scores: ModuleType) -> None:
    firm = HoldingQuestion("Employer?", "now", "Ferrovia Nova", stale=("Ferrovia",))
    found = scores.scored(firm, "[1] I work for Ferrovia Nova.")
    assert (found.right, found.stale) == (True, False)


@pytest.mark.parametrize(
    "line",
    [
        "[1] user: I live in Gent.",
        "[1, 2025-03-03] user: I live in Gent.",
        "[1] since 2024-01-01: The user lives in Gent.",
        "[1] user: I no longer smoke. I live in Gent.",
        "[1] until 2025-03-01: Bicycle.\n[2] The user lives in Gent.",
    ],
    ids=["plain", "dated by when it was said", "since", "another sentence", "another line"],
)
def test_a_stale_value_is_wrong_where_nothing_says_that_it_is_over(
    scores: ModuleType, line: str
) -> None:
    assert scores.scored(CITY, line).stale


@pytest.mark.parametrize(
    "line",
    [
        "[1] until 2025-03-29: The user lives in Gent.",
        "[1] 2024-02 to 2025-03-29: The user lives in Gent.",
        "[1] The user lived in Gent until 2025-03-29.",
        "[1] user: I'm not in Gent any more.",
        "[1] user: We moved from Gent to Leuven.",
        "[1] user: Use Leuven instead of Gent.",
    ],
    ids=["until", "to", "until in the sentence", "not any more", "moved from", "instead of"],
)
def test_a_stale_value_may_stand_where_its_line_says_that_it_is_over(
    scores: ModuleType, line: str
) -> None:
    assert scores.scored(CITY, line).stale is False


def test_one_unmarked_place_is_enough_to_be_wrong(scores: ModuleType) -> None:
    assert scores.scored(CITY, "[1] until 2025-03-29: Gent.\n[2] user: I live in Gent.").stale


def test_lures_are_counted_apart(scores: ModuleType) -> None:
    found = scores.scored(CITY, "[1] The user lives in Leuven.\n[2] The sister lives in Antwerp.")
    assert (found.right, found.stale, found.lure, found.wrong) == (True, False, True, True)


def test_then_a_dated_history_is_no_fault(scores: ModuleType) -> None:
    then = HoldingQuestion("Where then?", "then", "Gent", lure=("Leuven",))
    dated = "[1] until 2025-03-29: Gent.\n[2] since 2025-03-29: Leuven."
    assert scores.scored(then, dated).lure is False
    assert scores.scored(then, "[1] user: I live in Leuven.").lure


def test_a_set_is_right_where_each_member_stands(scores: ModuleType) -> None:
    asked = HoldingQuestion("Which?", "set", "viola, oboe", stale=("harp",))
    assert scores.scored(asked, "[1] I play the oboe.\n[2] I play the viola.").right
    assert not scores.scored(asked, "[1] I play the oboe.").right


@pytest.mark.parametrize("answer", ["no", "yes", "4", "12"])
def test_answers_that_stand_anywhere_by_chance_are_left_to_the_reader(
    scores: ModuleType, answer: str
) -> None:
    asked = HoldingQuestion("How many?", "count", answer, stale=("harp",))
    found = scores.scored(asked, f"{answer} harp")
    assert (found.right, found.stale, found.wrong) == (None, None, None)


@pytest.mark.parametrize(
    "line", ["[1, since 29 Mar 2025] Leuven", "It began 2025-03-29.", "the 29th of March"]
)
def test_a_day_is_right_however_it_is_written(scores: ModuleType, line: str) -> None:
    asked = HoldingQuestion("Since when?", "since", "2025-03-29", ("the 29th of March",))
    assert scores.scored(asked, line).right
    assert not scores.scored(asked, "[1, since 28 Mar 2025] Leuven").right


def test_escaped_text_counts_as_what_it_says(scores: ModuleType) -> None:
    firm = HoldingQuestion("Employer?", "now", "Brandt & Loos")
    assert scores.scored(firm, "[1] I work for Brandt &amp; Loos.").right


def test_an_answer_is_right_in_other_letters_and_sets_in_any_order(scores: ModuleType) -> None:
    assert scores.is_right_answer(CITY, "leuven.")
    assert not scores.is_right_answer(CITY, "Gent")
    asked = HoldingQuestion("Which?", "set", "viola, oboe")
    assert scores.is_right_answer(asked, "oboe and viola")
    never = HoldingQuestion("Born?", "never", "unknown", ("not stated",))
    assert scores.is_right_answer(never, "Unknown.")
    assert not scores.is_right_answer(never, "1980")
