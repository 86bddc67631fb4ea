"""Is a memory worth having? Three ways of remembering live through the same stream of incidents.

No model is needed: a scripted responder follows the lessons that it is shown, and says what it learned.
"""

import statistics
import tempfile
from pathlib import Path

from agentcl.bench import AgentSettings, MemorySettings, RunSettings, TaskSettings, begin, go_on

BASELINES = ("none", "last-5", "ours")
settings = RunSettings(
    seeds=(0, 1, 2),
    tasks=TaskSettings(domain="incidents", families=("remedy",), episodes=30),
    agent=AgentSettings(name="responder"),
    memory=MemorySettings(baselines=BASELINES, encoder="hashing"),
)

with tempfile.TemporaryDirectory() as scratch:
    folder = begin(Path(scratch) / "run", settings)
    go_on(folder)
    bounds = folder.about["bounds"]["remedy"]
    print(f"best expected without memory {bounds['without memory']:.2f}, with all known 1.00\n")
    for baseline in BASELINES:
        first, second = (
            statistics.fmean(
                row.score or 0 for row in folder.rows(baseline) if row.number // 15 == half
            )
            for half in (0, 1)
        )
        print(f"{baseline:8} first half {first:.2f}, second half {second:.2f}")
    last = list(folder.rows("ours"))[-1]
    print(f"\n{last.first} It was told:", *last.shown, sep="\n- ")
    print(f"and did: {', '.join(step.action for step in last.steps)}")
