"""The commands about a whole memory: copies of it, its size, its health, its encoder and indexes."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from agentcl.cli.options import (
    ON,
    MemoryPlace,
    NewFolder,
    ReadFile,
    WrittenFile,
    command,
    memory_options,
    on_folder,
    on_memory,
    open_memory,
    scope_of,
    scope_options,
    workplace,
)
from agentcl.cli.screen import Screen
from agentcl.errors import InvalidInput, StoreReadOnly, StoreUnavailable, TransferError
from agentcl.store.records import SCOPE_FIELDS
from agentcl.text.counted import counted

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory
    from agentcl.store.checks import WriteScope
    from agentcl.store.transfer import Imported


@click.command()
@click.argument("file", type=WrittenFile(), metavar="FILE|-")
@click.option("--salvage", is_flag=True, help="Leave out what a damaged disk does not give back.")
@on_memory()
def export(
    screen: Screen, memory: Memory, file: Path, salvage: bool, scope: dict[str, Any]
) -> None:
    """Write a memory to a file of JSON lines, losslessly.

    With - it is printed.
    """
    rows = memory.store.export(file, salvage=salvage, **scope)
    screen.saved(file, f"{counted(rows, 'row')} written to {file}", rows=rows, file=file)


@click.command(name="import")
@click.argument("file", type=ReadFile(), metavar="FILE|-")
@click.option("--dry-run", is_flag=True, help="Print what would be done, and change nothing.")
@click.option(
    "--into",
    metavar="FIELD=NAME",
    multiple=True,
    help="Bring every record to this tenant, user, agent or session; may be repeated.",
)
@click.option(
    "--trusted", is_flag=True, help="It is of a memory of yours: lessons keep their evidence."
)
@click.option("--erasures", is_flag=True, help="Forget here what was forgotten there.")
@click.option(
    "--rollbacks", is_flag=True, help="Take back here the times that were taken back there."
)
@scope_options
@memory_options
@command
def import_(
    screen: Screen,
    file: Path,
    dry_run: bool,
    into: tuple[str, ...],
    trusted: bool,
    erasures: bool,
    rollbacks: bool,
    **given: Any,
) -> None:
    """Merge the records of an export.

    Their ids, histories and vectors stay as they were. Of two records with one key the newer one is in
    force; the other one stays in the history. Lessons become candidates, whose evidence is kept aside.
    With a scope, a file with records outside of it is refused.
    """
    target = _scope_in(into)
    try:  # before a memory is made for it
        is_there = file.exists()
    except OSError as error:
        raise TransferError(f"cannot look at {file}: {error.strerror}; check the path") from error
    if not is_there:
        raise TransferError(f"{file} does not exist; check the path")
    scope = scope_of(given)
    with _target(given, is_dry=dry_run) as memory:
        imported = memory.store.import_(
            file,
            into=target,
            trusted=trusted,
            erasures=erasures,
            rollbacks=rollbacks,
            dry_run=dry_run,
            **scope,
        )
    screen.answer(imported, *_told(imported, dry_run=dry_run))


@contextmanager
def _target(given: dict[str, Any], *, is_dry: bool) -> Iterator[Memory]:
    """Open the memory to import into; for a dry run into one that is not there, an empty one beside it."""
    from agentcl.memory.settings import resolve
    from agentcl.store.backends import holds_store

    with tempfile.TemporaryDirectory(prefix="agentcl-dry-") as beside:
        if is_dry and not holds_store(resolve({"path": given.get("path")})["path"].value):
            given["path"] = Path(beside)
        with open_memory(given, begins=True) as memory:
            yield memory


def _told(imported: Imported, *, dry_run: bool) -> Iterator[str]:
    yield (
        f"{counted(imported.added, 'row')} added, {imported.present} were here, "
        f"{imported.forgotten} left out because their record was forgotten here"
    )
    if imported.erased:
        yield f"{counted(imported.erased, 'record')} forgotten, as they were there"
    if imported.same:
        yield f"{imported.same} records say what a newer one says, which is in force"
    if imported.aside:
        yield (
            f"{imported.aside} records of experience are kept aside: their lessons are candidates here "
            "(--trusted lets their evidence count)"
        )
    if imported.left_out:
        yield (
            f"{imported.left_out} rows left out: they would change what counts here, or forget or take back "
            "something (--trusted, --erasures, --rollbacks)"
        )
    for one in imported.conflicts:
        told = f"{one.kept} is in force, {one.other} in the history"
        if one.kept == one.other:
            told = f"the newer version of {one.kept} is in force"
        yield f"conflict: {one.kind} {one.key}: {told if one.kept else 'it stays deleted'}"
    if dry_run:
        yield "a dry run: nothing was changed"


def _scope_in(pairs: tuple[str, ...]) -> WriteScope | None:
    """Return the scope that options of the form FIELD=NAME say."""
    scope: dict[str, str] = {}
    for pair in pairs:
        field, _, name = pair.partition("=")
        if field not in SCOPE_FIELDS or not name:
            raise InvalidInput(
                f"--into {pair}: write FIELD=NAME, where FIELD is one of {', '.join(SCOPE_FIELDS)}"
            )
        if field in scope:
            raise InvalidInput(f"--into names {field} twice; all records come to one {field}")
        scope[field] = name
    return cast("WriteScope", scope) if scope else None


@click.command()
@click.argument("folder", type=NewFolder())
@on_memory(scoped=False)
def snapshot(screen: Screen, memory: Memory, folder: Path) -> None:
    """Copy a memory into a new folder.

    The copy is consistent, whoever writes meanwhile.
    """
    memory.store.snapshot(folder)
    screen.answer({"folder": folder}, f"copied to {folder}")


@click.command()
@click.argument("source", type=MemoryPlace(), metavar="FROM")
@click.argument("target", type=MemoryPlace(), metavar="TO")
@command
def copy(screen: Screen, source: Path | str, target: Path | str) -> None:
    """Copy a memory into an empty place, in a folder or a database.

    Each is a folder, or postgresql://.... Nothing is lost: versions, times, vectors, counters, jobs and soft tokens go
    along. One that was cut off goes on when it is called again. Encoders and keys that you named for a place stay with it.
    """
    from agentcl.memory.compressed.carrying import BankCopy
    from agentcl.memory.outside import check_outside
    from agentcl.store.backends import copy_store, holds_store, place_of, removing_new_folder

    one, other = place_of(source), place_of(target)
    if not holds_store(one):
        raise StoreUnavailable(f"there is no memory at {one}; name another one")
    if isinstance(one, Path) and isinstance(other, Path) and not _is_one(one, other):
        check_outside(other, one)
    with removing_new_folder(other), screen.progress("copying", None) as bar:
        bank = BankCopy()
        count = copy_store(one, other, bar.update, bank)
    also = f", and soft tokens of {bank.copied:,} passages" if bank.copied else ""
    screen.answer(
        {
            "from": str(one),
            "to": str(other),
            "rows": count,
            "compressed": bank.copied,
            "lost": bank.lost,
        },
        f"{counted(count, 'row')} copied to {other}{also}",
    )
    if bank.lost:
        screen.note(
            f"soft tokens of {bank.lost:,} passages are missing or damaged there, and are read as text; `agentcl compress` "
            "makes them anew"
        )


def _is_one(one: Path, other: Path) -> bool:
    """Return whether two paths lead to one place; unlike `Path.resolve`, also of a link that leads to itself."""
    return os.path.realpath(one) == os.path.realpath(other)


@click.command()
@on_memory(may_be_empty=True)
def stats(screen: Screen, memory: Memory, scope: dict[str, Any]) -> None:
    """Print how much is stored."""
    result = memory.store.stats(**scope)
    screen.json(result) if screen.as_json else screen.stats(result)


@click.command()
@on_memory(scoped=False, may_be_empty=True)
def doctor(screen: Screen, memory: Memory) -> None:
    """Check the whole folder, and print the settings.

    It says where each setting came from. The exit status is 1 if anything is wrong.
    """
    report = memory.store.examine()
    screen.json(report) if screen.as_json else screen.report(report)
    if not report.is_healthy:
        sys.exit(1)


@click.command()
@click.option("--encoder", required=True, help="The new encoder.")
@ON
@on_folder
def reembed(screen: Screen, memory: Memory, encoder: str, on: str | None) -> None:
    """Replace all vectors by another encoder's.

    It can be interrupted and run again.
    """
    with screen.progress("embedding", None) as bar:
        is_done = memory.store.reembed(encoder, on=workplace(on), progress=bar.update)
    result = memory.store.stats()
    screen.answer(result, *([f"embedded with {result.encoder}"] if is_done else []))
    if not is_done:
        screen.note("somebody cancelled the job; run it again to go on")


@click.command()
@on_memory(scoped=False)
def reindex(screen: Screen, memory: Memory) -> None:
    """Build every index anew from the journal.

    This needs no encoder.
    """
    if memory.store.journal.read_only:  # they would go with this process
        raise StoreReadOnly("no index can be written")
    memory.store.retriever.rebuild()
    states = memory.store.retriever.states()
    screen.answer(states, f"rebuilt: {', '.join(state.name for state in states)}")
