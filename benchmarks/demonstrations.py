"""Do past stretches in a prompt help, beside lessons, instead of them, and against whole records?

    python benchmarks/demonstrations.py [--family remedy] [--seeds 5]        (without a model: a policy that imitates)
    agentcl model serve qwen2.5-coder-1.5b -- --dtype bfloat16 --enforce-eager --max-model-len 4096
    python benchmarks/demonstrations.py --url URL --model NAME --seeds 3 [--number 2] [--only none,both] [--voice natural]

Incidents of one deployment a seed. Without a model they are played by a policy that follows lessons, and does what was done
in a past stretch where the situation is the same apart from names. It says what demonstrations can be worth to a reader
who imitates well; what they are worth to a model, only `--url` says.

- none: nothing is remembered.
- lessons: `OutcomeTeacher` proposes them; agentcl keeps those that hold.
- demonstrations: at most `--number` past stretches for each situation, and no lessons.
- both.
- transcripts: whole records of as many past episodes like this one, found by words, and no coin: what a search gives.
- misled: as both, for a reader whom stretches mislead: it does anything but what they show. The coins should find that
  out, and it should end near lessons.

Solved is an episode with the score 1.0. Tokens are those that memory has in a prompt.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from typing import Any, Final

from outcomes import PARTS, solved
from outcomes import summary as of_lives
from parts.results import CACHE, machine, save, table

from agentcl import Agent, Memory, OpenAIChat, OutcomeTeacher, Student
from agentcl.envs.acting import Act, Actor, Situation
from agentcl.envs.domains.incidents.deployments import DONE, FOUND_NOTHING, NOTHING, WORSE
from agentcl.envs.domains.incidents.domain import BOTH, FAMILIES, VOICES, IncidentDomain
from agentcl.envs.domains.incidents.responder import Responder
from agentcl.envs.streams.builders import pools_of, random_stream
from agentcl.lessons import Lesson, Stretch
from agentcl.memory import Filter
from agentcl.models import CachedModel, ChatModel
from agentcl.store import Episode
from agentcl.text.tokens import estimate_tokens

MEMORIES: Final = ("none", "lessons", "demonstrations", "both", "transcripts", "misled")
MAX_TOKENS: Final = 64  # of a thought and an action
_SEEN: Final = re.compile(r"[Tt]he (\w+) (\w+) (.+?)\.?")
_STEP: Final = re.compile(r"\d+\. (.+?): (.+)\.")


class Imitator(Responder):
    """Follows lessons; where a past stretch shows the situation that it is in, does what was done there."""

    name = "imitator"

    def __init__(self, *, is_misled: bool = False) -> None:
        super().__init__()
        self._is_misled = is_misled

    def act(self, situation: Situation) -> Act | None:
        """Return the next action."""
        shown = (*situation.stretches, *map(read_record, situation.passages))
        if self._is_misled:
            return super().act(replace(situation, offered=others(situation, shown)))
        learned = chain.from_iterable(map(lessons_of, shown))
        told = (*situation.guidance, *(lesson.sentence() for lesson in learned))
        return super().act(replace(situation, guidance=told))


def others(situation: Situation, shown: Sequence[Stretch]) -> tuple[str, ...]:
    """Return the actions that no stretch shows; all, if none is left."""
    verbs = {action.split()[0] for one in shown for action, _ in one.steps}
    tried = {action for action, _ in situation.history}
    offered = situation.actions or ()
    left = [one for one in offered if one.split()[0] not in verbs and one not in tried]
    return tuple(left or offered)


def lessons_of(stretch: Stretch) -> Iterator[Lesson]:
    """Yield what to do, and not to do, in the situations of a stretch if they come again."""
    here, before = _SEEN.fullmatch(stretch.seen), ""
    for action, outcome in stretch.steps:
        verb, seen = action.split()[0], outcome.strip().rstrip(".")
        if here is None:
            return
        situation = f"a {here[1]} {here[3]}"
        if seen in (NOTHING, FOUND_NOTHING, WORSE):
            yield Lesson(situation, "useless", f"{verb} it")
        elif seen == DONE:
            before = verb
        elif not seen.endswith(" it before"):
            yield Lesson(situation, "do", f"{verb} it")
            if before:
                yield Lesson(f"you {verb} a {here[1]}", "needs", f"{before} it")
            here = _SEEN.fullmatch(seen)


class Recorded:
    """An actor that is shown whole records of past episodes."""

    def __init__(self, actor: Actor, memory: Memory, number: int, world: str) -> None:
        self._actor, self._memory, self._number, self._world = actor, memory, number, world
        self._records: tuple[str, ...] = ()

    def act(self, situation: Situation) -> Act | None:
        """Return the next action."""
        if not situation.history:
            task = situation.known_task
            chosen = Filter(application=task.env, family=task.family, world=self._world)
            found = self._memory.episodes.search(situation.first, chosen=chosen, limit=self._number)
            hits = sorted((*found.succeeded, *found.failed), key=lambda hit: -hit.score)
            self._records = tuple(self._record(hit.episode) for hit in hits[: self._number])
        return self._actor.act(replace(situation, passages=self._records))

    def _record(self, episode: Episode) -> str:
        steps = enumerate(self._memory.episodes.steps(episode.id), 1)
        lines = [f"{n}. {one.action}: {one.outcome.rstrip('.')}." for n, one in steps]
        head = [f"Goal: {episode.goal}", f"Observation: {episode.first}"]
        return "\n".join((*head, *lines, f"Score: {episode.score}"))


def read_record(text: str) -> Stretch:
    """Return what a whole record tells, for who imitates it."""
    goal, seen, *lines = text.splitlines()
    steps = tuple((found[1], found[2]) for line in lines if (found := _STEP.fullmatch(line)))
    is_success = not lines[-1].endswith(" 0.0")
    return Stretch(
        goal.removeprefix("Goal: "), seen.removeprefix("Observation: "), steps, is_success
    )


class Counting:
    """An actor that counts the tokens that memory has in its prompts."""

    def __init__(self, actor: Actor) -> None:
        self.instructions: str = getattr(actor, "instructions", "yes")
        self.prompts: list[int] = []
        self._actor = actor

    def act(self, situation: Situation) -> Act | None:
        """Return the next action."""
        stretches = [line for one in situation.stretches for line in one.lines()]
        told = (*situation.guidance, *stretches, *situation.passages)
        self.prompts.append(sum(map(estimate_tokens, told)))
        return self._actor.act(situation)


def main() -> None:
    """Play, show and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", default="", help="of an endpoint; without: the policy")
    parser.add_argument("--model", default=Imitator.name, help="as the endpoint names it")
    parser.add_argument("--family", default="remedy", choices=FAMILIES)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--episodes", type=int, default=60, help="of a seed")
    parser.add_argument("--number", default="1,2", help="of stretches; each is tried")
    parser.add_argument("--only", default=",".join(MEMORIES), help="some of the memories")
    parser.add_argument("--voice", default=VOICES[0], choices=VOICES, help="natural: with --url")
    asked = parser.parse_args()
    if asked.voice != VOICES[0] and not asked.url:
        parser.error("the policy does not understand the natural voice; name a model with --url")
    endpoint = OpenAIChat(asked.model, base_url=asked.url) if asked.url else None
    before = endpoint.fingerprint() if endpoint else ""
    CACHE.mkdir(exist_ok=True)
    model = CachedModel(endpoint, CACHE / f"demonstrations-{before}.db") if endpoint else None
    found = {}
    for name, number in arms(asked):
        if model is not None and name == "misled":
            continue
        with ThreadPoolExecutor(asked.seeds if model else 1) as pool:
            lives = pool.map(
                lambda seed, of=name, most=number: life(model, of, most, seed, asked),
                range(asked.seeds),
            )
            found[f"{name} {number}".removesuffix(" 0")] = summary(list(lives))
        show(found)
    result = {
        "machine": machine("openai"),
        "player": asked.model,
        "family": asked.family,
        "voice": asked.voice,
        "seeds": asked.seeds,
        "episodes": asked.episodes,
        "is_frozen": endpoint is None or endpoint.fingerprint() == before,
        "memories": found,
    }
    voiced = "" if asked.voice == VOICES[0] else f"-{asked.voice}"
    save(f"demonstrations-{asked.model}-{asked.family}{voiced}", result)


def arms(asked: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """Yield each memory with the number of past stretches that it may show."""
    for name in asked.only.split(","):
        numbers = ["0"] if name in ("none", "lessons") else asked.number.split(",")
        yield from ((name, int(number)) for number in numbers)


def life(
    model: ChatModel | None, name: str, number: int, seed: int, asked: argparse.Namespace
) -> tuple[list[Episode], list[int]]:
    """Play one life in one deployment; return its episodes, and the tokens of memory in each prompt."""
    is_natural, deployment = asked.voice != VOICES[0], 80 + seed
    domain = IncidentDomain(voice=asked.voice, phrasings=BOTH if is_natural else "")
    where = {} if asked.family == "control" else {"deployment": deployment}
    pools = pools_of(domain, "test", [asked.family], where=where)
    environment, played = domain.make(), list[Episode]()
    place = f"deployment {deployment}"
    with (
        tempfile.TemporaryDirectory() as folder,
        Memory(folder, encoder="hashing", durability="normal") as memory,
    ):
        actor: Actor = Imitator(is_misled=name == "misled")
        if model is not None:
            actor = Student(model, max_tokens=MAX_TOKENS)
        counting = Counting(actor)
        shown = Recorded(counting, memory, number, place) if name == "transcripts" else counting
        agent = Agent(
            memory,
            shown,
            teacher=OutcomeTeacher() if name in ("lessons", "both", "misled") else None,
            demonstrations=number if name in ("demonstrations", "both", "misled") else 0,
        )
        for item in random_stream(domain.name, pools, episodes=asked.episodes, seed=seed):
            played.append(agent.play(environment, item.task, seed=item.seed, world=place))
            if len(played) % 10 == 0 and model is not None:
                solved = sum(one.score == 1.0 for one in played[-10:])
                print(
                    f"{name} {number}, {seed}: {len(played)} episodes, {solved} of the last ten",
                    flush=True,
                )
    return played, counting.prompts


def summary(lives: Sequence[tuple[Sequence[Episode], Sequence[int]]]) -> dict[str, Any]:
    """Return what lives came to: the share solved, by fifths too, and tokens of memory in a prompt."""
    every = [one for life, _ in lives for one in life]
    return {
        **of_lives([life for life, _ in lives]),
        "last fifth by seed": [
            solved(life[len(life) * (PARTS - 1) // PARTS :]) for life, _ in lives
        ],
        "tokens of memory": statistics.fmean(chain.from_iterable(prompts for _, prompts in lives)),
        "shown": statistics.fmean(
            any(coin.is_shown for coin in one.demonstrations) for one in every
        ),
    }


def show(found: dict[str, Any]) -> None:
    """Print the memories side by side."""
    table(
        ["memory", "episodes", "solved", "score", "solved by fifths", "shown", "tokens of memory"],
        [
            [
                name,
                str(one["episodes"]),
                f"{one['solved']:.2f}",
                f"{one['score']:.2f}",
                " ".join(f"{share:.2f}" for share in one["solved by fifths"]),
                f"{one['shown']:.2f}",
                f"{one['tokens of memory']:.0f}",
            ]
            for name, one in found.items()
        ],
    )


if __name__ == "__main__":
    main()
