"""Where the steps of long work are done: in this process, or somewhere else that answers to the same contract."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar, runtime_checkable

from agentcl.errors import InvalidInput
from agentcl.jobs.loop import LATER, OrLater, work
from agentcl.text.visible import shown

T = TypeVar("T")
R = TypeVar("R")


@runtime_checkable
class Workplace(Protocol):
    """Does the steps of a job. What it gives back is stored by who asks, and by nobody else."""

    def work(
        self,
        items: Iterable[T | OrLater],
        do: Callable[[T], R],
        *,
        keep: Callable[[Sequence[R]], None],
        job: str,
        key: Callable[[T], str],
        workers: int = 1,
        computes: bool = False,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Do every item, and keep each result as soon as it is there.

        When one item fails, or the work is to stop, nothing new is begun, and those under way are still
        kept. Then the failure is raised.

        Args:
            items: what is to be done; read lazily, in the calling thread. `LATER` among them: the next hangs on what is
                under way.
            do: does one; knows nothing of the memory, and can be pickled.
            keep: stores some results; called in the calling thread.
            job: the id of the job. Work that was cut off goes on under the same.
            key: names an item within its job, in every run alike.
            workers: how many items one process does at a time.
            computes: whether an item is arithmetic, which a GPU may do, and not a question to a server.
            should_stop: asked whenever something was kept; True ends the work early.

        Returns:
            Whether all was done; False after a stop.
        """
        ...


class Here:
    """A `Workplace`: this process."""

    def work(
        self,
        items: Iterable[T | OrLater],
        do: Callable[[T], R],
        *,
        keep: Callable[[Sequence[R]], None],
        job: str,  # nothing outlives this process
        key: Callable[[T], str],
        workers: int = 1,
        computes: bool = False,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Do every item in this process; see `agentcl.jobs.work`."""
        now: Iterable[T] = (one for one in items if one is not LATER)
        return work(now, do, keep=keep, workers=workers, should_stop=should_stop)


def as_workplace(given: Workplace | None) -> Workplace:
    """Return where work is done; None is here. Raises InvalidInput for anything else."""
    if given is None:
        return Here()
    if isinstance(given, Workplace):
        return given
    raise InvalidInput(
        f"on must be where work is done, e.g. agentcl.jobs.Ray(), not {shown(given)}"
    )
