"""Does a frozen model get better by a memory that learns in CLIN's world, ScienceWorld, in CLIN's three settings?

    pip install -e '.[scienceworld]'                                         (and a Java)
    agentcl model serve qwen2.5-coder-1.5b -- --dtype bfloat16 --enforce-eager --max-model-len 4096
    python benchmarks/clin.py --url URL --model NAME [--seeds 1] [--only none,outcomes] [--settings adapt]

The three kinds of task with the shortest gold paths, with the simulator's preset "easy", which the published agents use too, and few
steps (Majumder et al. 2023). The streams are those of the runner, `agentcl bench run --domain scienceworld --stream ...`:

- adapt: the same tasks in three trials. The score of the later ones counts.
- gen-env: two variations of each kind of task are learned from, then first attempts at others, with a frozen memory.
- gen-task: other kinds of task are learned from, then first attempts at a new kind, with a frozen memory.

Memories:

- none: nothing is remembered.
- notes: after an attempt that fell short the model writes a note, and is shown its last three (Reflexion, Shinn et al. 2023).
- outcomes: `OutcomeTeacher` proposes lessons from what followed what; agentcl keeps those that hold.
- gold: the gold path of the very task stands in the prompt as a past stretch. What a demonstration could be worth.

Answers are greedy and kept in `.bench`, so that a run which was cut off asks nothing twice.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from parts.results import CACHE, machine, save, table, with_earlier

from agentcl import Agent, Memory, OpenAIChat, OutcomeTeacher, Student
from agentcl.agents.prompts import ask_note
from agentcl.bench.learners import NOTING
from agentcl.bench.metrics.intervals import paired_interval
from agentcl.bench.settings import TaskSettings
from agentcl.bench.streams import build_stream
from agentcl.envs.acting import Act, Actor, Situation
from agentcl.envs.domains.scienceworld import ScienceWorldDomain
from agentcl.lessons import Stretch
from agentcl.models import CachedModel, ChatModel, Sampling
from agentcl.models.base import conversation
from agentcl.models.structured import ask_text
from agentcl.store import Episode

MEMORIES: Final = ("none", "notes", "outcomes", "gold")
STEPS: Final = 12
MAX_TOKENS: Final = 64  # of an answer
NOTES: Final = 3  # that are shown
SHORT: Final = ("find-non-living-thing", "lifespan-longest-lived", "lifespan-shortest-lived")
SETTINGS: Final[Mapping[str, Mapping[str, Any]]] = {
    "adapt": {"families": SHORT, "episodes": 3, "trials": 3},
    "gen-env": {"families": SHORT, "episodes": 3, "places": 2, "test_episodes": 6},
    "gen-task": {"families": SHORT, "episodes": 3, "test_episodes": 4},
}  # fmt: skip


@dataclass
class Noting:
    """An actor that is shown its last notes, and writes one after an attempt that fell short."""

    actor: Student
    notes: list[str] = field(default_factory=list)

    def act(self, situation: Situation) -> Act:
        """Return the next action."""
        return self.actor.act(replace(situation, guidance=tuple(self.notes[-NOTES:])))

    def note(self, goal: str, first: str, played: Episode, history: list[tuple[str, str]]) -> None:
        """Keep what the model says of an attempt."""
        score = played.score or 0.0
        if score < 1:
            asked = ask_note(goal=goal, scene=first, history=history, score=score)
            said = ask_text(
                self.actor.model, conversation(NOTING, asked), sampling=Sampling(max_tokens=120)
            )
            self.notes.append(" ".join(said.text.split()))


@dataclass
class Shown:
    """An actor that is shown how a task is solved."""

    actor: Actor
    domain: ScienceWorldDomain

    def __post_init__(self) -> None:
        self._oracle = self.domain.oracle()

    def act(self, situation: Situation) -> Act | None:
        """Return the next action."""
        if not situation.history:
            path = self._oracle.actions(situation.known_task, seed=0)
            steps = tuple((action, "done") for action in path[:STEPS])
            self._stretch = Stretch(situation.goal, situation.first, steps, is_success=True)
        return self.actor.act(replace(situation, stretches=(self._stretch,)))


def main() -> None:
    """Play, show and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", required=True, help="of an endpoint")
    parser.add_argument("--model", required=True, help="as the endpoint names it")
    parser.add_argument("--encoder", default="minilm", help="of the memory")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--settings", default=",".join(SETTINGS), help="some of the settings")
    parser.add_argument("--only", default=",".join(MEMORIES[:-1]), help="some of the memories")
    asked = parser.parse_args()
    endpoint = OpenAIChat(asked.model, base_url=asked.url, timeout_s=900)
    before = endpoint.fingerprint()
    CACHE.mkdir(exist_ok=True)
    model = CachedModel(endpoint, CACHE / f"clin-{before}.db")
    for setting in asked.settings.split(","):
        found = {}
        for name in asked.only.split(","):
            lives = [
                list(life(model, name, setting, seed, asked.encoder)) for seed in range(asked.seeds)
            ]
            found[name] = {"lives": lives}
            show(setting, found)
        result = {
            "machine": machine("openai", "scienceworld"),
            "player": asked.model,
            "setting": setting,
            "encoder": asked.encoder,
            "seeds": asked.seeds,
            "steps": STEPS,
            "is_frozen": endpoint.fingerprint() == before,
            "memories": found,
        }
        name = f"clin-{asked.model}-{setting}"
        result = with_earlier(name, result, "memories")
        save(name, {**result, "memories": compared(setting, result["memories"])})


def life(
    model: ChatModel, name: str, setting: str, seed: int, encoder: str
) -> Iterator[dict[str, Any]]:
    """Play a stream; yield what came of each episode."""
    domain = ScienceWorldDomain(simplifications="easy", max_steps=STEPS)
    settings = TaskSettings(domain=domain.name, stream=setting, split="test", **SETTINGS[setting])  # type: ignore[arg-type]
    student = Student(model, max_tokens=MAX_TOKENS)
    noting = Noting(student)
    actors: dict[str, Actor] = {"notes": noting, "gold": Shown(student, domain)}
    environment = domain.make()
    with tempfile.TemporaryDirectory() as folder, Memory(folder, encoder=encoder) as memory:
        agent = Agent(
            memory,
            actors.get(name, student),
            teacher=OutcomeTeacher() if name == "outcomes" else None,
        )
        for item in build_stream(settings, domain, seed=seed):
            is_frozen = not item.is_learned_from
            if name == "none" and setting != "adapt" and not is_frozen:
                continue
            played = agent.play(environment, item.task, seed=item.seed, is_frozen=is_frozen)
            if name == "notes" and not is_frozen:
                steps = [(one.action, one.outcome) for one in memory.episodes.steps(played.id)]
                noting.note(played.goal, played.first, played, steps)
            tokens = sum(one.tokens for one in played.usage.values())
            print(f"{setting} {name} {seed}: {item.phase}, {item.task.family} {item.task.variation}: {played.score:.2f}", flush=True)  # fmt: skip
            yield {
                "task": item.task.id,
                "phase": item.phase,
                "score": played.score,
                "tokens": tokens,
            }
    environment.close()


def compared(setting: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the memories with their scores, and what each gains over none: of the same task, in the phase that counts."""
    bare = counted(setting, found["none"]["lives"]) if "none" in found else {}
    told = {}
    for name, one in found.items():
        its = counted(setting, one["lives"])
        scores = [score for some in its.values() for score in some]
        both = [
            (score, statistics.fmean(bare[key])) for key in its if key in bare for score in its[key]
        ]
        gain = paired_interval(*zip(*both, strict=True)) if name != "none" and both else None
        told[name] = {
            "episodes": len(scores),
            "score": statistics.fmean(scores),
            "solved": statistics.fmean(score == 1.0 for score in scores),
            "gain": None if gain is None else [gain.estimate, gain.low, gain.high],
            "by phase": by_phase(one["lives"]),
            "tokens": statistics.fmean(row["tokens"] for life in one["lives"] for row in life),
            "lives": one["lives"],
        }
    return told


def counted(setting: str, lives: list[list[dict[str, Any]]]) -> dict[tuple[int, str], list[float]]:
    """Return scores by seed and task: of later trials, or of first attempts."""
    found: dict[tuple[int, str], list[float]] = {}
    for seed, rows in enumerate(lives):
        for row in rows:
            if row["phase"] == "held-out" or (setting == "adapt" and row["phase"] != "trial 1"):
                found.setdefault((seed, row["task"]), []).append(row["score"])
    return found


def by_phase(lives: list[list[dict[str, Any]]]) -> dict[str, float]:
    """Return the mean score of each phase."""
    phases: dict[str, list[float]] = {}
    for row in (row for rows in lives for row in rows):
        phases.setdefault(row["phase"], []).append(row["score"])
    return {phase: statistics.fmean(scores) for phase, scores in phases.items()}


def show(setting: str, found: Mapping[str, Any]) -> None:
    """Print the memories side by side."""
    table(
        [setting, "episodes", "score", "solved", "gain", "by phase", "tokens"],
        [
            [
                name,
                str(one["episodes"]),
                f"{one['score']:.2f}",
                f"{one['solved']:.2f}",
                "" if one["gain"] is None else "{:+.2f} [{:+.2f}, {:+.2f}]".format(*one["gain"]),
                " ".join(f"{score:.2f}" for score in one["by phase"].values()),
                f"{one['tokens']:.0f}",
            ]
            for name, one in compared(setting, found).items()
        ],
    )


if __name__ == "__main__":
    main()
