"""`agentcl jobs`: long work that was asked for, how far it is, and running it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from agentcl.cli.graph import open_extractor
from agentcl.cli.options import ON, on_folder, scope_of, scope_options, workplace
from agentcl.cli.screen import Screen
from agentcl.cli.stopping import stopping
from agentcl.models.reference.shipped import REFERENCE_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentcl.memory.memory import Memory
    from agentcl.memory.upkeep.jobs import Jobs
    from agentcl.store.jobs import Job, State

_STATES = ("queued", "running", "done", "failed", "cancelled")
_STOPPING = "stopping after the step under way; once more ends at once"


@click.group()
def jobs() -> None:
    """Look at long work, run it, or decide against it."""


@jobs.command(name="list")
@click.option("--state", type=click.Choice(_STATES), multiple=True, help="Only in this state.")
@scope_options
@on_folder
def list_(screen: Screen, memory: Memory, state: tuple[State, ...], **given: Any) -> None:
    """List jobs, one a line, the newest last."""
    found = memory.jobs.list(states=state or None, **scope_of(given))
    cut_off = [job.id for job in found if memory.jobs.is_cut_off(job)]
    screen.jobs(found, cut_off=cut_off)
    if cut_off:
        screen.note(
            "cut off: its process was killed, and nobody runs it; agentcl jobs run goes on with it"
        )


@jobs.command()
@click.argument("id")
@on_folder
def show(screen: Screen, memory: Memory, id: str) -> None:
    """Print what is known of a job."""
    job = memory.jobs.get(id)
    screen.job(job, is_cut_off=memory.jobs.is_cut_off(job))


@jobs.command()
@click.argument("id", required=False)
@click.option("--url", help="The OpenAI-compatible endpoint of the models that jobs name.")
@click.option("--workers", type=click.IntRange(1), default=8, show_default=True)
@click.option("--load", multiple=True, help="A model or file that consolidate jobs may load.")
@ON
@on_folder
def run(
    screen: Screen,
    memory: Memory,
    id: str | None,
    url: str | None,
    workers: int,
    load: tuple[str, ...],
    on: str | None,
) -> None:
    """Run a job from where it is; without an ID all that wait.

    A model reads passages for `extract` jobs: name its endpoint with --url. The reference model needs
    none. A model that you never named is not loaded: such a job waits. Ctrl-C stops after the step under way; the job then
    waits to be run again.
    """
    place = workplace(on)
    waiting = [memory.jobs.get(id)] if id else memory.jobs.list(states=["queued", "running"])
    _add_doers(memory, waiting, url, workers, load)
    with stopping(_STOPPING) as is_stopped, screen.progress("working", None) as bar:
        if id:
            job = memory.jobs.run(id, on=place, progress=bar.update, should_stop=is_stopped)
        else:
            ran = memory.jobs.run_all(
                on=place, progress=lambda job, *step: bar.update(*step), should_stop=is_stopped
            )
    if id:
        screen.job(job)
        return
    left = memory.jobs.list(states=["queued", "running"])
    screen.jobs(ran)
    for one in left:
        screen.note(f"job {one.id} still waits" + (f": {one.error}" if one.error else ""))


@jobs.command()
@click.argument("id")
@on_folder
def cancel(screen: Screen, memory: Memory, id: str) -> None:
    """See to it that a job is not run.

    If it is being run, it stops after its next step. What was done is kept.
    """
    screen.job(memory.jobs.cancel(id))


@jobs.command()
@click.argument("id")
@on_folder
def retry(screen: Screen, memory: Memory, id: str) -> None:
    """Put a job that failed or was cancelled back into the queue."""
    screen.job(memory.jobs.retry(id))


def _add_doers(
    memory: Memory, waiting: Sequence[Job], url: str | None, workers: int, load: Sequence[str]
) -> None:
    """Hand over the models that jobs name, as far as it is known where they are served; rules are at hand."""
    jobs = memory.jobs
    for job in waiting:
        kind, _, name = str(job.spec.get("extractor")).partition(":")
        if job.kind == "extract" and kind == "model" and (url or name == REFERENCE_NAME):
            jobs.add_extractor(open_extractor(name, url), workers=workers)
        if job.kind == "compress":
            from agentcl.memory.compressed.codecs import shipped_codec

            shipped = shipped_codec()
            if shipped is not None and shipped.name == job.spec.get("codec"):
                jobs.add_codec(shipped)
        if job.kind == "consolidate":
            from agentcl.consolidation import Consolidate

            memory.jobs.add_kind(Consolidate(memory, named=load))
        if job.kind == "digest":
            _add_digester(jobs, str(job.spec.get("digester")), url)
        if job.kind == "tidy" and url and job.spec.get("summariser"):
            from agentcl.cli.statements import open_summariser

            named = str(job.spec["summariser"]).removeprefix("model:")
            jobs.add_summariser(open_summariser(named, url))


def _add_digester(jobs: Jobs, named: str, url: str | None) -> None:
    from agentcl.cli.statements import open_digester, open_learned
    from agentcl.statements.digesters.rules import RuleDigester

    kind, _, name = named.partition(":")
    if named == RuleDigester.name:
        jobs.add_digester(RuleDigester())
    elif named == "learned":
        jobs.add_digester(open_learned())
    elif kind in ("model", "sentences") and url:
        jobs.add_digester(open_digester(name, url, by_sentences=kind == "sentences"))
