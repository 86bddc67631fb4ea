import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.text.function_words import FUNCTION_WORDS, content_terms
from agentcl.text.terms import terms


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("When did Ilka steer the ferries?", ["ilka", "steer", "ferry"]),
        ("what is Ada's favourite bread", ["ada", "favourite", "bread"]),
        ("Who doesn't like rye, and where do I find it?", ["like", "rye", "find"]),
        ("Rye or rye?", ["rye"]),
    ],
)
def test_function_words_are_left_out_of_a_question(question: str, expected: list[str]) -> None:
    assert content_terms(question) == expected


def test_a_capitalised_function_word_is_part_of_a_name() -> None:
    assert content_terms("Which album of The Who came first?") == [
        "album",
        "the",
        "who",
        "came",
        "first",
    ]


def test_a_question_of_function_words_alone_keeps_them() -> None:
    assert content_terms("what did you do?") == ["what", "did", "you", "do"]


def test_scripts_without_capitals_are_left_as_they_are() -> None:
    assert content_terms("船はいつ出る") == terms("船はいつ出る")


def test_the_words_are_in_the_form_that_they_are_compared_in() -> None:
    assert {word for word in FUNCTION_WORDS if word != word.casefold()} == set()


@given(st.text(max_size=80))
def test_what_is_left_are_terms_of_the_question_each_once(question: str) -> None:
    found = content_terms(question)
    assert len(found) == len(set(found))
    assert set(found) <= set(terms(question))
    assert bool(found) == bool(terms(question))
