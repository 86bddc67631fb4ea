"""Of a long question its beginning and its end are read, word by word."""

from hypothesis import example, given
from hypothesis import strategies as st

from agentcl.text.asked import MOST_READ, read_of

WORDS = st.lists(
    st.sampled_from(["a", "ferry", "x" * 150, "日本語", "e\u0301"]), min_size=1, max_size=6
)


@given(WORDS, st.integers(1, 4 * MOST_READ), st.sampled_from([" ", "\n", "  "]))
@example(["ferry"], MOST_READ, " ")
def test_whole_words_of_the_first_and_last_half_are_read(
    words: list[str], count: int, space: str
) -> None:
    text = space.join(words * (count // len(words) + 1))[: 4 * MOST_READ]
    read = read_of(text)
    assert len(read) <= MOST_READ
    assert len(read) > MOST_READ - 400 or read == text
    found, asked = read.split(), text.split()
    first = next(
        (n for n, (one, other) in enumerate(zip(found, asked, strict=False)) if one != other),
        len(found),
    )
    rest = len(found) - first
    assert rest == 0 or found[first:] == asked[-rest:]


def test_a_short_question_is_read_as_it_is() -> None:
    for text in ("", " Which ferry? \n", "x" * MOST_READ, " " * MOST_READ):
        assert read_of(text) == text


def test_what_has_no_spaces_is_cut_where_it_is() -> None:
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 20_000))) * 3
    read = read_of(text)
    first, last = read.split("\n")
    assert MOST_READ - 4 < len(read) <= MOST_READ
    assert text.startswith(first)
    assert text.endswith(last)


def test_a_question_is_found_again_in_what_is_read_of_it() -> None:
    read = read_of(f"Which ferry? {'word ' * 200_000}Who steers it?")
    assert read.startswith("Which ferry? word")
    assert read.endswith("word Who steers it?")
    assert read_of(read) == read
