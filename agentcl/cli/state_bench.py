"""`agentcl bench state-bench`: learnings for the learning track of STATE-Bench, in a checkout of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from agentcl.cli.options import command, on_folder, on_memory
from agentcl.cli.screen import Screen

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory

_DOMAIN = click.option("--domain", required=True, help="Of the benchmark, such as travel.")
_SOURCE = click.argument("source", type=click.Path(path_type=Path))
_AGENT: Final = '''"""An agent of STATE-Bench that asks agentcl for learnings. Put this file into the checkout's folder `agents`."""

from agentcl.bench import Learnings
from state_bench.agents.state_bench import StateBenchAgent


class AgentclAgent(StateBenchAgent):
    learnings = Learnings({path!r}, domain={domain!r})

    def retrieve_learnings(self, query: str, top_k: int = 3) -> list[str]:
        return self.learnings.retrieve(query, top_k)
'''


@click.group(name="state-bench")
def state_bench() -> None:
    """Give agents of STATE-Bench learnings in your own checkout.

    Learn from its training trajectories, let its agent ask for what was learned, and compare its runs.
    """


@state_bench.command()
@_SOURCE
@click.option("--domain", default="", help="Only of this domain; default: all that are there.")
@on_memory(scoped=False, begins=True)
def learn(screen: Screen, memory: Memory, source: Path, domain: str) -> None:
    """Keep the training trajectories at SOURCE as cases.

    SOURCE is a checkout, a folder of trajectories, or a .jsonl file. The same ones again change nothing.
    """
    from agentcl.bench import learn_cases, read_trajectories

    found = read_trajectories(source, domain=domain)
    with screen.progress("cases", len(found)) as bar:
        learned = learn_cases(memory, found, progress=bar.advance)
    domains = sorted({one.domain for one in found})
    screen.answer(
        {"cases": learned.cases, "known": learned.known, "domains": domains},
        f"{learned.cases} case{'s' * (learned.cases != 1)} learned, {learned.known} known before; domains {', '.join(domains)}",
    )


@state_bench.command()
@click.argument("query")
@_DOMAIN
@click.option(
    "--top-k", type=click.IntRange(1), default=3, show_default=True, help="At most so many."
)
@on_folder
def ask(screen: Screen, memory: Memory, query: str, domain: str, top_k: int) -> None:
    """Print what an agent gets that asks for learnings."""
    from agentcl.bench import Learnings

    found = Learnings(memory, domain=domain).retrieve(query, top_k)
    screen.answer(found, *("\n".join([one, ""]) for one in found or ["nothing was found"]))


@state_bench.command()
@_DOMAIN
@on_folder
def agent(screen: Screen, memory: Memory, domain: str) -> None:
    """Print the agent for the checkout's folder `agents`."""
    place = memory.place
    whole = str(place.absolute()) if isinstance(place, Path) else place
    screen.raw(_AGENT.format(path=whole, domain=domain))


@state_bench.command()
@click.argument("without", type=click.Path(path_type=Path))
@click.argument("with_", metavar="WITH", type=click.Path(path_type=Path))
@command
def compare(screen: Screen, without: Path, with_: Path) -> None:
    """Compare runs without and with learnings, task by task.

    Both are output folders of the benchmark's run_batch. A score is official only with the simulator and the judge
    that the benchmark locks, and the files do not say which there were.
    """
    from dataclasses import asdict

    from agentcl.bench import compare_tasks

    found = compare_tasks(without, with_)
    lines = [
        f"{found.tasks} tasks, {found.runs} runs of each",
        *(
            f"{name}: completed {100 * once:.1f}%, in every run {100 * always:.1f}%"
            for name, (once, always) in (("without", found.without), ("with", found.with_))
        ),
    ]
    if found.gain is not None:
        low, high = 100 * found.gain.low, 100 * found.gain.high
        lines.append(
            f"gain {100 * found.gain.estimate:+.1f} points [{low:.1f}, {high:.1f}], paired by task"
        )
    if found.left_out:
        lines.append(f"left out, since one of both lacks runs of them: {', '.join(found.left_out)}")
    screen.answer(
        asdict(found),
        *lines,
        "unofficial, unless simulator and judge were those that the benchmark locks",
    )
