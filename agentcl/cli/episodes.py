"""`agentcl episodes`: what agents went through."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from agentcl.cli.options import (
    command,
    memory_options,
    open_memory,
    open_scopes,
    scope_of,
    scope_options,
)
from agentcl.cli.screen import Screen

# With the search of episodes comes the whole of `Memory`; `--help` must not wait for it.
if TYPE_CHECKING:
    from agentcl.memory.episode_search import EpisodeHit, Filter
    from agentcl.store.episodes import Episode

Command = Callable[..., None]


def filter_options(act: Command) -> Command:
    """Options that say which episodes."""
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


def _chosen(given: dict[str, Any]) -> Filter:
    """Take the filter out of a command's options."""
    from agentcl.memory.episode_search import Filter

    return Filter(
        **{name: given.pop(name) for name in ("application", "family", "world", "is_success")}
    )


@click.group()
def episodes() -> None:
    """Look at what agents went through.

    An episode holds what an agent saw, what it did, and what it was told.
    """


@episodes.command(name="list")
@click.option("--limit", "-n", type=click.IntRange(1), default=50, show_default=True)
@filter_options
@open_scopes
@scope_options
@memory_options
@command
def list_(screen: Screen, limit: int, **given: Any) -> None:
    """List the newest episodes, one a line, the newest last."""
    chosen, scope = _chosen(given), scope_of(given)
    with open_memory(given) as memory:
        found = list(
            deque(memory.episodes.list(chosen=chosen, **scope), maxlen=min(limit, sys.maxsize))
        )
    if screen.as_json:
        screen.json(found)
        return
    for one in found:
        screen.line(_line(one))
    if not found:
        screen.line("there is no such episode")


@episodes.command()
@click.argument("id")
@open_scopes
@scope_options
@memory_options
@command
def show(screen: Screen, id: str, **given: Any) -> None:
    """Print what is known of an episode.

    It says how the episode ended, what it cost, and which lessons it bears on.
    """
    scope = scope_of(given)
    with open_memory(given) as memory:
        found = memory.episodes.replay(id, **scope)
    if screen.as_json:
        screen.json({"episode": found.episode, "lessons": found.lessons})
        return
    screen.record(found.episode)
    for one in found.episode.exposures:
        how = "shown" if one.is_shown else "withheld"
        screen.line(
            f"{how} (p {one.probability:.2f}): {found.lessons[one.guidance]} ({one.guidance})"
        )


@episodes.command(name="replay")
@click.argument("id")
@open_scopes
@scope_options
@memory_options
@command
def replay_(screen: Screen, id: str, **given: Any) -> None:
    """Print an episode step by step.

    With each step stand the lessons that were in its prompt.
    """
    scope = scope_of(given)
    with open_memory(given) as memory:
        found = memory.episodes.replay(id, **scope)
    if screen.as_json:
        screen.json(found)
        return
    for line in found.lines():
        screen.line(line)


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
@open_scopes
@scope_options
@memory_options
@command
def search_(screen: Screen, text: str, by: Any, limit: int, **given: Any) -> None:
    """Find episodes like a task or a situation.

    Successful and failed ones are printed apart.
    """
    chosen, scope = _chosen(given), scope_of(given)
    with open_memory(given) as memory:
        found = memory.episodes.search(text, by=by, limit=limit, chosen=chosen, **scope)
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
        screen.line(f"    began with: {_short(hit.episode.first or hit.episode.goal)}")
        return
    step = hit.step
    screen.line(f"    step {step.ordinal + 1} saw: {_short(step.seen)}")
    screen.line(f"    did: {_short(step.action)}; then: {_short(step.outcome)}")


def _line(episode: Episode) -> str:
    """Return an episode in one line."""
    ended = {True: "success", False: "failed", None: episode.status}[episode.is_success]
    score = "-" if episode.score is None else f"{episode.score:.2f}"
    where = episode.cluster.strip("/") + (f" @ {episode.world}" if episode.world else "")
    shown = sum(one.is_shown for one in episode.exposures)
    return (
        f"{episode.id}  {ended:11} {score:>4}  {episode.steps} steps, {shown} lessons, "
        f"{episode.tokens:,} tokens  {where}  {_short(episode.goal or episode.task)}"
    )


def _short(text: str, width: int = 160) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"
