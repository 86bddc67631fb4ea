"""Running jobs: each by one process at a time, priced first, to its end or until it is told to stop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final, Protocol, runtime_checkable

from agentcl.errors import AgentclError, InvalidInput, MissingExtra, NotEquipped, NotFound
from agentcl.jobs.queue import Queue
from agentcl.store.checks import check_json_object, check_unicode
from agentcl.store.jobs import Job, Price, State
from agentcl.store.records import Scope
from agentcl.text.suggesting import did_you_mean

logger = logging.getLogger(__name__)
_WAITING: Final[tuple[State, ...]] = ("queued", "running")
_RUNNABLE: Final[tuple[State, ...]] = (*_WAITING, "failed", "cancelled")
_FAILED: Final[tuple[State, ...]] = ("failed",)
_NOT_HERE: Final = (NotEquipped, MissingExtra)
_NOTED_S: Final = 1.0  # between two notes of the progress: each is a durable write

Progress = Callable[[int, int], None]


class Kind(Protocol):
    """Who knows how to do the jobs of one kind."""

    @property
    def name(self) -> str:
        """What jobs call it; also the name of the store's lock that is held while one is run."""
        ...

    def price(self, spec: Mapping[str, Any], *, scope: Scope) -> Price:
        """Estimate what is still to be done. Raises InvalidInput if the spec cannot be used."""
        ...

    def run(self, job: Job, *, progress: Progress, should_stop: Callable[[], bool]) -> None:
        """Do what is still to be done; return when all is done, or soon after `should_stop`.

        It may be killed at any point and called again. So what is to be done must follow from what is
        stored (or each step must be one that does no harm when repeated), and each result must be stored
        before the next items are taken: `agentcl.jobs.work` does it so.

        Args:
            job: with the spec and the scope.
            progress: to be told the numbers of units done and to do.
            should_stop: to be asked between steps.

        Raises:
            NotEquipped: (or MissingExtra) if this process cannot do it, but another may; the job goes back
                into the queue.
        """
        ...


@runtime_checkable
class Loading(Protocol):
    """A `Kind` whose specs name what is loaded: it runs only those that the user asked for, or confirmed."""

    def confirm(self, spec: Mapping[str, Any]) -> None:
        """Keep that the user himself named what a spec loads. Raises InvalidInput."""
        ...


class Runner:
    """Runs the jobs of a queue.

    Args:
        queue: of the store.
        kinds: who knows how to do them; jobs of other kinds are left alone.
    """

    def __init__(self, queue: Queue, kinds: Iterable[Kind]) -> None:
        self.queue = queue
        self._kinds = {kind.name: kind for kind in kinds}

    def price(self, kind: str, spec: Mapping[str, Any], *, scope: Scope) -> Price:
        """Return what a job would take. Raises InvalidInput."""
        return self._kind(check_unicode(kind, "kind")).price(
            check_json_object(spec, "spec"), scope=scope
        )

    def enqueue(self, kind: str, spec: Mapping[str, Any], *, scope: Scope) -> Job:
        """Ask for a job, with its price. Raises InvalidInput if its spec cannot be used."""
        price = self.price(kind, spec, scope=scope)
        doer = self._kind(kind)
        if isinstance(doer, Loading):
            doer.confirm(spec)
        return self.queue.enqueue(kind, spec, scope=scope, price=price)

    def run(
        self,
        id: str,
        *,
        progress: Progress = lambda done, total: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Job:
        """Run a job here and now, from where it is: one that failed or was cancelled is begun again.

        Args:
            id: of the job.
            progress: told the numbers of units done and to do.
            should_stop: asked between steps; True puts the job back into the queue.

        Returns:
            The job as it is then: done, queued after a stop, or cancelled by somebody.

        Raises:
            NotFound: if there is no such job.
            InvalidInput: if it is done, of an unknown kind, or if its spec cannot be used.
            NotEquipped: (or MissingExtra) if this process lacks what it needs; it waits for another one.
            StoreBusy: if a job of its kind is being run.
            Exception: whatever it failed with; the job says so, too.
        """
        return self._run(id, _RUNNABLE, progress, should_stop)

    def run_now(
        self,
        kind: str,
        spec: Mapping[str, Any],
        *,
        scope: Scope,
        progress: Progress = lambda done, total: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Job:
        """Ask for a job and run it here; one with the same spec that was cut off or failed is gone on with.

        Args:
            kind: of the job.
            spec: what the kind needs to know.
            scope: whose job it is.
            progress: told the numbers of units done and to do.
            should_stop: asked between steps; True puts the job back into the queue.

        Raises:
            InvalidInput: if the spec cannot be used; nothing is asked for then.
            StoreBusy: if a job of the kind is being run; likewise.
            Exception: whatever it failed with; the job says so, too.
        """
        doer = self._kind(kind)
        with self.queue.store.lock(kind):
            price = doer.price(spec, scope=scope)
            job = self.queue.unfinished(kind, spec, scope=scope) or self.queue.enqueue(
                kind, spec, scope=scope, price=price
            )
            return self._run_alone(doer, job.id, _RUNNABLE, progress, should_stop, price)

    def run_all(
        self,
        *,
        progress: Callable[[Job, int, int], None] = lambda job, done, total: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> list[Job]:
        """Run what waits in the queue, oldest first, and what was cut off.

        A job that fails says why, and the next one is run. A kind that another process works on is left
        to it. Jobs that come meanwhile are run, too.

        Returns:
            The jobs that were run, as they are then.
        """
        ran: list[Job] = []
        seen: set[str] = set()
        while not should_stop() and (job := self._next(seen)):
            seen.add(job.id)
            try:
                ran.append(self._run(job.id, _WAITING, partial(progress, job), should_stop))
            except AgentclError as error:
                logger.info("job %s (%s): %s", job.id, job.kind, error)
                ran += [one for one in self.queue.list(states=_FAILED) if one.id == job.id]
        return ran

    def _next(self, seen: Collection[str]) -> Job | None:
        for job in self.queue.list(states=_WAITING):
            if job.id not in seen and job.kind in self._kinds:
                return job
        return None

    def _run(
        self,
        id: str,
        states: Collection[State],
        progress: Progress,
        should_stop: Callable[[], bool],
    ) -> Job:
        kind = self._kind(self.queue.get(id).kind)
        with self.queue.store.lock(kind.name):
            return self._run_alone(kind, id, states, progress, should_stop)

    def _run_alone(
        self,
        kind: Kind,
        id: str,
        states: Collection[State],
        progress: Progress,
        should_stop: Callable[[], bool],
        price: Price | None = None,
    ) -> Job:
        """Run a job while the lock of its kind is held: whoever noted "running" before is no more."""
        run = _Run(self.queue, self.queue.begin(id, states=states), progress, should_stop)
        try:
            price = price or kind.price(run.job.spec, scope=run.job.scope)
            self.queue.note_price(run.job, price)
            kind.run(run.job, progress=run.progress, should_stop=run.should_stop)
        except BaseException as error:
            # Ctrl-C is no failure, and what this process lacks another one may have.
            is_failure = isinstance(error, Exception) and not isinstance(error, _NOT_HERE)
            why = f"{type(error).__name__}: {error}" if isinstance(error, Exception) else ""
            with suppress(AgentclError):  # a full disk; what it failed with is raised anyway
                run.end("failed" if is_failure else "queued", error=why)
            raise
        return run.end("queued" if run.is_stopped else "done")

    def _kind(self, name: str) -> Kind:
        if name not in self._kinds:
            known = ", ".join(sorted(self._kinds)) or "none"
            meant = did_you_mean(name, self._kinds)
            raise InvalidInput(
                f"nobody here knows how to do jobs of kind {name!r}{meant}; known: {known}"
            )
        return self._kinds[name]


class _Run:
    """One run of a job: what it reports, and what it is told."""

    def __init__(
        self, queue: Queue, job: Job, progress: Progress, should_stop: Callable[[], bool]
    ) -> None:
        self.job = job
        self.is_stopped = False  # by who runs it; the job goes back into the queue
        self._queue = queue
        self._progress = progress
        self._should_stop = should_stop
        self._latest: tuple[int, int] | None = None  # not noted yet
        self._noted_at = time.monotonic()

    def progress(self, done: int, total: int) -> None:
        self._latest = done, total
        if time.monotonic() - self._noted_at >= _NOTED_S:
            self._note()
        self._progress(done, total)

    def should_stop(self) -> bool:
        self.is_stopped = self.is_stopped or self._should_stop()
        return self.is_stopped or self._queue.is_over(self.job)

    def end(self, state: State, *, error: str = "") -> Job:
        self._note()
        try:
            return self._queue.end(self.job, state, error=error)
        except NotFound:  # it went with its scope
            return replace(self.job, state="cancelled")

    def _note(self) -> None:
        if self._latest is not None:
            done, total = self._latest
            self._latest, self._noted_at = None, time.monotonic()
            with suppress(NotFound):
                self._queue.note(self.job, done=done, total=total)
