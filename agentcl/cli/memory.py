"""The commands that fill a memory, look into it, and take out of it."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast, get_args

import click

from agentcl.cli.naming import from_here, owned, seen
from agentcl.cli.options import (
    Moment,
    command,
    memory_options,
    on_memory,
    open_memory,
    scope_of,
    scope_options,
)
from agentcl.cli.screen import Screen, describe_encoder, to_json
from agentcl.errors import InvalidInput
from agentcl.files.limits import read_limits
from agentcl.retrieval.framing import Form
from agentcl.retrieval.modes import MODES
from agentcl.store.checks import WriteScope, check_scope
from agentcl.store.records import to_micros
from agentcl.store.turns import turns_of
from agentcl.text.parsing import parsed_json

if TYPE_CHECKING:
    from agentcl.files import ReadLimits, Skipped, Source
    from agentcl.memory.documents.writing import Draft
    from agentcl.memory.memory import Memory

_SHOWN: Final = 5  # files that moved, by their names
_NAME: Final = click.argument("name", metavar="ID|URI|PATH|SESSION")
_SEEN: Final = click.argument("name", metavar="[ID|URI|PATH|SESSION]", required=False, default="")


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...|-")
@click.option("--valid-from", type=Moment(), help="When it began to hold in the world.")
@click.option("--valid-to", type=Moment(), help="When it ceases to hold.")
@click.option(
    "--allow",
    multiple=True,
    metavar="LIMIT=NUMBER",
    help="Let reading a file take more: megabytes, seconds, pages, columns or memory.",
)
@click.option(
    "--sync", "follows", is_flag=True, help="Of a folder: also move and delete what did there."
)
@click.option("--dry-run", is_flag=True, help="With --sync: only say what would be done.")
@scope_options
@memory_options
@command
def add(
    screen: Screen,
    paths: tuple[str, ...],
    valid_from: datetime | None,
    valid_to: datetime | None,
    allow: tuple[str, ...],
    follows: bool,
    dry_run: bool,
    **given: Any,
) -> None:
    """Remember files, folders, or standard input (-).

    It reads .txt, .md, .rst, .html, .pdf, .eml, .mhtml, .epub, .jsonl, .csv and .tsv, and with the extra `office`
    .docx, .pptx and .xlsx. A file that was added before is updated, however its path is spelled, and moved if it was
    renamed since. In a folder, what is
    hidden and what a .gitignore names is left out.
    """
    if follows:
        if valid_from is not None or valid_to is not None:
            raise InvalidInput(
                "--sync follows what files say; --valid-from and --valid-to are none of that"
            )
        _sync(screen, paths, read_limits(allow), dry_run, given)
        return
    if dry_run:
        raise InvalidInput("--dry-run goes with --sync")
    # Here: with them comes the whole of `Memory`, and what reads files.
    from agentcl.files import count
    from agentcl.memory.documents.renaming import Renamed
    from agentcl.memory.documents.syncing import draft_of

    scope = scope_of(given)
    limits = read_limits(allow)
    skipped: list[Skipped] = []
    moved: list[tuple[str, str]] = []

    def drafts() -> Iterator[Draft]:
        renamed = Renamed(memory.store.journal, check_scope(cast(WriteScope, scope)))
        for source in _sources(paths, skipped, limits, memory.store.own_paths):
            if before := renamed.before(source):
                memory.move(before, source.uri, **scope)
                moved.append((before, source.uri))
            yield replace(draft_of(source), valid_from=valid_from, valid_to=valid_to)

    total = count(Path(path) for path in paths)
    with open_memory(given, begins=True) as memory:
        before = memory.store.journal.last_seq()
        with screen.several() as bars:
            documents, passages = bars.add("remembering", total), bars.add("encoding", None)
            stored = memory.add_many(
                drafts(), progress=documents.update, encoded=passages.update, **scope
            )
        # A file can be named twice, also by a link or with the folder that it is in.
        stored = list({document.id: document for document in stored}.values())
        fresh = [document for document in stored if memory.store.journal.seq_of(document) > before]
        added = sum(document.version == 1 for document in fresh)
        counts = {
            "added": added,
            "updated": len(fresh) - added - len(moved),
            "moved": len(moved),
            "unchanged": len(stored) - len(fresh),
            **_left_out(skipped),
        }
        if screen.as_json:
            told = {**counts, "moved_files": moved, "ids": [d.id for d in stored]}
            screen.json({**told, "skipped_files": skipped})
            return
        _tell(screen, counts, skipped, "nothing to add")
        _tell_moved(screen, moved)
        screen.note(f"{memory.place}, {describe_encoder(memory)}")


def _sync(
    screen: Screen, paths: tuple[str, ...], limits: ReadLimits, dry_run: bool, given: dict[str, Any]
) -> None:
    """Make the documents of folders what their files are."""
    scope = scope_of(given)
    with open_memory(given, begins=not dry_run) as memory, screen.progress("reading", None) as bar:
        done = [
            memory.sync(
                path,
                dry_run=dry_run,
                limits=limits,
                progress=bar.update,
                encoded=lambda far, known: bar.update(far, known, label="encoding"),
                **scope,
            )
            for path in paths
        ]
    changes = {
        name: [one for synced in done for one in getattr(synced, name)]
        for name in ("added", "updated", "moved", "removed")
    }
    skipped = [one for synced in done for one in synced.skipped]
    unchanged = sum(synced.unchanged for synced in done)
    if screen.as_json:
        screen.json({**changes, "unchanged": unchanged, "skipped_files": skipped})
        return
    if dry_run:
        for name, uris in changes.items():
            for uri in uris:
                where = " to ".join(map(from_here, (uri,) if isinstance(uri, str) else uri))
                screen.line(f"{name} {where}")
    counts = {
        **{name: len(uris) for name, uris in changes.items()},
        "unchanged": unchanged,
        **_left_out(skipped),
    }
    _tell(screen, counts, skipped, "nothing to follow")
    if not dry_run:
        _tell_moved(screen, [pair for synced in done for pair in synced.moved])
    else:
        screen.note("nothing was changed: this was a dry run")


def _left_out(skipped: Sequence[Skipped]) -> dict[str, int]:
    sorts = [one.sort for one in skipped]
    return {
        "skipped": sorts.count("unread"),
        "ignored": sorts.count("ignored"),
        "hidden": sorts.count("hidden"),
    }


def _tell(
    screen: Screen, counts: dict[str, int], skipped: Sequence[Skipped], otherwise: str
) -> None:
    """Print what was done, and which files were not read and why."""
    said = [f"{count} {what}" for what, count in counts.items() if count]
    screen.line(", ".join(said) or otherwise)
    for skip in skipped:
        if skip.sort == "unread":
            screen.note(f"skipped {from_here(skip.path)}: {skip.reason}")


def _tell_moved(screen: Screen, moved: Sequence[tuple[str, str]]) -> None:
    """Print what is known again under another name: its history goes on."""
    for before, after in moved[:_SHOWN]:
        screen.note(f"moved {from_here(before)} to {from_here(after)}")
    if len(moved) > _SHOWN:
        screen.note(f"and {len(moved) - _SHOWN:,} more")


def _sources(
    paths: tuple[str, ...], skipped: list[Skipped], limits: ReadLimits, leave_out: Collection[Path]
) -> Iterator[Source]:
    from agentcl.files import load, load_stream

    for path in paths:
        if path == "-":
            yield load_stream(sys.stdin.buffer, "-", limits=limits)
        else:
            yield from load(Path(path), skipped=skipped, limits=limits, leave_out=leave_out)


@click.command()
@click.argument("query")
@click.option("--limit", "-n", default=5, show_default=True, help="How many hits.")
@click.option("--mode", type=click.Choice(list(MODES)), default="hybrid", show_default=True)
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Metadata must be this text, number, true or false.",
)
@click.option("--as-of", type=Moment(), help="Search the memory as it was at this time.")
@click.option("--explain", is_flag=True, help="With --mode graph: the chain that led to each hit.")
@click.option(
    "--prompt", "budget", type=int, metavar="TOKENS", help="Print hits packed for a prompt."
)
@click.option(
    "--form",
    type=click.Choice(list(get_args(Form))),
    default="auto",
    show_default=True,
    help="With --prompt: texts whole, or their sentences for the question; auto: sentences where not all fit.",
)
@on_memory(across=True)
def search(
    screen: Screen,
    memory: Memory,
    query: str,
    limit: int,
    mode: Any,
    filters: tuple[str, ...],
    as_of: datetime | None,
    budget: int | None,
    form: Form,
    explain: bool,
    scope: dict[str, Any],
) -> None:
    """Find what is remembered, best first, and say why."""
    if mode == "graph":  # filled for the first time, it takes long
        with screen.progress("reading names, %", 100) as bar:
            memory.store.retriever.catch_up(
                mode=mode, progress=lambda share: bar.update(int(100 * share))
            )
    recall = memory.search(
        query, limit=limit, mode=mode, filters=_filters(filters), as_of=as_of, **scope
    )
    if not recall.hits and not screen.as_json:
        _tell_elsewhere(screen, memory, "passage", scope)
    if budget is not None:
        hits = tuple(replace(hit, uri=from_here(hit.uri)) for hit in recall)
        packed = replace(recall, hits=hits).pack(budget_tokens=budget, form=form)
        told = {"prompt": packed.text, **to_json(packed)}
        screen.json(told) if screen.as_json else screen.raw(packed.text)
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
        if field in filters:
            raise InvalidInput(f"--filter names {field!r} twice; a field is tested once")
        filters[field] = {"in": _meanings(value)}
    return filters


def _meanings(value: str) -> list[str | int | float | bool]:
    """Return what a value may stand for: the text, and the number or truth value that it spells."""
    try:
        read = parsed_json(value)
    except ValueError:
        return [value]
    is_other = isinstance(read, int | float) and math.isfinite(read)
    return [value, read] if is_other else [value]


@click.command()
@_SEEN
@click.option("--as-of", type=Moment(), help="As it was at this time.")
@on_memory(across=True)
def show(
    screen: Screen, memory: Memory, name: str, as_of: datetime | None, scope: dict[str, Any]
) -> None:
    """Print one record in full.

    A conversation is named by its session, or by --session alone; all that was said in it is printed.
    """
    id, scope = seen(memory, name, scope, is_ever=as_of is not None)
    record = memory.get(id, as_of=as_of, **scope)
    turns = None
    if record.kind == "conversation":
        at = None if as_of is None else to_micros(as_of)
        turns = turns_of(memory.store.journal, id, view=record.scope.view(), at=at)
    if screen.as_json:
        told = {"record": record, "counters": memory.store.journal.counters(id)}
        screen.json(told if turns is None else {**told, "turns": turns})
        return
    screen.record(record)
    screen.turns(turns or ())


@click.command(name="list")
@click.option("--kind", default="document", show_default=True, help="Which kind of record.")
@click.option("--limit", "-n", default=100, show_default=True, help="How many.")
@on_memory(across=True)
def list_(screen: Screen, memory: Memory, kind: str, limit: int, scope: dict[str, Any]) -> None:
    """List records, one a line."""
    records = memory.list(kind=kind, limit=limit, **scope)
    if screen.as_json:
        screen.json(records)
        return
    screen.records(records)
    if limit and not records and not _tell_elsewhere(screen, memory, kind, scope):
        others = memory.store.stats(**scope).records
        if others:
            held = ", ".join(f"{name} ({count:,})" for name, count in sorted(others.items()))
            screen.note(f"stored here; name one with --kind: {held}")


def _tell_elsewhere(screen: Screen, memory: Memory, kind: str, scope: dict[str, Any]) -> bool:
    """Say that other scopes have such records where this one has none; return whether it was said."""
    count = memory.store.stats().records.get(kind, 0)
    if not count or memory.list(kind=kind, limit=1, **scope):
        return False
    screen.note(
        f"this scope has no {kind}, and others have {count:,}: name whose it is with --user, --tenant, --agent "
        "or --session, or look into all with --all-scopes"
    )
    return True


@click.command()
@_SEEN
@on_memory(across=True)
def history(screen: Screen, memory: Memory, name: str, scope: dict[str, Any]) -> None:
    """Print every version of a record."""
    id, scope = seen(memory, name, scope, is_ever=True)
    versions = memory.history(id, **scope)
    screen.json(versions) if screen.as_json else screen.history(versions)


@click.command()
@_NAME
@on_memory()
def delete(screen: Screen, memory: Memory, name: str, scope: dict[str, Any]) -> None:
    """Stop finding a record; its history stays.

    Of a table or a file of JSON lines, all rows are deleted.
    """
    ids = owned(memory, [name], scope)
    for id in ids:
        memory.delete(id, **scope)
    screen.answer({"deleted": ids}, f"deleted {', '.join(ids)}")


@click.command()
@click.argument("names", nargs=-1, metavar="[ID|URI|PATH|SESSION]...")
@click.option("--everything", is_flag=True, help="All records of the named scope and below it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@on_memory()
def forget(
    screen: Screen,
    memory: Memory,
    names: tuple[str, ...],
    everything: bool,
    yes: bool,
    scope: dict[str, Any],
) -> None:
    """Remove records and their bytes for good.

    What was derived from them goes as well. This cannot be undone. A file named by its path is forgotten
    with all its rows, and with what was deleted of it before.
    """
    ids = owned(memory, names, scope, is_ever=True)
    is_refused = bool(ids or not scope) if everything else not ids
    if not yes and not is_refused:  # else there is nothing to ask about
        what = "everything in that scope" if everything else f"{len(ids)} record(s)"
        screen.agree(f"Forget {what} for good?")
    receipt = memory.forget(*ids, everything=everything, **scope)
    screen.json(receipt) if screen.as_json else screen.receipt(receipt)
