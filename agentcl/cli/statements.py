"""The commands about what is said to hold: reading conversations for it, and looking at it."""

from __future__ import annotations

from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentcl.cli.options import ON, Moment, on_memory, workplace
from agentcl.cli.screen import Screen
from agentcl.cli.stopping import stopping
from agentcl.errors import InvalidInput
from agentcl.store.records import ANY
from agentcl.text.counted import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agentcl.memory.memory import Memory
    from agentcl.statements.reading import Digester
    from agentcl.statements.summarising import Summariser
    from agentcl.store.conversations import Statement, Synopsis

_STOPPING_STEP = "stopping after the step under way; once more ends at once"
_STOPPING = "stopping after the exchange under way; once more ends at once"


@click.command()
@click.option("--model", "name", help="What the endpoint calls the model; without it rules read.")
@click.option("--learned", is_flag=True, help="Besides rules, let a small trained model read.")
@click.option("--sentences", is_flag=True, help="Ask a small --model for sentences, by turns.")
@click.option("--url", help="An OpenAI-compatible endpoint, e.g. http://localhost:8000/v1.")
@click.option("--dry-run", is_flag=True, help="Say what it would take, and read nothing.")
@click.option("--limit", type=click.IntRange(1), help="About so many turns at most.")
@click.option("--budget", type=click.IntRange(0), help="At most so many tokens of the model.")
@click.option("--retry", is_flag=True, help="Also conversations that failed three times.")
@click.option(
    "--ledger", "file", type=click.Path(path_type=Path), help="Note each call's cost here."
)
@ON
@on_memory(across=True)
def digest(
    screen: Screen,
    memory: Memory,
    name: str | None,
    learned: bool,
    sentences: bool,
    url: str | None,
    dry_run: bool,
    limit: int | None,
    budget: int | None,
    retry: bool,
    file: Path | None,
    on: str | None,
    scope: dict[str, Any],
) -> None:
    """Read conversations for what they state.

    It reads every turn that it has not read yet: by rules, or with --model by a language model. It can be stopped
    with Ctrl-C and run again: it goes on where it stopped.
    """
    if learned and name:
        raise InvalidInput("name --model or --learned: one of them reads")
    if sentences and not name:
        raise InvalidInput("--sentences are asked of a model; name it with --model")
    place = workplace(on, ledger=file)
    digester = (
        open_learned()
        if learned
        else open_digester(name, url, ledger=file, needs_model=not dry_run, by_sentences=sentences)
    )
    with stopping(_STOPPING) as is_stopped, screen.progress("reading", None) as bar:
        report = memory.statements.digest(
            digester,
            limit=limit,
            budget_tokens=budget,
            retry=retry,
            dry_run=dry_run,
            on=place,
            progress=bar.update,
            should_stop=is_stopped,
            **scope,
        )
    if dry_run:
        screen.answer(
            report, f"{counted(report.remaining, 'turn')} to read, about {report.tokens:,} tokens"
        )
        return
    more = [
        (report.dropped, "left out"),
        (report.proposals, "wishes to forget"),
        (report.failed, "parts failed"),
    ]
    said = "".join(f", {count} {what}" for count, what in more if count)
    screen.answer(
        report,
        f"{counted(report.read, 'turn')} read, {counted(report.statements, 'statement')}{said}",
    )
    if not screen.as_json:
        screen.note(f"job {report.job}")
        if report.remaining:
            screen.note(f"{report.remaining} turns are still to be read")


def _alone(act: Callable[..., None]) -> Callable[..., None]:
    """Make what a group does when no command of it is named."""

    @wraps(act)
    def run(**given: Any) -> None:
        if click.get_current_context().invoked_subcommand is None:
            act(**given)

    return run


@click.group(invoke_without_command=True)
@_alone
@click.option("--dry-run", is_flag=True, help="Show what would be changed, and change nothing.")
@click.option("--keep", type=click.IntRange(0), help="So many stay in sight, the rest is archived.")
@click.option("--near", type=click.FloatRange(0, 1), help="The cosine from which values are one.")
@click.option("--model", "name", help="What the endpoint calls the model that writes summaries.")
@click.option("--url", help="An OpenAI-compatible endpoint, e.g. http://localhost:8000/v1.")
@click.option("--budget", type=click.IntRange(0), help="At most so many tokens of the model.")
@on_memory(across=True, may_be_empty=True)
def tidy(
    screen: Screen,
    memory: Memory,
    dry_run: bool,
    keep: int | None,
    near: float | None,
    name: str | None,
    url: str | None,
    budget: int | None,
    scope: dict[str, Any],
) -> None:
    """Put statements in order; nothing said is lost.

    What is said twice in other words is taken for one, conversations and users get summaries, and with --keep what is weak
    goes into the archive. No turn is touched, and `agentcl tidy undo JOB` takes all of it back.
    """
    summariser = None if name is None else open_summariser(name, url, needs_model=not dry_run)
    with stopping(_STOPPING_STEP) as is_stopped, screen.progress("tidying", None) as bar:
        report = memory.statements.tidy(
            summariser,
            keep=keep,
            near=near,
            budget_tokens=budget,
            dry_run=dry_run,
            progress=bar.update,
            should_stop=is_stopped,
            **scope,
        )
    if screen.as_json:
        screen.json(report)
        return
    for edit in report.edits:
        screen.line(str(edit))
    said = {"merged": "merged", "archived": "archived", "back": "brought back"}
    counts = [f"{count} {what}" for name, what in said.items() if (count := report.count(name))]
    told = report.count("summary") + report.count("profile")
    counts += [counted(told, "summary")] if told else []
    counts += [f"{report.dropped} sentences left out"] if report.dropped else []
    counts += [f"{counted(report.failed, 'summary')} failed"] if report.failed else []
    screen.line(", ".join(counts) or "all is in order")
    if report.tokens:
        screen.note(f"about {report.tokens:,} tokens")
    if report.job:
        screen.note(f"job {report.job}; agentcl tidy undo {report.job} takes it back")


@tidy.command(name="undo")
@click.argument("job")
@on_memory(across=True)
def undo_tidy(screen: Screen, memory: Memory, job: str, scope: dict[str, Any]) -> None:
    """Take back what a job of tidying did."""
    memory.statements.undo(job, **scope)
    screen.answer({"undone": job}, f"taken back {job}")


@click.group()
def statements() -> None:
    """Look at what is said to hold, and decide about it."""


@statements.command(name="list")
@click.option("--subject", help="Only what is about this one, e.g. user.")
@click.option("--at", "valid_at", type=Moment(), help="What held then.")
@click.option("--ever", is_flag=True, help="What held at any time, and what ended it.")
@click.option("--coming", is_flag=True, help="Also what is said to begin later.")
@click.option("--archived", is_flag=True, help="Also what tidying put into the archive.")
@on_memory(across=True, may_be_empty=True)
def list_(
    screen: Screen,
    memory: Memory,
    subject: str | None,
    valid_at: datetime | None,
    ever: bool,
    coming: bool,
    archived: bool,
    scope: dict[str, Any],
) -> None:
    """Print what holds, one a line.

    Contradictions are told behind it.
    """
    when = ANY if ever else valid_at
    room = memory.statements
    found = room.list(
        subject=subject, valid_at=when, all=ever, coming=coming, archived=archived, **scope
    )
    _show(screen, found)
    if not screen.as_json:
        for group in room.contradictions(valid_at=valid_at, **scope):
            values = ", or ".join(f"{one.value} ({one.id})" for one in group)
            screen.note(f"a contradiction: {group[0].slot} is {values}")


@statements.command()
@click.argument("of", metavar="ID|SLOT")
@on_memory(across=True)
def history(screen: Screen, memory: Memory, of: str, scope: dict[str, Any]) -> None:
    """Print all that was said of one attribute.

    Name a statement by its id, or a slot, e.g. "user / home".
    """
    _show(screen, memory.statements.history(of, **scope))


@statements.command()
@click.argument("id")
@on_memory(across=True)
def why(screen: Screen, memory: Memory, id: str, scope: dict[str, Any]) -> None:
    """Print the turns that say a statement."""
    turns = memory.statements.why(id, **scope)
    lines = [f"{turn.said_at}  {turn.speaker}: {turn.text}" for turn in turns]
    screen.answer(turns, *(lines or ["no turn says it: it was added by hand"]))


@statements.command()
@on_memory(across=True, may_be_empty=True)
def summaries(screen: Screen, memory: Memory, scope: dict[str, Any]) -> None:
    """Print what `agentcl tidy` summed up."""
    found = memory.statements.summaries(**scope)
    lines = [f"{_of(memory, one)}: {one.text}" for one in found]
    screen.answer(found, *(lines or ["nothing is summed up; `agentcl tidy` does that"]))


def _of(memory: Memory, one: Synopsis) -> str:
    """Return what a summary is of."""
    if one.key == "profile":
        return f"{one.scope}, what holds"
    held = memory.store.journal.get(one.sources[0], view=one.scope.view())
    return f"{one.scope}, {getattr(held, 'title', '') or held.key or 'the conversation'}"


@statements.command()
@on_memory(across=True, may_be_empty=True)
def proposals(screen: Screen, memory: Memory, scope: dict[str, Any]) -> None:
    """Print what somebody wished to be forgotten.

    Nothing is done until you accept it.
    """
    found = memory.statements.proposals(**scope)
    lines = [
        f"{one.id}  “{one.text}”  "
        + (f"means {', '.join(one.statements)}" if one.statements else "no statement is meant")
        for one in found
    ]
    screen.answer(found, *(lines or ["nobody wishes anything to be forgotten"]))


@statements.command()
@click.argument("id")
@click.option("--erase", is_flag=True, help="Forget the statements and their turns for good.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@on_memory()
def accept(
    screen: Screen, memory: Memory, id: str, erase: bool, yes: bool, scope: dict[str, Any]
) -> None:
    """Do what somebody wished to be forgotten."""
    meant = [one for one in memory.statements.proposals(**scope) if one.id == id]
    if meant and not yes:  # else there is nothing to ask about
        then = "is forgotten for good" if erase else "holds no longer"
        asked = f"“{meant[0].text}”: what it means ({counted(len(meant[0].statements), 'statement')}) {then}. Go on?"
        screen.agree(asked)
    done = memory.statements.accept(id, erase=erase, **scope)
    ended = 0 if done is None else len(done.ended)
    screen.answer(
        done, f"forgotten {id}" if done is None else f"{counted(ended, 'statement')} ended"
    )


@statements.command()
@click.argument("id")
@on_memory()
def refuse(screen: Screen, memory: Memory, id: str, scope: dict[str, Any]) -> None:
    """Decide against what somebody wished to be forgotten."""
    screen.answer(memory.statements.refuse(id, **scope), f"refused {id}")


@statements.command()
@click.argument("id")
@on_memory()
def undo(screen: Screen, memory: Memory, id: str, scope: dict[str, Any]) -> None:
    """Take back a statement, a decision, or a tidying."""
    memory.statements.undo(id, **scope)
    screen.answer({"undone": id}, f"taken back {id}")


def _show(screen: Screen, found: Sequence[Statement]) -> None:
    lines = [f"{one.id}  {_when(one):<24}  {one.text}" for one in found]
    screen.answer(found, *(lines or ["nothing is said to hold"]))


def _when(one: Statement) -> str:
    """Return from when to when it holds, as days where it was said."""
    there = one.moment.tzinfo
    since, until = (
        "" if at is None else f"{at.astimezone(there):%Y-%m-%d}"
        for at in (one.valid_from, one.valid_to)
    )
    return f"{since} … {until}".strip()


def open_summariser(name: str, url: str | None, *, needs_model: bool = True) -> Summariser:
    """Return a model that writes summaries. Raises InvalidInput if it is not known where it is served."""
    from agentcl.cli.graph import open_model
    from agentcl.models.scripted import ScriptedModel
    from agentcl.statements.model_summariser import ModelSummariser

    model = open_model(name, url) if url or needs_model else ScriptedModel([], name=name)
    return ModelSummariser(model, name=f"model:{name}")


def open_learned() -> Digester:
    """Return who reads with the small trained model. Raises MissingExtra."""
    from agentcl.statements.digesters.learned import LearnedDigester

    return LearnedDigester()


def open_digester(
    name: str | None,
    url: str | None,
    *,
    ledger: Path | None = None,
    needs_model: bool = True,
    by_sentences: bool = False,
) -> Digester:
    """Return who reads; by sentences a model is asked for these, turn by turn. Raises InvalidInput if it is not known where the model is served."""
    if name is None:
        from agentcl.statements.digesters.rules import RuleDigester

        return RuleDigester()
    from agentcl.cli.graph import open_model
    from agentcl.models.scripted import ScriptedModel
    from agentcl.statements.digesters.model import ModelDigester
    from agentcl.statements.digesters.sentences import SentenceDigester

    model = open_model(name, url) if url or needs_model else ScriptedModel([], name=name)
    if ledger is not None:
        from agentcl.models.ledger import Ledger, RecordedModel

        model = RecordedModel(model, Ledger(ledger), purpose="digest")
    if by_sentences:
        return SentenceDigester(model, name=f"sentences:{name}")
    return ModelDigester(model, name=f"model:{name}")
