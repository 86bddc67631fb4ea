"""Items are done once, kept as they come, and nothing is begun after a stop or a failure."""

import math
import multiprocessing
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.errors import InvalidInput, ModelUnavailable
from agentcl.jobs import LATER, work, work_in
from agentcl.jobs.loop import OrLater


@given(st.lists(st.integers(), max_size=30), st.integers(1, 4))
def test_every_item_is_done_and_kept_once(items: list[int], workers: int) -> None:
    kept: list[int] = []
    assert work(items, lambda n: n + 1, keep=kept.extend, workers=workers)
    assert sorted(kept) == sorted(n + 1 for n in items)


def test_one_worker_takes_an_item_only_when_the_one_before_was_kept() -> None:
    left, kept = [3, 2, 1], list[int]()

    def pending() -> Iterator[int]:
        while left:
            yield left[-1]

    def keep(results: Sequence[int]) -> None:
        kept.extend(results)
        left.pop()

    assert work(pending(), lambda n: n * n, keep=keep)
    assert kept == [1, 4, 9]


def test_results_are_kept_in_the_calling_thread_and_few_items_are_begun_ahead() -> None:
    taken: list[int] = []
    kept: list[int] = []
    threads = set[str]()

    def items() -> Iterator[int]:
        for n in range(40):
            assert len(taken) - len(kept) < 2 * 3
            taken.append(n)
            yield n

    def keep(results: Sequence[int]) -> None:
        threads.add(threading.current_thread().name)
        kept.extend(results)

    assert work(items(), lambda n: n, keep=keep, workers=3)
    assert sorted(kept) == taken == list(range(40))
    assert threads == {threading.current_thread().name}


def test_an_item_that_hangs_on_another_is_asked_for_when_that_was_kept() -> None:
    kept: list[int] = []

    def doubled() -> Iterator[int | OrLater]:
        yield 1
        yield 10
        for _ in range(3):
            before = len(kept)
            while not kept or len(kept) == before:
                yield LATER
            yield kept[-1] * 2

    with ThreadPoolExecutor(2) as pool:
        assert work_in(pool, doubled(), lambda n: n, keep=kept.extend, ahead=4)
    assert len(kept) == 5


def test_when_one_fails_no_other_is_taken() -> None:
    begun: list[int] = []
    kept: list[int] = []

    def do(n: int) -> int:
        begun.append(n)
        if n == 2:
            raise ModelUnavailable("no answer")
        return n

    with pytest.raises(ModelUnavailable, match="no answer"):
        work(range(100), do, keep=kept.extend)
    assert (begun, kept) == ([0, 1, 2], [0, 1])


def test_when_one_fails_those_under_way_are_kept_and_nothing_is_begun() -> None:
    all_begun, is_told = threading.Barrier(3), threading.Event()
    taken: list[int] = []
    begun: list[int] = []
    kept: list[int] = []

    def items() -> Iterator[int]:
        for n in range(100):
            taken.append(n)
            yield n

    def do(n: int) -> int:
        begun.append(n)
        if n < 3:  # under way together; the other two end when the failure was noticed
            all_begun.wait(30)
        if n == 0:
            raise ModelUnavailable("no answer")
        is_told.wait(30)
        return n

    with (
        ThreadPoolExecutor(3) as pool,
        pytest.raises(ModelUnavailable, match="no answer"),
    ):
        work_in(pool, items(), do, keep=kept.extend, ahead=6, on_stop=is_told.set)
    assert sorted(kept) == sorted(n for n in begun if n)
    assert {1, 2} <= set(kept)
    assert taken == list(range(6))


@pytest.mark.parametrize("workers", [1, 3])
def test_several_workers_raise_what_one_met_and_keep_the_rest(workers: int) -> None:
    begun: list[int] = []
    kept: list[int] = []

    def do(n: int) -> int:
        begun.append(n)
        if n == 7:
            raise ModelUnavailable("no answer")
        return n

    with pytest.raises(ModelUnavailable, match="no answer"):
        work(range(9), do, keep=kept.extend, workers=workers)
    assert sorted(kept) == sorted(n for n in begun if n != 7)


@pytest.mark.parametrize("workers", [1, 3])
def test_work_can_be_stopped_and_what_is_under_way_is_kept(workers: int) -> None:
    begun: list[int] = []
    kept: list[int] = []

    def do(n: int) -> int:
        begun.append(n)
        return n

    assert not work(
        range(1_000), do, keep=kept.extend, workers=workers, should_stop=lambda: len(kept) > 4
    )
    assert sorted(kept) == sorted(begun)
    assert 5 <= len(kept) < 1_000


@pytest.mark.parametrize("workers", [1, 3])
def test_what_cannot_be_kept_ends_the_work(workers: int) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for n in range(1_000):
            taken.append(n)
            yield n

    def keep(results: Sequence[int]) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        work(items(), lambda n: n, keep=keep, workers=workers)
    assert len(taken) <= 2 * workers


def test_items_are_done_in_other_processes_which_are_told_when_to_stop() -> None:
    kept: list[float] = []
    told: list[str] = []
    ticks: list[int] = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        assert work_in(
            pool, [1.0, 4.0, 9.0], math.sqrt, keep=kept.extend, ahead=2,
            tick=lambda: ticks.append(len(kept)), tick_s=0.05,
        )  # fmt: skip
        assert sorted(kept) == [1.0, 2.0, 3.0]
        assert ticks
        with pytest.raises(ValueError, match="math domain"):
            work_in(
                pool, [-1.0, 4.0], math.sqrt, keep=kept.extend, ahead=1,
                on_stop=lambda: told.append("stop"),
            )  # fmt: skip
    assert told == ["stop"]


def test_a_stop_is_noticed_while_items_are_under_way() -> None:
    leave = threading.Event()
    begun: list[int] = []
    kept: list[bool] = []

    def do(n: int) -> bool:
        begun.append(n)
        return leave.wait(30)

    with ThreadPoolExecutor(2) as pool:
        assert not work_in(
            pool, range(9), do, keep=kept.extend, ahead=2,
            should_stop=lambda: len(begun) == 2, on_stop=leave.set, tick_s=0.01,
        )  # fmt: skip
    assert kept == [True] * 2


def test_no_work_without_workers() -> None:
    with pytest.raises(InvalidInput, match="at least 1"):
        work([1], abs, keep=lambda results: None, workers=0)
