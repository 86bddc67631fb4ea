"""`agentcl trust`: confirming what a folder that came from elsewhere names."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from agentcl.cli.options import command
from agentcl.cli.screen import Screen
from agentcl.errors import InvalidInput

if TYPE_CHECKING:
    from agentcl.store.jobs import Job

_ASKED: Final = "texts and OPENAI_API_KEY go there, or the model is loaded"
_MEANS: Final = {
    "encoder": _ASKED,
    "file or model": "it is loaded",
    "index": "vectors go there",
    "path": "the memory is read and written there",
    "agent.url": _ASKED,
    "agent.model": "it is loaded",
    "memory.encoder": _ASKED,
    "tasks.domain": "its code is run",
    "tasks.options": "a domain gets them",
    "memory.options": "a baseline gets them, a program to run among them",
}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=".")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--revoke", is_flag=True, help="Take back what was confirmed.")
@command
def trust(screen: Screen, folder: Path, yes: bool, revoke: bool) -> None:
    """Confirm what a folder names: an encoder, a server, a path.

    FOLDER holds a memory, an agentcl.toml or a run; it is the working folder if none is named. What you named
    yourself, by an option or a variable, needs no confirming. It is kept in your own configuration.
    """
    # Here, so that `--help` does not wait for them.
    from agentcl.memory.settings import FILE, foreign
    from agentcl.memory.trusted import LOADED, confirm, confirmed
    from agentcl.memory.trusted import revoke as take_back

    # Of `os.path`: these take what may not be looked at, too.
    folder = Path(os.path.realpath(folder))
    if not revoke and not os.path.isdir(folder):  # noqa: PTH112  # as above
        raise InvalidInput(f"{folder} is no folder; check the path")
    if revoke:
        taken = [place for place in (folder / FILE, folder) if take_back(place)]
        lines = [f"nothing is confirmed any more for {place}" for place in taken]
        screen.answer({"revoked": taken}, *(lines or ["nothing was confirmed"]))
        return
    named = {folder / FILE: foreign(folder), folder: {**_named_in(folder), **_run_in(folder)}}
    new = {
        place: asked
        for place, asked in named.items()
        if {**confirmed(place), **asked} != confirmed(place)
    }
    for place, asked in new.items():
        for key, value in asked.items():
            kind = (
                "file or model" if key.startswith(LOADED) else key if key in _MEANS else "encoder"
            )
            screen.note(f"{place} names the {kind} {value} ({_MEANS[kind]})")
    if new and not yes:
        screen.agree("Trust it?")
    for place, asked in new.items():
        confirm(place, asked)
    lines = [f"confirmed for {place}" for place in new]
    screen.answer({"confirmed": new}, *(lines or ["there is nothing to confirm"]))


def _run_in(folder: Path) -> Mapping[str, str]:
    """Return what a run's folder names that is no part of the package."""
    from agentcl.bench.folder import RunFolder, holds_run

    return RunFolder(folder).settings.outside() if holds_run(folder) else {}


def _named_in(folder: Path) -> Mapping[str, str]:
    """Return what the memory in a folder names: what opens its encoder, and what jobs that wait would load."""
    from agentcl.jobs.queue import Queue
    from agentcl.retrieval.encoders.naming import identity, is_complete, is_own
    from agentcl.store.backends import holds_store, open_store

    if not holds_store(folder):
        return {}
    store = open_store(folder, read_only=True)
    try:
        held, said = store.encoder(), json.loads(store.meta("encoder") or "{}")
        waiting = Queue(store).list(states=["queued", "running", "failed"])
    finally:
        store.close()
    loaded = _loaded_by(waiting)
    if held is None or is_own(held.name):
        return loaded
    if not is_complete(said["name"]):
        model = held.name.partition("#")[0]
        raise InvalidInput(
            f"{folder} was filled with {held.name!r} and does not say where that is served; name it once, as in "
            f"`agentcl stats --path {folder} --encoder {model}@http://HOST:PORT/v1`"
        )
    return {identity(said["name"]): said["name"], **loaded}


def _loaded_by(jobs: Iterable[Job]) -> dict[str, str]:
    from agentcl.memory.adapters.revoking import CONSOLIDATE

    wanted = [job for job in jobs if job.kind == CONSOLIDATE]
    if not wanted:
        return {}
    from agentcl.consolidation.job import loaded_by

    found: dict[str, str] = {}
    for job in wanted:
        with suppress(InvalidInput):  # a spec that cannot be used is never run
            found.update(loaded_by(job.spec))
    return found
