"""Does a frozen player get better at a customers' desk by a memory that learns, on phrasings never heard before?

    python benchmarks/desk.py --family return --episodes 100 --seeds 5      (without a model: the scripted clerk)
    python benchmarks/desk.py --url URL --model NAME --family return [--only none,taught]

Tickets of one shop a seed are played by the model, asked as `Student` asks any model, or by the scripted clerk, which follows
every lesson. Customers use the usual phrasings, and in the last fifth of a life those that are held out.

- none: nothing is remembered.
- rules: the true policy on such tickets stands in the prompt. What a perfect memory could be worth.
- outcomes: `OutcomeTeacher` proposes lessons from what followed what; agentcl keeps those that hold.
- again: as outcomes, and lessons are recalled once more before an action that changes something.
- taught: the player itself proposes them: the model as `Teacher` asks it, the clerk what it learned.

Answers of a model are kept in `.bench`, so that a run which was cut off asks nothing twice. Solved is a ticket with the score 1.0.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from outcomes import MAX_TOKENS, PARTS, Told, show, summary, together
from parts.results import CACHE, machine, save, with_earlier

from agentcl import Agent, Memory, OpenAIChat, OutcomeTeacher, Student, Teacher
from agentcl.agents import Distiller
from agentcl.bench.scripted import GuidedClerk
from agentcl.envs import DeskDomain, StreamItem, pools_of, random_stream
from agentcl.envs.acting import Actor
from agentcl.models import CachedModel, ChatModel
from agentcl.store import Episode

MEMORIES: Final = ("none", "rules", "outcomes", "again", "taught")
DOMAIN: Final = DeskDomain()


def main() -> None:
    """Play, show and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", default="", help="of an endpoint; without: the scripted clerk")
    parser.add_argument("--model", default=GuidedClerk.name, help="as the endpoint names it")
    parser.add_argument("--family", default="return", choices=DOMAIN.families)
    parser.add_argument("--encoder", default="hashing", help="of the memory")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument(
        "--first", type=int, default=0, help="seed; what earlier ones came to is kept, and added to"
    )
    parser.add_argument("--episodes", type=int, default=100, help="of a seed")
    parser.add_argument("--only", default=",".join(MEMORIES), help="some of the memories")
    asked = parser.parse_args()
    endpoint = OpenAIChat(asked.model, base_url=asked.url, timeout_s=900) if asked.url else None
    before = endpoint.fingerprint() if endpoint else ""
    CACHE.mkdir(exist_ok=True)
    model = CachedModel(endpoint, CACHE / f"desk-{before}.db") if endpoint else None
    names, seeds = asked.only.split(","), range(asked.first, asked.first + asked.seeds)
    with ThreadPoolExecutor(len(names) * len(seeds)) as pool:
        lives = {
            name: [pool.submit(life, model, name, seed, asked) for seed in seeds] for name in names
        }
    found = {name: summary([one.result() for one in some]) for name, some in lives.items()}
    show(found)
    result = {
        "machine": machine("openai"),
        "player": asked.model,
        "family": asked.family,
        "voice": "natural",
        "encoder": asked.encoder,
        "seeds": asked.first + asked.seeds,
        "episodes": asked.episodes,
        "is_frozen": endpoint is None or endpoint.fingerprint() == before,
        "memories": found,
    }
    encoded = "" if asked.encoder == "hashing" else f"-{asked.encoder}"
    name = f"desk-{asked.model}-{asked.family}{encoded}"
    if asked.first:
        earlier = {**result, "seeds": asked.first, "memories": {}}
        held = with_earlier(name, earlier, "memories")["memories"]
        result["memories"] = {
            name: together(held[name], asked.first, one, asked.seeds)
            for name, one in found.items()
            if name in held
        }
    save(name, with_earlier(name, result, "memories"))


def life(model: ChatModel | None, name: str, seed: int, asked: argparse.Namespace) -> list[Episode]:
    """Play one life in one shop."""
    actor, itself = player(model)
    teachers: dict[str, Distiller] = {
        "outcomes": OutcomeTeacher(), "again": OutcomeTeacher(), "taught": itself,
    }  # fmt: skip
    environment, played = DOMAIN.make(), list[Episode]()
    with tempfile.TemporaryDirectory() as folder, Memory(folder, encoder=asked.encoder) as memory:
        acting = Told(actor, DOMAIN) if name == "rules" else actor
        agent = Agent(memory, acting, teacher=teachers.get(name), looks_again=name == "again")
        for item in items(80 + seed, asked.family, asked.episodes, seed):
            played.append(
                agent.play(environment, item.task, seed=item.seed, world=f"shop {80 + seed}")
            )
            if len(played) % 10 == 0 and model is not None:
                solved = sum(one.score == 1.0 for one in played[-10:])
                print(
                    f"{name} {seed}: {len(played)} tickets, {solved} of the last ten solved",
                    flush=True,
                )
    return played


def player(model: ChatModel | None) -> tuple[Actor, Distiller]:
    """Return who acts, and the same as its own teacher: the model, or the clerk where there is none."""
    if model is None:
        clerk = GuidedClerk()
        return clerk, clerk
    return Student(model, max_tokens=MAX_TOKENS), Teacher(model)


def items(shop: int, family: str, episodes: int, seed: int) -> Iterator[StreamItem]:
    """Yield the tickets of a life; the last fifth is in phrasings that were not heard before."""
    last = episodes // PARTS
    for phrasing, count in (("usual", episodes - last), ("held-out", last)):
        pools = pools_of(DOMAIN, "test", [family], where={"shop": shop, "phrasing": phrasing})
        yield from random_stream(f"{DOMAIN.name} {phrasing}", pools, episodes=count, seed=seed)


if __name__ == "__main__":
    main()
