"""Callers who come at the same time share one computation, and nothing else."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentcl.retrieval.encoders.together import Together


class Slow:
    """Computes when it is let, and notes what it was asked at once."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.may = threading.Event()
        self.began = threading.Event()

    def __call__(self, texts: Sequence[str]) -> list[bytes]:
        self.asked.append([*texts])
        self.began.set()
        assert self.may.wait(60)
        if texts[:1] == ["stop"]:  # its own caller computes
            raise KeyboardInterrupt
        if "bad" in texts:
            raise ValueError("a bad text")
        return [text.encode() for text in texts]


def several(
    slow: Slow, first: Sequence[str], *others: Sequence[str], most: int = 4
) -> list[object]:
    """Let one caller begin and others come while it computes; return what each got, or its error."""
    together = Together(slow, lock=threading.Lock(), most=most)

    def ask(texts: Sequence[str]) -> object:
        try:
            return together(texts)
        except (ValueError, KeyboardInterrupt) as error:
            return error

    with ThreadPoolExecutor(1 + len(others)) as pool:
        found = [pool.submit(ask, first)]
        assert slow.began.wait(60)
        for texts in others:
            before = len(together._waiting)
            found.append(pool.submit(ask, texts))
            until(together, more_than=before)
        slow.may.set()
        return [one.result() for one in found]


def until(together: Together, *, more_than: int) -> None:
    for _ in range(60_000):
        if len(together._waiting) > more_than:
            return
        threading.Event().wait(0.001)
    raise AssertionError("nobody came")


def test_who_waits_meanwhile_is_answered_at_once() -> None:
    slow = Slow()
    assert several(slow, ["a"], ["b"], ["c", "d"], ["e"]) == [[b"a"], [b"b"], [b"c", b"d"], [b"e"]]
    assert slow.asked[0] == ["a"]
    assert sorted(map(len, slow.asked[1:])) == [4]


def test_no_more_are_taken_than_fit_and_nobody_is_divided() -> None:
    slow = Slow()
    found = several(slow, ["a"], ["b"] * 3, ["c"] * 3, ["d"] * 9)
    assert found == [[b"a"], [b"b"] * 3, [b"c"] * 3, [b"d"] * 9]
    assert sorted(map(len, slow.asked[1:])) == [3, 3, 9]


def test_a_bad_text_fails_for_its_own_caller_alone() -> None:
    found = several(Slow(), ["a"], ["b"], ["bad"], ["c"])
    assert [found[0], found[1], found[3]] == [[b"a"], [b"b"], [b"c"]]
    assert isinstance(found[2], ValueError)


def test_a_caller_who_is_stopped_takes_nobody_along() -> None:
    for _ in range(20):  # which of them computes is chance
        found = several(Slow(), ["a"], ["stop"], ["b"], ["c"])
        assert [found[0], found[2], found[3]] == [[b"a"], [b"b"], [b"c"]]
        assert found[1] == [b"stop"] or isinstance(found[1], KeyboardInterrupt)


def test_one_caller_alone_is_asked_as_it_came() -> None:
    slow = Slow()
    slow.may.set()
    together = Together(slow, lock=threading.Lock(), most=2)
    assert together([]) == []
    assert together(["a", "b", "c"]) == [b"a", b"b", b"c"]
    with pytest.raises(ValueError, match="a bad text"):
        together(["bad"])
    assert together(["d"]) == [b"d"]
