"""What a text says of a thing, without who wrote it, when, and in which form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.agents.clauses import after_lead, clauses, kind_of, mention_of, with_kinds


@pytest.mark.parametrize(
    "text",
    [
        "The queue Orvo is slow.",
        "- The queue Orvo is slow.",
        "3. The queue Orvo is slow",
        "> The queue Orvo is slow.",
        "Mira (08:15): The queue Orvo is slow",
        "PAGE 712 at 21:08: The queue Orvo is slow.",
        "2031-03-25T17:48:14 WARN host=orvo msg=\"The queue Orvo is slow\"",
        "<77>2031-03-25 17:48:14 watchdog: The queue Orvo is slow",
        '{"monitor": "m-1", "summary": "The queue Orvo is slow"}',
        "Since 18:27 The queue Orvo is slow.",
    ],
)  # fmt: skip
def test_labels_times_and_forms_are_no_part_of_what_is_said(text: str) -> None:
    assert "The queue Orvo is slow" in clauses(text)


def test_each_sentence_is_a_clause_of_its_own() -> None:
    assert clauses("The queue is slow. Lunch is at noon!\nCan you look?") == [
        "The queue is slow", "Lunch is at noon", "Can you look",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "the queue Orvo is slow",
        "our queue Orvo is slow",
        "Orvo (the queue) is slow",
        "the queue called Orvo is slow",
        "Orvo, which is a queue, is slow",
        "Orvo, a queue, is slow",
    ],
)
def test_a_name_is_told_by_what_it_is_the_name_of(text: str) -> None:
    assert kind_of("Orvo", [text]) == "queue"
    assert with_kinds(text, {"Orvo": "queue"}) == "a queue is slow"


def test_texts_that_do_not_agree_give_no_kind() -> None:
    assert kind_of("Orvo", ["the queue Orvo is slow", "the cache Orvo is full"]) == ""
    assert kind_of("Orvo", ["Orvo is slow"]) == ""


@pytest.mark.parametrize(
    ("clause", "left"),
    [
        ("heads up, the queue Orvo is slow", "the queue Orvo is slow"),
        ("Agreed, something else though, the queue Orvo is slow", "the queue Orvo is slow"),
        ("when the disk is full, the queue Orvo is slow", "when the disk is full, the queue Orvo is slow"),
        ("if asked, the queue Orvo is slow", "if asked, the queue Orvo is slow"),
        ("the users of the shop complain, the queue Orvo is slow", "the users of the shop complain, the queue Orvo is slow"),
        ("slow is the queue Orvo", "slow is the queue Orvo"),
    ],
)  # fmt: skip
def test_only_a_lead_is_cut_and_never_a_condition(clause: str, left: str) -> None:
    found = mention_of("Orvo", "queue").search(clause)
    assert found is not None
    assert after_lead(clause, found) == left


def test_a_number_is_nobodys_name_by_itself() -> None:
    assert mention_of("7", "").search("7 of 9") is None
    assert mention_of("7", "floor").search("the floor 7 is wet") is not None


@given(st.text(max_size=300))
def test_any_text_has_clauses_without_line_breaks_or_empty_ones(text: str) -> None:
    assert all(one.strip() and "\n" not in one for one in clauses(text))
