"""Practice: tasks of a domain, one after the other, chosen by learning progress.

It begins from whatever the memory's record says, from nothing too, and a second call goes on from what the first one left.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from agentcl.agents.progress import LearningProgress, Option
from agentcl.envs.base import Domain, Environment, Split, Task, world_of
from agentcl.envs.streams.builders import pools_of
from agentcl.errors import EnvironmentFailed, InvalidInput
from agentcl.guidance.progress.mastery import Skill
from agentcl.memory.episodes.search import Filter
from agentcl.store.checks import WriteScope, check_a, check_count
from agentcl.store.episodes import Episode

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory

_SEEDS: Final = 2**31
_FAILURES: Final = 3  # of the environment, one after the other, that end the practice

PlayTask = Callable[[Environment, Task, int, str], Episode]  # with a seed, in a world
PracticeEnd = Literal["episodes", "tokens", "stopped"]  # which part of the budget, or somebody


@dataclass(frozen=True, slots=True)
class PracticeBudget:
    """What a practice may take at the most; None: no limit of this kind. No episode is begun beyond it.

    Raises:
        InvalidInput: if neither is limited, or a limit is no number from 1.
    """

    episodes: int | None = None
    tokens: int | None = None  # of all roles, learning included

    def __post_init__(self) -> None:
        """Refuse what would never end, or never begin."""
        if self.episodes is None and self.tokens is None:
            raise InvalidInput(
                "a practice without a limit never ends; give episodes, tokens or both"
            )
        for value, what in ((self.episodes, "episodes"), (self.tokens, "tokens")):
            if value is not None:
                check_count(value, f"the budget of {what}")


class Practised(NamedTuple):
    """One episode of a practice, as it is told while it goes on."""

    number: int  # from 1
    task: Task
    why: str  # it was chosen
    episode: Episode | None  # None: the environment broke
    tokens: int  # of the whole practice so far


class KindPractised(NamedTuple):
    """What practice did to one kind of task in one world."""

    episodes: int
    before: Skill | None  # None: it was never attempted
    after: Skill | None


@dataclass(frozen=True, slots=True)
class Practice:
    """What was practised, and what came of it."""

    end: PracticeEnd
    episodes: int = 0
    tokens: int = 0  # of all roles
    broken: int = 0  # episodes that the environment broke
    kinds: tuple[KindPractised, ...] = ()  # those practised now, the most practised first


@dataclass(slots=True)
class _Count:
    """How far a practice is."""

    episodes: int = 0
    tokens: int = 0
    broken: int = 0
    in_a_row: int = 0  # of those
    by_kind: dict[tuple[str, str, str], int] = field(default_factory=dict)


def practise(
    memory: Memory,
    play: PlayTask,
    domain: Domain,
    *,
    budget: PracticeBudget | int,
    families: Sequence[str] | None = None,
    split: Split = "train",
    where: Mapping[str, str | int | float | bool] | None = None,
    seed: int = 0,
    on_progress: Callable[[Practised], None] = lambda practised: None,
    should_stop: Callable[[], bool] = lambda: False,
    scope: WriteScope,
) -> Practice:
    """Practise; `Agent.practise` documents it."""
    limit = PracticeBudget(budget) if isinstance(budget, int) else budget
    check_a(limit, PracticeBudget, "budget")
    check_a(seed, int, "seed")
    options = _options(domain, split, families, where)
    chosen = Filter(application=options[0].task.env)
    played = memory.episodes.list(chosen=chosen, **scope)
    progress = LearningProgress.of(filter(memory.lessons.outlook(**scope).counts, played))
    before = _by_kind(memory.episodes.skills(chosen=chosen, **scope))
    count, environment = _Count(), domain.make()
    try:
        while (end := _ended(limit, count, should_stop)) is None:
            # By what is in the record, so that one call after another goes on as a longer one would.
            rng = random.Random(f"practise:{domain.name}:{seed}:{progress.episodes}")
            option, why, _ = progress.choose(options, rng)
            episode = _played(play, environment, option, rng.randrange(_SEEDS), count)
            if episode is None:
                progress.add_broken(option)
                environment.close()
                environment = domain.make()
            else:
                progress.add(episode)
            on_progress(Practised(count.episodes, option.task, why, episode, count.tokens))
    finally:
        environment.close()
    after = _by_kind(memory.episodes.skills(chosen=chosen, **scope))
    kinds = sorted(count.by_kind.items(), key=lambda one: (-one[1], one[0]))
    return Practice(
        end,
        count.episodes,
        count.tokens,
        count.broken,
        tuple(KindPractised(n, before.get(kind), after.get(kind)) for kind, n in kinds),
    )


def _options(
    domain: Domain,
    split: Split,
    families: Sequence[str] | None,
    where: Mapping[str, str | int | float | bool] | None,
) -> list[Option]:
    """Return the tasks to choose from. Raises InvalidInput if there are none, or no such family."""
    if not isinstance(domain, Domain):
        raise InvalidInput(
            f"what is practised is a domain, such as open_domain('incidents'), not {domain!r:.60}"
        )
    pools = pools_of(domain, split, families or None, where=where)
    options = [Option(task, world_of(domain, task)) for task in chain(*pools.values())]
    if not options:
        raise InvalidInput(
            f"{domain.name} has no families, so there is nothing to practise; see `agentcl envs check`"
        )
    return options


def _played(
    play: PlayTask, environment: Environment, option: Option, seed: int, count: _Count
) -> Episode | None:
    """Return the episode; None if the environment broke. Raises EnvironmentFailed at the third time in a row."""
    task = option.task
    count.episodes += 1
    kind = task.env, task.family, option.world
    count.by_kind[kind] = count.by_kind.get(kind, 0) + 1
    try:
        played = play(environment, task, seed, option.world)
    except EnvironmentFailed:
        count.broken += 1
        count.in_a_row += 1
        if count.in_a_row == _FAILURES:
            raise
        return None
    count.in_a_row = 0
    count.tokens += played.tokens
    return played


def _ended(
    budget: PracticeBudget, count: _Count, should_stop: Callable[[], bool]
) -> PracticeEnd | None:
    """Return why no further episode is begun; None if one is."""
    if should_stop():
        return "stopped"
    if budget.episodes is not None and count.episodes >= budget.episodes:
        return "episodes"
    if budget.tokens is not None and count.tokens >= budget.tokens:
        return "tokens"
    return None


def _by_kind(skills: Sequence[Skill]) -> dict[tuple[str, str, str], Skill]:
    return {(one.application, one.family, one.world): one for one in skills}
