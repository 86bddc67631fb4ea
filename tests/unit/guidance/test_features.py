"""What tells whether lessons speak of a situation, and the decision over it."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.guidance.meaning.decision import decide, threshold
from agentcl.guidance.meaning.features import (
    MOST_SENTENCES,
    NAMES,
    Seen,
    When,
    features,
    is_stated,
    sentences,
)
from agentcl.guidance.meaning.same import content

TEXT = "The queue is full. Nobody drained it yet!"


def numbers(whens: list[str], text: str, *, like: float = 0.5) -> np.ndarray:
    count = len(whens)
    return features(
        [When.of(when) for when in whens],
        Seen.of(text),
        whole=np.full(count, like, np.float32),
        parts=np.full((count, len(sentences(text))), like, np.float32),
        read=np.linspace(0, 1, count, dtype=np.float32),
        meeting=np.full((count, 1 + len(sentences(text))), like, np.float32),
    )


@given(st.text(min_size=1))
def test_every_text_has_a_sentence(text: str) -> None:
    assert 1 <= len(sentences(text)) <= MOST_SENTENCES


def test_of_very_many_sentences_the_first_and_the_last_count() -> None:
    found = sentences(" ".join(f"Line {at}." for at in range(1_000)))
    assert len(found) == MOST_SENTENCES
    assert found[0] == "Line 0."
    assert found[-1] == "Line 999."


@given(st.lists(st.text(), min_size=1, max_size=5), st.text(min_size=1))
def test_features_are_finite_numbers_for_each_lesson(whens: list[str], text: str) -> None:
    found = numbers(whens, text)
    assert found.shape == (len(whens), len(NAMES))
    assert np.isfinite(found).all()


def test_covered_words_missing_numbers_and_a_denial_are_seen() -> None:
    found = numbers(["the queue 7 is full", "a cache is cold"], TEXT)
    by_name = dict(zip(NAMES, found.T, strict=True))
    assert by_name["covered"].tolist() == pytest.approx([2 / 3, 0])
    assert by_name["numbers missing"].tolist() == [1, 0]
    assert numbers(["the queue is full"], "The queue is not full.")[0][NAMES.index("denied")] == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The queue Tavon is full.", True),
        ("Hello. Queue full!", True),
        ("The queue Tavon is not full.", False),
        ("The queue Tavon was full yesterday and Kaspar drained it.", False),
        ("The cache Tavon is full.", False),
    ],
)
def test_a_condition_is_stated_by_a_sentence_that_says_hardly_more(
    text: str, *, expected: bool
) -> None:
    assert is_stated("the queue is full", Seen.of(text)) is expected


def test_what_has_no_words_of_its_own_is_stated_everywhere() -> None:
    assert is_stated("it is", Seen.of("Anything."))


def test_the_decision_is_a_probability_and_rises_with_what_was_read() -> None:
    rows = np.repeat(numbers(["the queue is full"], TEXT), 9, axis=0)
    rows[:, NAMES.index("read")] = np.linspace(-6, 3, 9)
    chances = decide(rows)
    assert all(0 <= chance <= 1 for chance in chances)
    assert chances[0] < threshold()
    assert chances[-1] > chances[0]


def one_by_one(
    whens: list[str],
    text: str,
    whole: np.ndarray,
    parts: np.ndarray,
    read: np.ndarray,
    meeting: np.ndarray,
) -> list[list[float]]:
    """Return the features as each is defined, lesson by lesson."""
    told, rows = sentences(text), []
    words = [set(content(one)) for one in (text, *told)]
    likeness = [max(own, *row) for own, row in zip(whole, parts, strict=True)]
    for at, when in enumerate(whens):
        needed, best = set(content(when)), int(parts[at].argmax())
        order = sorted(parts[at], reverse=True)
        standing = []
        for values in (likeness, [*read], [max(row) for row in meeting]):
            rivals = values[:at] + values[at + 1 :]
            above = sum(one > values[at] for one in values)
            ahead = values[at] - max(rivals) if rivals else 1
            standing.append([above, max(values) - values[at], ahead])
        spread = (likeness[at] - np.mean(likeness)) / (np.std(likeness) + 1e-3)
        is_negative = ["not" in content(one) for one in (when, told[best])]
        numbers = set(re.findall("[0-9]+", when)) - set(re.findall("[0-9]+", text))
        rows.append(
            [
                whole[at],
                order[0],
                order[min(1, len(told) - 1)],
                parts[at, -1],
                parts[at, 0],
                read[at],
            ]
            + [len(needed & some) / max(1, len(needed)) for some in (words[0], words[1 + best])]
            + [len(needed), len(needed & words[0]), len(numbers)]
            + [is_negative[0] != is_negative[1], len(told), np.log1p(len(text))]
            + [*standing[0], spread, *standing[1]]
            + [max(meeting[at]), meeting[at, 0], sorted(meeting[at])[-2], meeting[at, -1]]
            + standing[2]
        )
    return rows


@given(st.integers(0, 10_000), st.integers(1, 20))
def test_features_of_all_lessons_at_once_are_those_of_each(seed: int, count: int) -> None:
    rng, draw = random.Random(seed), np.random.default_rng(seed)
    some = ("queue", "full", "not", "7", "the", "drained", "pump", "42", "slow", "yet")
    whens = [" ".join(rng.choices(some, k=rng.randint(1, 6))) for _ in range(count)]
    told = [" ".join(rng.choices(some, k=rng.randint(1, 8))) for _ in range(rng.randint(1, 5))]
    text = " ".join(f"{one}." for one in told)
    whole, read = draw.integers(0, 9, (2, count)).astype(np.float32) / 8  # some are the same
    parts = draw.integers(0, 9, (count, len(told))).astype(np.float32) / 8
    meeting = draw.integers(0, 9, (count, 1 + len(told))).astype(np.float32) / 8
    given_parts = {"whole": whole, "parts": parts, "read": read, "meeting": meeting}
    found = features([When.of(when) for when in whens], Seen.of(text), **given_parts)
    expected = one_by_one(whens, text, whole, parts, read, meeting)
    assert found == pytest.approx(np.asarray(expected, np.float32), abs=1e-5)
