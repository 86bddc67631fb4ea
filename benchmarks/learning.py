"""Does memory help a frozen model in incident response, and would we see it if it did not?

    python benchmarks/learning.py

The reference model plays a stream of incidents of one deployment, writes lessons after each, and is shown what
a baseline recalls of them before the next. Beside the baselines stand the exact optimum without memory, and the
control, whose rules are drawn anew in each episode: there a gain would be a fault of the benchmark.
The same is done with a scripted responder, which follows lessons without a fault, on more seeds.
A deliberate leak (the oracle's answers among what is recalled) has to be caught.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from parts.results import machine, save, table
from parts.runs import finished, gain, mean

from agentcl.bench.baseline_player import BaselinePlayer, MemoryOf
from agentcl.bench.baselines.base import Item
from agentcl.bench.baselines.plain import NoMemory
from agentcl.bench.episodes import play_tasks
from agentcl.bench.folder import RunFolder
from agentcl.bench.leaks import CheckedMemory
from agentcl.bench.rows import Part, ResultRow
from agentcl.bench.scripted import responder
from agentcl.envs.domains.incidents.domain import IncidentDomain
from agentcl.envs.streams.builders import pools_of, random_stream
from agentcl.lessons import Lesson

BASELINES = ("none", "last-5", "bm25", "dense", "ours")
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
    for agent, families, baselines, episodes, seeds in (
        ("responder", ("remedy", "needs", "diagnose"), BASELINES, 60, 10),
        ("responder", ("control",), FEW, 60, 10),
        ("model", ("remedy", "control"), FEW, arguments.episodes, arguments.seeds),
    ):
        for family in families:
            folder = finished(
                f"learning-{agent}-{family}",
                {
                    "seeds": list(range(seeds)),
                    "workers": arguments.workers if agent == "model" else 1,
                    "tasks": {"domain": "incidents", "families": [family], "episodes": episodes},
                    "agent": {"name": agent},
                    "memory": {"baselines": list(baselines), "encoder": "minilm"},
                },
            )
            result["runs"][f"{agent}, {family}"] = _measured(folder, f"{agent}, {family}", episodes)
    result["leak"] = _leak()
    save("learning", result)


def _measured(folder: RunFolder, title: str, episodes: int) -> dict[str, Any]:
    bounds = next(iter(folder.about["bounds"].values()))
    late = episodes // 2
    baselines: dict[str, dict[str, Any]] = {}
    for baseline in folder.settings.memory.baselines:
        rows = list(folder.rows(baseline))
        baselines[baseline] = {
            "score": mean(rows),
            "second half": mean([row for row in rows if row.number >= late]),
            "failed": sum(row.end == "failed" for row in rows),
            "leaks": sum(bool(row.leaks) for row in rows),
            "tokens an episode": sum(row.tokens for row in rows) / len(rows),
            "gain": gain(folder, baseline, "none") if baseline != "none" else None,
        }
    print(f"\n{title}: {len(folder.settings.seeds)} seeds, {episodes} episodes each; best expected "
          f"without memory {bounds['without memory']:.3f}, with full knowledge {bounds['with knowledge']:.3f}")  # fmt: skip
    table(
        ["baseline", "score", "second half", "against none", "tokens an episode", "leaks"],
        [
            [baseline, f"{row['score']:.3f}", f"{row['second half']:.3f}", _shown(row["gain"]),
             f"{row['tokens an episode']:,.0f}", str(row["leaks"])]
            for baseline, row in baselines.items()
        ],
    )  # fmt: skip
    frozen = folder.about["fingerprint before"] == folder.about["fingerprint after"]
    return {"seeds": len(folder.settings.seeds), "episodes": episodes, "bounds": bounds, "baselines": baselines,
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


def _always(memory: CheckedMemory) -> MemoryOf:
    return lambda item: memory


def _leak() -> dict[str, Any]:
    """Play with the answers among what is recalled; return how much of that was caught."""
    domain = IncidentDomain()
    stream = random_stream("leak", pools_of(domain, "test", ["remedy"]), episodes=50, seed=0)
    rows: list[ResultRow] = []
    for item in stream:
        (action,) = domain.oracle().actions(item.task, seed=item.seed)
        seen = domain.make().reset(item.task, seed=item.seed)
        _, service, name, *sign = seen.text.rstrip(".").split(" ")
        lesson = Lesson(
            f"a {service} {' '.join(sign)}", "do", f"{action.removesuffix(f' {name}')} it"
        )
        baseline = Leaking([lesson.sentence()])
        one = random_stream("leak", {"remedy": (item.task,)}, episodes=1, seed=item.seed)
        player = BaselinePlayer(_always(CheckedMemory(baseline, limit=5)), *responder())
        rows += play_tasks(Part("leaking", 0), one, player, domain.make)
    caught = sum(bool(row.leaks) for row in rows)
    print(
        f"\na deliberate leak: score {mean(rows):.3f}, caught in {caught} of {len(rows)} episodes"
    )
    return {"episodes": len(rows), "score": mean(rows), "caught": caught}


if __name__ == "__main__":
    main()
