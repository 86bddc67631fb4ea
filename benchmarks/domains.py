"""What domains cost: start-up, steps a second through our contract beside the bare engine, memory.

    python benchmarks/domains.py                 # all that are installed
    python benchmarks/domains.py --domain babyai

Each domain runs in a process of its own, twice, and the second counts: the first leaves on disk what a domain
keeps there (generated games, compiled modules). A random policy plays some tasks once (the oracle, where
nobody can list actions); its actions are then played again, step after step, by our environment and by the
bare engine, taking turns; the median round counts. The bound: a step costs at most 10 % or 1 ms more than
the engine's own. To add a domain, add its `Entry`.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from parts.bare_engines import (
    BareBabyAI,
    BareHousehold,
    BareScienceWorld,
    BareSQLite,
    BareTauBench,
    BareTextWorld,
    Engine,
)
from parts.results import CACHE, FOLDER, machine, save, table

from agentcl.envs.base import Environment, Task
from agentcl.envs.policies import OraclePolicy, Policy, RandomPolicy, play
from agentcl.envs.registry import open_domain
from agentcl.errors import ConfigError, InvalidInput, MissingExtra

ROUNDS = 7
MOST_PERCENT = 10
MOST_MS = 1.0


@dataclass(frozen=True, slots=True)
class Entry:
    """A domain to measure."""

    package: str | None = None  # the engine's
    options: Mapping[str, str] = field(default_factory=dict)
    bare: Callable[[Any], Engine] | None = None  # from the domain
    # If it can list admissible actions.
    bare_with_actions: Callable[[Any], Engine] | None = None
    needs: str = ""  # the option that a user's folder is given as
    tasks: int = 8

    def with_folder(self, folder: str | None) -> Entry:
        """Return the entry with the folder that it needs."""
        return replace(self, options={**self.options, self.needs: folder}) if folder else self


ENTRIES: dict[str, Entry] = {
    "incidents": Entry(tasks=400),
    "incident-logs": Entry("sqlglot", bare=BareSQLite, tasks=40),
    "excytin-lite": Entry("sqlglot", bare=BareSQLite, needs="data", tasks=40),
    "tau-bench": Entry(bare=BareTauBench, needs="checkout", tasks=3),
    "babyai": Entry("minigrid", bare=lambda _: BareBabyAI()),
    "textworld": Entry(
        "textworld",
        {"folder": str(CACHE / "textworld")},
        bare=lambda _: BareTextWorld(is_tracking=False),
        bare_with_actions=lambda _: BareTextWorld(is_tracking=True),
        tasks=4,
    ),
    "household": Entry(
        "alfworld",
        bare=lambda _: BareHousehold(),
        bare_with_actions=lambda _: BareHousehold(),
        tasks=2,
    ),
    "scienceworld": Entry(
        "scienceworld",
        {"max_steps": "15"},
        bare=lambda _: BareScienceWorld(is_listing=False),
        bare_with_actions=lambda _: BareScienceWorld(is_listing=True),
        tasks=4,
    ),
}

Episode = tuple[Task, int, Sequence[str]]


def through_contract(
    environment: Environment, episodes: Sequence[Episode], *, with_actions: bool
) -> float:
    """Return the seconds that a step takes."""
    spent = 0.0
    for task, seed, actions in episodes:
        environment.reset(task, seed=seed)
        if with_actions:
            environment.admissible_actions()
        started = time.perf_counter()
        for action in actions:
            environment.step(action)
            if with_actions:
                environment.admissible_actions()
        spent += time.perf_counter() - started
    return spent / sum(len(actions) for _, _, actions in episodes)


def through_engine(engine: Engine, episodes: Sequence[Episode]) -> float:
    """Return the seconds that a step takes."""
    spent = 0.0
    for task, seed, actions in episodes:
        engine.begin(task, seed)
        started = time.perf_counter()
        for action in actions:
            engine.step(action)
        spent += time.perf_counter() - started
    return spent / sum(len(actions) for _, _, actions in episodes)


def measure(name: str) -> dict[str, Any]:
    """Measure one domain in this process."""
    entry = ENTRIES[name]
    started = time.perf_counter()
    domain = open_domain(name, entry.options)
    environment = domain.make()
    tasks = list(islice(domain.tasks("train"), entry.tasks))
    environment.reset(tasks[0], seed=0)
    start_up_s = time.perf_counter() - started
    episodes: list[Episode] = []
    oracle = domain.oracle()
    for seed, task in enumerate(tasks):
        policy: Policy = RandomPolicy()
        if environment.admissible_actions(1) is None and oracle is not None:
            policy = OraclePolicy(oracle)
        played = play(environment, policy, task, seed=seed)
        episodes.append((task, seed, [action for action, _ in played.steps]))
    environment.close()
    result: dict[str, Any] = {
        "start_up_s": start_up_s,
        "steps": sum(len(actions) for _, _, actions in episodes),
    }
    plain, asking = domain.make(), domain.make()
    ways: dict[str, Callable[[], float]] = {
        "step": lambda: through_contract(plain, episodes, with_actions=False),
        "step_with_actions": lambda: through_contract(asking, episodes, with_actions=True),
    }
    if entry.bare is not None:
        bare = entry.bare(domain)
        ways["bare_step"] = lambda: through_engine(bare, episodes)
    if entry.bare_with_actions is not None:
        listing = entry.bare_with_actions(domain)
        ways["bare_step_with_actions"] = lambda: through_engine(listing, episodes)
    rounds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, seconds in ways.items():
            rounds[way].append(seconds())
    for way, times in rounds.items():
        result[f"{way}_ms"] = 1e3 * statistics.median(times)
    for kind in ("step", "step_with_actions"):
        if f"bare_{kind}" in ways:
            ours, theirs = result[f"{kind}_ms"], result[f"bare_{kind}_ms"]
            result[f"{kind}_overhead_ms"] = ours - theirs
            result[f"{kind}_overhead_percent"] = 100 * (ours / theirs - 1)
            result[f"{kind}_is_within_bound"] = (
                ours - theirs <= MOST_MS or ours / theirs <= 1 + MOST_PERCENT / 100
            )
    for done in (plain, asking):
        done.close()
    # The greatest so far, of this process and of any that it started and that has ended, in MB.
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    result["peak_mb"], result["peak_children_mb"] = (
        resource.getrusage(kind).ru_maxrss / 1024 for kind in kinds
    )
    return result


def measure_apart(name: str) -> dict[str, Any]:
    """Measure one domain in a process of its own, the second time that it runs."""
    folder = ENTRIES[name].options.get(ENTRIES[name].needs, "")
    option = {"data": "--excytin", "checkout": "--tau-bench"}.get(ENTRIES[name].needs)
    command = [sys.executable, __file__, "--domain", name, "--here"]
    command += [option, folder] if option else []
    for _ in range(2):
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def shown(result: dict[str, Any]) -> list[str]:
    """Return a domain's cells of the table."""
    cells = [f"{result['start_up_s']:.1f}"]
    for kind in ("step", "step_with_actions"):
        cells.append(f"{1e3 / result[f'{kind}_ms']:,.0f}")
        over = result.get(f"{kind}_overhead_ms")
        percent = result.get(f"{kind}_overhead_percent")
        cells.append("-" if over is None else f"{over:.3f} ms ({percent:+.0f} %)")
    return [*cells, f"{result['peak_mb']:.0f}"]


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--domain", action="append", choices=ENTRIES, help="only this one")
    parser.add_argument("--here", action="store_true", help="in this process; print JSON")
    parser.add_argument("--excytin", help="the folder of ExCyTIn-Bench's questions and rows")
    parser.add_argument("--tau-bench", help="a checkout of tau-bench")
    arguments = parser.parse_args()
    for name in ("excytin-lite", "tau-bench"):
        given = arguments.excytin if name == "excytin-lite" else arguments.tau_bench
        ENTRIES[name] = ENTRIES[name].with_folder(given)
    names = arguments.domain or list(ENTRIES)
    if arguments.here:
        print(json.dumps(measure(names[0])))
        return
    results: dict[str, Any] = {}
    for name in names:
        try:
            open_domain(name, ENTRIES[name].options).make().close()
        except (ConfigError, InvalidInput, MissingExtra) as error:
            print(f"{name}: left out; {error}")
            continue
        results[name] = measure_apart(name)
    table(
        ["domain", "start-up s", "steps/s", "over the engine", "steps/s, actions listed",
         "over the engine", "peak MB"],
        [[name, *shown(result)] for name, result in results.items()],
    )  # fmt: skip
    packages = [entry.package for entry in ENTRIES.values() if entry.package]
    if arguments.domain:  # the others as they were
        results = {**json.loads((FOLDER / "domains.json").read_text("utf-8"))["domains"], **results}
    save("domains", {"machine": machine(*packages), "rounds": ROUNDS, "domains": results})


if __name__ == "__main__":
    main()
