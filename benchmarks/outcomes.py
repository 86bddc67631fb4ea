"""Does a frozen instruction-tuned model get better by a memory that learns, with and without a model as its teacher?

    agentcl model serve qwen2.5-coder-1.5b -- --dtype bfloat16 --enforce-eager --max-model-len 4096
    python benchmarks/outcomes.py --url URL --model NAME [--seeds 3] [--episodes 60] [--only none,outcomes]
    python benchmarks/outcomes.py --seeds 5 --family needs [--voice natural]   (without a model: the scripted responder)
    python benchmarks/outcomes.py ... --only none,rules,outcomes --picture docs/learning-real.svg

Incidents of one deployment a seed are played by the model, asked as `Student` asks any model, or by the scripted responder,
which follows every lesson. In the natural voice it understands every phrase (`listening.py`), and the
last fifth of a life is told in phrases that did not come before:

- none: nothing is remembered.
- rules: the true rules of the situation stand in the prompt. What a perfect memory could be worth.
- rules-told: the same, without the two turns that `Student` shows before; the model alone.
- outcomes: `OutcomeTeacher` proposes lessons from what followed what; agentcl keeps those that hold.
- all-shown: what `OutcomeTeacher` proposed of all episodes so far stands in the prompt, newest first. Beside outcomes it tells
  what was not taught from what was not recalled. Without a model only: no prompt of one holds so much.
- edited: the same, but the model words each lesson's situation, or refuses it, before it is tried.
- taught: the same model, as `Teacher` asks it, proposes them instead.

Lives are played side by side, one a seed. Answers are greedy and kept in `.bench`, so that a run which was cut off asks nothing twice. Solved is an episode with the
score 1.0: the alert is cleared without a wasted step.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from parts.listening import Listener
from parts.results import CACHE, machine, save, table, with_earlier

from agentcl import Agent, Memory, OpenAIChat, OutcomeTeacher, Student, Teacher
from agentcl.agents import Distilled, Distiller, Transcript
from agentcl.envs.acting import Act, Actor, Situation
from agentcl.envs.base import Instructive, Task
from agentcl.envs.domains.incidents.domain import BOTH, FAMILIES, PHRASINGS, VOICES, IncidentDomain
from agentcl.envs.domains.incidents.responder import Responder
from agentcl.envs.streams.builders import pools_of, random_stream
from agentcl.models import CachedModel, ChatModel
from agentcl.store import Episode
from agentcl.text.svg import Axis, Series, chart

MEMORIES: Final = ("none", "rules", "rules-told", "outcomes", "all-shown", "edited", "taught")
UNASKED: Final = ("all-shown",)  # need that there is none
ASKED: Final = ("rules-told", "edited", "taught")  # need a model
PARTS: Final = 5  # of a life
WINDOW: Final = 10  # episodes that a point of a curve is the mean of
LABELS: Final = {"none": "no memory", "outcomes": "agentcl", "rules": "told the true rules"}
MAX_TOKENS: Final = 64  # of a thought and an action


class Told:
    """An actor that is told the true rules of each situation."""

    def __init__(self, actor: Actor, domain: Instructive) -> None:
        self._actor, self._domain = actor, domain

    def act(self, situation: Situation) -> Act | None:
        """Return the next action."""
        rules = self._domain.lessons(situation.known_task, seed=situation.seed)
        return self._actor.act(replace(situation, guidance=tuple(rules)))


class AllShown:
    """An actor and teacher in one: it is told everything that was proposed so far, newest first."""

    def __init__(self, actor: Actor) -> None:
        self._actor, self._teacher = actor, OutcomeTeacher()
        self._proposed: dict[str, None] = {}

    def act(self, situation: Situation) -> Act | None:
        """Return the next action."""
        return self._actor.act(replace(situation, guidance=tuple(reversed(self._proposed))))

    def distil(self, transcript: Transcript, *, contrast: Transcript | None = None) -> Distilled:
        """Return the proposals of an episode, and keep them."""
        distilled = self._teacher.distil(transcript, contrast=contrast)
        self._proposed |= {lesson.sentence(): None for lesson in distilled.lessons}
        return distilled


def main() -> None:
    """Play, show and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", default="", help="of an endpoint; without: the scripted responder")
    parser.add_argument("--model", default=Responder.name, help="as the endpoint names it")
    parser.add_argument("--family", default="remedy", choices=FAMILIES)
    parser.add_argument("--voice", default=VOICES[0], choices=VOICES)
    parser.add_argument("--encoder", default="hashing", help="of the memory")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--episodes", type=int, default=60, help="of a seed")
    parser.add_argument("--only", default=",".join(MEMORIES), help="some of the memories")
    parser.add_argument("--picture", type=Path, help="to draw the learning curves in")
    asked = parser.parse_args()
    endpoint = OpenAIChat(asked.model, base_url=asked.url, timeout_s=900) if asked.url else None
    before = endpoint.fingerprint() if endpoint else ""
    CACHE.mkdir(exist_ok=True)
    model = CachedModel(endpoint, CACHE / f"outcomes-{before}.db") if endpoint else None
    found = {}
    for name in asked.only.split(","):
        if name in (ASKED if model is None else UNASKED):
            continue
        with ThreadPoolExecutor(asked.seeds) as pool:
            lives = pool.map(lambda seed, of=name: life(model, of, seed, asked), range(asked.seeds))
            found[name] = summary(list(lives))
        show(found)
    result = {
        "machine": machine("openai"),
        "player": asked.model,
        "family": asked.family,
        "voice": asked.voice,
        "encoder": asked.encoder,
        "seeds": asked.seeds,
        "episodes": asked.episodes,
        "is_frozen": endpoint is None or endpoint.fingerprint() == before,
        "memories": found,
    }
    voiced = "" if asked.voice == VOICES[0] else f"-{asked.voice}"
    encoded = "" if asked.encoder == "hashing" else f"-{asked.encoder}"
    name = f"outcomes-{asked.model}-{asked.family}{voiced}{encoded}"
    result = with_earlier(name, result, "memories")
    save(name, result)
    if asked.picture:
        draw(result, asked.picture)


def life(model: ChatModel | None, name: str, seed: int, asked: argparse.Namespace) -> list[Episode]:
    """Play one life in one deployment."""
    is_natural, deployment = asked.voice != VOICES[0], 80 + seed
    domain = IncidentDomain(voice=asked.voice, phrasings=BOTH if is_natural else "")
    where: dict[str, str | int] = {} if asked.family == "control" else {"deployment": deployment}
    pools = pools_of(
        domain, "test", [asked.family], where=where | ({PHRASINGS: "train"} if is_natural else {})
    )
    actor = player(model, is_shown=name != "rules-told", voice=asked.voice)
    actor = Told(actor, domain) if name.startswith("rules") else actor
    everything = AllShown(actor)
    actor = everything if name == "all-shown" else actor
    environment, played = domain.make(), list[Episode]()
    with tempfile.TemporaryDirectory() as folder, Memory(folder, encoder=asked.encoder) as memory:
        teaches = everything if name == "all-shown" else teacher(model, name)
        agent = Agent(memory, actor, teacher=teaches)
        for item in random_stream(domain.name, pools, episodes=asked.episodes, seed=seed):
            is_last = len(played) >= asked.episodes * (PARTS - 1) // PARTS
            task = held_out(item.task) if is_natural and is_last else item.task
            place = f"deployment {deployment}"
            played.append(agent.play(environment, task, seed=item.seed, world=place))
            if len(played) % 10 == 0 and model is not None:
                solved = sum(one.score == 1.0 for one in played[-10:])
                print(
                    f"{name} {seed}: {len(played)} episodes, {solved} of the last ten solved",
                    flush=True,
                )
    return played


def held_out(task: Task) -> Task:
    """Return the same task, told in phrases that came in no episode before."""
    return replace(task, parameters={**task.parameters, PHRASINGS: "eval"})


def player(model: ChatModel | None, *, is_shown: bool, voice: str) -> Actor:
    """Return who acts: a student of the model, or the responder where there is none."""
    if model is None:
        return Responder() if voice == VOICES[0] else Listener()
    return Student(model, max_tokens=MAX_TOKENS, demonstrations=None if is_shown else ())


def teacher(model: ChatModel | None, name: str) -> Distiller | None:
    """Return who says what an episode teaches; None: nobody."""
    if name == "taught" and model is not None:
        return Teacher(model)
    if name == "edited" and model is not None:
        return OutcomeTeacher(Teacher(model))
    return OutcomeTeacher() if name == "outcomes" else None


def summary(lives: Sequence[Sequence[Episode]]) -> dict[str, Any]:
    """Return what lives came to: the share solved, by fifths too, and tokens an episode."""
    every = [one for life in lives for one in life]
    fifths = []
    for part in range(PARTS):
        at = [life[len(life) * part // PARTS : len(life) * (part + 1) // PARTS] for life in lives]
        fifths.append(solved([one for some in at for one in some]))
    used = [sum(one.tokens for one in episode.usage.values()) for episode in every]
    return {
        "episodes": len(every),
        "solved": solved(every),
        "score": statistics.fmean(one.score or 0.0 for one in every),
        "solved by fifths": fifths,
        "solved by number": [solved(alike) for alike in zip(*lives, strict=True)],
        "tokens": statistics.fmean(used),
    }


def together(one: dict[str, Any], lives: int, other: dict[str, Any], others: int) -> dict[str, Any]:
    """Return what so many lives and others of the same length came to together."""
    every = lives + others

    def mean(here: Any, there: Any) -> Any:  # noqa: ANN401  # numbers, or lists of them
        if isinstance(here, list):
            return [*map(mean, here, there)]
        return (here * lives + there * others) / every

    found = {key: mean(value, other[key]) for key, value in one.items()}
    return {**found, "episodes": one["episodes"] + other["episodes"]}


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


def draw(result: dict[str, Any], path: Path) -> None:
    """Draw the learning curves of the memories that `LABELS` names."""
    curves = {name: one for name, one in result["memories"].items() if name in LABELS}
    picture = chart(
        [
            Series(
                LABELS[name],
                [
                    (number, share)
                    for number, share in enumerate(smooth(one["solved by number"]), 1)
                ],
                list(LABELS).index(name),
                weight="strong" if name == "outcomes" else "plain",
            )
            for name, one in curves.items()
        ],
        title=f"Tickets of one deployment, {result['player']}, frozen, {result['seeds']} seeds",
        across=Axis("episode", result["episodes"]),
        up=Axis(f"solved, of the last {WINDOW}"),
        size=(760, 360),
    )
    path.write_text(picture.file(), "utf-8")


def smooth(shares: Sequence[float]) -> list[float]:
    """Return at each place the mean of the last shares."""
    return [statistics.fmean(shares[max(0, n + 1 - WINDOW) : n + 1]) for n in range(len(shares))]


def solved(episodes: Sequence[Episode]) -> float:
    """Return the share of episodes with the score 1.0."""
    return statistics.fmean(one.score == 1.0 for one in episodes)


if __name__ == "__main__":
    main()
