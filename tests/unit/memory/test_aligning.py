"""Where messages fit onto what is stored."""

from collections.abc import Sequence

import pytest

from agentcl.memory.conversations.aligning import Heard, Script, align, place


def places(words: str, times: Sequence[int] | None = None) -> list[Heard | None]:
    """Return a place for each letter; a dot is one that was taken away."""
    return [
        None if one == "." else place("user", "", one, None if times is None else times[at], "")
        for at, one in enumerate(words)
    ]


def script(held: Sequence[Heard | None]) -> Script:
    made = Script()
    for one in held:
        made.add(one)
    return made


def fits(held: str, coming: str) -> list[int | None]:
    asked = [one for one in places(coming) if one is not None]
    return align(script(places(held, range(len(held)))), asked)


def test_a_thought_is_no_part_of_what_is_compared() -> None:
    answer = place("assistant", "", "Take the tram.", None, "")
    assert place("assistant", "", "<think>Or a boat?</think>\n\nTake the tram.", None, "") == answer
    assert place("user", "", "<think>Or a boat?</think>\n\nTake the tram.", None, "") != answer


@pytest.mark.parametrize(
    ("held", "coming", "expected"),
    [
        ("", "ab", [None, None]),
        ("ab", "abc", [0, 1, None]),
        ("abc", "bcd", [1, 2, None]),
        ("abcd", "bc", [1, 2]),
        ("abc", "c", [2]),
        ("abc", "b", [None]),  # said again
        ("abc", "de", [None, None]),
        ("aaa", "aaaa", [0, 1, 2, None]),
        ("abab", "ab", [2, 3]),
        ("abca", "ab", [0, 1]),
        ("a.c", "abcd", [0, 1, 2, None]),
        (".bc", "abcd", [0, 1, 2, None]),
        ("a...e", "xy", [None, None]),  # gaps alone fit nothing
        ("a..d", "ab", [None, None]),
        ("a.c", "acd", [0, 2, None]),  # left out where it came from, too
        ("a.ab", "aaabc", [0, 1, 2, 3, None]),  # said again right behind
        ("a.ab", "aabc", [0, 2, 3, None]),
        ("ab.bc", "abbbcd", [0, 1, 2, 3, 4, None]),
    ],
)
def test_messages_fit(held: str, coming: str, expected: list[int | None]) -> None:
    assert fits(held, coming) == expected


def test_times_tell_the_same_words_apart() -> None:
    held = script(places("ab", [1, 2]))
    assert align(held, [place("user", "", "b", 3, "")]) == [None]
    assert align(held, [place("user", "", "b", 2, "")]) == [1]
    assert align(held, [place("user", "", "a", 1, ""), place("user", "", "b", 3, "")]) == [None] * 2


def test_who_speaks_tells_the_same_words_apart() -> None:
    held = script(places("a", [1]))
    assert align(held, [place("assistant", "", "a", None, "")]) == [None]
    assert align(held, [place("user", "Ada", "a", None, "")]) == [None]


LONG = "abcdefghijklmnopqrstuvwxyz"


def test_a_call_that_was_cut_off_goes_on_behind_what_others_said_since() -> None:
    other, later = "0123", LONG.upper()
    held = LONG + other + later[:20] + other
    assert fits(held, LONG + later) == [*range(26), *range(30, 50), *[None] * 6]


def test_a_few_words_that_come_again_are_said_again() -> None:
    assert fits("hello, goodbye", "hello?") == [None] * 6


def test_the_same_word_many_times_over_is_there() -> None:
    assert fits("a" * 300 + "b", "a" * 301) == [*range(300), None]


@pytest.mark.parametrize(
    ("coming", "expected"),
    [
        ("abcbdef", [0, 1, 2, 3, 4, 5, None]),
        ("abdef", [0, 3, 4, 5, None]),  # "b" is what was said again behind what was taken away
        ("acbdef", [0, 2, 3, 4, 5, None]),
        ("abcbde", [0, 1, 2, 3, 4, 5]),
        ("bc", [None, None]),  # what was taken away alone is said again
        ("axbdef", [None] * 6),
    ],
)
def test_what_was_taken_away_is_sent_or_left_out(coming: str, expected: list[int | None]) -> None:
    held = Script()
    for at, one in enumerate(places("abcbde")):
        held.add(one, str(at))
    assert held.take("1")
    assert held.take("2")
    assert not held.take("2")
    assert align(held, [one for one in places(coming) if one is not None]) == expected


def test_a_place_is_known_by_all_that_it_said() -> None:
    held = script(places("abc"))
    held.gone.add(1)
    for words, id in (("x", "m1"), ("y", "")):
        held.put(1, place("user", "", words, None, id), "")
    for coming in ("abcd", "axcd", "aycd"):
        assert align(held, [one for one in places(coming) if one]) == [0, 1, 2, None]
    assert align(held, [one for one in places("azcd") if one]) == [None] * 4
    assert held.said_as("m1") is held.words[1]
    assert held.said_as("m2") is None
    assert 1 in held.nameless


def test_a_turn_can_be_corrected_as_often_as_somebody_likes() -> None:
    held = script(places("abc"))
    held.gone.add(1)
    for number in range(2_000):
        held.put(1, place("user", "", f"version {number}", None, ""), "")
    first, _, last = places("abc")
    for words in ("b", "version 0", "version 1999"):
        coming = [first, place("user", "", words, None, ""), last]
        assert align(held, [one for one in coming if one]) == [0, 1, 2]
