"""Where sentences end: in several languages, in code, in tables and in what is no text at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.text.sentences import sentences


def pieces(text: str) -> list[str]:
    return [text[one.start : one.end] for one in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            'Dr. J. K. Smith lived in the U.S. He died in 1995. Then (see fig. 3) it ended! "Why?" she asked.',
            ["Dr. J. K. Smith lived in the U.S.", "He died in 1995.", "Then (see fig. 3) it ended!",
             '"Why?" she asked.'],
            id="English",
        ),
        pytest.param(
            "Am 3. Oktober 1990 war es so weit. Das ist z.B. Berlin usw. und so. Wo? Dort!",
            ["Am 3. Oktober 1990 war es so weit.", "Das ist z.B. Berlin usw. und so.", "Wo?", "Dort!"],
            id="German",
        ),
        pytest.param(
            "\u4ed6\u4f4f\u5728\u5317\u4eac\u3002\u5979\u95ee\u4e3a\u4ec0\u4e48\uff1f\u5929\u6c14\u597d\uff01",
            ["\u4ed6\u4f4f\u5728\u5317\u4eac\u3002", "\u5979\u95ee\u4e3a\u4ec0\u4e48\uff1f", "\u5929\u6c14\u597d\uff01"],
            id="Chinese",
        ),
        pytest.param(
            "\u092f\u0939 \u090f\u0915 \u0939\u0948\u0964 \u0935\u0939 \u0926\u094b \u0939\u0948\u0964",
            ["\u092f\u0939 \u090f\u0915 \u0939\u0948\u0964", "\u0935\u0939 \u0926\u094b \u0939\u0948\u0964"],
            id="Hindi",
        ),
        pytest.param("Version 3.5 is out. It has 1.5 MB.", ["Version 3.5 is out.", "It has 1.5 MB."], id="numbers"),
        pytest.param("So it was wrapped\nover lines. Next.", ["So it was wrapped\nover lines.", "Next."], id="wrapped"),
        pytest.param("# Head\nText. More.", ["# Head", "Text.", "More."], id="heading"),
        pytest.param("- one. two\n- three\n  goes on", ["- one. two", "- three\n  goes on"], id="items"),
        pytest.param("| a | b |\n|---|---|\n| 1 | 2 |", ["| a | b |", "|---|---|", "| 1 | 2 |"], id="table"),
        pytest.param("See:\n```py\nx = 1.\n\ny = 2\n```\nDone.", ["See:", "```py\nx = 1.\n\ny = 2\n```", "Done."], id="code"),
        pytest.param("", [], id="nothing"),
        pytest.param(" \n\t", [], id="space"),
    ],
)  # fmt: skip
def test_a_text_is_cut_where_its_sentences_end(text: str, expected: list[str]) -> None:
    assert pieces(text) == expected


TEXT = st.text(alphabet=st.sampled_from("aB1 .!?\n\t|`#-\u3002\u00e9{}=;,")) | st.text()


@given(TEXT)
def test_all_that_can_be_seen_stands_in_exactly_one_sentence(text: str) -> None:
    found = sentences(text)
    seen = [place for one in found for place in range(one.start, one.end)]
    assert seen == sorted(set(seen))
    assert not "".join(char for place, char in enumerate(text) if place not in set(seen)).strip()
    assert all(
        text[one.start : one.end].strip() == text[one.start : one.end] != "" for one in found
    )


def test_what_never_pauses_is_cut_into_pieces() -> None:
    assert max(map(len, pieces("x" * 5_000))) <= 600
    assert max(map(len, pieces("word " * 5_000))) <= 600


def test_a_long_text_without_ends_is_cut_as_fast_as_any() -> None:
    """Were it quadratic, this would take hours."""
    assert len(pieces("a. b " * 200_000)) > 1
