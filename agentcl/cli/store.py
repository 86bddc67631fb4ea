"""The commands about a whole memory: copies of it, its size, its health, its encoder and indexes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from agentcl.cli.options import (
    command,
    folder_options,
    memory_options,
    open_folder,
    open_memory,
    scope_of,
    scope_options,
)
from agentcl.cli.screen import Screen


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--salvage", is_flag=True, help="Leave out what a damaged disk does not give back.")
@scope_options
@memory_options
@command
def export(screen: Screen, file: Path, salvage: bool, **given: Any) -> None:
    """Write a memory to a file of JSON lines, losslessly."""
    scope = scope_of(given)
    with open_memory(given) as memory:
        rows = memory.store.export(file, salvage=salvage, **scope)
        screen.json({"rows": rows, "file": file}) if screen.as_json else screen.line(
            f"{rows} rows written to {file}"
        )


@click.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@memory_options
@command
def import_(screen: Screen, file: Path, **given: Any) -> None:
    """Add the records of an export.

    Their ids, histories and vectors stay as they were.
    """
    with open_memory(given, begins=True) as memory:
        imported = memory.store.import_(file)
        if screen.as_json:
            screen.json(imported)
            return
        screen.line(
            f"{imported.added} rows added, {imported.present} were here, "
            f"{imported.forgotten} left out because their record was forgotten here"
        )


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@memory_options
@command
def snapshot(screen: Screen, folder: Path, **given: Any) -> None:
    """Copy a memory into a new folder.

    The copy is consistent, whoever writes meanwhile.
    """
    with open_memory(given) as memory:
        memory.store.snapshot(folder)
        screen.json({"folder": folder}) if screen.as_json else screen.line(f"copied to {folder}")


@click.command()
@scope_options
@memory_options
@command
def stats(screen: Screen, **given: Any) -> None:
    """Print how much is stored."""
    scope = scope_of(given)
    with open_memory(given, may_be_empty=True) as memory:
        result = memory.store.stats(**scope)
        screen.json(result) if screen.as_json else screen.stats(result)


@click.command()
@memory_options
@command
def doctor(screen: Screen, **given: Any) -> None:
    """Check the whole folder, and print the settings.

    It says where each setting came from. The exit status is 1 if anything is wrong.
    """
    with open_memory(given, may_be_empty=True) as memory:
        report = memory.store.examine()
        screen.json(report) if screen.as_json else screen.report(report)
    if not report.is_healthy:
        sys.exit(1)


@click.command()
@click.option("--encoder", required=True, help="The new encoder.")
@folder_options
@command
def reembed(screen: Screen, path: Path | None, encoder: str) -> None:
    """Replace all vectors by another encoder's.

    It can be interrupted and run again.
    """
    with open_folder(path) as memory:
        with screen.progress("embedding", None) as progress:
            is_done = memory.store.reembed(
                encoder,
                progress=lambda done, total: progress.update(
                    progress.task_ids[0], completed=done, total=total
                ),
            )
        result = memory.store.stats()
        if screen.as_json:
            screen.json(result)
        elif is_done:
            screen.line(f"embedded with {result.encoder}")
        if not is_done:
            screen.note("somebody cancelled the job; run it again to go on")


@click.command()
@memory_options
@command
def reindex(screen: Screen, **given: Any) -> None:
    """Build every index anew from the journal.

    This needs no encoder.
    """
    with open_memory(given) as memory:
        memory.store.retriever.rebuild()
        states = memory.store.retriever.states()
        screen.json(states) if screen.as_json else screen.line(
            f"rebuilt: {', '.join(state.name for state in states)}"
        )
