"""The commands about what passages state: reading them for facts, importing facts, and the graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentcl.cli.options import (
    command,
    memory_options,
    open_memory,
    open_scopes,
    scope_of,
    scope_options,
)
from agentcl.cli.screen import Screen
from agentcl.cli.stopping import stopping
from agentcl.errors import InvalidInput
from agentcl.models.reference.shipped import REFERENCE_NAME

if TYPE_CHECKING:
    from agentcl.memory.facts import ExtractionState
    from agentcl.models.base import ChatModel

_STOPPING = "stopping after the passages under way; once more ends at once"


@click.command()
@click.option("--model", "name", required=True, help="`reference`, or what the endpoint calls it.")
@click.option("--url", help="An OpenAI-compatible endpoint, e.g. http://localhost:8000/v1.")
@click.option("--dry-run", is_flag=True, help="Say what it would take, and ask nothing.")
@click.option("--prices", type=click.Path(path_type=Path), help="A TOML file of prices by model.")
@click.option("--retry", is_flag=True, help="Also passages that failed before.")
@click.option("--limit", type=click.IntRange(1), help="At most so many passages.")
@click.option("--workers", type=click.IntRange(1), default=8, show_default=True)
@click.option(
    "--ledger", "file", type=click.Path(path_type=Path), help="Note each call's cost here."
)
@scope_options
@memory_options
@command
def extract(
    screen: Screen,
    name: str,
    url: str | None,
    dry_run: bool,
    prices: Path | None,
    retry: bool,
    limit: int | None,
    workers: int,
    file: Path | None,
    **given: Any,
) -> None:
    """Let a language model list the facts of passages.

    It reads every passage that it has not read yet. It can be stopped with Ctrl-C and run again: it
    goes on where it stopped.
    """
    scope = scope_of(given)
    with open_memory(given) as memory:
        if dry_run:
            extractor_name = f"model:{name}"
            state = memory.facts.state(extractor_name, retry=retry, **scope)
            _estimate(screen, state, name, prices, instructed=name != REFERENCE_NAME)
            return
        from agentcl.memory.extraction import INSTRUCTIONS, ModelExtractor

        model = _model(name, url)
        if file is not None:
            from agentcl.models.ledger import Ledger, RecordedModel

            model = RecordedModel(model, Ledger(file), purpose="extraction")
        # Keyed by the name that was asked for, so that the same model served elsewhere goes on.
        extractor = ModelExtractor(
            model, instructions="" if name == REFERENCE_NAME else INSTRUCTIONS, name=f"model:{name}"
        )
        with stopping(_STOPPING) as is_stopped, screen.progress("reading", None) as bar:
            report = memory.facts.extract(
                extractor,
                limit=limit,
                retry=retry,
                workers=workers,
                progress=lambda done, total: bar.update(
                    bar.task_ids[0], completed=done, total=total
                ),
                should_stop=is_stopped,
                **scope,
            )
        if screen.as_json:
            screen.json(report)
            return
        screen.line(
            f"{report.read} passages read, {report.facts} facts"
            + (f", {report.dropped} facts left out" if report.dropped else "")
        )
        if report.failed:
            screen.note(
                f"{report.failed} passages failed; `agentcl doctor` says why, --retry asks again"
            )
        if report.remaining:
            screen.note(f"{report.remaining} passages are still to be read")


def _model(name: str, url: str | None) -> ChatModel:
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
    from agentcl.memory.extraction import expected_usage
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
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--extractor", default="", help="Where the facts come from; default: the file's name."
)
@scope_options
@memory_options
@command
def import_(screen: Screen, file: Path, extractor: str, **given: Any) -> None:
    """Take over facts that another program extracted.

    It extracted them from the texts of this memory. FILE is HippoRAG's JSON, JSON lines, or TSV; .gz is
    unpacked.
    """
    scope = scope_of(given)
    with open_memory(given) as memory:
        report = memory.facts.import_(file, extractor=extractor, **scope)
    if screen.as_json:
        screen.json(report)
        return
    screen.line(
        f"{report.facts} facts for {report.matched} passages"
        + (f", {report.dropped} facts left out" if report.dropped else "")
    )
    if report.unknown:
        screen.note(
            f"{len(report.unknown)} of {report.documents} texts are not in this memory, e.g. "
            f"“{report.unknown[0]}”; add them first"
        )


@graph.command()
@open_scopes
@scope_options
@memory_options
@command
def stats(screen: Screen, **given: Any) -> None:
    """Print how large the graph is, and what holds it together."""
    scope = scope_of(given)
    with open_memory(given) as memory:
        found = memory.graph.view(**scope).stats()
    screen.json(found) if screen.as_json else screen.graph_stats(found)


@graph.command()
@click.argument("phrase")
@click.option("--limit", "-n", default=20, show_default=True, help="How many of each.")
@open_scopes
@scope_options
@memory_options
@command
def neighbors(screen: Screen, phrase: str, limit: int, **given: Any) -> None:
    """Print what is one step from a phrase.

    These are passages, facts, and what is named with it.
    """
    scope = scope_of(given)
    with open_memory(given) as memory:
        near = memory.graph.view(**scope).near(phrase, limit=limit)
    screen.json(near) if screen.as_json else screen.near(near)


@graph.command()
@click.argument("start")
@click.argument("end")
@open_scopes
@scope_options
@memory_options
@command
def path(screen: Screen, start: str, end: str, **given: Any) -> None:
    """Print a shortest way from one phrase to another."""
    scope = scope_of(given)
    with open_memory(given) as memory:
        way = memory.graph.view(**scope).path(start, end)
    if screen.as_json:
        screen.json(way)
        return
    for node in way:
        screen.line(f"{node.name}" if node.kind == "phrase" else f"  in {node.name}  {node.id}")


@graph.command()
@click.argument("file", type=click.Path(path_type=Path))
@open_scopes
@scope_options
@memory_options
@command
def export(screen: Screen, file: Path, **given: Any) -> None:
    """Write the graph to a .graphml or .json file."""
    scope = scope_of(given)
    with open_memory(given) as memory:
        count = memory.graph.view(**scope).export(file)
    screen.json({"edges": count}) if screen.as_json else screen.line(f"{count} edges in {file}")


@graph.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--phrase", help="The middle of the picture.")
@click.option("--query", help="Draw how a search with --mode graph comes to its hits.")
@click.option("--limit", "-n", default=5, show_default=True, help="How many hits.")
@open_scopes
@scope_options
@memory_options
@command
def draw(
    screen: Screen, file: Path, phrase: str | None, query: str | None, limit: int, **given: Any
) -> None:
    """Draw what is near a phrase, or how a search goes.

    The picture is .html or .svg.
    """
    scope = scope_of(given)
    with open_memory(given) as memory:
        recall = None if query is None else memory.search(query, mode="graph", limit=limit, **scope)
        count = memory.graph.view(**scope).draw(file, phrase=phrase, recall=recall)
    screen.json({"nodes": count}) if screen.as_json else screen.line(f"{count} nodes in {file}")
