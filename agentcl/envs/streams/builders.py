"""Streams out of a domain's tasks: random, in blocks, interleaved, recurring, with rules that change, with tests between.

A builder draws from pools (`pools_of`): tasks by family. It takes the stream's name, how many episodes are
drawn (in all, or of each part), and the seed of the draws; the same arguments build the same stream. Three of
the streams are named as CLIN (arXiv 2310.10134) names what it tests: the same again (ADAPT), a new world of a
known kind (GEN-ENV), a new kind of task in a known world (GEN-TASK).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from heapq import heapify, heapreplace
from itertools import chain, islice
from typing import Final

from agentcl.envs.base import Domain, Split, Task
from agentcl.envs.streams.stream import StreamItem, TaskStream
from agentcl.errors import InvalidInput

RECURRENCE: Final = 1.5  # exponent of the gaps after which a task comes back
MOST_TASKS: Final = 10_000  # of a family that a pool looks at; some domains have no end of them
_SEEDS: Final = 2**31

Pools = Mapping[str, Sequence[Task]]


def pools_of(
    domain: Domain,
    split: Split,
    families: Sequence[str] | None = None,
    *,
    where: Mapping[str, str | int | float | bool] | None = None,
) -> dict[str, tuple[Task, ...]]:
    """Return the tasks of a split by family, in the domain's order.

    Args:
        domain: any domain; of endless tasks the first 10,000 of a family are looked at.
        split: of its tasks.
        families: those wanted, in this order; None for all.
        where: parameters that a task must have, such as the deployment of an incident. Where rules
            belong to a parameter, a stream over all its values is one in which nothing comes again.

    Raises:
        InvalidInput: if there is no such split or family, or a family has no task like that.
    """
    pools: dict[str, tuple[Task, ...]] = {}
    for family in domain.families if families is None else families:
        first = islice(domain.tasks(split, family=family), MOST_TASKS)
        wanted = tuple(task for task in first if _has(task, where or {}))
        if not wanted:
            raise InvalidInput(
                f"{domain.name} has no task of family {family!r} in split {split!r} with {dict(where or {})}"
            )
        pools[family] = wanted
    return pools


def random_stream(name: str, pools: Pools, *, episodes: int, seed: int) -> TaskStream:
    """Return episodes of all families in random order; every task comes before one comes again."""
    rng = _rng("random", name, seed)
    tasks = _drawn(rng, [*chain(*pools.values())], episodes)
    return TaskStream(name, _items(rng, tasks), "random", seed)


def block_stream(name: str, pools: Pools, *, episodes: int, seed: int) -> TaskStream:
    """Return family after family, `episodes` of each: the order in which most is forgotten."""
    rng = _rng("blocks", name, seed)
    tasks = [task for pool in pools.values() for task in _drawn(rng, pool, episodes)]
    return TaskStream(name, _items(rng, tasks), "blocks", seed)


def interleaved_stream(name: str, pools: Pools, *, episodes: int, seed: int) -> TaskStream:
    """Return the families in turn, `episodes` of each."""
    rng = _rng("interleaved", name, seed)
    rounds = zip(*[_drawn(rng, pool, episodes) for pool in pools.values()], strict=True)
    return TaskStream(name, _items(rng, [*chain(*rounds)]), "interleaved", seed)


def changing_stream(name: str, regimes: Sequence[Pools], *, episodes: int, seed: int) -> TaskStream:
    """Return a stream whose rules change at hidden moments.

    The moments are drawn: each lies about the end of an equal share of the episodes, at most a quarter
    of a share away. The stream knows them (`changes`, and the phases "rules 1", "rules 2" ...); an agent does
    not, as long as nobody shows it the phase, or the task's id and parameters. Each of the `regimes` is the pools of one set of rules, such as a deployment's incidents.

    Raises:
        InvalidInput: if there are fewer than two sets of rules, or fewer than four episodes for each.
    """
    if len(regimes) < 2 or episodes < 4 * len(regimes):
        raise InvalidInput(
            f"{len(regimes)} sets of rules in {episodes} episodes; give at least 2, and 4 episodes for each"
        )
    rng = _rng("rule change", name, seed)
    share = episodes / len(regimes)
    moments = [
        round(share * (number + rng.uniform(-0.25, 0.25))) for number in range(1, len(regimes))
    ]
    items: list[StreamItem] = []
    for number, (pools, start, stop) in enumerate(
        zip(regimes, [0, *moments], [*moments, episodes], strict=True), start=1
    ):
        tasks = _drawn(rng, [*chain(*pools.values())], stop - start)
        items += _items(rng, tasks, phase=f"rules {number}")
    return TaskStream(name, tuple(items), "rule change", seed)


def alternating_stream(
    name: str,
    pools: Pools,
    *,
    episodes: int,
    test_episodes: int,
    seed: int,
    rounds: int = 1,
    test_pools: Pools | None = None,
) -> TaskStream:
    """Return tests of every family, training on the first, tests of every family, training on the next ...

    What the lifelong-learning measures and the transfer matrix need (New et al. 2022). The episodes of
    tests are the same each time, task and seed, so that tests can be compared; in them the memory is
    read and never written, or it would learn the tests.

    Args:
        name: of the stream.
        pools: to train on.
        episodes: of each training block.
        test_episodes: of each test block.
        seed: of the draws.
        rounds: how often every family is trained.
        test_pools: of the same families, to test on; None for the training tasks with other seeds.

    Raises:
        InvalidInput: if the families differ, or a pool or a number of episodes is empty.
    """
    tested = pools if test_pools is None else test_pools
    if [*tested] != [*pools]:
        raise InvalidInput(
            f"tests of {[*tested]} for training on {[*pools]}; give the same families"
        )
    rng = _rng("alternating", name, seed)
    tests = [
        _items(rng, _drawn(rng, pool, test_episodes), phase="test") for pool in tested.values()
    ]
    seeds_of_tests = {item.seed for item in chain(*tests)}
    items = [*chain(*tests)]
    for pool in [*pools.values()] * rounds:
        items += _items(rng, _drawn(rng, pool, episodes), avoid=seeds_of_tests)
        items += chain(*tests)
    return TaskStream(name, tuple(items), "alternating", seed)


def adapt_stream(
    name: str, pools: Pools, *, episodes: int, seed: int, trials: int = 5
) -> TaskStream:
    """Return the same tasks in trial after trial, in phases "trial 1", "trial 2" ...: ADAPT.

    Each trial has the tasks in an order and with seeds of its own, so that names change and rules stay. The
    published number of trials is the default.

    Raises:
        InvalidInput: if there are fewer than two trials, or no episodes.
    """
    if trials < 2:
        raise InvalidInput(f"{trials} trials; to adapt takes two at least")
    rng = _rng("ADAPT", name, seed)
    tasks = _drawn(rng, [*chain(*pools.values())], episodes)
    taken: set[int] = set()
    items: list[StreamItem] = []
    for trial in range(1, trials + 1):
        again = rng.sample(tasks, len(tasks))
        items += _items(rng, again, phase=f"trial {trial}", avoid=taken)
        taken.update(item.seed for item in items)
    return TaskStream(name, tuple(items), "ADAPT", seed)


def gen_env_stream(
    name: str, known: Sequence[Pools], new: Pools, *, episodes: int, attempts: int, seed: int
) -> TaskStream:
    """Return worlds to learn in, one after the other, and then first attempts in a new one: GEN-ENV.

    In the phase "known" the memory is written; in "held-out" it is only read, so that what is gained there
    was all learned elsewhere. Of each known world there are so many `episodes`, of the new one so many
    `attempts` at most: each of its tasks comes once.

    Raises:
        InvalidInput: if there is no known world, the new one is among them, or a number is below one.
    """
    domains = [[*chain(*pools.values())] for pools in known]
    return _carried("GEN-ENV", name, domains, new, episodes=episodes, attempts=attempts, seed=seed)


def gen_task_stream(
    name: str, known: Pools, new: Pools, *, episodes: int, attempts: int, seed: int
) -> TaskStream:
    """Return families to learn, one after the other, and then first attempts at new ones: GEN-TASK.

    All in one world, such as one deployment: what helps with a sign, learned from `remedy`, is as true in
    `diagnose`, where the sign has to be found first. Phases and numbers are those of `gen_env_stream`.

    Raises:
        InvalidInput: if there is no known family, a new one is among them, or a number is below one.
    """
    families = [[*pool] for pool in known.values()]
    return _carried(
        "GEN-TASK", name, families, new, episodes=episodes, attempts=attempts, seed=seed
    )


def revisited_stream(
    name: str, places: Mapping[str, Pools], *, episodes: int, seed: int, visits: int = 2
) -> TaskStream:
    """Return places that are visited one after the other, and then all again: A B C A B C.

    Phases are "visit 1, A" and so on. What is kept is how the second visit begins against how the first
    one ended. With tests between the visits this is `alternating_stream` with `rounds`. Places are named for
    what their pools are of, such as deployments, or families; of one visit there are so many `episodes`.

    Raises:
        InvalidInput: if there are fewer than two places or visits, or no episodes.
    """
    if len(places) < 2 or visits < 2:
        raise InvalidInput(f"{visits} visits to {len(places)} places; give at least 2 of each")
    rng = _rng("revisited", name, seed)
    taken: set[int] = set()
    items: list[StreamItem] = []
    for visit in range(1, visits + 1):
        for place, pools in places.items():
            tasks = _drawn(rng, [*chain(*pools.values())], episodes)
            items += _items(rng, tasks, phase=f"visit {visit}, {place}", avoid=taken)
            taken.update(item.seed for item in items)
    return TaskStream(name, tuple(items), "revisited", seed)


def recurring_stream(
    name: str, pools: Pools, *, episodes: int, seed: int, exponent: float = RECURRENCE
) -> TaskStream:
    """Return tasks that come back after gaps of a power law: mostly soon, now and then after very long.

    So it is with what people read about and are asked for (Anderson and Schooler 1991). Each task has a clock of its own,
    and the stream is what the clocks strike, in the order of their times. From one stroke to the next a clock takes longer
    than t with the chance (1 + t)^-exponent, in units of its own. Some tasks come late for the first time, or never.
    Names change each time, the rules stay.

    Args:
        name: of the stream.
        pools: of what comes back.
        episodes: in all.
        seed: of the draws.
        exponent: above 1, so that gaps have a mean; the smaller, the more of them are very long.

    Raises:
        InvalidInput: if there are no tasks or no episodes, or the exponent is not above 1.
    """
    pool = [*chain(*pools.values())]
    if not pool or episodes < 1 or not exponent > 1:
        raise InvalidInput(
            f"{episodes} episodes of {len(pool)} tasks with gaps of the exponent {exponent}; give at least one of each, and "
            "an exponent above 1"
        )
    rng = _rng(f"recurring:{exponent}", name, seed)
    strokes = [(rng.paretovariate(exponent) - 1, place) for place in range(len(pool))]
    heapify(strokes)
    tasks: list[Task] = []
    for _ in range(episodes):
        now, place = strokes[0]
        tasks.append(pool[place])
        heapreplace(strokes, (now + rng.paretovariate(exponent) - 1, place))
    return TaskStream(name, _items(rng, tasks), f"recurring, exponent {exponent:g}", seed)


def two_passes(stream: TaskStream, *, are_seeds_fresh: bool = True) -> TaskStream:
    """Return the stream twice, in phases "first" and "second".

    Args:
        stream: all of whose episodes are learned from.
        are_seeds_fresh: draw other seeds for the second pass, so that names and order change and the
            rules stay. Otherwise each episode is repeated to the character, and a memory that copies
            transcripts looks as if it had learned.

    Raises:
        InvalidInput: if the stream has items that must not be learned from.
    """
    if not all(item.is_learned_from for item in stream):
        raise InvalidInput(f"{stream.name!r} has items to test on; a second pass would learn them")
    rng = _rng("two passes", stream.name, stream.seed)
    taken = {item.seed for item in stream}
    first = [StreamItem(i.task, i.seed, "first", i.sub_solutions) for i in stream]
    second = [
        StreamItem(
            i.task, fresh_seed(rng, taken) if are_seeds_fresh else i.seed, "second", i.sub_solutions
        )
        for i in stream
    ]
    return TaskStream(stream.name, (*first, *second), f"{stream.order}, two passes", stream.seed)


def _carried(
    order: str,
    name: str,
    blocks: Sequence[Sequence[Task]],
    new: Pools,
    *,
    episodes: int,
    attempts: int,
    seed: int,
) -> TaskStream:
    """Return blocks to learn from, and then first attempts in which the memory is only read."""
    fresh = [*chain(*new.values())]
    if not blocks or set(fresh) & set(chain(*blocks)):
        raise InvalidInput(
            f"{order} goes from what is known to what is new: give something known, and nothing twice"
        )
    rng = _rng(order, name, seed)
    items: list[StreamItem] = []
    for block in blocks:
        taken = {item.seed for item in items}
        items += _items(rng, _drawn(rng, block, episodes), phase="known", avoid=taken)
    first = _drawn(rng, fresh, min(attempts, len(fresh)))
    taken = {item.seed for item in items}
    items += _items(rng, first, phase="held-out", avoid=taken)
    return TaskStream(name, tuple(items), order, seed)


def _has(task: Task, where: Mapping[str, str | int | float | bool]) -> bool:
    return all(task.parameters.get(key) == value for key, value in where.items())


def _rng(order: str, name: str, seed: int) -> random.Random:
    return random.Random(f"stream:{order}:{name}:{seed}")


def _drawn(rng: random.Random, pool: Sequence[Task], episodes: int) -> list[Task]:
    """Return tasks in random order; one comes again only when all have come as often."""
    if episodes < 1 or not pool:
        raise InvalidInput(
            f"{episodes} episodes of {len(pool)} tasks; a stream needs at least one of each"
        )
    drawn: list[Task] = []
    while len(drawn) < episodes:
        drawn += rng.sample(list(pool), len(pool))
    return drawn[:episodes]


def _items(
    rng: random.Random,
    tasks: Sequence[Task],
    *,
    phase: str = "train",
    avoid: set[int] | None = None,
) -> tuple[StreamItem, ...]:
    taken = set(avoid or ())
    return tuple(StreamItem(task, fresh_seed(rng, taken), phase) for task in tasks)


def fresh_seed(rng: random.Random, taken: set[int]) -> int:
    """Return a seed that was not taken, and take it."""
    while (seed := rng.randrange(_SEEDS)) in taken:
        pass
    taken.add(seed)
    return seed
