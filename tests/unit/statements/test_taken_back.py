"""What is taken back in one breath."""

from datetime import UTC, datetime

import pytest

from agentcl.statements.english.taken_back import amended, taken_back, without_taken_back

MAY = datetime(2025, 5, 19, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "shown", "meant"),
    [
        (
            "The regatta is on May 27. No, wait, May 20, I think.",
            "The regatta is on […]. No, wait, May 20, I think.",
            "The regatta is on May 20, I think.",
        ),
        (
            "My locker is QX-114, sorry, QX-141.",
            "My locker is […], sorry, QX-141.",
            "My locker is QX-141.",
        ),
        (
            "Ask for Orlo Brasc. Oh sorry, Brask, with a k.",
            "Ask for Orlo […]. Oh sorry, Brask, with a k.",
            "Ask for Orlo Brask, with a k.",
        ),
        (
            "I live in Ghent, I mean Leuven.",
            "I live in […], I mean Leuven.",
            "I live in Leuven.",
        ),
        (
            "I told Anna, hold on, Peter.",
            "I told […], hold on, Peter.",
            "I told Peter.",
        ),
        (
            "We met in Lyon. Sorry, I mean Lille.",
            "We met in […]. Sorry, I mean Lille.",
            "We met in Lille.",
        ),
        (
            "The train goes at 9:15, scratch that, 9:45. Which platform?",
            "The train goes at […], scratch that, 9:45. Which platform?",
            "The train goes at 9:45. Which platform?",
        ),
        (
            "We are 3, no, 4, and I meet them on Monday, hang on, Tuesday.",
            "We are […], no, 4, and I meet them on […], hang on, Tuesday.",
            "We are 4, and I meet them on Tuesday.",
        ),
    ],
)
def test_what_is_replaced_by_something_of_its_kind_is_taken_back(
    said: str, shown: str, meant: str
) -> None:
    assert without_taken_back(said, MAY) == shown
    assert amended(said, MAY) == meant


@pytest.mark.parametrize(
    "said",
    [
        "I asked Anna. No, Ben is fine.",
        "Is it Anna? No, Ben.",
        "Sorry, Ben, I was late. I met Anna.",
        "I told Anna. Hold on, Peter, I'm coming.",
        "We live in Ghent. Sorry, Tom!",
        "It costs 40 euros. Wait, I paid 30 euros last time.",
        "Version 2.3 fails. No, 2.4 works.",
        "I was in Paris. Actually, London was nicer.",
        "The release is on May 27, no changes after May 20.",
        "My PIN is 4711. Sorry, 4711.",
        "On 7 June I come back. Wait, on 9 June I have an exam.",
        "",
    ],
)
def test_what_only_sounds_like_a_correction_takes_nothing_back(said: str) -> None:
    assert taken_back(said, MAY) == []
    assert amended(said, MAY) == said
