import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.text.terms import matched_terms, terms


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ferry", "ferries"),
        ("harbour", "harbours"),
        ("Zoë", "ZOE"),
        ("naïve café", "naive cafe"),
        ("STRASSE", "straße"),
        ("ﬁsh", "fish"),
        ("\uff11\uff12", "12"),
        ("mill's", "mill s"),
    ],
)
def test_spellings_of_one_word_are_one_term(one: str, other: str) -> None:
    assert terms(one)[:1] == terms(other)[:1]


@pytest.mark.parametrize(("one", "other"), [("glass", "glas"), ("bus", "bu"), ("ferry", "berry")])
def test_different_words_stay_different(one: str, other: str) -> None:
    assert terms(one) != terms(other)


def test_scripts_without_spaces_are_found_by_pairs_of_characters() -> None:
    assert terms("東京都庁") == ["東京", "京都", "都庁"]
    assert set(terms("京都")) <= set(terms("東京都庁"))
    assert terms("水") == ["水"]


def test_marks_are_no_terms() -> None:
    assert terms("-- ?! _ …") == []


def test_a_very_long_word_is_found_by_its_beginning() -> None:
    assert terms("x" * 10_000) == ["x" * 64]


@given(st.text())
def test_any_text_gives_terms_that_the_index_keeps_whole(text: str) -> None:
    for term in terms(text):
        assert term
        assert all(char.isalnum() for char in term)


def test_matched_terms_are_the_querys_own_words() -> None:
    assert matched_terms("When do the Ferries leave?", "the ferry leaves at seven") == [
        "the", "Ferries", "leave",
    ]  # fmt: skip
