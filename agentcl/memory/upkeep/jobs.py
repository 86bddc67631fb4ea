"""`memory.jobs`: long work that was asked for, how far it is, and the verbs that run it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack, cast, get_args

from agentcl.errors import InvalidInput
from agentcl.jobs.queue import Queue
from agentcl.jobs.runner import Kind, Progress, Runner
from agentcl.jobs.workplace import Workplace
from agentcl.memory.bound import UNBOUND, Bound
from agentcl.memory.compressed.codecs import as_codec
from agentcl.memory.compressed.compressing import Compress
from agentcl.memory.facts.extracting import Extract
from agentcl.memory.opened import Opened
from agentcl.memory.statements.digesting import Digest, as_digester
from agentcl.memory.statements.summaries import as_summariser
from agentcl.memory.statements.tidying import Tidy
from agentcl.memory.upkeep.reembedding import Reembed
from agentcl.retrieval.encoders.naming import identity
from agentcl.retrieval.graph.names import Extractor
from agentcl.store.checks import (
    ReadScope,
    WriteScope,
    check_a,
    check_choice,
    check_count,
    check_each,
)
from agentcl.store.jobs import Job, Price, State

if TYPE_CHECKING:
    from agentcl.compression.base import Codec
    from agentcl.models.base import ChatModel
    from agentcl.statements.reading import Digester
    from agentcl.statements.summarising import Summariser


class Jobs:
    """The jobs of a memory. Made by `Memory.jobs`.

    A memory knows five kinds. `extract` lets an extractor read passages for facts; its spec is
    `{"extractor": NAME, "retry": false, "limit": null}`. `reembed` replaces all vectors; its spec is
    `{"encoder": NAME}`. `digest` lets a digester read conversations; its spec is `{"digester": NAME, "limit": null,
    "budget_tokens": null, "retry": false}`. `tidy` puts statements in order; its spec is `{"summariser": null, "keep":
    null, "near": null, "budget_tokens": null}`. `compress` lets a codec compress passages; its spec is `{"codec": NAME,
    "reencode": false, "limit": null, "slots": null, "form": "float16"}`. `memory.facts.extract`, `memory.store.reembed`,
    `memory.statements.digest`, `memory.statements.tidy` and `memory.compressed.compress` ask for such jobs and run them
    at once.
    """

    def __init__(self, opened: Opened, bound: Bound = UNBOUND) -> None:
        self._opened = opened
        self._bound = bound

    def list(
        self, states: Collection[State] | None = None, **scope: Unpack[ReadScope]
    ) -> Sequence[Job]:
        """Return the jobs of a scope and of all below it, oldest first.

        Args:
            states: only those in these: "queued", "running", "done", "failed", "cancelled".
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.
        """
        if states is not None:
            wanted = check_each(states, "states", "states")
            states = [cast(State, check_choice(one, get_args(State), "a state")) for one in wanted]
        return self._queue(scope).list(states=states)

    def get(self, id: str) -> Job:
        """Return a job. Raises NotFound."""
        return self._queue().get(id)

    def is_cut_off(self, job: Job) -> bool:
        """Return whether a job is noted as running, and nobody runs it: its process was killed.

        `run`, `run_all`, or the call that asked for it, goes on with it.
        """
        return self._queue().is_cut_off(check_a(job, Job, "job"))

    # Asking

    def price(self, kind: str, spec: Mapping[str, Any], **scope: Unpack[WriteScope]) -> Price:
        """Estimate what a job would take, without asking for it.

        Raises:
            InvalidInput: if nobody here knows the kind, or the spec cannot be used.
        """
        owner = self._bound.owner(scope)
        return self._runner().price(kind, self._named(kind, spec), scope=owner)

    def enqueue(self, kind: str, spec: Mapping[str, Any], **scope: Unpack[WriteScope]) -> Job:
        """Ask for a job, to be run later by `run` or `run_all`, in this process or another.

        Args:
            kind: "extract", "reembed", "digest", "tidy", "compress", or one that was added.
            spec: JSON values that the kind understands; see the class.
            scope: `tenant`, `user`, `agent`, `session`: these and all below; see `Memory`.

        Raises:
            InvalidInput: if nobody here knows the kind, or the spec cannot be used.
        """
        owner = self._bound.owner(scope)
        return self._runner().enqueue(kind, self._named(kind, spec), scope=owner)

    def cancel(self, id: str) -> Job:
        """See to it that a job is not run; who runs it, in whatever process, stops after its next step.

        What was done until then is kept. A job that ended already stays as it is. Raises NotFound.
        """
        return self._queue().cancel(id)

    def retry(self, id: str) -> Job:
        """Put a job that failed or was cancelled back into the queue; it goes on where it was.

        Raises:
            NotFound: if there is no such job.
            InvalidInput: if it is done.
        """
        return self._queue().retry(id)

    # Running

    def add_extractor(self, extractor: Extractor, *, workers: int = 8) -> None:
        """Hand over an extractor, for the extract jobs that name it.

        Args:
            extractor: e.g. `agentcl.memory.ModelExtractor(model)`.
            workers: how many passages it reads at once.
        """
        workers = check_count(workers, "workers")
        self._opened.extractors[extractor.name] = extractor, workers

    def add_digester(self, digester: Digester | ChatModel) -> None:
        """Hand over a digester, for the digest jobs that name it.

        Args:
            digester: e.g. `agentcl.statements.RuleDigester()`, or a chat model.
        """
        reader = as_digester(digester)
        self._opened.digesters[reader.name] = reader

    def add_summariser(self, summariser: Summariser | ChatModel) -> None:
        """Hand over a summariser, for the tidy jobs that name it.

        Args:
            summariser: a chat model, or what `agentcl.statements.Summariser` describes.
        """
        teller = as_summariser(summariser)
        self._opened.summarisers[teller.name] = teller

    def add_codec(self, codec: Codec) -> None:
        """Hand over a codec, for the compress jobs that name it, and for `context` to read its soft tokens.

        Args:
            codec: what `agentcl.compression.Codec` describes.
        """
        held = as_codec(codec)
        self._opened.codecs[held.name] = held

    @property
    def codecs(self) -> Mapping[str, Codec]:
        """The codecs that were handed over, by name."""
        return dict(self._opened.codecs)

    @property
    def extractors(self) -> Mapping[str, Extractor]:
        """The extractors that were handed over, by name."""
        return {name: extractor for name, (extractor, _) in self._opened.extractors.items()}

    @property
    def summarisers(self) -> Mapping[str, Summariser]:
        """The summarisers that were handed over, by name."""
        return dict(self._opened.summarisers)

    @property
    def digesters(self) -> Mapping[str, Digester]:
        """The digesters that were handed over, by name."""
        return dict(self._opened.digesters)

    def add_kind(self, kind: Kind) -> None:
        """Hand over who does the jobs of a further kind.

        Raises:
            InvalidInput: if the memory does such jobs itself.
        """
        if kind.name in (Extract.name, Reembed.name, Digest.name, Tidy.name, Compress.name):
            raise InvalidInput(
                f"a memory does {kind.name} jobs itself; give your kind another name"
            )
        self._opened.kinds[kind.name] = kind

    def run(
        self,
        id: str,
        *,
        on: Workplace | None = None,
        progress: Progress = lambda done, total: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Job:
        """Run a job here and now, from where it is: one that failed or was cancelled is begun again.

        Args:
            id: of the job.
            on: where its steps are done, e.g. `agentcl.jobs.Ray()`; default: in this process. `tidy`, and a kind that
                was added, are done here.
            progress: told the numbers of units done and to do.
            should_stop: asked between steps; True puts the job back into the queue.

        Returns:
            The job as it is then: done, queued after a stop, or cancelled by somebody.

        Raises:
            NotFound: if there is no such job.
            InvalidInput: if it is done, of an unknown kind, or if its spec cannot be used.
            NotEquipped: (or MissingExtra) if what it needs is not here, e.g. its extractor; it waits then.
            StoreBusy: if a job of its kind is being run.
            ClusterUnavailable: if the machines of `on` do not answer; what was done before is kept.
            Exception: whatever it failed with; the job says so, too.
        """
        return self._runner(on).run(id, progress=progress, should_stop=should_stop)

    def run_all(
        self,
        *,
        on: Workplace | None = None,
        progress: Callable[[Job, int, int], None] = lambda job, done, total: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Sequence[Job]:
        """Run what waits in the queue, oldest first, and what was cut off.

        A job that fails says why, and the next one is run. What needs something that is not here waits on.

        Args:
            on: where the steps of jobs are done; see `run`.
            progress: told the job, and the numbers of its units done and to do.
            should_stop: asked between steps; True ends the run, and its job goes back into the queue.

        Returns:
            The jobs that were run, as they are then.
        """
        return self._runner(on).run_all(progress=progress, should_stop=should_stop)

    def _named(self, kind: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a spec as it is kept: an encoder without its address, which is the user's to know."""
        name = spec.get("encoder") if isinstance(spec, Mapping) else None
        if kind != Reembed.name or not isinstance(name, str):
            return spec
        self._opened.confirm(name)
        return {**spec, "encoder": identity(name)}

    def _queue(self, scope: ReadScope | None = None) -> Queue:
        return Queue(self._opened.journal, view=self._bound.subtree(scope or {}))

    def _runner(self, on: Workplace | None = None) -> Runner:
        own = (
            Extract(self._opened, self._opened.extractors, on),
            Digest(self._opened, self._opened.digesters, on),
            Tidy(self._opened, self._opened.summarisers),
            Reembed(self._opened, on=on),
            Compress(self._opened, self._opened.codecs, on),
        )
        return Runner(self._queue(), [*own, *self._opened.kinds.values()])
