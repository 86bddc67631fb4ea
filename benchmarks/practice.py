"""Does practice chosen by learning progress learn faster than the same number of episodes in a random order?

    python benchmarks/practice.py [--seeds 20]

The scripted responder practises incidents of every family, taught by `OutcomeTeacher`: in one deployment, in two at once,
and in one without the family `control`, in which nothing can be learned. All orders begin with an empty memory and have equal
budgets:

- progress: `Agent.practise`.
- random: every task once in a random order, then every task again (`random_stream`), which knows what was played and wastes
  nothing at first.
- drawn: each episode a task drawn at random, as tasks come where nobody keeps a list.

Every few episodes the memory is tested, frozen, with fresh episodes of each task that can be learned. The ceiling is what
the responder scores there when it is told the true rules. A life that does not reach four fifths of it counts with its whole
budget.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

from outcomes import Told
from parts.results import machine, save, table
from parts.runs import over_seeds

from agentcl import Agent, Memory
from agentcl.envs.acting import Actor
from agentcl.envs.base import Split, Task, world_of
from agentcl.envs.domains.incidents.domain import FAMILIES, IncidentDomain
from agentcl.envs.domains.incidents.responder import Responder
from agentcl.envs.streams.builders import pools_of, random_stream

ORDERS: Final = ("progress", "random", "drawn")
SHARE: Final = 0.8  # of the ceiling
EVERY: Final = 5  # episodes between two tests
TESTED: Final = 10**9  # seeds of tests begin here, beyond those of practice
LEARNABLE: Final = ("remedy", "needs", "diagnose")
# By name: deployments of a life, families, episodes.
SETTINGS: Final = {
    "one deployment": (1, FAMILIES, 60),
    "one deployment, all of it learnable": (1, LEARNABLE, 60),
    "two deployments": (2, FAMILIES, 120),
}
DOMAIN: Final = IncidentDomain()


class Place(IncidentDomain):
    """Some deployments and families of the domain."""

    def __init__(self, numbers: Sequence[int], families: Sequence[str]) -> None:
        super().__init__()
        self.families, self._numbers = families, numbers

    def tasks(self, split: Split, *, family: str | None = None) -> Iterator[Task]:
        """Yield the tasks of these deployments, whatever their split."""
        for number in self._numbers:
            of: Split = "dev" if number < 80 else "test"
            for kind in [family] if family else self.families:
                yield from pools_of(DOMAIN, of, [kind], where={"deployment": number})[kind]


def main() -> None:
    """Play, show and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20, help="at most 20: each has its own")
    seeds = range(parser.parse_args().seeds)
    found = {}
    for name, (count, families, episodes) in SETTINGS.items():
        places = [Place([60 + seed * count + n for n in range(count)], families) for seed in seeds]
        ceilings = [tested(place, Told(Responder(), DOMAIN), None) for place in places]
        curves = {
            order: [life(place, order, seed, episodes) for seed, place in zip(seeds, places, strict=True)]
            for order in ORDERS
        }  # fmt: skip
        found[name] = {
            "episodes": episodes,
            "tasks": sum(1 for _ in places[0].tasks("train")),
            "ceiling": statistics.fmean(ceilings),
            "orders": measured(curves, ceilings, episodes),
        }
        show(name, found[name])
    save("practice", {"machine": machine(), "seeds": len(seeds), "settings": found})


def life(place: Place, order: str, seed: int, episodes: int) -> list[float]:
    """Practise; return what tests score before it and after every few episodes."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Memory(folder, encoder="hashing", durability="normal") as memory,
    ):
        practise = practising(Agent(memory, Responder()), place, order, seed, episodes)
        curve = [tested(place, Responder(), memory)]
        for _ in range(episodes // EVERY):
            practise()
            curve.append(tested(place, Responder(), memory))
    return curve


def practising(
    agent: Agent, place: Place, order: str, seed: int, episodes: int
) -> Callable[[], None]:
    """Return what plays the next few episodes of an order."""
    if order == "progress":
        return lambda: void(agent.practise(place, budget=EVERY, seed=seed))
    rng, environment = random.Random(f"drawn:{seed}"), place.make()
    if order == "random":
        pools = pools_of(place, "train")
        stream = random_stream("practice", pools, episodes=episodes, seed=seed)
        items = [(item.task, item.seed) for item in stream]
    else:
        tasks = [*place.tasks("train")]
        items = [(rng.choice(tasks), rng.randrange(TESTED)) for _ in range(episodes)]
    rest = iter(items)

    def play() -> None:
        for _ in range(EVERY):
            task, episode_seed = next(rest)
            agent.play(environment, task, seed=episode_seed, world=world_of(place, task))

    return play


def void(_: object) -> None:
    """Return nothing."""


def tested(place: Place, actor: Actor, memory: Memory | None) -> float:
    """Return the mean score of one fresh episode of each task that can be learned, with the memory frozen; None: without one."""
    if memory is None:
        with (
            tempfile.TemporaryDirectory() as folder,
            Memory(folder, encoder="hashing", durability="normal") as empty,
        ):
            return tested(place, actor, empty)
    agent, environment = Agent(memory, actor, teacher=None), place.make()
    tasks: list[Task] = [*chain(*(place.tasks("train", family=one) for one in LEARNABLE))]
    return statistics.fmean(
        agent.play(environment, task, seed=TESTED + n, world=world_of(place, task), is_frozen=True).score or 0.0
        for n, task in enumerate(tasks)
    )  # fmt: skip


def measured(
    curves: dict[str, list[list[float]]], ceilings: Sequence[float], episodes: int
) -> dict[str, Any]:
    """Return, of each order, the episodes to four fifths of the ceiling and the mean of all tests; against random, paired."""
    needed = {
        order: [reached(curve, ceiling, episodes) for curve, ceiling in zip(lives, ceilings, strict=True)]
        for order, lives in curves.items()
    }  # fmt: skip
    means = {order: [statistics.fmean(curve) for curve in lives] for order, lives in curves.items()}
    seeds = range(len(ceilings))
    return {
        order: {
            "episodes to four fifths": statistics.fmean(needed[order]),
            "fewer than random": over_seeds(needed["random"], needed[order], seeds),
            "fewer than drawn": over_seeds(needed["drawn"], needed[order], seeds),
            "mean of tests": statistics.fmean(means[order]),
            "mean against random": over_seeds(means[order], means["random"], seeds),
            "last test": statistics.fmean(curve[-1] for curve in lives),
            "not reached": sum(
                max(curve) < SHARE * ceiling for curve, ceiling in zip(lives, ceilings, strict=True)
            ),
            "curve": [statistics.fmean(at) for at in zip(*lives, strict=True)],
        }
        for order, lives in curves.items()
    }


def reached(curve: Sequence[float], ceiling: float, episodes: int) -> float:
    """Return the episodes before the first test of four fifths of the ceiling."""
    return next((n * EVERY for n, score in enumerate(curve) if score >= SHARE * ceiling), episodes)


def show(name: str, found: dict[str, Any]) -> None:
    """Print the orders side by side."""
    print(
        f"\n{name}: {found['tasks']} tasks, {found['episodes']} episodes, ceiling {found['ceiling']:.3f}"
    )
    table(
        ["order", "episodes to 80 %", "fewer than random", "fewer than drawn", "mean of tests", "last"],
        [
            [order, f"{one['episodes to four fifths']:.1f}", said(one["fewer than random"]),
             said(one["fewer than drawn"]), f"{one['mean of tests']:.3f}", f"{one['last test']:.3f}"]
            for order, one in found["orders"].items()
        ],
    )  # fmt: skip


def said(found: list[float] | None) -> str:
    """Return a difference with its interval."""
    return "" if found is None else f"{found[0]:+.1f} [{found[1]:+.1f}, {found[2]:+.1f}]"


if __name__ == "__main__":
    main()
