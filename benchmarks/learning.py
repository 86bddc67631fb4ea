"""Does memory help a frozen model in incident response, and would we see it if it did not?

    python benchmarks/learning.py

The reference model plays a stream of incidents of one deployment, writes lessons after each, and is shown what
an arm recalls of them before the next. Beside the arms stand the exact optimum without memory, and the
control, whose rules are drawn anew in each episode: there a gain would be a fault of the benchmark.
The same is done with a scripted responder, which follows lessons without a fault, on more seeds.
A deliberate leak (the oracle's answers among what is recalled) has to be caught.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from results import machine, save, table
from runs import finished, gain, mean

from agentcl.bench.actors import ResponderActor
from agentcl.bench.arms.base import Item
from agentcl.bench.arms.plain import NoMemory
from agentcl.bench.folder import RunFolder
from agentcl.bench.leakage import WatchedMemory
from agentcl.bench.lives import About, live_tasks
from agentcl.bench.players import ArmPlayer, MemoryOf
from agentcl.bench.rows import Row
from agentcl.envs.streams.builders import pools_of, random_stream
from agentcl.envs.worlds.incidents.world import IncidentWorld
from agentcl.lessons import Lesson

ARMS = ("none", "last-5", "bm25", "dense", "ours")
FEW = ("none", "ours")  # where a model takes seconds an episode, or nothing is to be gained


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--episodes", type=int, default=27)
    parser.add_argument("--seeds", type=int, default=2, help="of the model")
    parser.add_argument("--workers", type=int, default=1, help="processes side by side")
    arguments = parser.parse_args()
    result: dict[str, Any] = {"machine": machine("torch", "transformers"), "runs": {}}
    for agent, families, arms, episodes, seeds in (
        ("responder", ("remedy", "needs", "diagnose"), ARMS, 60, 10),
        ("responder", ("control",), FEW, 60, 10),
        ("model", ("remedy", "control"), FEW, arguments.episodes, arguments.seeds),
    ):
        for family in families:
            folder = finished(
                f"learning-{agent}-{family}",
                {
                    "seeds": list(range(seeds)),
                    "workers": arguments.workers if agent == "model" else 1,
                    "tasks": {"world": "incidents", "families": [family], "episodes": episodes},
                    "agent": {"name": agent},
                    "memory": {"arms": list(arms), "encoder": "minilm"},
                },
            )
            result["runs"][f"{agent}, {family}"] = _measured(folder, f"{agent}, {family}", episodes)
    result["leak"] = _leak()
    save("learning", result)


def _measured(folder: RunFolder, title: str, episodes: int) -> dict[str, Any]:
    bounds = next(iter(folder.about["bounds"].values()))
    late = episodes // 2
    arms: dict[str, dict[str, Any]] = {}
    for arm in folder.settings.memory.arms:
        rows = list(folder.rows(arm))
        arms[arm] = {
            "score": mean(rows),
            "second half": mean([row for row in rows if row.number >= late]),
            "failed": sum(row.end == "failed" for row in rows),
            "leaks": sum(bool(row.leaks) for row in rows),
            "tokens an episode": sum(row.tokens for row in rows) / len(rows),
            "gain": gain(folder, arm, "none") if arm != "none" else None,
        }
    print(f"\n{title}: {len(folder.settings.seeds)} seeds, {episodes} episodes each; best expected "
          f"without memory {bounds['without memory']:.3f}, with full knowledge {bounds['with knowledge']:.3f}")  # fmt: skip
    table(
        ["arm", "score", "second half", "against none", "tokens an episode", "leaks"],
        [
            [arm, f"{row['score']:.3f}", f"{row['second half']:.3f}", _shown(row["gain"]),
             f"{row['tokens an episode']:,.0f}", str(row["leaks"])]
            for arm, row in arms.items()
        ],
    )  # fmt: skip
    frozen = folder.about["fingerprint before"] == folder.about["fingerprint after"]
    return {"seeds": len(folder.settings.seeds), "episodes": episodes, "bounds": bounds, "arms": arms,
            "model": folder.about["model"], "is_frozen": frozen}  # fmt: skip


def _shown(gain: dict[str, Any] | None) -> str:
    if gain is None:
        return ""
    return f"{gain['mean']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]"


class Leaking(NoMemory):
    """Recalls the oracle's answers, which nobody told it."""

    def __init__(self, answers: Sequence[str]) -> None:
        super().__init__()
        self._answers = answers

    def recall(self, query: str, *, limit: int) -> list[Item]:
        """Return them."""
        return [Item(f"leak {n}", text) for n, text in enumerate(self._answers)][:limit]


def _always(memory: WatchedMemory) -> MemoryOf:
    return lambda item: memory


def _leak() -> dict[str, Any]:
    """Play with the answers among what is recalled; return how much of that was caught."""
    world = IncidentWorld()
    stream = random_stream("leak", pools_of(world, "test", ["remedy"]), episodes=50, seed=0)
    rows: list[Row] = []
    for item in stream:
        (action,) = world.oracle().actions(item.task, seed=item.seed)
        seen = world.make().reset(item.task, seed=item.seed)
        _, service, name, *sign = seen.text.rstrip(".").split(" ")
        lesson = Lesson(
            f"a {service} {' '.join(sign)}", "do", f"{action.removesuffix(f' {name}')} it"
        )
        arm = Leaking([lesson.sentence()])
        one = random_stream("leak", {"remedy": (item.task,)}, episodes=1, seed=item.seed)
        player = ArmPlayer(_always(WatchedMemory(arm, limit=5)), ResponderActor())
        rows += live_tasks(About("leaking", 0), one, player, world.make)
    caught = sum(bool(row.leaks) for row in rows)
    print(
        f"\na deliberate leak: score {mean(rows):.3f}, caught in {caught} of {len(rows)} episodes"
    )
    return {"episodes": len(rows), "score": mean(rows), "caught": caught}


if __name__ == "__main__":
    main()
