"""`agentcl mcp`: a memory for editors and agents that speak the Model Context Protocol."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal

import click

from agentcl.cli.options import on_memory
from agentcl.cli.screen import Screen
from agentcl.cli.stopping import ended_by_interrupt

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory


@click.command()
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    help="Serve many clients over HTTP on this port of this machine, instead of one by standard streams.",
)
@click.option("--application", default="", help="Offer only the lessons of this application.")
@click.option(
    "--compat",
    type=click.Choice(["reference", "mem0"]),
    help="Answer to the tools of another memory server, instead of ours.",
)
@on_memory(begins=True)
def mcp(
    screen: Screen,
    memory: Memory,
    port: int | None,
    application: str,
    compat: Literal["reference", "mem0"] | None,
    scope: dict[str, Any],
) -> None:
    """Serve a memory to editors and agents (MCP).

    An editor starts this command and talks to it by standard streams. With --port one process serves many
    clients at http://127.0.0.1:PORT/mcp. Scope options bind whose memory it is.
    """
    from agentcl.mcp.server import check_free, serve

    if port is not None:
        check_free(port)  # before it is said to be served
        screen.note(f"{memory.place} at http://127.0.0.1:{port}/mcp; Ctrl-C ends it")
    with ended_by_interrupt() if port is None else nullcontext():
        if port is None and sys.stdin.isatty():
            screen.note(
                f"{memory.place} waits for a program that speaks MCP on standard input: give your editor this command, "
                "or serve at an address with --port; Ctrl-C ends it"
            )
        serve(
            memory.scoped(**scope) if scope else memory,
            application=application,
            port=port,
            compat=compat,
        )
