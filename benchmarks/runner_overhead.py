"""What the benchmark runner costs: episodes a second on one core, with a model that answers at once.

    python benchmarks/runner_overhead.py

The same episodes are played by the bare loop of policies, by the runner with a scripted responder, and by the
runner with a scripted model (prompts built, answers parsed, lessons checked against their schema); rows with
everything that was seen are on disk in both. Processor time, which other jobs change little, and wall time.
The limit that the runner has to keep is 200 episodes a second a core.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from parts.results import machine, save, table

from agentcl.bench.folder import RunFolder
from agentcl.bench.rows import Part
from agentcl.bench.run import run_part
from agentcl.bench.settings import from_mapping
from agentcl.envs.domains.incidents.domain import IncidentDomain
from agentcl.envs.policies import RandomPolicy, play
from agentcl.envs.streams.builders import pools_of, random_stream
from agentcl.models.base import Message
from agentcl.models.scripted import ScriptedModel

EPISODES = 1_000
LIMIT = 200.0  # episodes a second and core
REPEATS = 3


def main() -> None:
    """Measure and save."""
    stream = random_stream(
        "overhead", pools_of(IncidentDomain(), "test", ["remedy"]), episodes=EPISODES, seed=0
    )

    def bare() -> None:
        environment = IncidentDomain().make()
        for item in stream:
            play(environment, RandomPolicy(), item.task, seed=item.seed)

    ways: dict[str, Callable[[], None]] = {
        "bare loop, random policy": bare,
        "runner, random policy": lambda: _run("random", "none"),
        "runner, responder with memory": lambda: _run("responder", "full"),
        "runner, instant model with memory": lambda: _run("model", "full"),
    }
    rows = {name: _timed(act) for name, act in ways.items()}
    table(
        ["", "episodes/s of processor time", "episodes/s", "times the limit"],
        [[name, f"{one['cpu']:,.0f}", f"{one['wall']:,.0f}", f"{one['cpu'] / LIMIT:.1f}"]
         for name, one in rows.items()],
    )  # fmt: skip
    save(
        "runner_overhead",
        {"machine": machine(), "episodes": EPISODES, "limit": LIMIT, "ways": rows},
    )


def _timed(act: Callable[[], None]) -> dict[str, float]:
    best = {"cpu": 0.0, "wall": 0.0}
    for _ in range(REPEATS):
        wall, cpu = time.perf_counter(), time.process_time()
        act()
        best["cpu"] = max(best["cpu"], EPISODES / (time.process_time() - cpu))
        best["wall"] = max(best["wall"], EPISODES / (time.perf_counter() - wall))
    return best


def _run(agent: str, baseline: str) -> None:
    tables: dict[str, Any] = {
        "tasks": {"domain": "incidents", "families": ["remedy"], "episodes": EPISODES},
        "agent": {"name": agent},
        "memory": {
            "baselines": [baseline],
            "limit": 5,
            "options": {"full": {"budget_characters": 2_000}},
        },
    }
    if baseline == "none":
        tables["memory"].pop("options")
    with tempfile.TemporaryDirectory() as scratch:
        settings = from_mapping(tables, where="overhead")
        folder = RunFolder.create(Path(scratch) / "run", settings, {"episodes": {"0": EPISODES}})
        model = ScriptedModel(_instant) if agent == "model" else None
        run_part(folder, Part(baseline, 0), model)


def _instant(messages: Sequence[Message]) -> str:
    asked = messages[-1].content
    if asked.endswith("as JSON."):
        return json.dumps(
            {"guidance": [{"when": "a queue is slow", "claim": "do", "what": "drain it"}]}
        )
    actions = asked.rpartition("Actions: ")[2].partition(".")[0].split("; ")
    return f"No guidance applies. Answer: {actions[len(asked) % len(actions)]}"


if __name__ == "__main__":
    main()
