"""Lessons as sentences: what is one, and what says nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.guidance.admission import refusal
from agentcl.lessons import CLAIMS, Lesson, read_sentence

WORDS = st.from_regex(r"[a-z]{1,8}( [a-z]{1,8}){0,3}", fullmatch=True)
NOTHING = st.sampled_from(["", " ", ".", "...", "  !", "-", "\u2014", "?", "\u3002"])


@given(when=WORDS, what=WORDS, claim=st.sampled_from(CLAIMS))
def test_a_sentence_is_read_as_the_lesson_that_wrote_it(when: str, what: str, claim: str) -> None:
    lesson = Lesson(when, claim, what)  # type: ignore[arg-type]  # one of the claims
    if not (claim == "do" and what.startswith(("do not", "expect that", "it does not help"))):
        assert read_sentence(lesson.sentence()) == lesson


@given(when=WORDS, what=NOTHING, claim=st.sampled_from(CLAIMS))
def test_a_sentence_that_says_nothing_is_no_lesson(when: str, what: str, claim: str) -> None:
    lesson = Lesson(when, claim, what)  # type: ignore[arg-type]  # one of the claims
    assert read_sentence(lesson.sentence()) is None
    assert read_sentence(Lesson(what, claim, when).sentence()) is None  # type: ignore[arg-type]
    assert refusal(lesson) is not None


@pytest.mark.parametrize(
    "what", ["do not", "do not ", "Do not.", "expect that", "it does not help to"]
)
def test_the_stem_of_a_claim_is_nothing_to_do(what: str) -> None:
    assert read_sentence(f"When a, {what}.") is None
    assert refusal(Lesson("a", "do", what)) is not None
