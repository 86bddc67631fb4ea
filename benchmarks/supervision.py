"""What lanes pay: a frozen student alone, under an expert all the time, or where the supervisor asks for one.

    python benchmarks/supervision.py [--seeds 5] [--episodes 100] [--price 50]

The reference model plays incidents and writes its own lessons. The expert knows the rules; each of its tokens counts as
`--price` of the student's, as those of a larger model would. Supervised, an episode is handed to the expert where what it adds is
expected to be worth its tokens. What there is to see: supervision falls as the student learns, and costs less than all the
time for much the same score. In `useless` the expert acts at random, so that nothing is to be gained by asking it.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
from collections.abc import Sequence
from typing import Any, Final

from parts.results import machine, save, table
from parts.runs import over_seeds

from agentcl import Memory
from agentcl.agents.agent import Agent
from agentcl.agents.prompts import ask_action
from agentcl.agents.student import ModelAct, Student
from agentcl.agents.supervisor import Supervisor
from agentcl.agents.teacher import Teacher
from agentcl.envs.acting import Situation
from agentcl.envs.base import Task
from agentcl.envs.domains.incidents.domain import IncidentDomain, IncidentOracle
from agentcl.envs.streams.builders import pools_of, random_stream
from agentcl.models.base import ChatModel
from agentcl.models.reference.shipped import open_reference
from agentcl.store.episodes import Episode
from agentcl.store.usage import Usage
from agentcl.text.tokens import estimate_tokens

LANES: Final = {
    "alone": ("alone",),
    "taught": ("taught",),
    "supervised": ("alone", "taught"),
    "useless": ("alone", "taught"),
}
PARTS: Final = 5  # of a life, over which supervision is counted


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--price", type=int, default=50, help="of the expert's tokens")
    asked = parser.parse_args()
    model = open_reference()
    before = model.fingerprint()
    lives = {
        name: [
            _life(model, name, seed, episodes=asked.episodes, price=asked.price)
            for seed in range(asked.seeds)
        ]
        for name in LANES
    }
    found = {name: _summary(played, lives["alone"]) for name, played in lives.items()}
    is_frozen = model.fingerprint() == before
    save(
        "supervision",
        {
            "machine": machine("numpy"),
            "seeds": asked.seeds,
            "episodes": asked.episodes,
            "price": asked.price,
            "is_frozen": is_frozen,
            "baselines": found,
        },
    )
    _show(found)
    print(f"frozen: {is_frozen}")


class Expert:
    """Knows the rules, and costs what a model would that reads the same; or acts at random, for the same."""

    def __init__(self, task: Task, seed: int, *, price: int, is_useless: bool) -> None:
        self._right = list(IncidentOracle().actions(task, seed=seed))
        self._price = price
        self._rng = random.Random(f"expert:{task.id}:{seed}") if is_useless else None

    def act(self, situation: Situation) -> ModelAct:
        """Return the next action."""
        actions = situation.actions or ()
        if self._rng is not None:
            action = self._rng.choice(actions)
        else:
            action = self._right[min(len(situation.history), len(self._right) - 1)]
        read = ask_action(
            guidance=situation.guidance,
            goal=situation.goal,
            scene=situation.first,
            history=situation.history,
            actions=actions,
        )
        asked, said = estimate_tokens(read), estimate_tokens(action)
        return ModelAct(action, "", Usage(1, self._price * asked, self._price * said, 0.0))


def _life(model: ChatModel, name: str, seed: int, *, episodes: int, price: int) -> list[Episode]:
    """Play one life of an agent in one deployment."""
    domain, deployment = IncidentDomain(), 80 + seed
    pools = pools_of(domain, "test", ["remedy"], where={"deployment": deployment})
    stream = random_stream(domain.name, pools, episodes=episodes, seed=seed)
    environment = domain.make()
    played = []
    with tempfile.TemporaryDirectory() as folder, Memory(folder, encoder="hashing") as memory:
        for item in stream:
            agent = Agent(
                memory,
                Student(model, instructions=""),
                teacher=Teacher(model, instructions=""),
                supervisor=Supervisor(lanes=LANES[name]),  # type: ignore[arg-type]  # they are lanes
                expert=Expert(item.task, item.seed, price=price, is_useless=name == "useless"),
            )
            place = f"deployment {deployment}"
            played.append(agent.play(environment, item.task, seed=item.seed, world=place))
    environment.close()
    return played


def _summary(
    lives: Sequence[Sequence[Episode]], alone: Sequence[Sequence[Episode]]
) -> dict[str, Any]:
    every = [one for life in lives for one in life]
    beside = [one for life in alone for one in life]
    gain = over_seeds(
        [one.score or 0.0 for one in every],
        [one.score or 0.0 for one in beside],
        [seed for seed, life in enumerate(lives) for _ in life],
    )
    fifth = len(lives[0]) // PARTS
    return {
        "score": statistics.fmean(one.score or 0.0 for one in every),
        "solved": statistics.fmean(one.score == 1 for one in every),
        "gain in score": gain,
        "tokens": statistics.fmean(one.tokens for one in every),
        "taught": [
            statistics.fmean(
                one.lane == "taught" for life in lives for one in life[part * fifth :][:fifth]
            )
            for part in range(PARTS)
        ],
    }


def _show(found: dict[str, dict[str, Any]]) -> None:
    table(
        ["", "score", "solved", "against alone", "tokens", *(f"taught, fifth {n + 1}" for n in range(PARTS))],
        [
            [
                name,
                f"{row['score']:.3f}",
                f"{row['solved']:.3f}",
                "" if row["gain in score"] is None else "{:+.3f} [{:+.3f}, {:+.3f}]".format(*row["gain in score"]),
                f"{row['tokens']:.0f}",
                *(f"{share:.0%}" for share in row["taught"]),
            ]
            for name, row in found.items()
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
