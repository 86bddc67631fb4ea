"""The commands about what passages state: reading them for facts, importing facts, and the graph."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentcl.cli.options import ON, PRICES, ReadFile, WrittenFile, on_memory, workplace
from agentcl.cli.screen import Screen
from agentcl.cli.stopping import stopping
from agentcl.errors import InvalidInput
from agentcl.models.reference.shipped import REFERENCE_NAME
from agentcl.text.counted import counted

if TYPE_CHECKING:
    from agentcl.memory.facts.extraction import ModelExtractor
    from agentcl.memory.facts.room import ExtractionReport, ExtractionState
    from agentcl.memory.memory import Memory
    from agentcl.models.base import ChatModel

_STOPPING = "stopping after the passages under way; once more ends at once"


@click.command()
@click.option("--model", "name", required=True, help="`reference`, or what the endpoint calls it.")
@click.option("--url", help="An OpenAI-compatible endpoint, e.g. http://localhost:8000/v1.")
@click.option("--dry-run", is_flag=True, help="Say what it would take, and ask nothing.")
@click.option(
    "--queue", "is_queued", is_flag=True, help="Ask for it only; `agentcl jobs run` does it."
)
@PRICES
@click.option("--retry", is_flag=True, help="Also passages that failed before.")
@click.option("--limit", type=click.IntRange(1), help="At most so many passages in one run.")
@click.option("--workers", type=click.IntRange(1), default=8, show_default=True)
@ON
@click.option(
    "--ledger", "file", type=click.Path(path_type=Path), help="Note each call's cost here."
)
@on_memory()
def extract(
    screen: Screen,
    memory: Memory,
    name: str,
    url: str | None,
    dry_run: bool,
    is_queued: bool,
    prices: Path | None,
    retry: bool,
    limit: int | None,
    workers: int,
    on: str | None,
    file: Path | None,
    scope: dict[str, Any],
) -> None:
    """Let a language model list the facts of passages.

    It reads every passage that it has not read yet. It can be stopped with Ctrl-C and run again: it
    goes on where it stopped.
    """
    if dry_run:
        state = memory.facts.state(f"model:{name}", retry=retry, limit=limit, **scope)
        _estimate(screen, state, name, prices, instructed=name != REFERENCE_NAME)
        return
    if is_queued:
        spec = {"extractor": f"model:{name}", "retry": retry, "limit": limit}
        job = memory.jobs.enqueue("extract", spec, **scope)
        screen.job(job)
        return
    place = workplace(on, ledger=file)
    extractor = open_extractor(name, url, ledger=file)
    with stopping(_STOPPING) as is_stopped, screen.progress("reading", None) as bar:
        report = memory.facts.extract(
            extractor,
            limit=limit,
            retry=retry,
            workers=workers,
            on=place,
            progress=bar.update,
            should_stop=is_stopped,
            **scope,
        )
    dropped = f", {counted(report.dropped, 'fact')} left out" if report.dropped else ""
    screen.answer(
        report, f"{counted(report.read, 'passage')} read, {counted(report.facts, 'fact')}{dropped}"
    )
    if not screen.as_json:
        _tell_rest(screen, report)
    if report.read and report.failed == report.read:
        raise SystemExit(1)


def _tell_rest(screen: Screen, report: ExtractionReport) -> None:
    """Print the job, and what it did not read."""
    screen.note(f"job {report.job}")
    if report.failed:
        screen.note(
            f"{counted(report.failed, 'passage')} failed; `agentcl doctor` says why, --retry asks again"
        )
    if report.remaining:
        screen.note(f"{report.remaining} passages are still to be read")


def open_extractor(name: str, url: str | None, *, ledger: Path | None = None) -> ModelExtractor:
    """Open the model that reads passages. Raises InvalidInput if it is not known where it is served."""
    from agentcl.memory.facts.extraction import INSTRUCTIONS, ModelExtractor

    model = open_model(name, url)
    if ledger is not None:
        from agentcl.models.ledger import Ledger, RecordedModel

        model = RecordedModel(model, Ledger(ledger), purpose="extraction")
    # Keyed by the name that was asked for, so that the same model served elsewhere goes on.
    return ModelExtractor(
        model, instructions="" if name == REFERENCE_NAME else INSTRUCTIONS, name=f"model:{name}"
    )


def open_model(name: str, url: str | None) -> ChatModel:
    """Open a model by its endpoint; the reference model needs none. Raises InvalidInput without one."""
    if url is not None:
        from agentcl.models.openai import OpenAIChat

        return OpenAIChat(name, base_url=url)
    if name == REFERENCE_NAME:
        from agentcl.models.reference.shipped import open_reference

        return open_reference()
    raise InvalidInput(f"where is {name!r} served? Name its endpoint with --url")


def _estimate(
    screen: Screen, state: ExtractionState, name: str, prices: Path | None, *, instructed: bool
) -> None:
    """Print what is to do and what it would cost."""
    from agentcl.memory.facts.extraction import expected_usage
    from agentcl.models.ledger import Prices

    expected = expected_usage(state.pending, state.prompt_tokens, is_told=instructed)
    read, written = expected.prompt_tokens, expected.completion_tokens
    price = None if prices is None else Prices.load(prices).price(name, expected)
    if screen.as_json:
        estimate = {"prompt_tokens": read, "completion_tokens": written, "price": price}
        screen.json({"state": state, "estimate": estimate})
        return
    screen.line(
        f"{state.pending} of {state.passages} passages to read: about {read:,} tokens to read and "
        f"{written:,} to write" + ("" if price is None else f", {price:.2f} by the price table")
    )
    if prices is not None and price is None:
        screen.note(f"the price table has no model {name!r}")


@click.group()
def graph() -> None:
    """Look at the graph of what passages name and state."""


@graph.command(name="import")
@click.argument("file", type=ReadFile(), metavar="FILE|-")
@click.option(
    "--extractor", default="", help="Where the facts come from; default: the file's name."
)
@on_memory()
def import_(
    screen: Screen, memory: Memory, file: Path, extractor: str, scope: dict[str, Any]
) -> None:
    """Take over facts that another program extracted.

    It extracted them from the texts of this memory. FILE is HippoRAG's JSON, JSON lines, or TSV; .gz is
    unpacked.
    """
    report = memory.facts.import_(file, extractor=extractor, **scope)
    dropped = f", {counted(report.dropped, 'fact')} left out" if report.dropped else ""
    screen.answer(
        report, f"{counted(report.facts, 'fact')} for {counted(report.matched, 'passage')}{dropped}"
    )
    if report.unknown and not screen.as_json:
        screen.note(
            f"{len(report.unknown)} of {report.documents} texts are not in this memory, e.g. "
            f"“{report.unknown[0]}”; add them first"
        )


@graph.command()
@on_memory(across=True)
def stats(screen: Screen, memory: Memory, scope: dict[str, Any]) -> None:
    """Print how large the graph is, and what holds it together."""
    found = memory.graph.view(**scope).stats()
    screen.json(found) if screen.as_json else screen.graph_stats(found)


@graph.command()
@click.argument("phrase")
@click.option("--limit", "-n", default=20, show_default=True, help="How many of each.")
@on_memory(across=True)
def neighbors(
    screen: Screen, memory: Memory, phrase: str, limit: int, scope: dict[str, Any]
) -> None:
    """Print what is one step from a phrase.

    These are passages, facts, and what is named with it.
    """
    near = memory.graph.view(**scope).near(phrase, limit=limit)
    screen.json(near) if screen.as_json else screen.near(near)


@graph.command()
@click.argument("start")
@click.argument("end")
@on_memory(across=True)
def path(screen: Screen, memory: Memory, start: str, end: str, scope: dict[str, Any]) -> None:
    """Print a shortest way from one phrase to another."""
    way = memory.graph.view(**scope).path(start, end)
    screen.answer(
        way,
        *(node.name if node.kind == "phrase" else f"  in {node.name}  {node.id}" for node in way),
    )


@graph.command()
@click.argument("name")
@click.argument("other")
@on_memory()
def alias(screen: Screen, memory: Memory, name: str, other: str, scope: dict[str, Any]) -> None:
    """Say that two names are one thing's.

    The graph has one node for them then, and a search by one name finds what is said of the other. Texts stay as they are.
    """
    from agentcl.retrieval.graph.phrases import normalise

    stored = memory.aliases.add(name, other, **scope)
    given = [part for one in memory.aliases.list(**scope) for part in (one.name, one.other)]
    spelt = {normalise(one): one for one in (*given, name, other)}
    names = ", ".join(spelt.get(one, one) for one in memory.aliases.names(name, **scope))
    screen.answer(stored, f"one thing: {names}")
    if not screen.as_json:
        screen.note(
            f"to take it back: agentcl graph unalias {shlex.quote(name)} {shlex.quote(other)}"
        )


@graph.command()
@click.argument("name")
@click.argument("other")
@on_memory()
def unalias(screen: Screen, memory: Memory, name: str, other: str, scope: dict[str, Any]) -> None:
    """Take back that two names are one thing's."""
    memory.aliases.remove(name, other, **scope)
    screen.answer({"removed": [name, other]}, f"two things again: {name}, {other}")


@graph.command()
@click.argument("name", default="")
@on_memory(across=True)
def aliases(screen: Screen, memory: Memory, name: str, scope: dict[str, Any]) -> None:
    """Print which names are one thing's; with NAME, those of this one."""
    found = memory.aliases.list(name, **scope)
    screen.answer(found, *(f"{one.name} = {one.other}  {one.id}" for one in found))
    if not found and not screen.as_json:
        screen.note('none; to join two: agentcl graph alias "Bob Lindholm" "Robert Lindholm"')


@graph.command()
@click.argument("file", type=WrittenFile(), metavar="FILE|-")
@on_memory(across=True)
def export(screen: Screen, memory: Memory, file: Path, scope: dict[str, Any]) -> None:
    """Write the graph to a .graphml or .json file.

    With - it is printed as JSON.
    """
    count = memory.graph.view(**scope).export(file)
    screen.saved(file, f"{count} edges in {file}", edges=count)


@graph.command()
@click.argument("file", type=WrittenFile(), metavar="FILE|-")
@click.option("--phrase", help="The middle of the picture.")
@click.option("--query", help="Draw how a search with --mode graph comes to its hits.")
@click.option("--limit", "-n", default=5, show_default=True, help="How many hits.")
@on_memory(across=True)
def draw(
    screen: Screen,
    memory: Memory,
    file: Path,
    phrase: str | None,
    query: str | None,
    limit: int,
    scope: dict[str, Any],
) -> None:
    """Draw what is near a phrase, or how a search goes.

    The picture is .html or .svg. With - it is printed as SVG.
    """
    recall = None if query is None else memory.search(query, mode="graph", limit=limit, **scope)
    count = memory.graph.view(**scope).draw(file, phrase=phrase, recall=recall)
    screen.saved(file, f"{count} nodes in {file}", nodes=count)
