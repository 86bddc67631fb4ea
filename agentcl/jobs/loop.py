"""The one loop of long work: item by item, several at a time, kept as it goes, stopped at any point."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from enum import Enum
from itertools import islice
from typing import Final, Literal, TypeVar

from agentcl.errors import InvalidInput

T = TypeVar("T")
R = TypeVar("R")


class Later(Enum):
    """What stands for an item that cannot be told before more is kept."""

    LATER = "later"


LATER: Final = Later.LATER
OrLater = Literal[Later.LATER]


def work(
    items: Iterable[T],
    do: Callable[[T], R],
    *,
    keep: Callable[[Sequence[R]], None],
    workers: int = 1,
    should_stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Do every item, and keep each result as soon as it is there.

    One worker works in the calling thread, and takes an item only when the one before was kept: the
    items may then depend on what was kept. Several work in threads of their own; see `work_in`.

    Args:
        items: what is to be done; read lazily.
        do: does one.
        keep: stores some results; called in the calling thread.
        workers: how many items are done at a time.
        should_stop: asked whenever something was kept; True ends the work early.

    Returns:
        Whether all was done; False after a stop.

    Raises:
        InvalidInput: if there is no worker.
    """
    if workers < 1:
        raise InvalidInput(f"workers must be at least 1, and is {workers}")
    if workers > 1:
        with ThreadPoolExecutor(workers, thread_name_prefix="agentcl-work") as pool:
            return work_in(pool, items, do, keep=keep, ahead=2 * workers, should_stop=should_stop)
    for item in items:
        keep([do(item)])
        if should_stop():
            return False
    return True


def work_in(
    pool: Executor,
    items: Iterable[T | OrLater],
    do: Callable[[T], R],
    *,
    keep: Callable[[Sequence[R]], None],
    ahead: int,
    should_stop: Callable[[], bool] = lambda: False,
    on_stop: Callable[[], None] = lambda: None,
    tick: Callable[[], None] = lambda: None,
    tick_s: float | None = None,
) -> bool:
    """Do every item in a pool of threads or processes, and keep each result as soon as it is there.

    When one item fails, or the work is to stop, nothing new is begun, and those under way are still kept:
    they have been paid for. Then the failure is raised.

    Args:
        pool: who does the items; the caller's to close.
        items: what is to be done; read lazily, in the calling thread. `LATER` among them: the next hangs on what is
            under way, and is asked for when some of that was kept.
        do: does one; processes must be able to import it.
        keep: stores some results; called in the calling thread.
        ahead: how many items are handed to the pool at a time.
        should_stop: asked whenever something was kept, and at each tick; True ends the work early.
        on_stop: called when the work ends early, e.g. to tell it to those under way.
        tick: called whenever something was done, and in between.
        tick_s: how long to wait for an item before the next tick; None: until one is done.

    Returns:
        Whether all was done; False after a stop.
    """
    coming = iter(items)
    begun: set[Future[R]] = set()
    failure: BaseException | None = None
    is_over = False
    try:
        while begun := begun | {pool.submit(do, one) for one in _now(coming, ahead - len(begun))}:
            ended, begun = wait(begun, timeout=tick_s, return_when=FIRST_COMPLETED)
            tick()
            done = [future for future in ended if not future.cancelled()]
            results = [future.result() for future in done if future.exception() is None]
            if results:
                keep(results)
            failure = failure or next(filter(None, (future.exception() for future in done)), None)
            if not is_over and (failure or should_stop()):
                is_over = True
                coming = iter(())
                on_stop()
                _cancel(begun)
    except BaseException:
        on_stop()
        _cancel(begun)
        raise
    if failure:
        raise failure
    return not is_over


def _now(coming: Iterator[T | OrLater], most: int) -> Iterator[T]:
    """Yield the next items, until there is one that hangs on what is under way."""
    for one in islice(coming, most):
        if one is LATER:
            return
        yield one


def _cancel(begun: Iterable[Future[R]]) -> None:
    for future in begun:
        future.cancel()
