"""`agentcl adapters`: what was trained on memory, who answers, and taking it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from agentcl.cli.options import on_folder, scope_of, scope_options
from agentcl.cli.screen import Screen, shorten
from agentcl.text.counted import counted

if TYPE_CHECKING:
    from agentcl.consolidation.serving import ServedAdapter
    from agentcl.memory.adapters.room import Route
    from agentcl.memory.adapters.trials import AdapterTrial
    from agentcl.memory.memory import Memory
    from agentcl.store.adapters import Adapter

_WIDTH = 80  # characters of a record in a line


@click.group()
def adapters() -> None:
    """Look at what was trained on memory, and decide about it.

    An adapter is a cache of named records. It can be deleted and trained again at any time.
    """


@adapters.command(name="list")
@scope_options
@on_folder
def list_(screen: Screen, memory: Memory, **given: Any) -> None:
    """List adapters, one a line, the newest last."""
    found = memory.adapters.list(**scope_of(given))
    screen.answer(found, *(map(_line, found) if found else ["there is no adapter"]))


@adapters.command()
@click.argument("name")
@on_folder
def show(screen: Screen, memory: Memory, name: str) -> None:
    """Print what is known of an adapter, and whether it is stale."""
    kept = memory.adapters
    held, stale = kept.get(name), kept.stale(name)
    if screen.as_json:
        screen.json({"adapter": held, "stale": stale})
        return
    screen.record(held)
    if held.state == "canary":
        screen.line(_tried(kept.trial(name)))
    for one in stale:
        screen.line(f"stale: {one.id} is {one.now}: {shorten(one.says, _WIDTH)}")


@adapters.command()
@click.argument("name")
@on_folder
def why(screen: Screen, memory: Memory, name: str) -> None:
    """Print each record that an adapter holds."""
    found = memory.adapters.why(name)
    lines = (
        f"{one.id}  version {one.version}, {one.now}: {one.kind} {shorten(one.says, _WIDTH)}"
        for one in found
    )
    screen.answer(found, *lines)


@adapters.command()
@click.argument("first")
@click.argument("second")
@on_folder
def diff(screen: Screen, memory: Memory, first: str, second: str) -> None:
    """Print what one adapter holds and another does not."""
    found = memory.adapters.diff(first, second)
    lines = [
        *(f"- {id}" for id in found.only_first),
        *(f"+ {id}" for id in found.only_second),
        *(f"~ {id}: another version" for id in found.changed),
        *(f"{name}: {before} -> {after}" for name, (before, after) in found.method.items()),
    ]
    screen.answer(found, *(lines or ["they hold the same, and were trained alike"]))


_URL = click.option(
    "--url", required=True, help="Of the vLLM server, such as http://localhost:8000/v1."
)
_MODEL = click.option("--model", default="", help="The base there; default: the only one.")


@adapters.command()
@click.argument("name")
@_URL
@_MODEL
@on_folder
def load(screen: Screen, memory: Memory, name: str, url: str, model: str) -> None:
    """Load an adapter into a running vLLM.

    What it serves then is compared with what was trained; one that differs is unloaded again. Who answers stays as it is.
    Start vLLM with --enable-lora, --max-lora-rank 64 and VLLM_ALLOW_RUNTIME_LORA_UPDATING=1.
    """
    from agentcl.consolidation import AdapterServer

    with AdapterServer(url, model=model) as server:
        found = server.load(memory, name)
    screen.answer(found, _served(found))


@adapters.command()
@click.argument("name")
@_URL
@_MODEL
@on_folder
def check(screen: Screen, memory: Memory, name: str, url: str, model: str) -> None:
    """Compare what a vLLM serves with what was trained.

    Do so again after the server woke from sleep; `wake` does.
    """
    from agentcl.consolidation import AdapterServer

    with AdapterServer(url, model=model) as server:
        found = server.check(memory, name)
    screen.answer(found, _served(found))


@adapters.command()
@_URL
@_MODEL
@on_folder
def wake(screen: Screen, memory: Memory, url: str, model: str) -> None:
    """Wake a vLLM that sleeps, and compare its adapters.

    One that is not what was trained is unloaded, loaded anew and compared again. Start vLLM with --enable-sleep-mode and
    VLLM_SERVER_DEV_MODE=1.
    """
    from agentcl.consolidation import AdapterServer

    with AdapterServer(url, model=model) as server:
        found = server.wake(memory)
    screen.answer(
        found, *([_served(one) for one in found] or ["it is awake, with no adapter of this memory"])
    )


@adapters.command()
@click.argument("name")
@_URL
@on_folder
def unload(screen: Screen, memory: Memory, name: str, url: str) -> None:
    """Unload an adapter from a running vLLM.

    Its weights stay in the server's memory until it needs the place.
    """
    from agentcl.consolidation import AdapterServer

    with AdapterServer(url) as server:
        server.unload(name)
    screen.answer({"unloaded": name}, f"{name} is unloaded")


@adapters.command()
@click.argument("name")
@click.option("--to", type=click.Choice(["stable", "canary", "off"]), required=True)
@click.option("--share", type=float, default=0.1, show_default=True, help="Of a canary.")
@on_folder
def route(screen: Screen, memory: Memory, name: str, to: Route, share: float) -> None:
    """Say who answers in an adapter's scope."""
    held = memory.adapters.route(name, to, share=share)
    screen.answer(held, _line(held))


@adapters.command()
@click.option("--asked", default="", help="What a conversation begins with.")
@scope_options
@on_folder
def answering(screen: Screen, memory: Memory, asked: str, **given: Any) -> None:
    """Say who answers in a scope.

    Where several stable adapters are at hand, --asked chooses between them, and the reason is told.
    """
    found = memory.adapters.answering(asked=asked, **scope_of(given))
    screen.answer(found, found.name or "the bare model", *([found.why] if found.why else []))


@adapters.command()
@scope_options
@on_folder
def settle(screen: Screen, memory: Memory, **given: Any) -> None:
    """Let outcomes decide about canaries.

    One that is no worse becomes stable, and one that harms goes. This is done by itself after each episode, too.
    """
    found = memory.adapters.settle(**scope_of(given))
    screen.answer(found, *(map(_tried, found) if found else ["there is no canary"]))


@adapters.command()
@scope_options
@on_folder
def rollback(screen: Screen, memory: Memory, **given: Any) -> None:
    """Take back the newest decision of who answers.

    A canary goes first. Else the one that was stable before is stable again.
    """
    held = memory.adapters.rollback(**scope_of(given))
    screen.answer(held, "the bare model answers now" if held is None else _line(held))


@adapters.command()
@click.argument("name")
@click.option("--reason", default="", help="Kept with it.")
@on_folder
def revoke(screen: Screen, memory: Memory, name: str, reason: str) -> None:
    """Put an adapter out of use for good, and erase its files.

    So are those that were trained on from it.
    """
    held = memory.adapters.revoke(name, reason=reason)
    screen.answer(held, _line(held))


def _served(one: ServedAdapter) -> str:
    return (
        f"{one.name} is served on {one.base}: {one.error:.3f} nats a token from the trainer's, and {one.change:.3f} from "
        "the bare model"
    )


def _tried(one: AdapterTrial) -> str:
    return (
        f"{one.name}  uplift {one.uplift:+.3f} (sd {one.sd:.3f}), {one.shown:.0f} with it, {one.withheld:.0f} without: "
        f"{one.verdict}, {one.why}"
    )


def _line(one: Adapter) -> str:
    share = f" for {one.share:.0%}" if one.state == "canary" else ""
    return f"{one.name}  {one.state}{share}  {counted(len(one.holds), 'record')}, on {one.base}: {one.reason}"
