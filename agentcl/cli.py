"""The command line: `agentcl COMMAND --help` tells what each does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

import click

from agentcl import loaders
from agentcl.config import resolve
from agentcl.console import Screen, describe_encoder
from agentcl.doctor import examine
from agentcl.documents import Draft
from agentcl.errors import AgentclError, InvalidInput, StoreUnavailable
from agentcl.facade import Memory
from agentcl.memory.journal import FILE as JOURNAL
from agentcl.memory.records import ANY
from agentcl.models.check import check as check_endpoint
from agentcl.models.ledger import By, Ledger, Prices

F = TypeVar("F", bound=Callable[..., Any])
_SCOPE: Final = ("tenant", "user", "agent", "session")


class _Moment(click.ParamType[datetime]):
    """A moment in ISO 8601; without an offset it is in UTC."""

    name = "TIME"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return an aware datetime."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time; write e.g. 2026-03-01T12:00:00+01:00", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _memory_options(command: F) -> F:
    """Options that say which memory, and how to print."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option("--index", help="exact, chroma or chroma:http://HOST:PORT."),
        click.option("--encoder", help="hashing, minilm, sentence-transformers:NAME, ..."),
        click.option("--path", type=click.Path(path_type=Path), help="The memory's folder."),
    ):
        command = option(command)
    return command


def _scope_options(command: F) -> F:
    """Options that say whose memory."""
    for name in reversed(_SCOPE):
        command = click.option(f"--{name}", help=f"Only this {name}'s memory.")(command)
    return command


def _open_scopes(command: F) -> F:
    """An option for reading across scopes."""
    return click.option(
        "--all-scopes", is_flag=True, help="Look into every scope that is not named."
    )(command)


def _command(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command its screen, and turn our errors into a message and exit status 1."""

    @wraps(command)
    def run(*args: Any, as_json: bool, **kwargs: Any) -> None:
        screen = Screen(as_json=as_json)
        try:
            command(screen, *args, **kwargs)
        except AgentclError as error:
            screen.error(error)
            sys.exit(1)

    return run


def _scope(given: dict[str, Any]) -> dict[str, Any]:
    """Take the scope out of a command's options."""
    is_open = given.pop("all_scopes", False)
    named = {name: given.pop(name, None) for name in _SCOPE}
    if is_open:
        return {name: ANY if value is None else value for name, value in named.items()}
    return {name: value for name, value in named.items() if value is not None}


def _open(
    given: dict[str, Any], *, begins: bool = False, may_be_empty: bool = False, **settings: Any
) -> Memory:
    """Open the memory that a command's options name; looking at one that is not there makes none."""
    options = {name: given.pop(name) for name in ("path", "encoder", "index") if name in given}
    path = resolve({"path": options.get("path")})["path"].value
    if not begins and not (path / JOURNAL).exists():
        raise StoreUnavailable(
            f"there is no memory at {path}; begin one with `agentcl add`, or name another --path"
        )
    memory = Memory(**options, **settings, read_only=False)
    if not (begins or may_be_empty) and memory.journal.last_seq() == 0:
        memory.close()
        raise InvalidInput(f"the memory at {path} is empty; fill it with `agentcl add`")
    return memory


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="agentcl")
def main() -> None:
    """Keep a memory for agents in a folder, and find what is in it.

    The folder is --path, else AGENTCL_PATH, else `path` in agentcl.toml, else ./agentcl-memory.
    """


@main.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...|-")
@click.option("--valid-from", type=_Moment(), help="When it began to hold in the world.")
@click.option("--valid-to", type=_Moment(), help="When it ceases to hold.")
@_scope_options
@_memory_options
@_command
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
    scope = _scope(given)
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
    with _open(given, begins=True) as memory:
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
@click.option("--mode", type=click.Choice(["fused", "dense", "text"]), default="fused")
@click.option(
    "--filter", "filters", multiple=True, metavar="FIELD=VALUE", help="Metadata must match."
)
@click.option("--as-of", type=_Moment(), help="Search the memory as it was at this time.")
@click.option(
    "--prompt", "budget", type=int, metavar="TOKENS", help="Print hits packed for a prompt."
)
@_open_scopes
@_scope_options
@_memory_options
@_command
def search(
    screen: Screen,
    query: str,
    limit: int,
    mode: Any,
    filters: tuple[str, ...],
    as_of: datetime | None,
    budget: int | None,
    **given: Any,
) -> None:
    """Find what is remembered, best first, and say why."""
    scope = _scope(given)
    with _open(given) as memory:
        recall = memory.search(
            query, limit=limit, mode=mode, filters=_filters(filters), as_of=as_of, **scope
        )
        if budget is not None:
            text = recall.prompt(budget_tokens=budget)
            screen.json({"prompt": text}) if screen.as_json else click.echo(text)
        elif screen.as_json:
            screen.json(recall)
        else:
            screen.recall(recall)


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
@click.option("--as-of", type=_Moment(), help="As it was at this time.")
@_open_scopes
@_scope_options
@_memory_options
@_command
def show(screen: Screen, id: str, as_of: datetime | None, **given: Any) -> None:
    """Print one record in full."""
    scope = _scope(given)
    with _open(given) as memory:
        record = memory.get(id, as_of=as_of, **scope)
        if screen.as_json:
            counters = memory.journal.counters(id)
            screen.json({"record": record, "counters": counters})
        else:
            screen.record(record)


@main.command(name="list")
@click.option("--kind", default="document", show_default=True, help="Which kind of record.")
@click.option("--limit", "-n", default=100, show_default=True, help="How many.")
@_open_scopes
@_scope_options
@_memory_options
@_command
def list_(screen: Screen, kind: str, limit: int, **given: Any) -> None:
    """List records, one a line."""
    scope = _scope(given)
    with _open(given) as memory:
        records = memory.list(kind=kind, limit=limit, **scope)
        screen.json(records) if screen.as_json else screen.records(records)


@main.command()
@click.argument("id")
@_open_scopes
@_scope_options
@_memory_options
@_command
def history(screen: Screen, id: str, **given: Any) -> None:
    """Print every version of a record."""
    scope = _scope(given)
    with _open(given) as memory:
        versions = memory.history(id, **scope)
        screen.json(versions) if screen.as_json else screen.history(versions)


@main.command()
@click.argument("id")
@_scope_options
@_memory_options
@_command
def delete(screen: Screen, id: str, **given: Any) -> None:
    """Stop finding a record; its history stays."""
    scope = _scope(given)
    with _open(given) as memory:
        memory.delete(id, **scope)
        screen.json({"deleted": id}) if screen.as_json else screen.line(f"deleted {id}")


@main.command()
@click.argument("ids", nargs=-1, metavar="ID...")
@click.option("--everything", is_flag=True, help="All records of the named scope and below it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_scope_options
@_memory_options
@_command
def forget(screen: Screen, ids: tuple[str, ...], everything: bool, yes: bool, **given: Any) -> None:
    """Remove records for good, with all derived from them and their bytes. Cannot be undone."""
    scope = _scope(given)
    with _open(given) as memory:
        if not yes:
            what = "everything in that scope" if everything else f"{len(ids)} record(s)"
            click.confirm(f"Forget {what} for good?", abort=True, err=True)
        receipt = memory.forget(*ids, everything=everything, **scope)
        screen.json(receipt) if screen.as_json else screen.receipt(receipt)


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--salvage", is_flag=True, help="Leave out what a damaged disk does not give back.")
@_scope_options
@_memory_options
@_command
def export(screen: Screen, file: Path, salvage: bool, **given: Any) -> None:
    """Write a memory to a file of JSON lines, losslessly."""
    scope = _scope(given)
    with _open(given) as memory:
        rows = memory.export(file, salvage=salvage, **scope)
        screen.json({"rows": rows, "file": file}) if screen.as_json else screen.line(
            f"{rows} rows written to {file}"
        )


@main.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@_memory_options
@_command
def import_(screen: Screen, file: Path, **given: Any) -> None:
    """Add the records of an export, with ids, histories and vectors as they were."""
    with _open(given, begins=True) as memory:
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
@_memory_options
@_command
def snapshot(screen: Screen, folder: Path, **given: Any) -> None:
    """Write a consistent copy of a memory into a new folder."""
    with _open(given) as memory:
        memory.snapshot(folder)
        screen.json({"folder": folder}) if screen.as_json else screen.line(f"copied to {folder}")


@main.command()
@_scope_options
@_memory_options
@_command
def stats(screen: Screen, **given: Any) -> None:
    """Print how much is stored."""
    scope = _scope(given)
    with _open(given, may_be_empty=True) as memory:
        result = memory.stats(**scope)
        screen.json(result) if screen.as_json else screen.stats(result)


@main.command()
@_memory_options
@_command
def doctor(screen: Screen, **given: Any) -> None:
    """Print the settings and where they came from, and check the whole folder.

    Exit status 1 if anything is wrong.
    """
    with _open(given, may_be_empty=True) as memory:
        report = examine(memory)
        screen.json(report) if screen.as_json else screen.report(report)
    if not report.is_healthy:
        sys.exit(1)


@main.command()
@click.option("--path", type=click.Path(path_type=Path), help="The memory's folder.")
@click.option("--encoder", required=True, help="The new encoder.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_command
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
    from agentcl.config import resolve
    from agentcl.memory.journal import Journal

    folder = resolve({"path": path})["path"].value
    journal = Journal(folder, read_only=True)
    try:
        held = journal.encoder()
        return None if held is None else held.name
    finally:
        journal.close()


@main.command()
@_memory_options
@_command
def reindex(screen: Screen, **given: Any) -> None:
    """Build every index anew from the journal; needs no encoder."""
    with _open(given) as memory:
        memory.retriever.rebuild()
        states = memory.retriever.states()
        screen.json(states) if screen.as_json else screen.line(
            f"rebuilt: {', '.join(state.name for state in states)}"
        )


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--by", type=click.Choice(get_args(By)), default="day", show_default=True)
@click.option("--prices", type=click.Path(path_type=Path), help="A TOML file of prices by model.")
@click.option("--since", type=_Moment(), help="Only calls from this time on.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_command
def ledger(screen: Screen, file: Path, by: By, prices: Path | None, since: datetime | None) -> None:
    """Print what calls to language models cost."""
    if not file.is_file():
        raise StoreUnavailable(f"there is no ledger at {file}; check the path")
    table = None if prices is None else Prices.load(prices)
    with closing(Ledger(file, prices=table)) as opened:
        lines = opened.lines(by=by, since=since)
    screen.json(lines) if screen.as_json else screen.ledger(by, lines)


@main.group()
def model() -> None:
    """Look at a language model's endpoint."""


@model.command()
@click.argument("url")
@click.option("--model", "name", help="Which model; default: the first that it serves.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_command
def check(screen: Screen, url: str, name: str | None) -> None:
    """Find out what an OpenAI-compatible endpoint can do, e.g. http://localhost:8000/v1."""
    found = check_endpoint(url, model=name)
    screen.json(found) if screen.as_json else screen.endpoint(found)
