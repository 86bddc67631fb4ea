"""Which task to practise next: the one from which most is expected to be learned, by the record alone.

Learning progress as a motive (Oudeyer and Kaplan 2007; as a curriculum: Matiisen et al. 2017). What a task still has to
teach is its *room*: 1 less the score that it would bring now. An attempt closes a share of it, the *rate* of its kind of
task: how much of the room an attempt closed, as the next attempt at the same task showed. So another attempt is worth
rate * room. The rate of what cannot be learned falls to 0, since gains and losses by chance cancel out, and the room of what
is mastered is 0. No oracle is asked: what is too hard yet shows no gain, and waits until nothing else does either.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import log2
from typing import Final, NamedTuple

from agentcl.envs.base import Task
from agentcl.guidance.progress.mastery import remaining
from agentcl.store.episodes import Episode, cluster_of
from agentcl.store.records import EPOCH

_NEWEST: Final = 0.5  # weight of the newest score in what a task would bring now
_FADING: Final = 0.9  # weight of a first attempt after each later one of its kind
_PRIOR: Final = 2.0  # first attempts that those at all kinds of task count as
_UNKNOWN: Final = 0.5  # score of a first attempt before there was one
_MASTERED: Final = 0.95  # a score that leaves nothing to look at


class Option(NamedTuple):
    """A task that could be practised, in the world that it is of."""

    task: Task
    world: str

    @property
    def cluster(self) -> str:
        """Its kind of task, as episodes name it."""
        return cluster_of(self.task.env, self.task.family)


class Pick(NamedTuple):
    """What to practise, and why."""

    option: Option
    why: str
    gain: float  # of its score, that one more attempt is expected to bring


@dataclass(slots=True)
class _Tried:
    """What attempts at one task came to."""

    score: float  # of the last one
    level: float  # of all, the newest weighing most
    at: datetime


@dataclass(slots=True)
class _Firsts:
    """The scores of first attempts at the tasks of a kind, the newest weighing most."""

    weight: float = 0.0
    total: float = 0.0

    def add(self, score: float) -> None:
        self.weight = self.weight * _FADING + 1
        self.total = self.total * _FADING + score

    def mean(self, prior: float) -> float:
        return (self.total + _PRIOR * prior) / (self.weight + _PRIOR)


@dataclass(slots=True)
class _Rate:
    """How much of what was left to learn another attempt closed."""

    tasks: int = 0
    checks: int = 0  # attempts at a task that was tried before
    room: float = 0.0  # that was left before them
    gained: float = 0.0

    def draw(self, rng: random.Random) -> float:
        """Return a rate that may be true (Thompson 1933)."""
        closed = min(max(self.gained, 0.0), self.room)
        return rng.betavariate(1 + closed, 1 + self.room - closed)

    @property
    def is_unchecked(self) -> bool:
        """Whether too few attempts were repeated to know: one of the first few, and ever fewer later on."""
        return self.checks < log2(1 + self.tasks) - 1


@dataclass(slots=True)
class LearningProgress:
    """What a record of episodes says of where there is something to learn."""

    episodes: int = 0  # of the record
    now: datetime = EPOCH  # when the last of them ended
    _tried: dict[tuple[str, str], _Tried] = field(default_factory=dict)  # by world and task
    _broken: dict[tuple[str, str], int] = field(default_factory=dict)  # ended without a score
    _firsts: dict[tuple[str, str], _Firsts] = field(default_factory=dict)  # by kind and world
    _rates: dict[str, _Rate] = field(default_factory=dict)  # by kind
    _overall: _Firsts = field(default_factory=_Firsts)

    @classmethod
    def of(cls, episodes: Iterable[Episode]) -> LearningProgress:
        """Return what episodes say, in the order in which they were played."""
        progress = cls()
        for one in episodes:
            progress.add(one)
        return progress

    def add(self, episode: Episode) -> None:
        """Learn from the next episode."""
        self.episodes += 1
        self.now = max(self.now, episode.created_at)
        place, kind = (episode.world, episode.task), (episode.cluster, episode.world)
        if episode.score is None:
            self._note_broken(place)
            return
        score, tried = episode.score, self._tried.get(place)
        rate = self._rates.setdefault(episode.cluster, _Rate())
        if tried is None:
            self._tried[place] = _Tried(score, score, episode.created_at)
            self._firsts.setdefault(kind, _Firsts()).add(score)
            self._overall.add(score)
            rate.tasks += 1
            return
        rate.checks += 1
        rate.room += 1 - tried.score
        rate.gained += score - tried.score
        tried.level += _NEWEST * (score - tried.level)
        tried.score, tried.at = score, episode.created_at

    def add_broken(self, option: Option) -> None:
        """Note that an attempt came to no end."""
        self.episodes += 1
        self._note_broken((option.world, option.task.id))

    def choose(self, options: Sequence[Option], rng: random.Random) -> Pick:
        """Return what to practise next.

        Args:
            options: the tasks to choose from, at least one.
            rng: draws rates, and decides between equals.
        """
        kinds = list(dict.fromkeys(one.cluster for one in options))
        drawn = {kind: self._rates.get(kind, _Rate()).draw(rng) for kind in kinds}
        shuffled = rng.sample(options, len(options))
        chosen = max(
            (self._valued(one, drawn[one.cluster]) for one in shuffled), key=lambda one: one.gain
        )
        return self._check(chosen, shuffled, drawn[chosen.option.cluster]) or chosen

    def _check(self, chosen: Pick, options: Sequence[Option], rate: float) -> Pick | None:
        """Return the task of the same kind that failed worst, if it is time to see whether attempts teach."""
        kind = chosen.option.cluster
        if not self._rates.get(kind, _Rate()).is_unchecked:
            return None
        tried = [one for one in options if one.cluster == kind and self._is_tried(one)]
        weakest = min(tried, key=lambda one: self._level(one), default=None)
        if weakest is None or self._level(weakest) > _MASTERED:
            return None
        return self._valued(weakest, rate)._replace(why="to see whether it was learned")

    def _valued(self, option: Option, rate: float) -> Pick:
        """Return an option with what one more attempt at it is expected to bring."""
        room = 1 - self._level(option)
        if self._is_tried(option):
            why = "failed lately" if room > 0.5 else "nearly mastered"
            return Pick(option, why, rate * (1 - rate) * room)
        broken = self._broken.get((option.world, option.task.id), 0)
        return Pick(option, "never tried", rate * room * 0.5**broken)

    def _note_broken(self, place: tuple[str, str]) -> None:
        self._broken[place] = self._broken.get(place, 0) + 1

    def _is_tried(self, option: Option) -> bool:
        return (option.world, option.task.id) in self._tried

    def _level(self, option: Option) -> float:
        """Return the score that a task would bring now; of one that was never tried, as first attempts do."""
        cluster, world = option.cluster, option.world
        first = self._firsts.get((cluster, world), _Firsts()).mean(self._overall.mean(_UNKNOWN))
        tried = self._tried.get((world, option.task.id))
        if tried is None:
            return first
        known = remaining(self.now - tried.at)
        return known * tried.level + (1 - known) * first
