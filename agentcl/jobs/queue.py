"""The queue of jobs in a store: what was asked for, by whom, and how far it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from agentcl.errors import InvalidInput, NotFound
from agentcl.store.base import Store
from agentcl.store.checks import check_unicode
from agentcl.store.jobs import Job, Price, State
from agentcl.store.records import Scope, ScopeView, from_micros

EVERYBODY: Final = ScopeView(None, None, None, None)
_MOST_ERROR: Final = 2_000  # characters of why a job failed
# Of a kind and scope: enough to look back, few enough that a verb called each minute fills no disk.
_MOST_ENDED: Final = 100
_RUNNING: Final[tuple[State, ...]] = ("running",)
_ENDED: Final[tuple[State, ...]] = ("done", "failed", "cancelled")
_UNFINISHED: Final[tuple[State, ...]] = ("queued", "running", "failed")


class Queue:
    """The jobs of a store, as a view sees them.

    To ask for a job together with the data that cause it, use `Writing.enqueue` in their transaction.
    Of the jobs of a kind and scope that ended, the newest hundred are kept.

    Args:
        store: where the jobs are kept.
        view: whose jobs; every verb raises NotFound for others.
    """

    def __init__(self, store: Store, *, view: ScopeView = EVERYBODY) -> None:
        self.store = store
        self._view = view

    def enqueue(
        self, kind: str, spec: Mapping[str, Any], *, scope: Scope, price: Price | None = None
    ) -> Job:
        """Ask for a job; see `Writing.enqueue`."""
        with self.store.writing() as writing:
            return writing.enqueue(kind, spec, scope=scope, price=price)

    def list(self, *, states: Collection[State] | None = None) -> list[Job]:
        """Return jobs, oldest first."""
        return self.store.jobs(view=self._view, states=states)

    def get(self, id: str) -> Job:
        """Return a job. Raises NotFound, and InvalidInput for what is no id."""
        return self.store.job(check_unicode(id, "id"), view=self._view)

    def cancel(self, id: str) -> Job:
        """See to it that a job is not run; who runs it, in whatever process, stops after its next step.

        What was done until then is kept. A job that ended already stays as it is.
        """
        return self._change(
            id,
            lambda job, now: job if job.is_ended else replace(job, state="cancelled", ended_at=now),
        )

    def retry(self, id: str) -> Job:
        """Ask for a job again that failed or was cancelled; it goes on where it was.

        Raises:
            InvalidInput: if it is done.
        """

        def again(job: Job, now: datetime) -> Job:
            if job.state == "done":
                raise InvalidInput(f"job {id} is done; ask for a new one")
            return replace(job, state="queued", ended_at=None) if job.is_ended else job

        return self._change(id, again)

    # For who runs jobs

    def unfinished(self, kind: str, spec: Mapping[str, Any], *, scope: Scope) -> Job | None:
        """Return the newest job with a spec that waits, was cut off, or failed."""
        for job in reversed(self.store.jobs(view=scope.exactly(), states=_UNFINISHED)):
            if job.kind == kind and job.spec == spec:
                return job
        return None

    def begin(self, id: str, *, states: Collection[State]) -> Job:
        """Begin a run of a job, if it is in one of some states. Raises InvalidInput."""

        def begun(job: Job, now: datetime) -> Job:
            if job.state not in states:
                raise InvalidInput(f"job {id} is {job.state}, so it is not run")
            return replace(
                job, state="running", done=0, total=None, attempts=job.attempts + 1, error="",
                started_at=now, ended_at=None,
            )  # fmt: skip

        return self._change(id, begun)

    def note_price(self, run: Job, price: Price) -> None:
        """Note what a run will take."""
        self._change(run.id, lambda job, now: replace(job, price=price) if _is(run, job) else job)

    def note(self, run: Job, *, done: int, total: int) -> None:
        """Note how far a run is, or was when somebody cancelled it."""

        def noted(job: Job, now: datetime) -> Job:
            is_newest = job.attempts == run.attempts
            return replace(job, done=done, total=total) if is_newest else job

        self._change(run.id, noted)

    def end(self, run: Job, state: State, *, error: str = "") -> Job:
        """Note how a run ended, unless somebody decided otherwise meanwhile; return the job."""

        def ended(job: Job, now: datetime) -> Job:
            if not _is(run, job):
                return job
            ends = None if state == "queued" else now
            return replace(job, state=state, error=error[:_MOST_ERROR], ended_at=ends)

        return self._change(run.id, ended)

    def is_cut_off(self, job: Job) -> bool:
        """Return whether a job is noted as running, and nobody runs it: its process was killed."""
        if job.state != "running":
            return False
        if not self.store.is_locked(job.kind):
            return True
        # One job of a kind is run at a time: the one that was begun last.
        running = self.store.jobs(view=EVERYBODY, states=_RUNNING)
        begun = [
            (one.started_at or one.created_at, one.id) for one in running if one.kind == job.kind
        ]
        return bool(begun) and max(begun)[1] != job.id

    def is_over(self, run: Job) -> bool:
        """Return whether a run is to stop: the job was cancelled, or went with its scope."""
        try:
            return not _is(run, self.get(run.id))
        except NotFound:
            return True

    def _change(self, id: str, change: Callable[[Job, datetime], Job]) -> Job:
        with self.store.writing() as writing:
            held = self.get(id)
            job = change(held, from_micros(writing.now))
            if job != held:
                writing.change_job(job)
            if job.is_ended and not held.is_ended:
                writing.delete_jobs(self._too_many(job))
            return job

    def _too_many(self, newest: Job) -> Collection[str]:
        """Return which ended jobs of the kind and scope of one are not kept."""
        ended = [
            job
            for job in self.store.jobs(view=newest.scope.exactly(), states=_ENDED)
            if job.kind == newest.kind
        ]
        ended.sort(key=lambda job: job.ended_at or job.created_at)
        return [job.id for job in ended[:-_MOST_ENDED]]


def _is(run: Job, job: Job) -> bool:
    """Return whether a job is still in the run that was begun."""
    return job.state == "running" and job.attempts == run.attempts
