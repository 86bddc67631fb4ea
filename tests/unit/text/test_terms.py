import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.text.terms import (
    indexed_terms,
    is_beginning,
    matched_terms,
    signs,
    terms,
    written_otherwise,
)


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
        ("in\u00advisible", "invisible"),
        ("in\u2060visible\ufeff", "invisible"),
        ("zero\u200bwidth", "zerowidth"),
        ("مـــرحبا", "مرحبا"),
        ("Łódź", "lodz"),
        ("Ørsted", "orsted"),
        ("þing", "thing"),
        ("ISPARTA", "\u0131sparta"),
        ("Đức", "duc"),
        ("کتاب", "كتاب"),
        ("علی", "على"),
        ("مدرسة", "مدرسه"),
        ("ٱلكتاب", "الكتاب"),
        ("١٢٣", "123"),
        ("۱۲۳", "123"),
        ("१२३", "123"),
        ("๑๒๓", "123"),
        ("\U0001d7d9\U0001d7da\U0001d7db", "123"),
        ("\U0001d400bc", "abc"),
        ("❤️", "❤"),
        ("👍🏽", "👍"),
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


def test_the_last_of_unspaced_characters_is_indexed_so_that_each_begins_a_term() -> None:
    assert indexed_terms("他喜欢茶") == ["他喜", "喜欢", "欢茶", "茶"]
    assert indexed_terms("茶 and tea") == ["茶", "and", "tea"]
    assert is_beginning("茶")
    assert not is_beginning("茶叶")
    assert not is_beginning("a")


def test_parts_of_a_word_with_a_break_of_no_width_are_found_as_well() -> None:
    assert terms("می\u200cروم") == [*terms("میروم"), *terms("می روم")]
    assert terms("\u200b a\u200b") == ["a"]


def test_vowels_of_indic_scripts_belong_to_their_word() -> None:
    assert terms("मुझे चाय पसंद है") == ["मुझे", "चाय", "पसंद", "है"]


@pytest.mark.parametrize(
    ("text", "otherwise"),
    [
        ("הרכבת והספר ברכבת הים", ["רכבת", "ספר"]),
        ("القطار والقطار للقطار الله", ["قطار", "قطار", "قطار"]),
        ("Größe ÜBER u\u0308ber naïve", ["groesse", "ueber", "ueber"]),
        ("blåbær Øre", ["blaabaer", "oere"]),
        ("Groesse", []),
    ],
)
def test_words_are_indexed_as_others_write_them(text: str, otherwise: list[str]) -> None:
    assert written_otherwise(text) == otherwise
    assert set(otherwise) <= set(indexed_terms(text))


def test_a_word_is_told_as_matched_however_it_is_written() -> None:
    for one, other in (("Größe", "Groesse"), ("הרכבת", "רכבת"), ("القطار", "قطار")):
        assert matched_terms(one, other) == [one]
        assert matched_terms(other, one) == [other]
    assert matched_terms("Größe", "Grube") == []


def test_numbers_that_stand_in_a_word_of_another_script_are_terms() -> None:
    assert terms("رقم١٢٣") == ["رقم123", "123"]


def test_emoji_and_currencies_are_terms_of_their_own() -> None:
    assert terms("rocket🚀launch for 5€") == ["rocket", "🚀", "launch", "for", "5", "€"]
    assert terms("👨\u200d👩\u200d👧") == ["👨", "👩", "👧"]
    assert terms("🇩🇪") != terms("🇪🇩")


def test_marks_are_no_terms() -> None:
    assert terms("-- ?! _ … “” 、。 %") == []


def test_signs_mean_something_by_themselves() -> None:
    assert signs("5 % of $3, or 10 %.") == "$%"
    assert signs("Nothing (of that), here.") == ""


def test_a_very_long_word_is_found_by_its_beginning() -> None:
    assert terms("x" * 10_000) == ["x" * 64]


@given(st.text())
def test_any_text_gives_terms_that_the_index_keeps_whole(text: str) -> None:
    for term in terms(text):
        assert term
        assert all(char.isalnum() or not char.isascii() for char in term)


def test_matched_terms_are_the_querys_own_words() -> None:
    assert matched_terms("When do the Ferries leave?", "the ferry leaves at seven") == [
        "the", "Ferries", "leave",
    ]  # fmt: skip
    assert matched_terms("“Tea” 茶 🍕 in\u00advisible \u2013 चाय", "tea 他喜欢茶 🍕 invisible चाय") == [
        "Tea", "茶", "🍕", "in\u00advisible", "चाय",
    ]  # fmt: skip


@given(st.text(st.characters(max_codepoint=127)))
def test_terms_of_ascii_are_its_words_without_plural_endings(text: str) -> None:
    words = re.findall("[0-9a-z]+", text.lower())
    assert len(terms(text)) == len(words)
    assert all(
        word[:64].startswith(term.rstrip("y"))
        for word, term in zip(words, terms(text), strict=True)
    )
