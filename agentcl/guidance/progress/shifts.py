"""Shifts that were noticed: of scores and of situations, in which kind of task, since when, and how sure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Literal

from agentcl.guidance.evidence.sight import Line, line_of
from agentcl.guidance.progress.change import Direction
from agentcl.guidance.progress.novelty import Alarm, Novelty
from agentcl.guidance.state import GuidanceState
from agentcl.store.base import Store
from agentcl.store.episodes import Episode
from agentcl.store.records import ScopeView, from_micros
from agentcl.store.rows import Row, readable

_RARITY: Final = 500.0  # episodes of a kind in which something is taken to change once


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift(ABC):
    """That tasks of a kind are not any more what they were."""

    kind: ClassVar[Literal["scores", "situations"]]
    application: str
    family: str
    world: str
    since: str  # the id of the episode that it seems to have begun with ...
    began: datetime  # ... and when that was
    episode: str  # the one in which it was noticed
    task: str
    at: datetime
    once_in: float  # episodes of a kind in which as much comes once by chance

    @property
    def sureness(self) -> float:
        """The probability that it is no chance, where things change once in 500 episodes of a kind."""
        return self.once_in / (self.once_in + _RARITY)

    @property
    def where(self) -> str:
        """The kind of task and the world in words."""
        family = self.family or "tasks"
        place = f"{family} of {self.application}" if self.application else family
        return f"{place} in {self.world}" if self.world else place

    @abstractmethod
    def sentence(self) -> str:
        """Return what happened."""

    def lines(self) -> Iterator[str]:
        """Yield what happened, since when, and how sure it is."""
        yield f"{self.at:%Y-%m-%d %H:%M:%S}  {self.sentence()}"
        yield f"  since episode {self.since} ({self.began:%Y-%m-%d %H:%M:%S}), noticed in {self.episode} ({self.task})"
        yield f"  {self.how_sure()}"

    def how_sure(self) -> str:
        """Return how sure it is, and what is meant by that."""
        return f"sure: {self.sureness:.2f}; by chance once in some {self.once_in:,.0f} episodes of a kind"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreShift(Shift):
    """That the scores of a kind of task in a world left what was expected of them, for good."""

    kind = "scores"
    direction: Direction  # "down": what was learned there is believed less since
    score: float  # of the episode in which it was noticed
    expected: float  # of that episode, by those before it

    def sentence(self) -> str:
        """Return what happened to the scores."""
        if self.direction == "down":
            return f"scores of {self.where} fell: the rules seem to have changed"
        return f"scores of {self.where} rose: it became easier, or something was learned"

    def lines(self) -> Iterator[str]:
        """Yield what happened, and what it means for lessons."""
        yield from Shift.lines(self)
        yield f"  score {self.score:.2f} there, and {self.expected:.2f} was expected"
        if self.direction == "down":
            yield "  what was learned there before counts less since; lessons that still hold earn it back"


@dataclass(frozen=True, slots=True, kw_only=True)
class SituationShift(Shift):
    """That a kind of task is met in situations unlike those before. It changes no belief."""

    kind = "situations"
    familiar: float  # share of the words of the situation that earlier ones had
    usual: float  # that share for those before

    def sentence(self) -> str:
        """Return what happened to the situations."""
        return f"situations of {self.where} are unlike those before: perhaps a new kind of task"

    def lines(self) -> Iterator[str]:
        """Yield what happened, and how unlike they are."""
        yield from Shift.lines(self)
        yield f"  {self.familiar:.0%} of the words there were known from earlier ones; usual are {self.usual:.0%}"


class SituationWatch:
    """The first situations of all kinds of task of a tenant, each user and agent for themselves.

    Args:
        state: of guidance; says what was rolled back or is kept aside. A watch serves one state.
    """

    def __init__(self, state: GuidanceState) -> None:
        self.state = state
        self.watermark = 0  # the newest row that was taken
        self._kinds: dict[tuple[Line, str], Novelty] = {}
        self._met: set[str] = set()

    def take(self, row: Row) -> None:
        """Take the next row of an episode; one is met when its first version is."""
        self.watermark = max(self.watermark, row.seq)
        state = self.state
        if row.tenant != state.tenant or row.op != "put" or row.id in self._met:
            return
        for one in readable([row]):
            is_out = row.id in state.aside or state.is_ignored(one.scope, row.created_at)
            if isinstance(one, Episode) and not is_out:
                self._met.add(one.id)
                novelty = self._kinds.setdefault((line_of(one.scope), one.cluster), Novelty())
                novelty.add(one.id, one.search_text())

    def alarms(self) -> Iterator[Alarm]:
        """Yield what was noticed, kind by kind."""
        for novelty in self._kinds.values():
            yield from novelty.alarms


def shifts(watch: SituationWatch, journal: Store, view: ScopeView) -> list[Shift]:
    """Return what was noticed, the oldest first; of a time that was rolled back nothing.

    Args:
        watch: of the situations; its state has the scores.
        journal: where the episodes are.
        view: whose episodes are told of.
    """
    found: list[Shift] = []
    for change in watch.state.changes:
        seen = _told(journal, change.episode, change.since, view, is_judged=True)
        if seen is None:
            continue
        one, at, began = seen
        assert one.score is not None  # it was judged
        found.append(
            ScoreShift(
                application=one.application, family=one.family, world=one.world, since=change.since,
                began=began, episode=one.id, task=one.task, at=at, once_in=change.once_in,
                direction=change.direction, score=one.score, expected=change.expected,
            )
        )  # fmt: skip
    for alarm in watch.alarms():
        seen = _told(journal, alarm.episode, alarm.since, view)
        if seen is None:
            continue
        one, at, began = seen
        found.append(
            SituationShift(
                application=one.application, family=one.family, world=one.world, since=alarm.since,
                began=began, episode=one.id, task=one.task, at=at, once_in=alarm.once_in,
                familiar=alarm.familiar, usual=alarm.usual,
            )
        )  # fmt: skip
    return sorted(found, key=lambda one: one.at)


def _told(
    journal: Store, id: str, since: str, view: ScopeView, *, is_judged: bool = False
) -> tuple[Episode, datetime, datetime] | None:
    """Return an episode, when it began or was judged, and when the one that a shift began with did."""
    rows = [row for row in journal.versions(id) if row.op == "put"]
    versions = [(one, row.created_at) for row in rows for one in readable([row])]
    episodes = [(one, at) for one, at in versions if isinstance(one, Episode)]
    judged = [(one, at) for one, at in episodes if not is_judged or one.score is not None]
    if not judged or not view.sees(judged[-1][0].scope):
        return None
    one, at = judged[0]
    began = next((row.created_at for row in journal.versions(since)), at)
    return one, from_micros(at), from_micros(began)
