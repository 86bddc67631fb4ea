"""A run: every baseline with every seed, side by side in processes, each going on where its rows end."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import platform
import signal
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final

from agentcl.bench.baseline_setup import BaselineSetup, are_for_tasks
from agentcl.bench.baselines.registry import baseline_names, is_baseline
from agentcl.bench.build import (
    make_environment,
    make_reader,
    open_model,
    open_questions,
    open_task_domain,
    view_of,
)
from agentcl.bench.episodes import play_tasks
from agentcl.bench.folder import RowFile, RunFolder
from agentcl.bench.pulse import Pulse, PulseReader
from agentcl.bench.questions import ask_questions
from agentcl.bench.rows import Part, ResultRow
from agentcl.bench.settings import RunSettings
from agentcl.bench.streams import build_stream, expert_streams
from agentcl.bench.threads import computing_with
from agentcl.envs.base import Bounded
from agentcl.envs.domains.incidents.domain import VOICE
from agentcl.envs.domains.incidents.responder import Responder
from agentcl.envs.streams.stream import TaskStream
from agentcl.errors import ConfigError, ModelChanged, NotTrusted
from agentcl.jobs import Ray, work_in
from agentcl.memory.trusted import confirm, confirmed
from agentcl.models.base import ChatModel
from agentcl.retrieval.encoders import default_encoder_name
from agentcl.text.paths import check_path
from agentcl.text.suggesting import did_you_mean

_POLL_S: Final = 0.2

OnRow = Callable[[ResultRow], None]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is, counting what earlier runs did."""

    total: int  # episodes of all baselines and seeds
    done: int


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    state: str  # complete, stopped, budget
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class PartEnded:
    """How one part of a run ended."""

    state: str  # complete, stopped, budget
    fingerprint: str | None  # of the model of its process, if that was another one
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the baseline


def begin(path: str | os.PathLike[str], settings: RunSettings) -> RunFolder:
    """Make the folder of a run, with all that can be known beforehand checked.

    Raises:
        InvalidInput: if `path` is no path, the folder holds a run, or the domain or the data cannot be used.
        ConfigError: if a setting cannot be used.
        MissingExtra: if a part is not installed.
        ModelUnavailable: if the model cannot be asked.
    """
    path = check_path(path)
    RunFolder.check_free(path)
    if settings.memory.encoder == "auto":  # a resumed run must not find another one
        settings = replace(
            settings, memory=replace(settings.memory, encoder=default_encoder_name())
        )
    totals, about, streams = _plan(settings)
    _check_voice(settings, streams.values())
    model = open_model(settings.agent)
    _check_baselines(settings, model)
    folder = RunFolder.create(
        path,
        settings,
        {
            "begun": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": _versions(),
            "processors": os.cpu_count(),
            "model": model.name if model else settings.agent.name,
            "encoder": settings.memory.encoder,
            "fingerprint before": model.fingerprint() if model else None,
            "episodes": totals,
            **about,
        },
    )
    confirm(path, settings.outside())
    for seed, stream in streams.items():
        folder.keep_stream(seed, stream)
    return folder


def _check_named(folder: RunFolder) -> None:
    """Refuse to ask, load or run what a folder that was received names. Raises NotTrusted."""
    known = confirmed(folder.path)
    for name, value in folder.settings.outside().items():
        if known.get(name) != value:
            raise NotTrusted(
                f"the run in {folder.path} names {name} = {value!r}, which you have not confirmed; nothing was asked, "
                f"loaded or run. If you trust it, run `agentcl trust {folder.path}`"
            )


def go_on(
    folder: RunFolder,
    *,
    on: Ray | None = None,
    on_row: OnRow = lambda row: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Ended:
    """Run what is not done yet.

    Args:
        folder: of the run, new or begun.
        on: a Ray cluster whose workers do the parts of the run and write their rows; they see the folder under the same
            path. Default: processes of this machine.
        on_row: told of every episode that ends.
        should_stop: asked between episodes.

    Raises:
        ClusterUnavailable: if the cluster does not answer; what was played is kept.
        NotEquipped: if a machine of the cluster does not see the folder.
        StoreBusy: if another run writes to the folder.
        ModelUnavailable: if the model cannot be asked; resume when it can.
        ModelChanged: if the model is not the one that the run began with.
        NotTrusted: if the folder comes from elsewhere, and names what you have not confirmed.
    """
    settings = folder.settings
    _check_named(folder)
    parts = list(folder.parts())
    deadline = time.monotonic() + settings.budget_s if settings.budget_s else None

    def is_over() -> bool:
        return should_stop() or (deadline is not None and time.monotonic() > deadline)

    with folder.writing():
        model = open_model(settings.agent)
        _check_frozen(folder, model.fingerprint() if model else None)
        if on is not None:
            ended = _on_cluster(on, folder, parts, on_row, is_over)
        elif settings.workers == 1 or len(parts) == 1:
            ended = [run_part(folder, part, model, on_row, is_over) for part in parts]
        else:
            ended = _side_by_side(folder, parts, on_row, is_over)
        after = model.fingerprint() if model else None
        for one in ended:
            _check_frozen(folder, one.fingerprint)
        _check_frozen(folder, after)
        done = progress(folder).done
        total = sum(folder.parts().values())
        state = "complete" if done == total else _worst([one.state for one in ended])
        if deadline is not None and state == "stopped" and not should_stop():
            state = "budget"
        baselines = {  # a part that was done already knows nothing new
            **folder.about.get("baselines", {}),
            **{
                p.baseline: dict(one.settings)
                for p, one in zip(parts, ended, strict=True)
                if one.settings
            },
        }
        folder.note(state=state, baselines=baselines, **{"fingerprint after": after})
    return Ended(state, done, total)


def progress(folder: RunFolder) -> Progress:
    """Return how many episodes there are, and how many are done."""
    parts = folder.parts()
    done = sum(folder.row_file(part.baseline, part.seed, part.alone).count() for part in parts)
    return Progress(sum(parts.values()), done)


def _plan(settings: RunSettings) -> tuple[dict[str, int], dict[str, Any], dict[int, TaskStream]]:
    """Return the number of episodes of each seed, what a report says of them, and streams of tasks."""
    if settings.questions.source:
        asked = {seed: open_questions(settings.questions, seed=seed) for seed in settings.seeds}
        totals = {str(s): sum(len(q.questions) for q in found) for s, found in asked.items()}
        licences = sorted({q.licence for found in asked.values() for q in found})
        names = sorted({q.name for found in asked.values() for q in found})
        return totals, {"streams": names, "licences": licences}, {}
    domain = open_task_domain(settings.tasks)
    built = {seed: build_stream(settings.tasks, domain, seed=seed) for seed in settings.seeds}
    families = sorted({item.task.family for stream in built.values() for item in stream})
    bounds = {}
    if isinstance(domain, Bounded):
        bounds = {
            family: {"without memory": found.without_memory, "with knowledge": found.with_knowledge}
            for family in families
            if (found := domain.bounds(family))
        }
    about = {"domain": domain.name, "families": families, "bounds": bounds,
             "orders": sorted({stream.order for stream in built.values()})}  # fmt: skip
    if settings.experts:
        about["experts"] = {
            str(seed): {family: len(its) for family, its in expert_streams(stream).items()}
            for seed, stream in built.items()
        }
    return {str(seed): len(stream) for seed, stream in built.items()}, about, built


def _check_baselines(settings: RunSettings, model: ChatModel | None) -> None:
    """Open every baseline once: what is wrong with one is to be told now, not after an hour."""
    domain = None if settings.questions.source else open_task_domain(settings.tasks)
    for_tasks = are_for_tasks(settings.memory.baselines)
    if domain is None and for_tasks:
        raise ConfigError(
            f"{', '.join(for_tasks)} learn from episodes, and a run of questions has none; leave them out"
        )
    for name in settings.memory.options:
        if not is_baseline(name):
            meant = did_you_mean(name, baseline_names(), "`agentcl bench list` has their names")
            raise ConfigError(f"memory.options names no baseline {name!r}{meant}")
    for baseline in settings.memory.baselines:
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch)
            setup = BaselineSetup(
                settings, baseline, scratch=path / "baseline", kept=path / "memory"
            )
            with closing(setup):
                if domain is None:
                    setup.baseline()
                else:
                    setup.player(domain, model)


def _check_voice(settings: RunSettings, streams: Iterable[TaskStream]) -> None:
    """Refuse what the responder could not read a word of, before each of its episodes fails."""
    told = chain.from_iterable(streams)
    if settings.agent.name == Responder.name and any(
        VOICE in item.task.parameters for item in told
    ):
        raise ConfigError(
            f"the {Responder.name} reads incidents in controlled English only; choose the voice controlled, or a model "
            "to act"
        )


def run_part(
    folder: RunFolder,
    part: Part,
    model: ChatModel | None,
    on_row: OnRow = lambda row: None,
    is_over: Callable[[], bool] = lambda: False,
) -> PartEnded:
    """Run one part to its end, its budget, or until it is told to stop.

    Args:
        folder: of the run.
        part: the baseline and the seed.
        model: who acts or reads; None where no model does.
        on_row: told of every episode that ends.
        is_over: asked after each.

    Raises:
        StoreBusy: if another process writes the rows of this part.
        ModelUnavailable: if the model cannot be asked.
    """
    settings = folder.settings
    file = folder.row_file(part.baseline, part.seed, part.alone)
    total = folder.parts()[part]
    with ExitStack() as stack:
        rows = stack.enter_context(file.appending())
        done = file.rows()
        spent = sum(row.tokens for row in done)
        state = "complete"
        about: Mapping[str, Any] = {}
        if settings.budget_tokens and spent >= settings.budget_tokens:
            state = "budget"
        elif len(done) < total:
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="agentcl-bench-"))
            kept = folder.memory_path(part.baseline, part.seed, part.alone)
            vectors = folder.vectors_path(part.baseline, part.seed, part.alone)
            setup = BaselineSetup(
                settings, part.baseline, scratch=Path(scratch), kept=kept, vectors=vectors
            )
            stack.callback(setup.close)
            for row in _rows(folder, setup, part, model, done):
                rows.add(row)
                on_row(row)
                spent += row.tokens
                if is_over():
                    state = "stopped"
                    break
                if settings.budget_tokens and spent >= settings.budget_tokens:
                    state = "budget"
                    break
            about = setup.settings()
    if state == "complete":
        folder.drop_vectors(part.baseline, part.seed, part.alone)
    return PartEnded(state, None, about)


def _rows(
    folder: RunFolder,
    setup: BaselineSetup,
    part: Part,
    model: ChatModel | None,
    done: Sequence[ResultRow],
) -> Iterator[ResultRow]:
    settings = folder.settings
    if settings.questions.source:
        return ask_questions(
            part,
            open_questions(settings.questions, seed=part.seed),
            setup.baseline,
            make_reader(settings.agent, model),
            limit=settings.memory.limit,
            shown=setup.shown,
            view=view_of(settings.questions),
            done=done,
        )
    domain = open_task_domain(settings.tasks)
    # Building a stream may take long, and a killed run would pay for it each time.
    stream = folder.stream(part.seed) or build_stream(settings.tasks, domain, seed=part.seed)
    return play_tasks(
        part,
        expert_streams(stream)[part.alone] if part.alone else stream,
        setup.player(domain, model),
        lambda: make_environment(settings.tasks, domain),
        oracle=domain.oracle(),
        done=done,
    )


def _side_by_side(
    folder: RunFolder, parts: Sequence[Part], on_row: OnRow, is_over: Callable[[], bool]
) -> list[PartEnded]:
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    workers = min(folder.settings.workers, len(parts))
    follow = _Follower(
        [folder.row_file(part.baseline, part.seed, part.alone) for part in parts], on_row
    )
    ended: dict[Part, PartEnded] = {}
    with (
        computing_with(max(1, (os.cpu_count() or 1) // workers)),
        ProcessPoolExecutor(workers, context, _prepare, (stop, os.getpid())) as pool,
    ):
        work_in(
            pool,
            parts,
            partial(_run_in_worker, folder.path),
            keep=ended.update,
            ahead=len(parts),
            should_stop=is_over,
            on_stop=stop.set,
            tick=follow.read,
            tick_s=_POLL_S,
        )
    follow.read()
    return [ended.get(part, PartEnded("stopped", None)) for part in parts]


def _on_cluster(
    on: Ray, folder: RunFolder, parts: Sequence[Part], on_row: OnRow, is_over: Callable[[], bool]
) -> list[PartEnded]:
    path = folder.path.resolve()
    token = (
        uuid.uuid4().hex
    )  # who works for a run of this folder that was killed stops at another one
    name = hashlib.sha256(f"{path} {folder.about['begun']}".encode()).hexdigest()
    pulse = Pulse(path, token)
    follow = _Follower(
        [folder.row_file(part.baseline, part.seed, part.alone) for part in parts], on_row
    )
    ended: dict[Part, PartEnded] = {}

    def tick() -> None:
        if not is_over():
            pulse.beat()
        follow.read()

    pulse.beat()
    try:
        on.work(
            parts,
            partial(_run_on_cluster, path, token),
            keep=ended.update,
            job=f"bench-{name[:24]}",
            key=lambda part: f"{token}/{part.baseline}/{part.seed}/{part.alone}",
            should_stop=is_over,
            on_stop=pulse.stop,
            tick=tick,
            tick_s=_POLL_S,
        )
    finally:
        pulse.end()
    follow.read()
    return [ended.get(part, PartEnded("stopped", None)) for part in parts]


def _run_on_cluster(path: Path, token: str, part: Part) -> tuple[Part, PartEnded]:
    wanted = PulseReader(path, token)
    folder = RunFolder(path)
    if wanted.is_over():
        return part, PartEnded("stopped", None)
    model = open_model(folder.settings.agent)
    ended = run_part(folder, part, model, lambda row: None, wanted.is_over)
    return part, PartEnded(ended.state, model.fingerprint() if model else None, ended.settings)


_stop: Event | None = None
_parent = 0


def _prepare(stop: Event, parent: int) -> None:
    """Make a worker: Ctrl-C is its parent's to handle."""
    global _stop, _parent
    _stop, _parent = stop, parent
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run_in_worker(path: Path, part: Part) -> tuple[Part, PartEnded]:
    def is_over() -> bool:
        return os.getppid() != _parent or (_stop is not None and _stop.is_set())

    folder = RunFolder(path)
    if is_over():
        return part, PartEnded("stopped", None)
    model = open_model(folder.settings.agent)
    ended = run_part(folder, part, model, lambda row: None, is_over)
    return part, PartEnded(ended.state, model.fingerprint() if model else None, ended.settings)


class _Follower:
    """Reads rows as they come into files that other processes write."""

    def __init__(self, files: Sequence[RowFile], on_row: OnRow) -> None:
        self._on_row = on_row
        self._places = {file.path: file.size() for file in files}

    def read(self) -> None:
        for path, place in self._places.items():
            if not path.exists() or path.stat().st_size <= place:
                continue
            with path.open("rb") as file:
                file.seek(place)
                whole = file.read()
            whole = whole[: whole.rfind(b"\n") + 1]
            self._places[path] = place + len(whole)
            for line in whole.decode("utf-8").split("\n")[:-1]:
                self._on_row(ResultRow.from_json(line))


def _check_frozen(folder: RunFolder, fingerprint: str | None) -> None:
    before = folder.about["fingerprint before"]
    if fingerprint is not None and fingerprint != before:
        raise ModelChanged(
            f"the model {folder.about['model']} is not the one that this run began with (fingerprint "
            f"{fingerprint}, before {before}); its rows cannot be put beside the others: begin a new run"
        )


def _worst(states: Sequence[str]) -> str:
    return next((state for state in ("stopped", "budget") if state in states), "stopped")


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in ("agentcl", "torch", "transformers", "numpy"):
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions
