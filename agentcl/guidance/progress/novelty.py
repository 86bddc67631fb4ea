"""Whether the situations of a kind of task have become unlike those that came before.

Each situation has a score: the share of its words that earlier situations had. Its rank among the scores that those
have of one another is a conformal p-value (Vovk, Gammerman and Shafer 2005): while nothing changes, it is uniform
whatever the texts are like. Small ones in a row are found by a cumulative sum of bets against that (Vovk et al. 2021):
of odds `1 / (2 sqrt(p))`, which are 1 on average, so that they pass a limit of L at most once in L situations.
"""

from __future__ import annotations

import math
import random
from collections import Counter, deque
from typing import Final, NamedTuple

from agentcl.guidance.meaning.same import content

# Situations that wait before others are compared with them: else the first ones of a new kind would make the
# next ones familiar before they are noticed. Real language needs some 10 (benchmarks/shifts.py).
_WAITING: Final = 20
_LEAST: Final = 20  # situations to compare with, before anything is said
_MOST: Final = 100  # that are compared with; beyond these, one by chance gives way to each new one
_LIMIT: Final = 200.0  # of the odds; in fact false alarms are rarer, since this holds at the worst
_AFTER: Final = 10  # situations after an alarm that may still make it surer
_LONGEST: Final = 4_000  # characters of a situation that are looked at


class Alarm(NamedTuple):
    """That situations have become unlike those before. Episodes are named by their keys."""

    episode: str  # in which it was noticed
    since: str  # the one that it seems to have begun with
    familiar: (
        float  # share of the words that earlier situations had, in the one where it was noticed ...
    )
    usual: float  # ... and the mean of those before
    once_in: float  # situations in which such an alarm comes at most once, while nothing changes


class Novelty:
    """The situations of one kind of task, in the order in which they came.

    The same situations in the same order give the same alarms: the coins that break ties are seeded by place.
    """

    def __init__(self) -> None:
        self.alarms: list[Alarm] = []
        self._known: list[frozenset[str]] = []
        self._spread: Counter[str] = Counter()  # known situations that have a word
        self._waiting: deque[frozenset[str]] = deque()
        self._count = 0
        self._odds, self._since = 0.0, ""
        self._after = 0  # situations for which the newest alarm is still open

    def add(self, episode: str, situation: str) -> None:
        """Take the situation of an episode; what it shows is in `alarms`."""
        self._count += 1
        words = frozenset(content(situation[:_LONGEST]))
        if not words:
            return
        coins = random.Random(self._count)
        if len(self._known) >= _LEAST:
            self._judge(episode, words, coins)
        self._waiting.append(words)
        if len(self._waiting) > _WAITING:
            self._learn(self._waiting.popleft(), coins)

    def _judge(self, episode: str, words: frozenset[str], coins: random.Random) -> None:
        familiar = self._share(words, 0)
        others = [self._share(one, 1) for one in self._known]
        below = sum(other < familiar for other in others)
        equal = sum(other == familiar for other in others)
        p = (below + (1 - coins.random()) * (equal + 1)) / (len(others) + 1)  # above 0
        if self._odds <= 1:
            self._odds, self._since = 1.0, episode
        self._odds /= 2 * math.sqrt(p)
        if self._after:
            self._follow(coins)
        elif self._odds > _LIMIT:
            usual = sum(others) / len(others)
            self.alarms.append(Alarm(episode, self._since, familiar, usual, self._odds))
            self._after = _AFTER

    def _follow(self, coins: random.Random) -> None:
        """Let what comes after an alarm make it surer; in the end, take the new situations for known."""
        last = self.alarms[-1]
        self.alarms[-1] = last._replace(once_in=max(last.once_in, self._odds))
        self._after -= 1
        if not self._after:
            self._odds = 0.0
            while self._waiting:
                self._learn(self._waiting.popleft(), coins)

    def _learn(self, words: frozenset[str], coins: random.Random) -> None:
        if len(self._known) >= _MOST:
            place = coins.randrange(_MOST)
            self._spread.subtract(self._known[place])
            self._known[place] = words
        else:
            self._known.append(words)
        self._spread.update(words)

    def _share(self, words: frozenset[str], own: int) -> float:
        """Return the share of the words that known situations have, not counting its `own` place among them."""
        return sum(self._spread[word] > own for word in words) / len(words)
