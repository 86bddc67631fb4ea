"""Does a frozen instruction-tuned model get better by a memory that learns without any model?

    agentcl model serve qwen2.5-coder-1.5b -- --dtype bfloat16 --enforce-eager --max-model-len 4096
    python benchmarks/real_incidents.py --url URL --model NAME [--seeds 1] [--episodes 60] [--only none,outcomes]

The model, asked as `Student` asks any model, plays incidents (family `remedy`) of one deployment a seed:

- none: nothing is remembered.
- rules: the true rules of the situation stand in the prompt. What a perfect memory could be worth.
- outcomes: `OutcomeTeacher` proposes lessons from what followed what; agentcl keeps those that hold.

Answers are greedy and kept in `.bench`, so that a run which was cut off asks nothing twice. Solved is an episode with the
score 1.0: the alert is cleared without a wasted step.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from results import CACHE, machine, save, table

from agentcl import Agent, Memory, OpenAIChat, OutcomeTeacher, Student
from agentcl.agents import ModelAct
from agentcl.envs.acting import Situation
from agentcl.envs.domains.incidents.domain import IncidentDomain
from agentcl.envs.streams.builders import pools_of, random_stream
from agentcl.models import CachedModel, ChatModel
from agentcl.store import Episode

MEMORIES: Final = ("none", "rules", "outcomes")
PARTS: Final = 5  # of a life
MAX_TOKENS: Final = 24  # of an action


class Told:
    """A student that is told the true rules of each situation."""

    def __init__(self, model: ChatModel, domain: IncidentDomain) -> None:
        self._student, self._domain = Student(model, max_tokens=MAX_TOKENS), domain

    def act(self, situation: Situation) -> ModelAct:
        """Return the next action."""
        rules = self._domain.lessons(situation.known_task, seed=situation.seed)
        return self._student.act(replace(situation, guidance=tuple(rules)))


def main() -> None:
    """Play, show and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", required=True)
    parser.add_argument("--model", required=True, help="as the endpoint names it")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--episodes", type=int, default=60, help="of a seed")
    parser.add_argument("--only", default=",".join(MEMORIES), help="some of the memories")
    asked = parser.parse_args()
    endpoint = OpenAIChat(asked.model, base_url=asked.url)
    before = endpoint.fingerprint()
    CACHE.mkdir(exist_ok=True)
    model = CachedModel(endpoint, CACHE / "real_incidents.db")
    found = {}
    for name in asked.only.split(","):
        lives = [life(model, name, seed, episodes=asked.episodes) for seed in range(asked.seeds)]
        found[name] = summary(lives)
        show(found)
    result = {
        "machine": machine("openai"),
        "model": asked.model,
        "seeds": asked.seeds,
        "episodes": asked.episodes,
        "is_frozen": endpoint.fingerprint() == before,
        "memories": found,
    }
    save(f"real_incidents-{asked.model}", result)


def life(model: ChatModel, name: str, seed: int, *, episodes: int) -> list[Episode]:
    """Play one life in one deployment."""
    domain, deployment = IncidentDomain(), 80 + seed
    pools = pools_of(domain, "test", ["remedy"], where={"deployment": deployment})
    student = Told(model, domain) if name == "rules" else Student(model, max_tokens=MAX_TOKENS)
    environment, played = domain.make(), list[Episode]()
    with tempfile.TemporaryDirectory() as folder, Memory(folder, encoder="hashing") as memory:
        agent = Agent(memory, student, teacher=OutcomeTeacher() if name == "outcomes" else None)
        for item in random_stream(domain.name, pools, episodes=episodes, seed=seed):
            place = f"deployment {deployment}"
            played.append(agent.play(environment, item.task, seed=item.seed, world=place))
            if len(played) % 10 == 0:
                solved = sum(one.score == 1.0 for one in played[-10:])
                print(
                    f"{name} {seed}: {len(played)} episodes, {solved} of the last ten solved",
                    flush=True,
                )
    return played


def summary(lives: Sequence[Sequence[Episode]]) -> dict[str, Any]:
    """Return what lives came to: the share solved, by fifths too, and tokens an episode."""
    every = [one for life in lives for one in life]
    fifths = []
    for part in range(PARTS):
        at = [life[len(life) * part // PARTS : len(life) * (part + 1) // PARTS] for life in lives]
        fifths.append(_solved([one for some in at for one in some]))
    used = [sum(one.tokens for one in episode.usage.values()) for episode in every]
    return {
        "episodes": len(every),
        "solved": _solved(every),
        "score": statistics.fmean(one.score or 0.0 for one in every),
        "solved by fifths": fifths,
        "tokens": statistics.fmean(used),
    }


def show(found: dict[str, Any]) -> None:
    """Print the memories side by side."""
    table(
        ["memory", "episodes", "solved", "score", "solved by fifths", "tokens"],
        [
            [
                name,
                str(one["episodes"]),
                f"{one['solved']:.2f}",
                f"{one['score']:.2f}",
                " ".join(f"{share:.2f}" for share in one["solved by fifths"]),
                f"{one['tokens']:.0f}",
            ]
            for name, one in found.items()
        ],
    )


def _solved(episodes: Sequence[Episode]) -> float:
    return statistics.fmean(one.score == 1.0 for one in episodes)


if __name__ == "__main__":
    main()
