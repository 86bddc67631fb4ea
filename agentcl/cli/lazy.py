"""A group of commands each of which is imported when it is called."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click

from agentcl.cli.stopping import put_away_when_ended
from agentcl.cli.terminal import open_closed
from agentcl.text.visible import visible


@contextmanager
def _shown_errors() -> Iterator[None]:
    """Let no error that repeats an argument steer the terminal."""
    try:
        yield
    except click.ClickException as error:
        vars(error)["message"] = visible(error.message)  # click calls it final
        raise


class LazyGroup(click.Group):
    """A group that lists its commands from a table, and imports only the one that is called.

    Args:
        table: for each command where it is, as `module:name`, and the first line of its help.
    """

    def __init__(
        self, name: str | None = None, *, table: Mapping[str, tuple[str, str]], **kwargs: Any
    ) -> None:
        listed = {name: click.Command(name, help=line) for name, (_, line) in table.items()}
        super().__init__(name, commands=listed, **kwargs)
        self._places = {name: place for name, (place, _) in table.items()}

    def main(self, *args: Any, **kwargs: Any) -> Any:  # click's
        """Run the command of the arguments; a character that the console lacks does not end it."""
        open_closed()
        for stream in (sys.stdout, sys.stderr):
            # What was chosen on purpose, e.g. by PYTHONIOENCODING, stays.
            if isinstance(stream, TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
                stream.reconfigure(errors="replace")
        with put_away_when_ended():
            return super().main(*args, **kwargs)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:  # click's
        """Read the arguments."""
        with _shown_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:  # click's
        """Call the command."""
        with _shown_errors():
            return super().invoke(ctx)

    def load(self, name: str) -> click.Command:
        """Import a command of the table."""
        module, _, attribute = self._places[name].partition(":")
        loaded: click.Command = getattr(import_module(module), attribute)
        return loaded

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name, ready to be called."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, listed if name is None else self.load(name), rest
