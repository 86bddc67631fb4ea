"""`agentcl serve` and `agentcl key`: a memory behind HTTP, and who gets in."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import click

from agentcl.cli.lazy import LazyGroup
from agentcl.cli.options import ReadFile, on_folder, on_memory, scope_of, scope_options
from agentcl.cli.screen import Screen
from agentcl.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    from agentcl.memory.memory import Memory
    from agentcl.server.keys import Key
    from agentcl.store.checks import WriteScope


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8321, show_default=True)
@click.option("--allow-host", "hosts", multiple=True, help="A name it goes by, as behind nginx.")
@click.option("--allow-origin", "origins", multiple=True, help="A page that may ask in a browser.")
@click.option("--rate", type=click.FloatRange(0), default=0.0, help="Requests a second of one key.")
@click.option("--key-file", type=ReadFile(), help="Holds a key for all; made if it is not there.")
@click.option(
    "--log", "log", type=click.Choice(["json"]), help="Write down what happens, to stderr."
)
@click.option("--otel", is_flag=True, help="Tell OpenTelemetry what is done with the memory.")
@click.option("--upstream", default="", help="A model's endpoint, to be asked with memory.")
@click.option("--upstream-key-env", metavar="NAME", help="The variable that holds its key.")
@click.option(
    "--upstream-seconds", type=click.FloatRange(1), default=600.0, help="It may be silent  [600]"
)
@click.option("--memory-tokens", type=click.IntRange(0), default=800, help="Of a new block  [800]")
@click.option("--digest", is_flag=True, help="Read statements out of what was said, by rules.")
@click.option("--lessons/--no-lessons", default=True, help="Show lessons in the prompt  [on]")
@click.option("--application", default="", help="Offer only the lessons of this application.")
@click.option("--max-body", type=click.IntRange(1), help="MiB of a request  [8; a proxy's 32]")
@on_memory(begins=True)
def serve(
    screen: Screen,
    memory: Memory,
    host: str,
    port: int,
    hosts: tuple[str, ...],
    origins: tuple[str, ...],
    rate: float,
    key_file: Path | None,
    log: str | None,
    otel: bool,
    upstream: str,
    upstream_key_env: str | None,
    upstream_seconds: float,
    memory_tokens: int,
    digest: bool,
    lessons: bool,
    application: str,
    max_body: int | None,
    scope: dict[str, Any],
) -> None:
    """Serve a memory over HTTP.

    Other processes may use the same folder meanwhile. Only this machine is listened to, unless --host names another
    address, which needs a key (agentcl key add, or --key-file for a container). Scope options bind whose memory it is.

    With --upstream it stands before a language model that speaks OpenAI's interface: point a client at
    http://127.0.0.1:8321/v1, and the model knows what was said before.
    """
    # Here, so that `--help` does not wait for it.
    from agentcl.memory.tracing import trace_memories
    from agentcl.server.logs import logging_to
    from agentcl.server.proxy.upstream import silence_of
    from agentcl.server.serving import serve as run
    from agentcl.server.settings import ServerSettings
    from agentcl.server.shared import keys_of

    settings = ServerSettings(
        host=host,
        port=port,
        hosts=hosts,
        origins=origins,
        rate_per_second=rate,
        most_body=(max_body or (32 if upstream else 8)) * 1024 * 1024,
        upstream=upstream,
        upstream_key=_of_variable(upstream_key_env),
        upstream_seconds=upstream_seconds,
        memory_tokens=memory_tokens,
        digest=digest,
        lessons=lessons,
        application=application,
    )
    keys = keys_of(memory)
    if otel:
        trace_memories()
    with logging_to(sys.stderr) if log else nullcontext():
        say = logging.getLogger(__name__).info if log else screen.note

        def began(address: str) -> None:
            say(f"{memory.place} at {address}; Ctrl-C ends it")
            if upstream and urlsplit(upstream).path in ("", "/"):
                say(f"--upstream has no path; most models answer at {upstream.rstrip('/')}/v1")
            if upstream and (why := silence_of(upstream)):
                say(
                    f"the model at {upstream} does not answer yet ({why}); nothing else waits for it"
                )

        if key_file is not None:
            say(f"the key {keys.of_file(key_file).id} in {key_file} opens all of it")
        run(memory.scoped(**scope) if scope else memory, settings=settings, keys=keys, began=began)


def _of_variable(name: str | None) -> str:
    """Return the key that a variable of the environment holds. Raises InvalidInput."""
    if name is None:
        return ""
    key = os.environ.get(name, "").strip()
    if not key.isascii() or not key.isprintable() or not key:
        raise InvalidInput(
            f"the variable {name} holds no key; set it, or leave out --upstream-key-env"
        )
    return key


@click.group(
    cls=LazyGroup,
    table={
        "add": ("agentcl.cli.serve:add", "Make a key, and print it once."),
        "list": ("agentcl.cli.serve:list_", "List the keys: what each opens."),
        "remove": ("agentcl.cli.serve:remove", "Remove a key; it opens nothing from now on."),
    },
)
def key() -> None:
    """Say who gets into a served memory.

    Once there is a key, every request needs one. Keys are kept in your own configuration, or in the memory's database, by
    their hash.
    """


@click.command()
@click.option("--name", default="", help="What it is for.")
@click.option("--rights", default="read,write,learn", show_default=True, help="By commas.")
@scope_options
@on_folder
def add(screen: Screen, memory: Memory, name: str, rights: str, **given: Any) -> None:
    """Make a key, and print it once.

    Scope options bind it: it then opens nothing else. read finds and lists, write remembers, changes and forgets,
    learn records episodes and decides about lessons.
    """
    from agentcl.server.shared import keys_of

    secret, made = keys_of(memory).add(
        name=name,
        rights=[right.strip() for right in rights.split(",")],
        scope=cast("WriteScope", scope_of(given)),
    )
    screen.note("this is shown once; keep it safe")
    screen.answer({"key": secret, **_told(made)}, secret)


@click.command(name="list")
@on_folder
def list_(screen: Screen, memory: Memory) -> None:
    """List the keys: what each opens."""
    from agentcl.server.shared import keys_of

    held = keys_of(memory).all()
    lines = [
        f"{one.id}  {','.join(one.rights)}  {_scope(one) or 'the whole memory'}  {one.made_at}  {one.name}"
        for one in held
    ]
    screen.answer([_told(one) for one in held], *(lines or ["there is no key"]))


@click.command()
@click.argument("id")
@on_folder
def remove(screen: Screen, memory: Memory, id: str) -> None:
    """Remove a key; it opens nothing from now on."""
    from agentcl.server.shared import keys_of

    keys = keys_of(memory)
    gone = keys.remove(id)
    if not keys:
        screen.note("that was the last key: a server on this machine now lets everybody on it in")
    screen.answer(_told(gone), f"removed {gone.id}")


def _scope(key: Key) -> str:
    return " ".join(f"{name}={value}" for name, value in key.scope.items())


def _told(key: Key) -> dict[str, Any]:
    return {
        "id": key.id, "name": key.name, "rights": list(key.rights), "scope": key.scope, "made_at": key.made_at,
    }  # fmt: skip
