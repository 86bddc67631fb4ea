"""The command line: `agentcl COMMAND --help` tells what each does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from agentcl.cli.bench import bench
from agentcl.cli.envs import envs
from agentcl.cli.episodes import episodes
from agentcl.cli.graph import extract, graph
from agentcl.cli.guidance import guidance
from agentcl.cli.models import ledger, model
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
from agentcl import files as loaders
from agentcl.memory.doctor import examine
from agentcl.memory.documents import Draft
from agentcl.memory.memory import Memory
from agentcl.memory.settings import resolve


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="agentcl")
def main() -> None:
    """Keep a memory for agents in a folder, and find what is in it.

    The folder is --path, else AGENTCL_PATH, else `path` in agentcl.toml, else ./agentcl-memory.
    """


@main.command()
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

    Reads .txt, .md, .rst, .html, .pdf, .jsonl, .csv and .tsv. A file that was added before is updated.
    """
    scope = scope_of(given)
    skipped: list[loaders.Skipped] = []

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

    total = loaders.count(Path(path) for path in paths)
    with open_memory(given, begins=True) as memory:
        before = memory.journal.last_seq()
        with screen.progress("remembering", total) as progress:
            stored = memory.add_many(
                drafts(),
                progress=lambda done: progress.update(progress.task_ids[0], completed=done),
                **scope,
            )
        fresh = [document for document in stored if memory.journal.seq_of(document) > before]
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


def _sources(paths: tuple[str, ...], skipped: list[loaders.Skipped]) -> Iterator[loaders.Source]:
    for path in paths:
        if path == "-":
            yield loaders.load_stream(sys.stdin.buffer, "-")
        else:
            yield from loaders.load(Path(path), skipped=skipped)


@main.command()
@click.argument("query")
@click.option("--limit", "-n", default=5, show_default=True, help="How many hits.")
@click.option(
    "--mode", type=click.Choice(["hybrid", "dense", "text", "graph", "hipporag2"]), default="hybrid"
)
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
            chains = {"explanations": memory.explain(recall)} if explain else {}
            screen.json({**to_json(recall), **chains})
        else:
            screen.recall(recall, memory.explain(recall) if explain else ())


def _filters(given: tuple[str, ...]) -> dict[str, Any]:
    filters: dict[str, Any] = {}
    for item in given:
        field, equals, value = item.partition("=")
        if not equals:
            raise InvalidInput(f"--filter {item!r} needs the form FIELD=VALUE")
        filters[field] = value
    return filters


@main.command()
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
            counters = memory.journal.counters(id)
            screen.json({"record": record, "counters": counters})
        else:
            screen.record(record)


@main.command(name="list")
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


@main.command()
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


@main.command()
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


@main.command()
@click.argument("ids", nargs=-1, metavar="ID...")
@click.option("--everything", is_flag=True, help="All records of the named scope and below it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@scope_options
@memory_options
@command
def forget(screen: Screen, ids: tuple[str, ...], everything: bool, yes: bool, **given: Any) -> None:
    """Remove records for good, with all derived from them and their bytes. Cannot be undone."""
    scope = scope_of(given)
    with open_memory(given) as memory:
        if not yes:
            what = "everything in that scope" if everything else f"{len(ids)} record(s)"
            click.confirm(f"Forget {what} for good?", abort=True, err=True)
        receipt = memory.forget(*ids, everything=everything, **scope)
        screen.json(receipt) if screen.as_json else screen.receipt(receipt)


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--salvage", is_flag=True, help="Leave out what a damaged disk does not give back.")
@scope_options
@memory_options
@command
def export(screen: Screen, file: Path, salvage: bool, **given: Any) -> None:
    """Write a memory to a file of JSON lines, losslessly."""
    scope = scope_of(given)
    with open_memory(given) as memory:
        rows = memory.export(file, salvage=salvage, **scope)
        screen.json({"rows": rows, "file": file}) if screen.as_json else screen.line(
            f"{rows} rows written to {file}"
        )


@main.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@memory_options
@command
def import_(screen: Screen, file: Path, **given: Any) -> None:
    """Add the records of an export, with ids, histories and vectors as they were."""
    with open_memory(given, begins=True) as memory:
        imported = memory.import_(file)
        if screen.as_json:
            screen.json(imported)
            return
        screen.line(
            f"{imported.added} rows added, {imported.present} were here, "
            f"{imported.forgotten} left out because their record was forgotten here"
        )


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@memory_options
@command
def snapshot(screen: Screen, folder: Path, **given: Any) -> None:
    """Write a consistent copy of a memory into a new folder."""
    with open_memory(given) as memory:
        memory.snapshot(folder)
        screen.json({"folder": folder}) if screen.as_json else screen.line(f"copied to {folder}")


@main.command()
@scope_options
@memory_options
@command
def stats(screen: Screen, **given: Any) -> None:
    """Print how much is stored."""
    scope = scope_of(given)
    with open_memory(given, may_be_empty=True) as memory:
        result = memory.stats(**scope)
        screen.json(result) if screen.as_json else screen.stats(result)


@main.command()
@memory_options
@command
def doctor(screen: Screen, **given: Any) -> None:
    """Print the settings and where they came from, and check the whole folder.

    Exit status 1 if anything is wrong.
    """
    with open_memory(given, may_be_empty=True) as memory:
        report = examine(memory)
        screen.json(report) if screen.as_json else screen.report(report)
    if not report.is_healthy:
        sys.exit(1)


@main.command()
@click.option("--path", type=click.Path(path_type=Path), help="The memory's folder.")
@click.option("--encoder", required=True, help="The new encoder.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@command
def reembed(screen: Screen, path: Path | None, encoder: str) -> None:
    """Replace all vectors by another encoder's. Can be interrupted and run again."""
    # The settings may already name the new encoder, so open with the one that is in the folder.
    with Memory(path, encoder=_held_encoder(path)) as memory:
        with screen.progress("embedding", None) as progress:
            memory.reembed(
                encoder,
                progress=lambda done, total: progress.update(
                    progress.task_ids[0], completed=done, total=total
                ),
            )
        result = memory.stats()
        screen.json(result) if screen.as_json else screen.line(f"embedded with {result.encoder}")


def _held_encoder(path: Path | None) -> str | None:
    from agentcl.store.sqlite.journal import Journal

    folder = resolve({"path": path})["path"].value
    journal = Journal(folder, read_only=True)
    try:
        held = journal.encoder()
        return None if held is None else held.name
    finally:
        journal.close()


@main.command()
@memory_options
@command
def reindex(screen: Screen, **given: Any) -> None:
    """Build every index anew from the journal; needs no encoder."""
    with open_memory(given) as memory:
        memory.retriever.rebuild()
        states = memory.retriever.states()
        screen.json(states) if screen.as_json else screen.line(
            f"rebuilt: {', '.join(state.name for state in states)}"
        )


for group in (ledger, model, extract, graph, episodes, guidance, envs, bench):
    main.add_command(group)
