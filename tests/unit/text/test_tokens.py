"""How many tokens a text has, by estimate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.text import estimate_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("cat", 1), ("cats", 2), ("a cat", 2), ("12", 2), ("a.", 2), ("\n", 1), ("a\n\nb", 3), ("a   b", 4), ("né", 3)],
)  # fmt: skip
def test_letters_digits_marks_and_spaces_count(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


@given(st.text(st.characters(max_codepoint=127)))
def test_a_text_counts_the_same_beside_one_that_is_not_ascii(text: str) -> None:
    assert estimate_tokens(f"{text}é") == estimate_tokens(text) + 2
