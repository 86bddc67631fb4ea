"""`agentcl practise`: an agent plays where it learns most."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, get_args

import click

from agentcl.bench.settings import AgentSettings, Teaching, merge
from agentcl.cli.episodes import place_of
from agentcl.cli.options import DOMAIN_OPTIONS, domain_options, on_memory
from agentcl.cli.screen import Screen
from agentcl.cli.stopping import stopping
from agentcl.envs.base import Split
from agentcl.errors import InvalidInput
from agentcl.models.reference.shipped import REFERENCE_NAME
from agentcl.text.counted import counted

# With the agent comes the whole of `Memory`; `--help` must not wait for it.
if TYPE_CHECKING:
    from agentcl.agents.agent import Agent
    from agentcl.agents.practice import KindPractised, Practice, Practised
    from agentcl.memory.memory import Memory

_STOPPING: Final = "stopping after the episode under way; Ctrl-C again stops at once"
_EPISODES: Final = 50  # if neither budget is given
_LATELY: Final = 10  # episodes that a score is told of


@click.command()
@click.argument("domain")
@DOMAIN_OPTIONS
@click.option("--family", "families", multiple=True, help="Only this kind of task; give several.")
@click.option("--split", type=click.Choice(get_args(Split)), default="train", show_default=True)
@click.option(
    "--where", multiple=True, metavar="NAME=VALUE",
    help="Only tasks with this parameter, such as deployment=3.",
)  # fmt: skip
@click.option(
    "--episodes", "-n", "most", type=click.IntRange(1),
    help=f"At most so many; default: {_EPISODES}, unless --tokens says when to end.",
)  # fmt: skip
@click.option("--tokens", type=click.IntRange(1), help="Begin no episode after so many.")
@click.option("--seed", default=0, show_default=True, help="Of choices and episodes.")
@click.option(
    "--student", default="model", show_default=True,
    help="Who acts: model, or responder, a script for incidents.",
)  # fmt: skip
@click.option(
    "--model", help="The reference model, which is the default, a folder, or a name at --url."
)
@click.option("--url", help="An OpenAI-compatible endpoint.")
@click.option(
    "--teacher", type=click.Choice(get_args(Teaching)), default="outcomes", show_default=True,
    help="Who says what an episode teaches: what followed what, or who acts.",
)  # fmt: skip
@on_memory(begins=True)
def practise(screen: Screen, memory: Memory, **given: Any) -> None:
    """Let an agent play where it learns most.

    DOMAIN is a name of `agentcl envs list`, or module:Class of your own. The next task is the one from which most is expected to be learned, by the memory's own record; what an episode teaches is kept. Ctrl-C ends it after the episode under way. Called again, it goes on from the record.
    """
    done = _practise(screen, memory, given)
    if screen.as_json:
        screen.json(done)
        return
    for kind in done.kinds:
        screen.line(_kind_line(kind))
    broken = f", {done.broken} of them broken off by the environment" if done.broken else ""
    screen.line(f"{counted(done.episodes, 'episode')}{broken}, {done.tokens:,} tokens")
    if done.end == "stopped":
        screen.note("it was stopped; the same command goes on")


def _practise(screen: Screen, memory: Memory, given: dict[str, Any]) -> Practice:
    """Practise as the options say."""
    from agentcl.agents.practice import PracticeBudget
    from agentcl.envs.registry import open_domain

    episodes, tokens = given["most"], given["tokens"]
    if episodes is None and tokens is None:
        episodes = _EPISODES
    domain = open_domain(given["domain"], domain_options(given["options"]))
    agent = _agent(memory, given)
    with stopping(_STOPPING) as is_stopped, _following(screen, episodes) as on_progress:
        return agent.practise(
            domain,
            budget=PracticeBudget(episodes, tokens),
            families=given["families"] or None,
            split=given["split"],
            where=merge({}, given["where"]),
            seed=given["seed"],
            on_progress=on_progress,
            should_stop=is_stopped,
        )


def _agent(memory: Memory, given: dict[str, Any]) -> Agent:
    """Return who practises. Raises ConfigError, InvalidInput or ModelUnavailable."""
    from agentcl.agents.agent import Agent
    from agentcl.bench.build import make_student, open_model

    name, url = given["model"], given["url"]
    if url and not name:
        raise InvalidInput(
            f"which model at {url}? Name it with --model; `agentcl model check {url}` lists them"
        )
    settings = AgentSettings(
        given["student"], name or REFERENCE_NAME, url or "", teacher=given["teacher"]
    )
    model = open_model(settings)
    student, teacher = make_student(settings, model)
    return Agent(
        memory,
        student,
        teacher=teacher,
        name=model.name if model else settings.name,
        fingerprint=model.fingerprint() if model else "",
        **given["scope"],
    )


@contextmanager
def _following(screen: Screen, episodes: int | None) -> Iterator[Callable[[Practised], None]]:
    """Show how far a practice is, what is played, and how well it goes."""
    scores: list[float] = []
    with screen.progress("practising", episodes) as bar:

        def on_progress(one: Practised) -> None:
            if one.episode is not None and one.episode.score is not None:
                scores.append(one.episode.score)
            last = scores[-_LATELY:]
            mean = f"score {sum(last) / len(last):.2f} lately" if last else "no score yet"
            about = f"{one.task.family} ({one.why}), {mean}, {one.tokens:,} tokens"
            bar.update(one.number, label=about)

        yield on_progress


def _kind_line(kind: KindPractised) -> str:
    """Return what became of a kind of task in one line."""
    played = f"{kind.episodes} {'episode' if kind.episodes == 1 else 'episodes'}"
    if kind.after is None:
        return f"{played}: none was scored"
    before = "never tried" if kind.before is None else f"{kind.before.mastery:.2f}"
    after = f"{kind.after.mastery:.2f} [{kind.after.low:.2f}, {kind.after.high:.2f}]"
    return f"{place_of(kind.after)}: {played}, mastery {before} -> {after}"
