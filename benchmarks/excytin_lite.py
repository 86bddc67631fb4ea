"""ExCyTIn-lite and made-up incidents: what can be answered, and what memory adds to a scripted investigator.

    python benchmarks/excytin_lite.py --data ../shared/data/excytin

The investigator has no model. Without memory, the names of columns and chance set its search order; with
memory, lines that its earlier episodes bore out: counted; kept as lessons by agentcl, which shows those that
proved themselves; or those of the last five episodes, of the five most alike, and of the last three that fell
short (`episode_lines.py`). Every score is that of a first attempt: memory is filled on training tasks, each
played once, and frozen for the test tasks. Nothing here is to be compared
with published scores of ExCyTIn-Bench: there are no log tables, and the judge is exact.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from parts.episode_lines import Alike, Counted, EpisodeMemory, Last, Remembering
from parts.results import machine, save, table

from agentcl import Memory
from agentcl.bench.baselines.registry import open_baseline
from agentcl.envs.base import Environment, Task
from agentcl.envs.domains.excytin.domain import (
    ExcytinDomain,
    IncidentLogsDomain,
    InvestigationDomain,
)
from agentcl.envs.domains.excytin.guidance import as_lesson, as_line, situation_of
from agentcl.envs.domains.excytin.investigator import Investigator
from agentcl.envs.policies import NullPolicy, OraclePolicy, Played, Policy, play
from agentcl.guidance.selection import line_of
from agentcl.memory.episodes.recording import EpisodeRecorder
from agentcl.store.episodes import Level

ORDERS = 5  # of the training tasks, each with a memory of its own
LANDSCAPES = 5
SAMPLES = 10_000
SHOWN, NOTES = 5, 3  # episodes
MEMORIES = (
    "last five episodes",
    "search over episodes",
    "notes on failures",
    "with memory",
    "with guidance",
)

Run = tuple[InvestigationDomain, list[Task], list[Task]]  # what to learn from, what to measure on


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, help="the folder of ExCyTIn-Bench's questions and rows"
    )
    parser.add_argument("--train", type=int, default=200, help="made-up training tasks a landscape")
    arguments = parser.parse_args()
    result: dict[str, Any] = {"machine": machine("sqlglot")}
    if arguments.data:
        domain = ExcytinDomain(str(arguments.data))
        orders = [_shuffled(domain.tasks("train"), seed) for seed in range(ORDERS)]
        test = list(domain.tasks("test"))
        runs: list[Run] = [(domain, order, test) for order in orders]
        result["excytin-lite"] = _measured(runs) | {"answerable": _answerable(domain)}
    made_up: list[Run] = []
    for seed in range(LANDSCAPES):
        made = IncidentLogsDomain(seed)
        train = _shuffled(made.tasks("train"), seed)[: arguments.train]
        made_up.append((made, train, list(made.tasks("test"))))
    result["incident-logs"] = _measured(made_up)
    save("excytin_lite", result)


def _measured(runs: Sequence[Run]) -> dict[str, Any]:
    """Play all baselines on the test tasks, once for each run, and print them side by side."""
    baselines: dict[str, list[list[Played]]] = {}
    learned: dict[str, list[list[Played]]] = {baseline: [] for baseline in MEMORIES}
    kept: dict[str, list[int]] = {"with memory": [], "with guidance": []}
    for seed, (domain, train, test) in enumerate(runs):
        policies: dict[str, Policy] = {"without memory": Investigator()}
        if seed == 0:  # what they score depends on no chance
            policies |= {"null": NullPolicy(), "oracle": OraclePolicy(domain.oracle())}
        for name, policy in policies.items():
            baselines.setdefault(name, []).append(_played(domain, policy, test, seed))
        with tempfile.TemporaryDirectory() as folder:
            searched = open_baseline("episodes", encoder="hashing", folder=Path(folder))
            simple: dict[str, EpisodeMemory] = {
                "last five episodes": Last(SHOWN),
                "search over episodes": Alike(searched, SHOWN),
                "notes on failures": Last(NOTES, are_short=True),
                "with memory": (counted := Counted()),
            }
            for name, chosen in simple.items():
                learned[name].append(_learn(domain, chosen, train, seed))
                baselines.setdefault(name, []).append(
                    _played(domain, Remembering(chosen), test, seed)
                )
            searched.close()
            kept["with memory"].append(len(counted))
        with tempfile.TemporaryDirectory() as folder, Memory(folder, encoder="hashing") as memory:
            learned["with guidance"].append(_guided(domain, memory, train, seed))
            kept["with guidance"].append(len(memory.lessons.state().lessons))
            baselines.setdefault("with guidance", []).append(
                _guided(domain, memory, test, seed, is_frozen=True)
            )
    name = runs[0][0].name
    print(f"\n{name}: {len(runs[0][2])} test tasks, {len(runs)} runs")
    rows = {baseline: _summary(episodes) for baseline, episodes in baselines.items()}
    table(
        ["baseline", "score", "success", "steps", "failed"],
        [
            [
                baseline,
                f"{row['score']:.3f}",
                f"{row['success']:.3f}",
                f"{row['steps']:.1f}",
                str(row["failed"]),
            ]
            for baseline, row in rows.items()
        ],
    )
    gains = {
        baseline: {
            measure: _gain(baselines["without memory"], baselines[baseline], measure)
            for measure in ("score", "success", "steps")
        }
        for baseline in MEMORIES
    }
    for baseline, measures in gains.items():
        for measure, (mean, low, high) in measures.items():
            print(f"{baseline}, {measure}: {mean:+.3f} [{low:+.3f}, {high:+.3f}]")
    return {
        "test_tasks": len(runs[0][2]),
        "train_tasks": len(runs[0][1]),
        "runs": len(runs),
        "baselines": rows,
        "by_family": _by_family(baselines),
        "gain_of_memory": gains,
        "learned": kept,
        "first_attempts_while_learning": {
            baseline: _quarters(learned[baseline]) for baseline in MEMORIES
        },
    }


def _learn(
    domain: InvestigationDomain, memory: EpisodeMemory, tasks: Iterable[Task], seed: int
) -> list[Played]:
    """Fill a memory, one first attempt after the other, and return them."""
    environment, investigator = domain.make(), Remembering(memory)
    episodes = []
    for task in tasks:
        episode = play(environment, investigator, task, seed=seed)
        if episode.score is not None:
            memory.learn(investigator.learn(episode.score), episode.score)
        episodes.append(episode)
    environment.close()
    return episodes


def _guided(
    domain: InvestigationDomain,
    memory: Memory,
    tasks: Iterable[Task],
    seed: int,
    *,
    is_frozen: bool = False,
) -> list[Played]:
    """Play first attempts with agentcl's lessons, which learn from each unless they are frozen."""
    environment = domain.make()
    episodes = []
    for task in tasks:
        with memory.episode(
            task.id,
            application=domain.name,
            family=task.family,
            seed=seed,
            is_frozen=is_frozen,
        ) as episode:
            investigator = Investigator()
            played = _recorded(environment, investigator, task, seed, episode)
        if played.score is not None and not is_frozen:
            lessons = [as_lesson(line) for line in investigator.learn(played.score)]
            told = [lesson for lesson in lessons if lesson is not None]
            # The landscape is the same for all incidents, so what was learned is meant for any of them.
            levels: list[Level] = ["anywhere"] * len(told)
            memory.lessons.reflect(
                told, episode=episode.record, author="investigator", levels=levels
            )
        episodes.append(played)
    environment.close()
    return episodes


class _Lines:
    """What an episode recalls for a purpose, as the investigator's lines, the most helpful first."""

    def __init__(self, episode: EpisodeRecorder) -> None:
        self._episode = episode

    def __call__(self, purpose: str) -> Sequence[str]:
        recalled = self._episode.recall(situation_of(purpose))
        offers = sorted(recalled.choice.shown, key=lambda offer: (-offer.gain, offer.number))
        return [as_line(line_of(offer.guidance)) for offer in offers]


def _recorded(
    environment: Environment,
    investigator: Investigator,
    task: Task,
    seed: int,
    episode: EpisodeRecorder,
) -> Played:
    """Play an episode, and note its steps and score."""
    played = play(environment, investigator, task, seed=seed, ask=_Lines(episode))
    seen = ""
    for action, told in played.steps:
        episode.step(seen, action, told)
        seen = told
    if played.score is None:
        episode.interrupt(played.end)
    else:
        episode.finish(played.score.value, is_success=played.score.is_success, end=played.end)
    return played


def _played(
    domain: InvestigationDomain, policy: Policy, tasks: Iterable[Task], seed: int
) -> list[Played]:
    environment = domain.make()
    episodes = [play(environment, policy, task, seed=seed) for task in tasks]
    environment.close()
    return episodes


def _value(episode: Played, measure: str) -> float:
    if measure == "steps":
        return len(episode.steps)
    assert episode.score is not None, episode.end
    return float(episode.score.is_success) if measure == "success" else episode.score.value


def _summary(runs: Sequence[Sequence[Played]]) -> dict[str, float]:
    episodes = [episode for run in runs for episode in run]
    scored = [episode for episode in episodes if episode.score is not None]
    means = {
        measure: statistics.fmean(_value(episode, measure) for episode in scored)
        for measure in ("score", "success", "steps")
    }
    return means | {"failed": len(episodes) - len(scored)}


def _gain(
    without: Sequence[Sequence[Played]], with_memory: Sequence[Sequence[Played]], measure: str
) -> tuple[float, float, float]:
    """Return the mean paired difference and its 95% bootstrap interval over runs and, in each, tasks."""
    differences: NDArray[np.float64] = np.array(
        [
            [
                _value(after, measure) - _value(before, measure)
                for before, after in zip(*pair, strict=True)
            ]
            for pair in zip(without, with_memory, strict=True)
        ]
    )
    rng = np.random.default_rng(0)
    runs, tasks = differences.shape
    # One draw of tasks for all runs that are drawn: they have the same tasks, or tasks of equal standing.
    means = [
        differences[np.ix_(rng.integers(runs, size=runs), rng.integers(tasks, size=tasks))].mean()
        for _ in range(SAMPLES)
    ]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(differences.mean()), float(low), float(high)


def _by_family(baselines: dict[str, list[list[Played]]]) -> dict[str, dict[str, float]]:
    return {
        baseline: {
            family: statistics.fmean(
                _value(e, "score") for run in runs for e in run if e.task.family == family
            )
            for family in dict.fromkeys(episode.task.family for episode in runs[0])
        }
        for baseline, runs in baselines.items()
    }


def _quarters(runs: Sequence[Sequence[Played]]) -> dict[str, float]:
    """Return the mean score of the first and the last quarter of the training tasks."""
    quarter = max(1, len(runs[0]) // 4)
    return {
        "first quarter": statistics.fmean(
            _value(e, "score") for run in runs for e in run[:quarter]
        ),
        "last quarter": statistics.fmean(
            _value(e, "score") for run in runs for e in run[-quarter:]
        ),
    }


def _answerable(domain: InvestigationDomain) -> dict[str, int]:
    """Return how many test questions have their answer in the rows: as part of a cell, and as a whole one."""
    oracle, tasks = domain.oracle(), list(domain.tasks("test"))
    counts = {
        "questions": len(tasks),
        "answer within the rows": sum(map(oracle.is_answerable, tasks)),
        "answer is a cell": sum(oracle.evidence(task) is not None for task in tasks),
    }
    print(counts)
    return counts


def _shuffled(tasks: Iterable[Task], seed: int) -> list[Task]:
    chosen = list(tasks)
    random.Random(seed).shuffle(chosen)
    return chosen


if __name__ == "__main__":
    main()
