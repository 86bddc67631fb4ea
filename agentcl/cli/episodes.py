"""`agentcl episodes`: what agents went through."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentcl.cli.options import WrittenFile, on_memory
from agentcl.cli.screen import Screen, shorten
from agentcl.errors import TransferError
from agentcl.text.counted import counted
from agentcl.text.saving import is_stdout, save_text
from agentcl.text.visible import for_json

# With the search of episodes comes the whole of `Memory`; `--help` must not wait for it.
if TYPE_CHECKING:
    from agentcl.guidance.progress.mastery import Skill
    from agentcl.memory.episodes.search import EpisodeHit
    from agentcl.memory.memory import Memory
    from agentcl.store.episodes import Episode

Command = Callable[..., None]
_WIDTH = 160  # characters of a text in a line


def filter_options(act: Command) -> Command:
    """Options that say which episodes; a command gets them as the fields of a `Filter`."""
    for option in (
        click.option(
            "--success/--failed", "is_success", default=None, help="Only those that ended so."
        ),
        click.option("--world", help="Only where the same rules hold."),
        click.option("--family", help="Only this kind of task."),
        click.option("--application", help="Only of this application or environment."),
    ):
        act = option(act)
    return act


@click.group()
def episodes() -> None:
    """Look at what agents went through.

    An episode holds what an agent saw, what it did, and what it was told.
    """


@episodes.command(name="list")
@click.option("--limit", "-n", type=click.IntRange(1), default=50, show_default=True)
@filter_options
@on_memory(across=True)
def list_(screen: Screen, memory: Memory, limit: int, scope: dict[str, Any], **given: Any) -> None:
    """List the newest episodes, one a line, the newest last."""
    from agentcl.memory.episodes.search import Filter

    chosen = Filter(**given)
    found = list(
        deque(memory.episodes.list(chosen=chosen, **scope), maxlen=min(limit, sys.maxsize))
    )
    screen.answer(found, *(map(_line, found) if found else ["there is no such episode"]))


@episodes.command()
@click.argument("id")
@on_memory(across=True)
def show(screen: Screen, memory: Memory, id: str, scope: dict[str, Any]) -> None:
    """Print what is known of an episode.

    It says how the episode ended, what it cost, and which lessons it bears on.
    """
    found = memory.episodes.replay(id, **scope)
    if screen.as_json:
        screen.json({"episode": found.episode, "lessons": found.lessons})
        return
    screen.record(found.episode)
    for one in found.episode.exposures:
        how = "shown" if one.is_shown else "withheld to measure its worth"
        screen.line(
            f"{how} (p {one.probability:.2f}): {found.lessons[one.guidance]} ({one.guidance})"
        )

    for shown in found.episode.demonstrations:
        how = "shown" if shown.is_shown else "withheld to measure their worth"
        of = ", ".join(shown.episodes)
        screen.line(f"past {shown.ended} {how} (p {shown.probability:.2f}): {of}")


@episodes.command()
@on_memory()
def demonstrations(screen: Screen, memory: Memory, scope: dict[str, Any]) -> None:
    """Print what showing past episodes is worth.

    For each kind of task, those that ended well and those that failed are measured apart.
    """
    found = memory.lessons.outlook(**scope).demonstrations()
    if screen.as_json:
        screen.json([{"cluster": of, "ended": ended, "belief": one} for of, ended, one in found])
        return
    for cluster, ended, one in found:
        screen.line(
            f"{cluster.strip('/') or 'any task'}, {ended}: {one.stage}, {one.uplift:+.2f} of the score "
            f"(sd {one.sd:.2f}), shown in {one.shown:.0f} and withheld in {one.withheld:.0f} episodes"
        )
    if not found:
        screen.line("no coin was thrown for past episodes yet")


@episodes.command(name="export")
@click.option(
    "--format",
    "form",
    type=click.Choice(["sft", "dpo"]),
    required=True,
    help="Whole conversations, or pairs of a better and a worse action.",
)
@click.option("--out", type=WrittenFile(), default="-", help="The file; default: print it.")
@on_memory(across=True)
def export_(screen: Screen, memory: Memory, form: Any, out: Path, scope: dict[str, Any]) -> None:
    """Write episodes as JSON lines for a trainer.

    Each line also says how the episode went, and which lessons were in its prompt, with their credit.
    """
    from agentcl.consolidation.rows.exporting import export_episodes

    lines = [
        for_json(json.dumps(row, ensure_ascii=False))
        for row in export_episodes(memory, form, **scope)
    ]
    text = "".join(f"{line}\n" for line in lines)
    if is_stdout(out):
        screen.raw(text)
        return
    try:
        save_text(out, text)
    except OSError as error:
        raise TransferError(f"cannot write {out}: {error.strerror}") from error
    screen.saved(out, f"wrote {counted(len(lines), 'row')} to {out}", rows=len(lines))


@episodes.command(name="replay")
@click.argument("id")
@on_memory(across=True)
def replay_(screen: Screen, memory: Memory, id: str, scope: dict[str, Any]) -> None:
    """Print an episode step by step.

    With each step stand the lessons that were in its prompt.
    """
    found = memory.episodes.replay(id, **scope)
    screen.answer(found, *found.lines())


@episodes.command()
@filter_options
@on_memory(across=True)
def skills(screen: Screen, memory: Memory, scope: dict[str, Any], **given: Any) -> None:
    """Print how well each kind of task is mastered.

    The least mastered come first. Mastery is the score that is expected of the next episode, in brackets where it lies with a
    probability of 95 %. What was long ago says less, so it drifts back to what nobody knows.
    """
    from agentcl.memory.episodes.search import Filter

    found = memory.episodes.skills(chosen=Filter(**given), **scope)
    lines = map(skill_line, found)
    screen.answer(found, *(lines if found else ["no episode was scored yet"]))


@episodes.command(name="search")
@click.argument("text")
@click.option(
    "--by",
    type=click.Choice(["task", "situation", "either"]),
    default="either",
    show_default=True,
    help="Compare with what was seen first, or at any step.",
)
@click.option("--limit", "-n", type=click.IntRange(1), default=5, show_default=True)
@filter_options
@on_memory(across=True)
def search_(
    screen: Screen,
    memory: Memory,
    text: str,
    by: Any,
    limit: int,
    scope: dict[str, Any],
    **given: Any,
) -> None:
    """Find episodes like a task or a situation.

    Successful and failed ones are printed apart.
    """
    from agentcl.memory.episodes.search import Filter

    found = memory.episodes.search(text, by=by, limit=limit, chosen=Filter(**given), **scope)
    if screen.as_json:
        screen.json(found)
        return
    groups = (
        ("succeeded", found.succeeded), ("failed", found.failed), ("not judged", found.unjudged),
    )  # fmt: skip
    for title, hits in groups:
        if hits:
            screen.line(f"{title}:")
        for hit in hits:
            _print_hit(screen, hit)
    if not any(hits for _, hits in groups):
        screen.line("nothing like it was found")


def _print_hit(screen: Screen, hit: EpisodeHit) -> None:
    screen.line(f"  {_line(hit.episode)}")
    if hit.step is None:
        screen.line(f"    began with: {shorten(hit.episode.first or hit.episode.goal, _WIDTH)}")
        return
    step = hit.step
    screen.line(f"    step {step.ordinal + 1} saw: {shorten(step.seen, _WIDTH)}")
    screen.line(f"    did: {shorten(step.action, _WIDTH)}; then: {shorten(step.outcome, _WIDTH)}")


def skill_line(skill: Skill) -> str:
    """Return what is known of a skill in one line."""
    tries = (
        f"{skill.attempts} {'try' if skill.attempts == 1 else 'tries'}, {skill.succeeded} succeeded"
    )
    trend = "" if skill.trend is None else f", trend {skill.trend:+.2f}"
    return (
        f"{skill.mastery:.2f} [{skill.low:.2f}, {skill.high:.2f}]  {place_of(skill)}  {tries}{trend}, "
        f"{skill.tokens:,} tokens, last {skill.last:%Y-%m-%d %H:%M}"
    )


def place_of(one: Skill | Episode) -> str:
    """Return the kind of task, and where the same rules hold."""
    return one.cluster.strip("/") + (f" @ {one.world}" if one.world else "")


def _line(episode: Episode) -> str:
    """Return an episode in one line."""
    ended = {True: "success", False: "failed", None: episode.status}[episode.is_success]
    score = "-" if episode.score is None else f"{episode.score:.2f}"
    shown = sum(one.is_shown for one in episode.exposures)
    return (
        f"{episode.id}  {ended:11} {score:>4}  {counted(episode.steps, 'step')}, {counted(shown, 'lesson')}, "
        f"{episode.tokens:,} tokens  {place_of(episode)}  {shorten(episode.goal or episode.task, _WIDTH)}"
    )
