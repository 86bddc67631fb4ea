from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.errors import InvalidInput
from agentcl.memory.documents.passages import split, split_pages

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # an emoji of five code points
CLUSTERS = [
    "e\u0301",
    "o\u0323\u0302",
    FAMILY,
    "\U0001f44d\U0001f3fd",
    "\u2764\ufe0f",
    "\u0928\u093f",
    "\u0915\u094d\u0937",
    "\u1112\u1161\u11ab",
    "\ud83d\ude00",
    "\uff76\uff9e",
]
ALPHABET = [
    "a",
    "B",
    " ",
    "\n",
    "\r\n",
    "\t",
    ".",
    "# ",
    "\u3002",
    "\u3042",
    "\u0301",
    "\u200d",
    "\f",
]

any_text = st.one_of(
    st.text(max_size=300),
    st.lists(st.sampled_from(ALPHABET), max_size=300).map("".join),
    st.lists(
        st.sampled_from(["word ", "Stop. ", "\n\n", "\n", "# Head\n", " " * 9]), max_size=80
    ).map("".join),
)
limits = st.integers(min_value=1, max_value=80)


def pieces(text: str, limit: int) -> list[str]:
    return [text[start:end] for start, end in split(text, limit=limit)]


@given(any_text, limits)
def test_spans_tile_the_text(text: str, limit: int) -> None:
    spans = split(text, limit=limit)
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(start < end for start, end in spans)
    assert all(a[1] == b[0] for a, b in pairwise(spans))


@given(any_text, limits)
def test_only_long_white_space_makes_a_span_longer_than_the_limit(text: str, limit: int) -> None:
    longest_run = max((len(run) for run in re.findall(r"\s+", text)), default=0)
    for piece in pieces(text, limit):
        assert len(piece.strip() or piece[:limit]) <= limit
        assert len(piece) <= limit or longest_run >= limit // 2


@given(any_text, limits)
def test_no_span_is_white_space_unless_all_is(text: str, limit: int) -> None:
    assert not text.strip() or all(piece.strip() for piece in pieces(text, limit))


@given(st.text(alphabet=" \n\t", max_size=200), limits)
def test_a_text_of_white_space_stays_within_the_limit(text: str, limit: int) -> None:
    assert all(0 < len(piece) <= limit for piece in pieces(text, limit))


@given(st.lists(st.sampled_from([*CLUSTERS, "x", "\u5b57"]), max_size=150), st.integers(20, 60))
def test_no_character_is_cut_apart(clusters: list[str], limit: int) -> None:
    inside: set[int] = set()
    offset = 0
    for cluster in clusters:
        inside.update(range(offset + 1, offset + len(cluster)))
        offset += len(cluster)
    assert not inside & {end for _, end in split("".join(clusters), limit=limit)}


@given(st.integers(1, 60), st.integers(4, 40))
def test_flags_stay_whole(flags: int, limit: int) -> None:
    text = "\U0001f1eb\U0001f1f7" * flags
    assert all(start % 2 == 0 for start, _ in split(text, limit=limit))


@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=8), min_size=1, max_size=200))
def test_words_that_fit_are_never_cut(words: list[str]) -> None:
    assert all(piece[-1] == " " for piece in pieces(" ".join(words), 40)[:-1])


@given(st.integers(1, 4_000), st.integers(8, 400))
def test_no_piece_is_a_crumb(length: int, limit: int) -> None:
    found = pieces("x" * length, limit)
    assert len(found) == 1 or min(map(len, found)) >= limit // 4


@given(st.lists(st.integers(1, 12), min_size=2, max_size=60))
def test_a_heading_starts_a_passage_and_never_ends_one(lengths: list[int]) -> None:
    text = "".join(f"## Part {n}\n\n" + "Some words here. " * n + "\n\n" for n in lengths)
    for piece in pieces(text, 240):
        assert not piece.rstrip().splitlines()[-1].startswith("#")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("One. Two.\n\n", "Three is a\nline. And more "),
        ("One two. Three\n", "four. five six "),
        ("One two three. ", "Four five six seven "),
        ('She said "no." ', "He left them all "),
        (
            "\u4eca\u65e5\u306f\u3044\u3044\u5929\u6c17\u3067\u3059\u3002",
            "\u660e\u65e5\u306f\u96e8\u304c",
        ),
        ("\u8d70\u308c\uff01\u300d", "\u3068\u5f7c\u306f\u8a00\u3063\u305f\u304b"),
        ("one two three ", "fourfivesixseven"),
        ("Go there, e.g. now or ", "thereafter or neverever"),
    ],
    ids=[
        "paragraph",
        "line",
        "sentence",
        "quoted",
        "ideographic",
        "closing",
        "word",
        "abbreviated",
    ],
)
def test_the_best_break_in_reach_is_taken(first: str, second: str) -> None:
    assert pieces(first + second, len(first) + 4)[0] == first


def test_a_heading_is_a_better_break_than_a_paragraph() -> None:
    text = "Words.\n\nMore words.\n\n# New\n\nText of it.\n\nAnd the rest of the text."
    assert pieces(text, 45)[1].startswith("# New")


def test_an_underlined_heading_is_not_left_behind() -> None:
    for ending in ("\n", "\r\n"):
        text = ending.join(
            ["Words of the first part."] * 2 + ["", "Second", "======", "", "Text. " * 9]
        )
        assert pieces(text, 75)[1].startswith("Second")


def test_indentation_stays_with_its_line() -> None:
    text = "def first():\n    return 1\n\n\n    def second(self):\n        return 2\n"
    assert pieces(text, 40)[1].startswith("    def second")


def test_two_last_pieces_are_of_like_size() -> None:
    sizes = [len(piece) for piece in pieces("word " * 210, 1_000)]
    assert len(sizes) == 2
    assert max(sizes) - min(sizes) <= 10


def test_a_run_of_marks_longer_than_the_limit_is_cut_anyway() -> None:
    assert max(map(len, pieces("e" + "\u0301" * 500, 100))) <= 100


def test_long_white_space_stays_with_the_text_before_it() -> None:
    assert pieces("one two" + " " * 500 + "three", 100) == ["one two" + " " * 500, "three"]
    assert pieces(" " * 500 + "one", 100) == [" " * 500 + "one"]


@pytest.mark.parametrize(
    "unit",
    [" ", "\n", "# ", "#\n", "# x\n", "T\n===\n", "\u0301", "\u3002", ". ", "=\n", FAMILY],
)
def test_a_monotonous_text_is_cut_into_few_pieces(unit: str) -> None:
    text = (unit * (300_000 // len(unit))) + "x"
    assert len(split(text)) < 4 * len(text) / 1_000


@pytest.mark.parametrize("unit", ["x", "\u5b57", "e\u0301"])
def test_five_million_characters_without_a_space_are_cut(unit: str) -> None:
    spans = split(unit * (5_000_000 // len(unit)), limit=1_000)
    assert len(spans) == 5_000


@pytest.mark.parametrize("text", ["", "short"])
def test_a_short_text_is_one_passage_and_an_empty_one_none(text: str) -> None:
    assert pieces(text, 1_000) == [text][: len(text)]


def test_a_limit_without_room_is_refused() -> None:
    with pytest.raises(InvalidInput, match="limit is 0"):
        split("text", limit=0)


@given(st.lists(st.text(st.sampled_from("a.\n "), max_size=60), max_size=8), st.integers(1, 30))
def test_no_passage_goes_over_the_end_of_a_page(pages: list[str], limit: int) -> None:
    text = "\n\f".join(pages)
    spans = split_pages(text, limit=limit)
    if not text.strip():
        assert spans == []
        return
    assert "".join(text[start:end] for start, end, _ in spans) == text
    for start, end, page in spans:
        ink = text[start:end].strip()
        assert ink
        assert ink in pages[page - 1]
