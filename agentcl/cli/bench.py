"""`agentcl bench`: runs that compare memories, on tasks and on questions."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import click

from agentcl.bench.settings import Shape, from_mapping, load_settings, merge
from agentcl.cli.options import ON, PRICES, NewFolder, command, workplace
from agentcl.cli.screen import Screen
from agentcl.cli.state_bench import state_bench
from agentcl.cli.stopping import stopping
from agentcl.errors import ConfigError, InvalidInput

# What runs and reports is imported where it is used: `--help` must not wait for it.
if TYPE_CHECKING:
    from agentcl.bench.folder import RunFolder
    from agentcl.bench.report.summary import Summary
    from agentcl.bench.rows import ResultRow
    from agentcl.jobs import Ray

_STOPPING: Final = "stopping after the episodes under way; Ctrl-C again stops at once"
_FOLDER = click.argument("folder", type=click.Path(path_type=Path))


@click.group()
def bench() -> None:
    """Compare memories on tasks and on questions.

    An agent plays the tasks; the questions are about documents.
    """


bench.add_command(state_bench)


@bench.command(name="list")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@command
def list_(screen: Screen, folder: Path | None) -> None:
    """List what can be run; with FOLDER, the runs in it."""
    if folder is not None:
        _list_runs(screen, folder)
        return
    from agentcl.bench.baselines.registry import baseline_names
    from agentcl.bench.build import agent_names, source_names
    from agentcl.envs.registry import domain_names

    there = {
        "domains": domain_names(),
        "sources of questions": source_names(),
        "streams": list(get_args(Shape)),
        "agents": agent_names(),
        "baselines": baseline_names(),
    }
    screen.answer(there, *(f"{kind}: {', '.join(names)}" for kind, names in there.items()))


@bench.command()
@click.argument("plan", type=click.Path(path_type=Path), required=False)
@click.option("--out", type=NewFolder(), required=True, help="A new folder.")
@click.option("--domain", help="Tasks of this domain, or of module:Class of your own.")
@click.option("--questions", help="Questions of this source, or of a saved stream (.jsonl).")
@click.option("--data", help="Where the data of --questions lies.")
@click.option("--voice", help="How incidents are told: controlled, or natural.")
@click.option("--family", "families", multiple=True, help="Only this kind of task.")
@click.option(
    "--stream",
    type=click.Choice(get_args(Shape)),
    help="How tasks follow one another; some domains refuse some.",
)
@click.option("--episodes", "-n", type=click.IntRange(1), help="How many tasks, or questions.")
@click.option(
    "--agent",
    help="Who acts, as `agentcl bench list` has it, or module:Class; for questions model, or none.",
)
@click.option("--model", help="The reference model, a folder, or a name at --url.")
@click.option("--url", help="An OpenAI-compatible endpoint.")
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    help="A memory to compare, also module:Class; several.",
)
@click.option("--limit", type=click.IntRange(1), help="Items that a prompt may hold.")
@click.option("--encoder", help="For all baselines alike: hashing, minilm, ...")
@click.option("--seeds", type=click.IntRange(1), help="How many: 0, 1, 2 ...")
@click.option("--workers", type=click.IntRange(1), help="Processes side by side.")
@click.option(
    "--experts", is_flag=True, default=None,
    help="Train each baseline on each family alone, too: for relative performance and the like.",
)  # fmt: skip
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Any other setting.")
@ON
@command
def run(
    screen: Screen,
    plan: Path | None,
    out: Path,
    changes: Sequence[str],
    on: str | None,
    **given: Any,
) -> None:
    """Begin a run, of a TOML file or options; options win."""
    from agentcl.bench.run import begin

    cluster = workplace(on)
    tables = asdict(load_settings(plan)) if plan else {}
    settings = from_mapping(
        merge(_with_options(tables, given), changes), where=str(plan or "options")
    )
    _run(screen, begin(out, settings), cluster)


@bench.command()
@_FOLDER
@ON
@command
def resume(screen: Screen, folder: Path, on: str | None) -> None:
    """Go on with a run that was stopped or killed.

    A run that spent its budget of seconds goes on as well.
    """
    from agentcl.bench.folder import RunFolder

    _run(screen, RunFolder(folder), workplace(on))


@bench.command()
@_FOLDER
@PRICES
@command
def report(screen: Screen, folder: Path, prices: Path | None) -> None:
    """Write a run's page, Markdown, JSON and pictures."""
    from agentcl.bench.folder import RunFolder
    from agentcl.bench.report.writing import write_report
    from agentcl.models.ledger import Prices

    found = RunFolder(folder)
    written = write_report(found, prices=Prices.load(prices) if prices else None)
    screen.answer({"written": written}, *map(str, written))


@bench.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@command
def compare(screen: Screen, folders: Sequence[Path]) -> None:
    """Put runs side by side.

    Where they played the same episodes, their differences are paired.
    """
    from agentcl.bench.folder import RunFolder
    from agentcl.bench.report.compare import compare_runs

    comparison = compare_runs([RunFolder(folder) for folder in folders])
    if screen.as_json:
        screen.json(json.loads(comparison.to_json()))
    else:
        screen.line(comparison.to_markdown())


def _run(screen: Screen, folder: RunFolder, on: Ray | None) -> None:
    from agentcl.bench.folder import RunFolder
    from agentcl.bench.report.summary import summarise
    from agentcl.bench.report.writing import write_report
    from agentcl.bench.run import go_on

    with stopping(_STOPPING) as is_stopped, _following(screen, folder) as on_row:
        ended = go_on(folder, on=on, on_row=on_row, should_stop=is_stopped)
    left = ended.total - ended.done
    page = write_report(RunFolder(folder.path))[0]
    if screen.as_json:
        screen.json({"folder": folder.path, "state": ended.state, "done": ended.done, "left": left,
                     "report": page})  # fmt: skip
        return
    _sum_up(screen, summarise(RunFolder(folder.path)))
    _tell_failed(screen, RunFolder(folder.path))
    screen.line(f"report: {page}")
    if left:
        why = "its budget is spent" if ended.state == "budget" else "it was stopped"
        screen.note(
            f"{left} of {ended.total} episodes are left, {why}: agentcl bench resume {folder.path}"
        )


def _sum_up(screen: Screen, summary: Summary) -> None:
    """Print what each baseline reached, beside the one that it has to beat."""
    from agentcl.bench.report.protocols import BESIDE_EXPERTS
    from agentcl.bench.report.verdict import verdict
    from agentcl.bench.report.words import interval

    experts = {
        line.baseline: {name.replace("_", " "): line.measures[name] for name in BESIDE_EXPERTS}
        for line in summary.transfer
        if summary.about.get("experts")
    }
    gains = {difference.baseline: difference.score for difference in summary.differences}
    for baseline in summary.baselines:
        gain = gains.get(baseline.baseline)
        against = f", {interval(gain, is_signed=True)} against {summary.against}" if gain else ""
        failed = f", {baseline.failed} failed" if baseline.failed else ""
        screen.line(f"{baseline.baseline:12} score {interval(baseline.score)}{against}{failed}")
        its = {"prequential": baseline.prequential, **experts.get(baseline.baseline, {})}
        told = ", ".join(f"{what} {interval(one)}" for what, one in its.items())
        if not summary.are_questions:
            screen.line(f"{'':12} {told}")
    screen.line(verdict(summary))
    if summary.leakage.is_suspect:
        screen.note("the leakage check found something; see the report")


def _tell_failed(screen: Screen, folder: RunFolder) -> None:
    """Say of the first episode that failed why it did."""
    failed = next((row for row in folder.rows() if row.end == "failed"), None)
    if failed is None:
        return
    why = failed.error.strip().splitlines()[-1:]
    domain = folder.settings.tasks.domain
    advice = f"; check it with `agentcl envs check {domain}`" if ":" in domain else ""
    screen.note(
        f"the first that failed: {failed.baseline}, seed {failed.seed}, episode {failed.number + 1}: "
        f"{''.join(why)[:300]}{advice}"
    )


@contextmanager
def _following(screen: Screen, folder: RunFolder) -> Iterator[Callable[[ResultRow], None]]:
    """Show how far the run is, how well it goes, and what it has cost."""
    from agentcl.bench.run import progress

    before = progress(folder)
    count = tokens = failed = 0
    scores: list[float] = []
    started = time.monotonic()
    with screen.progress("running", before.total) as bar:
        bar.update(before.done)

        def on_row(row: ResultRow) -> None:
            nonlocal count, tokens, failed
            count += 1
            tokens += row.tokens
            failed += row.end == "failed"
            if row.score is not None:
                scores.append(row.score)
            left_s = (time.monotonic() - started) / count * (before.total - before.done - count)
            mean = f"score {sum(scores) / len(scores):.2f}" if scores else "no score yet"
            broken = f", {failed} failed" if failed else ""
            about = f"{mean}{broken}, {tokens:,} tokens, {_span(left_s)} left"
            bar.update(before.done + count, label=about)
            for shift in row.shifts:
                screen.note(f"{row.baseline}, seed {row.seed}, episode {row.number + 1}: {shift}")

        yield on_row


def _span(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 7200 else f"{whole / 3600:.1f} h"


def _with_options(tables: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return the tables of a plan with what the options say in their places."""
    is_asked = bool(given["questions"] or tables.get("questions", {}).get("source"))
    places = {
        "domain": "tasks.domain", "questions": "questions.source", "data": "questions.path",
        "voice": "tasks.options.voice",
        "families": "tasks.families", "stream": "tasks.stream", "agent": "agent.name",
        "episodes": "questions.limit" if is_asked else "tasks.episodes", "model": "agent.model",
        "url": "agent.url", "baselines": "memory.baselines", "limit": "memory.limit",
        "encoder": "memory.encoder", "workers": "workers", "seeds": "seeds", "experts": "experts",
    }  # fmt: skip
    merged = {key: dict(v) if isinstance(v, dict) else v for key, v in tables.items()}
    for option, place in places.items():
        value = given[option]
        if value in (None, ()):
            continue
        if option == "seeds":
            value = list(range(value))
        *path, last = place.split(".")
        table = merged
        for part in path:
            table = table.setdefault(part, {})
        table[last] = list(value) if isinstance(value, tuple) else value
    return merged


def _list_runs(screen: Screen, folder: Path) -> None:
    from agentcl.bench.folder import RunFolder
    from agentcl.bench.run import progress

    runs = []
    for head in sorted(folder.glob("**/run.json")):
        try:
            found = RunFolder(head.parent)
            far = progress(found)
        except (InvalidInput, ConfigError) as error:
            screen.note(str(error))
            continue
        runs.append(
            {"folder": head.parent, "name": found.settings.name, "done": far.done, "total": far.total,
             "state": found.about.get("state", "not ended"), "baselines": list(found.settings.memory.baselines)}
        )  # fmt: skip
    lines = [
        f"{one['folder']}: {one['name']}, {one['done']}/{one['total']} episodes, {one['state']}, "
        f"baselines {', '.join(one['baselines'])}"
        for one in runs
    ]
    screen.answer(runs, *(lines or [f"there is no run in {folder}"]))
