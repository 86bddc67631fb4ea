"""Several environments stepped side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from agentcl.envs.base import Environment, Observation, Outcome, Task
from agentcl.errors import EnvironmentFailed, InvalidInput

T = TypeVar("T")


class EnvironmentBatch:
    """One episode in each of several environments, one call for all of them.

    Each slot is only ever used by one thread at a time. Environments that compute in Python gain nothing
    from it; isolated ones run truly beside each other. Nothing is reset on its own.

    Args:
        environments: what the slots hold; closed with the batch.
    """

    def __init__(self, environments: Sequence[Environment]) -> None:
        if not environments:
            raise InvalidInput("a batch needs at least one environment")
        self._environments = tuple(environments)
        self._threads = ThreadPoolExecutor(len(environments), thread_name_prefix="agentcl-batch")

    def __len__(self) -> int:
        return len(self._environments)

    def reset(
        self, tasks: Sequence[Task], *, seeds: Sequence[int]
    ) -> list[Observation | EnvironmentFailed]:
        """Begin an episode in every slot; an environment that breaks gives its error in its place."""
        self._fits(tasks, "tasks")
        self._fits(seeds, "seeds")
        return self._each(
            lambda n: self._environments[n].reset(tasks[n], seed=seeds[n]), [True] * len(self)
        )  # type: ignore[return-value]  # no slot is left out, so none is None

    def step(self, actions: Sequence[str | None]) -> list[Outcome | EnvironmentFailed | None]:
        """Act in every slot whose action is not None; the others give None.

        Raises:
            InvalidInput: if there are not as many actions as slots, or a slot's episode is over.
        """
        self._fits(actions, "actions")
        taken = [action is not None for action in actions]
        return self._each(lambda n: self._environments[n].step(actions[n] or ""), taken)

    def close(self) -> None:
        """Close every environment; calling it twice is allowed."""
        self._threads.shutdown()
        for environment in self._environments:
            environment.close()

    def _fits(self, given: Sequence[object], what: str) -> None:
        if len(given) != len(self):
            raise InvalidInput(f"{len(given)} {what} for a batch of {len(self)}")

    def _each(
        self, act: Callable[[int], T], is_wanted: Sequence[bool]
    ) -> list[T | EnvironmentFailed | None]:
        def one(slot: int) -> T | EnvironmentFailed:
            try:
                return act(slot)
            except EnvironmentFailed as error:
                return error

        running = [
            self._threads.submit(one, slot) if wanted else None
            for slot, wanted in enumerate(is_wanted)
        ]
        return [None if job is None else job.result() for job in running]
