"""What the commands share: options, scopes, and how an error ends a command."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from agentcl.cli.screen import Screen
from agentcl.cli.terminal import let_go
from agentcl.errors import AgentclError, InvalidInput, StorageFull, StoreReadOnly, StoreUnavailable
from agentcl.store.records import ANY, SCOPE_FIELDS
from agentcl.text.saving import STDIN, STDOUT

if TYPE_CHECKING:
    from agentcl.jobs.cluster import Ray
    from agentcl.memory.memory import Memory

DOMAIN_OPTIONS: Final = click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="Of the domain: a folder of data ...",
)
F = TypeVar("F", bound=Callable[..., Any])
PRICES: Final = click.option(
    "--prices", type=click.Path(path_type=Path), help="A TOML file of prices by model."
)

ON: Final = click.option(
    "--on", metavar="ray[://HOST:PORT]", help="Do it on a Ray cluster; default: here."
)


class Moment(click.ParamType[datetime]):
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


class ReadFile(click.ParamType[Path]):
    """A file to read; `-` is standard input."""

    name = "FILE"
    stands_for = STDIN  # what `-` means

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return its path."""
        return self.stands_for if str(value) == "-" else Path(value)


class WrittenFile(ReadFile):
    """A file to write; `-` is standard output."""

    stands_for = STDOUT


class NewFolder(click.ParamType[Path]):
    """A folder to be made."""

    name = "FOLDER"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return its path."""
        if str(value) == "-":
            self.fail("a folder cannot be printed; name one, or ./- if it is called so", param, ctx)
        return Path(value)


class MemoryPlace(click.ParamType[Path | str]):
    """Where a memory is: a folder, or a database by its URL."""

    name = "path"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path | str:
        """Return it as it was named; a URL is no path."""
        from agentcl.store.postgres.address import is_address

        return str(value) if is_address(value) else Path(value)


def workplace(on: str | None, *, ledger: Path | None = None) -> Ray | None:
    """Return where `--on` says that work is done.

    Raises:
        InvalidInput: if it means nothing, or calls are to be noted in a ledger of this machine.
        MissingExtra: without Ray.
    """
    from agentcl.jobs.cluster import Ray

    if on is not None and ledger is not None:
        raise InvalidInput(
            "--ledger notes calls in a file of this machine, and with --on other machines ask: leave one of both out"
        )
    return None if on is None else Ray.named(on)


def memory_options(command: F) -> F:
    """Options that say which memory."""
    for option in (
        click.option(
            "--index", help="exact, usearch, pgvector, chroma or chroma:http://HOST:PORT."
        ),
        click.option("--encoder", help="hashing, minilm, sentence-transformers:NAME, ..."),
        click.option("--path", type=MemoryPlace(), help="The memory's folder, or postgresql://..."),
    ):
        command = option(command)
    return command


def scope_options(command: F) -> F:
    """Options that say whose memory."""
    for name in reversed(SCOPE_FIELDS):
        command = click.option(f"--{name}", help=f"Only this {name}'s memory.")(command)
    return command


def command(act: Callable[..., None]) -> Callable[..., None]:
    """Give a command its screen and `--json`, and turn our errors into a message and exit status 1."""

    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @wraps(act)
    def run(*args: Any, as_json: bool, **kwargs: Any) -> None:
        screen = Screen(as_json=as_json)
        try:
            act(screen, *args, **kwargs)
            sys.stdout.flush()  # here, where it is told if the output cannot be written
        except AgentclError as error:
            if not isinstance(error.__cause__, BrokenPipeError):  # whoever read had enough
                screen.error(error)
            sys.exit(1)
        except BrokenPipeError:  # click ends without a word
            raise
        except OSError as error:  # as of a full disk that the output goes to
            screen.error(error)
            let_go()
            sys.exit(1)

    return run


def on_memory(
    *, scoped: bool = True, across: bool = False, begins: bool = False, may_be_empty: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command that gets its screen and the memory that its options name.

    Args:
        scoped: it also gets whose memory, as `scope`.
        across: which may be every scope that is not named.
        begins: a memory that is not there is made.
        may_be_empty: a memory without records will do.
    """

    def decorate(act: Callable[..., None]) -> Callable[..., None]:
        @wraps(act)
        def run(screen: Screen, **given: Any) -> None:
            if scoped:
                given["scope"] = scope_of(given)
            with open_memory(given, begins=begins, may_be_empty=may_be_empty) as memory:
                act(screen, memory, **given)

        made = memory_options(command(run))
        made = scope_options(made) if scoped else made
        everywhere = "Look into every scope that is not named."
        return click.option("--all-scopes", is_flag=True, help=everywhere)(made) if across else made

    return decorate


def on_folder(act: Callable[..., None]) -> Callable[..., None]:
    """Make a command that gets its screen and the memory of a folder, whatever its encoder."""

    @click.option("--path", type=MemoryPlace(), help="The memory's folder, or postgresql://...")
    @command
    @wraps(act)
    def run(screen: Screen, path: Path | str | None, **given: Any) -> None:
        with open_folder(path) as memory:
            act(screen, memory, **given)

    return run


def scope_of(given: dict[str, Any]) -> dict[str, Any]:
    """Take the scope out of a command's options."""
    is_open = given.pop("all_scopes", False)
    named = {name: given.pop(name, None) for name in SCOPE_FIELDS}
    if is_open:
        return {name: ANY if value is None else value for name, value in named.items()}
    return {name: value for name, value in named.items() if value is not None}


def domain_options(options: Sequence[str]) -> dict[str, str]:
    """Return what `DOMAIN_OPTIONS` were given. Raises InvalidInput for one without a name or a value."""
    pairs = [option.partition("=") for option in options]
    for name, sign, _ in pairs:
        if not name or not sign:
            raise InvalidInput(f"an option of a domain is name=value, not {name!r}")
    return {name: value for name, _, value in pairs}


@contextmanager
def open_memory(
    given: dict[str, Any], *, begins: bool = False, may_be_empty: bool = False
) -> Iterator[Memory]:
    """Open the memory that a command's options name; looking at one that is not there makes none.

    One that is begun by a command that is refused goes again.
    """
    # Here, so that `--help` does not wait for it.
    from agentcl.memory.settings import resolve
    from agentcl.store.backends import holds_store, removing_new_folder

    options: dict[str, Any] = {
        name: given.pop(name) for name in ("path", "encoder", "index") if name in given
    }
    path = resolve(options)["path"].value
    if not begins and not holds_store(path):
        raise StoreUnavailable(
            f"there is no memory at {path}; begin one with `agentcl add`, or name another --path"
        )
    with removing_new_folder(path), _opened(path, options, begins=begins) as memory:
        if not (begins or may_be_empty) and memory.store.journal.last_seq() == 0:
            raise InvalidInput(f"the memory at {path} is empty; fill it with `agentcl add`")
        yield memory


@contextmanager
def open_folder(path: Path | str | None) -> Iterator[Memory]:
    """Open a memory with the encoder that is in its folder; the settings may name the next one already."""
    from agentcl.memory.settings import resolve
    from agentcl.store.backends import holds_store

    folder = resolve({"path": path, "encoder": "auto"})["path"].value
    if not holds_store(folder):
        raise StoreUnavailable(
            f"there is no memory at {folder}; begin one with `agentcl add`, or name another --path"
        )
    with _opened(folder, {"path": folder, "encoder": "auto"}) as memory:
        yield memory


@contextmanager
def _opened(
    place: Path | str, options: dict[str, Any], *, begins: bool = False
) -> Iterator[Memory]:
    """Open a memory; one that cannot be written, or has no room, is open for reading, unless the command is there to write."""
    from agentcl.memory.memory import Memory

    refused: StoreReadOnly | StorageFull | None = None
    try:
        opened = Memory(**options, read_only=False)
    except (StoreReadOnly, StorageFull) as error:
        refused = error
        if begins:
            raise _not_written(place, error) from error
        opened = Memory(**options, read_only=True)
    try:
        with opened as memory:
            yield memory
    except StoreReadOnly as error:
        raise error if refused is None else _not_written(place, refused) from error


def _not_written(place: Path | str, refused: StoreReadOnly | StorageFull) -> StoreUnavailable:
    """Return what a command is told that would have written."""
    if isinstance(refused, StorageFull):
        return refused
    why = str(refused).partition(";")[0]
    return StoreReadOnly(
        f"{why}, and this command writes. Let who runs it write there, or work on a copy: agentcl copy {place} FOLDER"
    )
