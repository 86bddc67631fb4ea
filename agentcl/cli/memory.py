"""The commands that fill a memory, look into it, and take out of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentcl.cli.options import (
    Moment,
    command,
    memory_options,
    open_memory,
    open_scopes,
    scope_of,
    scope_options,
)
from agentcl.cli.screen import Screen, describe_encoder, to_json
from agentcl.errors import InvalidInput
from agentcl.files import Skipped, Source, count, load, load_stream
from agentcl.retrieval.modes import MODES

if TYPE_CHECKING:
    from agentcl.memory.documents import Draft


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...|-")
@click.option("--valid-from", type=Moment(), help="When it began to hold in the world.")
@click.option("--valid-to", type=Moment(), help="When it ceases to hold.")
@scope_options
@memory_options
@command
def add(
    screen: Screen,
    paths: tuple[str, ...],
    valid_from: datetime | None,
    valid_to: datetime | None,
    **given: Any,
) -> None:
    """Remember files, folders, or standard input (-).

    It reads .txt, .md, .rst, .html, .pdf, .jsonl, .csv and .tsv. A file that was added before is updated.
    """
    from agentcl.memory.documents import Draft  # here: with it comes the whole of `Memory`

    scope = scope_of(given)
    skipped: list[Skipped] = []

    def drafts() -> Iterator[Draft]:
        for source in _sources(paths, skipped):
            yield Draft(
                text=source.text,
                title=source.title,
                uri=source.uri,
                media_type=source.media_type,
                metadata=source.metadata,
                valid_from=valid_from,
                valid_to=valid_to,
            )

    total = count(Path(path) for path in paths)
    with open_memory(given, begins=True) as memory:
        before = memory.store.journal.last_seq()
        with screen.progress("remembering", total) as progress:
            stored = memory.add_many(
                drafts(),
                progress=lambda done: progress.update(progress.task_ids[0], completed=done),
                **scope,
            )
        fresh = [document for document in stored if memory.store.journal.seq_of(document) > before]
        added = sum(document.version == 1 for document in fresh)
        counts = {
            "added": added,
            "updated": len(fresh) - added,
            "unchanged": len(stored) - len(fresh),
            "skipped": len(skipped),
        }
        if screen.as_json:
            screen.json({**counts, "ids": [d.id for d in stored], "skipped_files": skipped})
            return
        screen.line(
            ", ".join(f"{count} {what}" for what, count in counts.items() if count)
            or "nothing to add"
        )
        for skip in skipped:
            screen.note(f"skipped {skip.path}: {skip.reason}")
        screen.note(f"{memory.path}, {describe_encoder(memory)}")


def _sources(paths: tuple[str, ...], skipped: list[Skipped]) -> Iterator[Source]:
    for path in paths:
        if path == "-":
            yield load_stream(sys.stdin.buffer, "-")
        else:
            yield from load(Path(path), skipped=skipped)


@click.command()
@click.argument("query")
@click.option("--limit", "-n", default=5, show_default=True, help="How many hits.")
@click.option("--mode", type=click.Choice(list(MODES)), default="hybrid", show_default=True)
@click.option(
    "--filter", "filters", multiple=True, metavar="FIELD=VALUE", help="Metadata must match."
)
@click.option("--as-of", type=Moment(), help="Search the memory as it was at this time.")
@click.option("--explain", is_flag=True, help="With --mode graph: the chain that led to each hit.")
@click.option(
    "--prompt", "budget", type=int, metavar="TOKENS", help="Print hits packed for a prompt."
)
@open_scopes
@scope_options
@memory_options
@command
def search(
    screen: Screen,
    query: str,
    limit: int,
    mode: Any,
    filters: tuple[str, ...],
    as_of: datetime | None,
    budget: int | None,
    explain: bool,
    **given: Any,
) -> None:
    """Find what is remembered, best first, and say why."""
    scope = scope_of(given)
    with open_memory(given) as memory:
        recall = memory.search(
            query, limit=limit, mode=mode, filters=_filters(filters), as_of=as_of, **scope
        )
        if budget is not None:
            text = recall.prompt(budget_tokens=budget)
            screen.json({"prompt": text}) if screen.as_json else click.echo(text)
        elif screen.as_json:
            chains = {"explanations": memory.graph.explain(recall)} if explain else {}
            screen.json({**to_json(recall), **chains})
        else:
            screen.recall(recall, memory.graph.explain(recall) if explain else ())


def _filters(given: tuple[str, ...]) -> dict[str, Any]:
    filters: dict[str, Any] = {}
    for item in given:
        field, equals, value = item.partition("=")
        if not equals:
            raise InvalidInput(f"--filter {item!r} needs the form FIELD=VALUE")
        filters[field] = value
    return filters


@click.command()
@click.argument("id")
@click.option("--as-of", type=Moment(), help="As it was at this time.")
@open_scopes
@scope_options
@memory_options
@command
def show(screen: Screen, id: str, as_of: datetime | None, **given: Any) -> None:
    """Print one record in full."""
    scope = scope_of(given)
    with open_memory(given) as memory:
        record = memory.get(id, as_of=as_of, **scope)
        if screen.as_json:
            counters = memory.store.journal.counters(id)
            screen.json({"record": record, "counters": counters})
        else:
            screen.record(record)


@click.command(name="list")
@click.option("--kind", default="document", show_default=True, help="Which kind of record.")
@click.option("--limit", "-n", default=100, show_default=True, help="How many.")
@open_scopes
@scope_options
@memory_options
@command
def list_(screen: Screen, kind: str, limit: int, **given: Any) -> None:
    """List records, one a line."""
    scope = scope_of(given)
    with open_memory(given) as memory:
        records = memory.list(kind=kind, limit=limit, **scope)
        screen.json(records) if screen.as_json else screen.records(records)


@click.command()
@click.argument("id")
@open_scopes
@scope_options
@memory_options
@command
def history(screen: Screen, id: str, **given: Any) -> None:
    """Print every version of a record."""
    scope = scope_of(given)
    with open_memory(given) as memory:
        versions = memory.history(id, **scope)
        screen.json(versions) if screen.as_json else screen.history(versions)


@click.command()
@click.argument("id")
@scope_options
@memory_options
@command
def delete(screen: Screen, id: str, **given: Any) -> None:
    """Stop finding a record; its history stays."""
    scope = scope_of(given)
    with open_memory(given) as memory:
        memory.delete(id, **scope)
        screen.json({"deleted": id}) if screen.as_json else screen.line(f"deleted {id}")


@click.command()
@click.argument("ids", nargs=-1, metavar="ID...")
@click.option("--everything", is_flag=True, help="All records of the named scope and below it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@scope_options
@memory_options
@command
def forget(screen: Screen, ids: tuple[str, ...], everything: bool, yes: bool, **given: Any) -> None:
    """Remove records and their bytes for good.

    What was derived from them goes as well. This cannot be undone.
    """
    scope = scope_of(given)
    with open_memory(given) as memory:
        if not yes:
            what = "everything in that scope" if everything else f"{len(ids)} record(s)"
            click.confirm(f"Forget {what} for good?", abort=True, err=True)
        receipt = memory.forget(*ids, everything=everything, **scope)
        screen.json(receipt) if screen.as_json else screen.receipt(receipt)
