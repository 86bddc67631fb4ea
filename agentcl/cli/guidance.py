"""`agentcl guidance`: what was learned, why it is believed, and how to take it back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import click

from agentcl.cli.options import (
    Moment,
    ReadFile,
    WrittenFile,
    command,
    memory_options,
    on_memory,
    open_memory,
    scope_of,
    scope_options,
)
from agentcl.cli.screen import Screen
from agentcl.errors import InvalidInput
from agentcl.guidance.evidence.belief import lesson_of
from agentcl.guidance.overview import STAGES, StageDifference, Standing
from agentcl.guidance.pamphlet import load
from agentcl.guidance.progress.shifts import Shift
from agentcl.store.episodes import Level
from agentcl.text.counted import counted
from agentcl.text.saving import is_stdout

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory

_CHECK_BY: Final = click.option(
    "--check-by", metavar="MODEL", help="Ask this model about the few that are in doubt."
)
_URL: Final = click.option(
    "--url", help="Where that model is served: an OpenAI-compatible endpoint."
)
_REASON: Final = click.option("--reason", default="", help="Kept with the decision.")


@click.group()
def guidance() -> None:
    """Look at lessons, and decide about them.

    The commands show what lessons say, what is believed of them, and why.
    """


@guidance.command(name="list")
@click.option("--stage", "stages", multiple=True, type=click.Choice(STAGES), help="Only these.")
@click.option("--application", help="Only of this application or environment.")
@click.option("--family", help="Only at home in this kind of task.")
@click.option("--world", help="Only at home where the same rules hold.")
@click.option("--limit", "-n", type=click.IntRange(1), default=100, show_default=True)
@on_memory(across=True)
def list_(
    screen: Screen, memory: Memory, stages: Any, limit: int, scope: dict[str, Any], **where: Any
) -> None:
    """List lessons with their evidence, the proved ones first.

    Of these the most useful come first.
    """
    found = memory.lessons.list(stages=stages or None, **where, **scope)
    if screen.as_json:
        screen.json([_plain(one) for one in found[:limit]])
        return
    for one in found[:limit]:
        _print_standing(screen, one)
    if not found:
        screen.line("there is no such lesson")
    elif len(found) > limit:
        screen.note(f"{len(found) - limit} more; see --limit")


@guidance.command()
@click.argument("id")
@on_memory(across=True)
def show(screen: Screen, memory: Memory, id: str, scope: dict[str, Any]) -> None:
    """Print a lesson in full, and what is believed of it."""
    standing = memory.lessons.get(id, **scope)
    if screen.as_json:
        screen.json(_plain(standing))
        return
    _print_standing(screen, standing)
    screen.line(f"  {standing.belief.why}")
    screen.record(standing.guidance)


@guidance.command()
@click.argument("id")
@click.option(
    "--situation",
    metavar="TEXT",
    help="Say instead why the lesson is not shown there, or that it is.",
)
@_CHECK_BY
@_URL
@on_memory(across=True)
def why(
    screen: Screen,
    memory: Memory,
    id: str,
    situation: str | None,
    check_by: str | None,
    url: str | None,
    scope: dict[str, Any],
) -> None:
    """Tell the whole story of a lesson, a deleted one too.

    It says where the lesson comes from, and names each test and each decision.
    """
    if situation is not None:
        _check_by(memory, check_by, url)
        reason = memory.lessons.why_not(id, situation, **scope)
        screen.answer({"id": id, "why": reason}, reason)
        return
    told = memory.lessons.why(id, **scope)
    screen.answer(told, *told.lines())


@guidance.command()
@click.argument("situation")
@click.option("--application", help="Only what is offered in this application or environment.")
@_CHECK_BY
@_URL
@on_memory(across=True)
def match(
    screen: Screen,
    memory: Memory,
    situation: str,
    application: str | None,
    check_by: str | None,
    url: str | None,
    scope: dict[str, Any],
) -> None:
    """Print the lessons that speak of a situation, the likeliest first.

    Whether they would be shown depends on what outcomes say of them; see `guidance why --situation`.
    """
    _check_by(memory, check_by, url)
    found = memory.lessons.matching(situation, application=application, **scope)
    if screen.as_json:
        screen.json(
            [
                {"id": made.id, "sentence": lesson_of(made).sentence(), "probability": chance}
                for made, chance in found
            ]
        )
        return
    for made, chance in found:
        screen.line(f"{chance:.2f}  {made.id}  {lesson_of(made).sentence()}")
    if not found:
        screen.line("no lesson speaks of this situation")
    if memory.lessons.checker is not None:
        usage = memory.lessons.checker.usage
        screen.note(f"questions to the model: {usage.calls}, {usage.tokens:,} tokens")


def _check_by(memory: Memory, model: str | None, url: str | None) -> None:
    """Let a model check what is in doubt, if one is named."""
    if model is None:
        if url is not None:
            raise InvalidInput(
                "--url names where a model is served; name the model with --check-by"
            )
        return
    from agentcl.cli.graph import open_model
    from agentcl.memory.lessons.checking import ModelChecker

    memory.lessons.checker = ModelChecker(open_model(model, url))


@guidance.command()
@click.argument("id")
@click.argument("situation")
@click.option(
    "--applies/--not",
    "applies",
    required=True,
    help="Whether the lesson has anything to say there.",
)
@click.option("--episode", default="", metavar="ID", help="In which it was seen.")
@_REASON
@on_memory()
def report(
    screen: Screen,
    memory: Memory,
    id: str,
    situation: str,
    applies: bool,
    episode: str,
    reason: str,
    scope: dict[str, Any],
) -> None:
    """Say that a lesson applies in a situation, or does not.

    Where the same is seen again, that holds. What is believed of the lesson stays as it is.
    """
    made = memory.lessons.report(
        id, situation, applies=applies, episode=episode, reason=reason, **scope
    )
    screen.answer({"id": made.id}, f"{made.id}  {made.what}")


@guidance.command()
@click.option("--since", type=Moment(), required=True, help="Compared with this moment.")
@on_memory(across=True)
def diff(screen: Screen, memory: Memory, since: datetime, scope: dict[str, Any]) -> None:
    """Print which lessons are new or changed since a moment.

    A lesson has changed when it came into another stage.
    """
    _print_differences(screen, memory.lessons.changed(since, **scope))


@guidance.command()
@on_memory(across=True)
def changes(screen: Screen, memory: Memory, scope: dict[str, Any]) -> None:
    """Print what shifted, since when, and how sure that is.

    Scores fall or rise for good, or situations are unlike those before.
    """
    found = memory.lessons.changes(**scope)
    if screen.as_json:
        screen.json([_plain_shift(one) for one in found])
        return
    for one in found:
        for line in one.lines():
            screen.line(line)
    if not found:
        screen.line("no change was noticed")


@guidance.command()
@click.argument("file", type=WrittenFile(), metavar="FILE|-")
@click.option("--name", help="Of the pamphlet; default: the file's.")
@click.option("--application", help="Only lessons of this application or environment.")
@click.option("--candidates", is_flag=True, help="Also lessons that were never tried.")
@on_memory()
def export(
    screen: Screen,
    memory: Memory,
    file: Path,
    name: str | None,
    application: str | None,
    candidates: bool,
    scope: dict[str, Any],
) -> None:
    """Write the best lessons as a pamphlet.

    It is Markdown, to be read and to be imported elsewhere. With - it is printed.
    """
    pamphlet = memory.lessons.export(
        file,
        name=name or ("lessons" if is_stdout(file) else ""),
        application=application,
        with_candidates=candidates,
        **scope,
    )
    count = len(pamphlet.entries)
    screen.saved(file, f"{counted(count, 'lesson')} written to {file}", lessons=count, file=file)


@guidance.command(name="import")
@click.argument("file", type=ReadFile(), metavar="FILE|-")
@scope_options
@memory_options
@command
def import_(screen: Screen, file: Path, **given: Any) -> None:
    """Take the lessons of a pamphlet up as candidates.

    They have to prove themselves here.
    """
    scope, pamphlet = scope_of(given), load(file)
    with open_memory(given, begins=True) as memory:
        adopted = memory.lessons.adopt(pamphlet, **scope)
    if screen.as_json:
        refused = [one._asdict() for one in adopted.refused]
        screen.json({"new": adopted.new, "known": adopted.known, "refused": refused})
        return
    screen.line(f"{adopted.new} new candidates, {adopted.known} known already")
    for one in adopted.refused:
        screen.note(f"refused “{one.when}: {one.what}”: {one.refusal}")


@guidance.command()
@click.argument("sentence")
@click.option("--application", default="", help="Where it is to be offered.")
@click.option(
    "--level", type=click.Choice(get_args(Level)),
    help="How general it is. Default: family with --application, else anywhere.",
)  # fmt: skip
@on_memory(begins=True)
def add(
    screen: Screen,
    memory: Memory,
    sentence: str,
    application: str,
    level: Level | None,
    scope: dict[str, Any],
) -> None:
    """Add a lesson as a candidate.

    SENTENCE says when to do what, as in "When a queue is slow, drain it."
    """
    told = memory.lessons.add(sentence, application=application, level=level, **scope)
    said = lesson_of(told).sentence()
    screen.answer({"id": told.id, "sentence": said}, f"{told.id}  {said}")


@guidance.command()
@click.argument("id")
@_REASON
@on_memory()
def retire(screen: Screen, memory: Memory, id: str, reason: str, scope: dict[str, Any]) -> None:
    """Take a lesson out of use, whatever the evidence.

    `restore` puts it back.
    """
    memory.lessons.retire(id, reason=reason, **scope)
    _print_one(screen, memory.lessons.get(id, **scope))


@guidance.command()
@click.argument("id")
@_REASON
@on_memory()
def restore(screen: Screen, memory: Memory, id: str, reason: str, scope: dict[str, Any]) -> None:
    """Let a retired lesson be judged by its evidence again."""
    memory.lessons.restore(id, reason=reason, **scope)
    _print_one(screen, memory.lessons.get(id, **scope))


@guidance.command()
@click.option("--since", type=Moment(), required=True, help="What was learned from then on.")
@_REASON
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--tenant", help="Whose guidance; that of all its users and agents.")
@on_memory(scoped=False)
def rollback(
    screen: Screen,
    memory: Memory,
    since: datetime,
    reason: str,
    dry_run: bool,
    yes: bool,
    tenant: str | None,
) -> None:
    """Let nothing count that was learned since a moment.

    This takes lessons, tests and outcomes out. It can be undone.
    """
    scope = scope_of({"tenant": tenant})
    found = memory.lessons.changed_by_rollback(since, **scope)
    if dry_run:
        _print_differences(screen, found)
        return
    if not yes:
        if not screen.as_json:
            _print_differences(screen, found)
        screen.agree(f"Roll back to {since.isoformat()}?")
    decision = memory.lessons.rollback(since, reason=reason, **scope)
    if screen.as_json:
        screen.json({"id": decision.id, "changed": [_plain_difference(one) for one in found]})
        return
    screen.line(f"rolled back; {len(found)} lessons stand elsewhere now")
    named = f" --tenant {tenant}" if tenant else ""
    screen.note(f"the records stay; to undo it: agentcl delete {decision.id}{named}")


def _plain(one: Standing) -> dict[str, Any]:
    """Return a standing for JSON, with what is computed of it."""
    return {
        "id": one.guidance.id, "sentence": one.sentence, "cluster": one.cluster, "world": one.world,
        "belief": one.belief, "interval": one.interval, "guidance": one.guidance,
    }  # fmt: skip


def _plain_difference(one: StageDifference) -> dict[str, Any]:
    return {
        "id": one.guidance.id, "sentence": one.sentence, "before": one.before, "after": one.after,
        "why": one.why,
    }  # fmt: skip


def _plain_shift(one: Shift) -> dict[str, Any]:
    """Return a shift for JSON, with which kind it is and how sure."""
    return {"kind": one.kind, "sureness": one.sureness, **asdict(one)}


def _print_one(screen: Screen, one: Standing) -> None:
    screen.json(_plain(one)) if screen.as_json else _print_standing(screen, one)


def _print_standing(screen: Screen, one: Standing) -> None:
    belief, (low, high) = one.belief, one.interval
    screen.line(f"{belief.stage:11} {one.sentence}")
    where = one.cluster.strip("/") + (f" @ {one.world}" if one.world else "")
    screen.line(
        f"  {one.guidance.id}  trust {belief.trust:.2f}, uplift {belief.uplift:+.2f} "
        f"[{low:+.2f}, {high:+.2f}], shown {belief.shown:g}, withheld {belief.withheld:g}, confirmed "
        f"{belief.confirmed}, refuted {belief.refuted}  {where}"
    )


def _print_differences(screen: Screen, found: Sequence[StageDifference]) -> None:
    if screen.as_json:
        screen.json([_plain_difference(one) for one in found])
        return
    for one in found:
        screen.line(f"{one.before or 'new'} -> {one.after or 'gone'}: {one.sentence}")
        screen.line(f"  {one.guidance.id}  {one.why}")
    if not found:
        screen.line("no lesson stands elsewhere")
