"""Streams of tasks from the settings of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Final

from agentcl.bench.settings import EACH, Option, TaskSettings
from agentcl.envs.base import Domain, Task
from agentcl.envs.domains.incidents.domain import IncidentDomain
from agentcl.envs.requests import require_family
from agentcl.envs.streams.builders import (
    Pools,
    adapt_stream,
    alternating_stream,
    block_stream,
    changing_stream,
    gen_env_stream,
    gen_task_stream,
    interleaved_stream,
    pools_of,
    random_stream,
    recurring_stream,
    revisited_stream,
    two_passes,
)
from agentcl.envs.streams.curriculum import (
    at_random,
    by_difficulty,
    by_similarity,
    first_text,
    oracle_steps,
    token_similarity,
)
from agentcl.envs.streams.reuse import reused_stream
from agentcl.envs.streams.stream import StreamItem, TaskStream, load_stream
from agentcl.errors import ConfigError

# They test what carries over: CLIN's three, and places visited again.
_TRANSFER: Final = frozenset({"adapt", "gen-env", "gen-task", "revisited"})


def build_stream(settings: TaskSettings, domain: Domain, *, seed: int) -> TaskStream:
    """Return the stream of one seed; two runs of the same tasks have the same, whatever they are called.

    Raises:
        ConfigError: if a setting does not fit the kind of stream.
        InvalidInput: if the domain has no such tasks.
    """
    if settings.file:
        return load_stream(Path(settings.file))
    for family in settings.families:  # a domain of one's own may not look at the name
        require_family(family, domain.families)
    name = domain.name
    given = settings.where or (default_where(domain, settings),)
    if settings.stream == "revisited" and len(given) == 1 and given[0]:
        given *= settings.places
    wheres = [
        _chosen(where, domain, settings, seed, place, len(given))
        for place, where in enumerate(given)
    ]
    if settings.stream == "reuse":
        if not isinstance(domain, IncidentDomain) or "deployment" not in wheres[0]:
            raise ConfigError("a stream of reused solutions is one of incidents, with a deployment")
        number = int(wheres[0]["deployment"])
        return reused_stream(deployment=number, split=settings.split, seed=seed, domain=domain)
    if settings.stream in _TRANSFER and (len(wheres) == 1 or settings.stream == "revisited"):
        return _ordered(
            _transfer_stream(settings, domain, wheres, seed=seed), settings, domain, seed
        )
    regimes: list[Pools] = [
        pools_of(domain, settings.split, settings.families or None, where=where) for where in wheres
    ]
    if settings.stream == "changing":
        if len(regimes) == 1:
            regimes = _changed(regimes[0], domain, settings.rule_changes)
        return changing_stream(name, regimes, episodes=settings.episodes, seed=seed)
    if len(regimes) > 1:
        raise ConfigError(
            "tasks.where is given several times for streams whose rules change, or that are revisited, only"
        )
    return _ordered(_shaped(settings, regimes[0], name, seed), settings, domain, seed)


def expert_streams(stream: TaskStream) -> dict[str, TaskStream]:
    """Return by family what an expert of it plays: all its training, and its test after the first block of it.

    Nothing is tested before, or between later trainings: relative performance and sample efficiency ask how
    the training went, intransigence what was reached when the family was new.

    Raises:
        ConfigError: if the stream has no tests between trainings of several families.
    """
    blocks = [(run[0].task.family, run[0].is_learned_from, run) for run in stream.blocks()]
    families = dict.fromkeys(family for family, is_training, _ in blocks if is_training)
    if len(families) < 2 or all(is_training for _, is_training, _ in blocks):
        raise ConfigError(
            "experts are for streams that train several families with tests between; choose tasks.stream alternating"
        )
    experts = {}
    for family in families:
        items: list[StreamItem] = []
        is_tested = False
        for its, is_training, run in blocks:
            if its != family or not (is_training or (items and not is_tested)):
                continue
            is_tested = is_tested or not is_training
            items += run
        experts[family] = TaskStream(
            stream.name, tuple(items), f"{stream.order}, {family} alone", stream.seed
        )
    return experts


def _changed(pools: Pools, domain: Domain, changes: int) -> list[Pools]:
    """Return the same tasks before and after each change of their rules."""
    parameter = getattr(domain, "changed_by", "")
    if not parameter:
        raise ConfigError(
            f"the rules of a task of {domain.name} do not change; {_other_rules(pools, domain)}"
        )
    return [
        {
            family: tuple(
                replace(task, parameters={**task.parameters, parameter: count}) if count else task
                for task in tasks
            )
            for family, tasks in pools.items()
        }
        for count in range(changes + 1)
    ]


def _other_rules(pools: Pools, domain: Domain) -> str:
    """Return which tasks of a domain may follow which, as if the rules had changed."""
    tasks = [*chain(*pools.values())]
    for name in dict.fromkeys((getattr(domain, "rules_by", ""), *tasks[0].parameters)):
        values = list(dict.fromkeys(task.parameters.get(name) for task in tasks))
        if name and len(values) > 1:
            one, two = ({name: json.dumps(value)} for value in values[:2])
            return f"give tasks.where at least twice, such as [{_table(one)}, {_table(two)}]"
    return "its tasks do not differ in any parameter, so choose another stream"


def _table(values: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{name} = {value}' for name, value in values.items())}}}"


def default_where(domain: Domain, settings: TaskSettings) -> Mapping[str, Option]:
    """Return what tasks are taken where nothing is said: those of one set of rules for each seed."""
    rules = getattr(domain, "rules_by", "")
    return {rules: EACH} if rules and not settings.where else {}


def _shaped(settings: TaskSettings, pools: Pools, name: str, seed: int) -> TaskStream:
    episodes = settings.episodes
    if settings.stream == "alternating":
        return alternating_stream(
            name, pools, episodes=episodes, test_episodes=settings.test_episodes, seed=seed
        )
    if settings.stream == "recurring":
        return recurring_stream(
            name, pools, episodes=episodes, seed=seed, exponent=settings.recurrence
        )
    builders = {"blocks": block_stream, "interleaved": interleaved_stream}
    build = builders.get(settings.stream, random_stream)
    stream = build(name, pools, episodes=episodes, seed=seed)
    return two_passes(stream) if settings.stream == "two-passes" else stream


def _ordered(stream: TaskStream, settings: TaskSettings, domain: Domain, seed: int) -> TaskStream:
    if settings.order == "given":
        return stream
    if settings.order == "random":
        return at_random(stream, seed=seed)
    if settings.order == "difficulty":
        oracle = domain.oracle()
        if oracle is None:
            raise ConfigError(
                f"nobody knows how difficult tasks of {domain.name} are: it has no oracle"
            )
        return by_difficulty(stream, oracle_steps(oracle))
    environment = domain.make()
    try:
        text = first_text(environment)
        return by_similarity(stream, token_similarity(text), name="words of the first observation")
    finally:
        environment.close()


def _chosen(
    where: Mapping[str, Option],
    domain: Domain,
    settings: TaskSettings,
    seed: int,
    place: int,
    places: int,
) -> dict[str, Option]:
    """Return the conditions with each "each" replaced: another value for each seed and place."""
    chosen: dict[str, Option] = {}
    for key, value in where.items():
        if value != EACH:
            chosen[key] = value
            continue
        families = settings.families or (None,)
        tasks = (
            t for f in families for t in islice(domain.tasks(settings.split, family=f), 10_000)
        )
        values = sorted({task.parameters[key] for task in tasks if key in task.parameters}, key=str)
        if not values:
            raise ConfigError(f"no task of {domain.name} has a parameter {key!r}")
        chosen[key] = values[(seed * places + place) % len(values)]
    return chosen


def _transfer_stream(
    settings: TaskSettings, domain: Domain, wheres: Sequence[Mapping[str, Option]], *, seed: int
) -> TaskStream:
    """Return the stream of one seed.

    Args:
        settings: whose stream is one of `_TRANSFER`.
        domain: where it is played.
        wheres: the conditions of its tasks; for places visited again, those of each place.
        seed: of the draws.

    Raises:
        ConfigError: if the domain has nothing like that, or the settings do not say enough.
        InvalidInput: if the domain has no such tasks.
    """
    name, episodes = domain.name, settings.episodes
    regimes = [
        pools_of(domain, settings.split, settings.families or None, where=where) for where in wheres
    ]
    if settings.stream == "revisited":
        places = _places(regimes, wheres)
        return revisited_stream(name, places, episodes=episodes, seed=seed)
    (pools,) = regimes
    if settings.stream == "adapt":
        return adapt_stream(name, pools, episodes=episodes, trials=settings.trials, seed=seed)
    attempts = settings.test_episodes
    if settings.stream == "gen-env":
        known = _others(settings, domain, pools)
        return gen_env_stream(name, known, pools, episodes=episodes, attempts=attempts, seed=seed)
    *old, new = settings.families or ("",)
    if not old:
        raise ConfigError(
            "a stream gen-task goes from known families to a new one: name at least two of "
            f"{', '.join(domain.families)} as tasks.families, the new one last"
        )
    before = {family: pools[family] for family in old}
    return gen_task_stream(
        name, before, {new: pools[new]}, episodes=episodes, attempts=attempts, seed=seed
    )


def _places(regimes: Sequence[Pools], wheres: Sequence[Mapping[str, Option]]) -> dict[str, Pools]:
    """Return pools by what they are of: by conditions, or by families where there are none."""
    if not any(wheres):
        return {family: {family: pool} for family, pool in regimes[0].items()}
    named = [", ".join(f"{key} {value}" for key, value in where.items()) for where in wheres]
    if len(set(named)) < len(named):
        raise ConfigError(
            f"of the places {'; '.join(named)} one comes twice; name each once, or fewer of them"
        )
    return dict(zip(named, regimes, strict=True))


def _others(settings: TaskSettings, domain: Domain, new: Pools) -> list[Pools]:
    """Return the pools to train on of other worlds that have much in common with the new one.

    Where the same rules hold everywhere, each variation is a world of its own, as in CLIN's (Majumder et al. 2023).
    """
    rules, shared = getattr(domain, "rules_by", ""), getattr(domain, "shared_by", "")
    if not rules:
        return _variations(settings, domain)
    (parameters, *_) = (task.parameters for task in chain(*new.values()))
    if not (shared in parameters and rules in parameters):
        raise ConfigError(
            f"no two sets of rules of {domain.name} have anything in common, so nothing carries over; "
            'in incidents they do with tasks.options = { estates = "10" }'
        )
    common, families = parameters[shared], settings.families or None
    there = pools_of(domain, "train", families, where={shared: common})
    numbers = dict.fromkeys(task.parameters[rules] for task in chain(*there.values()))
    known = [number for number in numbers if number != parameters[rules]][: settings.places]
    return [pools_of(domain, "train", families, where={rules: number}) for number in known]


def _variations(settings: TaskSettings, domain: Domain) -> list[Pools]:
    """Return the pools to train on of the first variations of a domain."""
    if settings.split == "train":
        raise ConfigError(
            'a stream gen-env learns in the split train, so tasks.split has to be another, such as "test"'
        )
    pools = pools_of(domain, "train", settings.families or None)
    places: dict[int, dict[str, list[Task]]] = {}
    for family, tasks in pools.items():
        for task in tasks:
            places.setdefault(task.variation, {}).setdefault(family, []).append(task)
    return [dict(found) for _, found in sorted(places.items())[: settings.places]]
