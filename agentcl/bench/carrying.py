"""Streams that test what carries over, from the settings of a run: CLIN's three, and places visited again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final

from agentcl.bench.settings import Option, TaskSettings
from agentcl.envs.base import Domain
from agentcl.envs.streams.builders import (
    Pools,
    adapt_stream,
    gen_env_stream,
    gen_task_stream,
    pools_of,
    revisited_stream,
)
from agentcl.envs.streams.stream import TaskStream
from agentcl.errors import ConfigError

CARRIED: Final = frozenset({"adapt", "gen-env", "gen-task", "revisited"})


def carried_stream(
    settings: TaskSettings, domain: Domain, wheres: Sequence[Mapping[str, Option]], *, seed: int
) -> TaskStream:
    """Return the stream of one seed.

    Args:
        settings: whose stream is one of `CARRIED`.
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
    """Return the pools to train on of other sets of rules that have much in common with the new one's."""
    rules, shared = getattr(domain, "rules_by", ""), getattr(domain, "shared_by", "")
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
