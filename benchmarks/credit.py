"""Credit is causal: the sign of lessons' uplifts, found in a bandit of lessons within 200 episodes.

    python benchmarks/credit.py

Tasks come in three kinds of different difficulty. Lessons help, harm or do nothing, and some are confounded: they
are eligible, and shown, mostly where tasks are easy or mostly where they are hard. Which lesson is of which class
is hidden. An eligible lesson is shown with the probability of its trial (0.5; of confounded ones it depends on the
kind); once it is surely good (P(uplift > 0) above the threshold, at least 5 episodes with and without it) with
0.9, and once it was surely bad at two looks in a row, never again. A look is every 10 episodes. After the last
episode a sign is called where P(uplift > 0) is above the threshold or below one less it; nothing is expected of
any lesson beforehand. Precision is over the signs that were called (any sign of a neutral lesson is wrong),
recall over the lessons that have one.

Beside it the rule of the ATLAS SDK, as its code has it: the mean score with a lesson less the mean without it,
harmful below -0.01 with at least 5 uses, and kept as helpful from 0.01; on the same episodes, and on episodes of
its own, where what is eligible is always shown, until it is found harmful at a look and pruned. And the same two means with an interval at our
threshold (Welch), to see what is owed to certainty alone.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from parts.results import machine, save, table

from agentcl.guidance.evidence.credit import Credit, Exposed
from agentcl.guidance.progress.expectation import Expectation

EPISODES: Final = 200
SEEDS: Final = 40
LIMIT: Final = 0.9  # the precision to reach
SURE: Final = 0.975
OTHERS: Final = (0.9, 0.95)  # thresholds shown beside it
UPLIFT: Final = 0.25
KINDS: Final = {"easy": 0.8, "medium": 0.5, "hard": 0.2}  # what is scored without any lesson
LOOK: Final = 10  # episodes
PER_ARM: Final = 5
FLIPPED: Final = 0.2  # of outcomes, where some are flipped
_COUNTED: Final = "helpful, harmful, neither"
OUTCOMES: Final = ("success or failure", "graded score", "success or failure, a fifth flipped")


@dataclass(frozen=True, slots=True)
class LessonClass:
    """Lessons of one class: what one is worth, and by kind of task how often it is eligible and tried."""

    name: str
    uplift: float
    eligible: tuple[float, float, float] = (0.5, 0.5, 0.5)
    trial: tuple[float, float, float] = (0.5, 0.5, 0.5)

    @property
    def sign(self) -> int:
        """Of its uplift."""
        return (self.uplift > 0) - (self.uplift < 0)

    @property
    def is_confounded(self) -> bool:
        """The kind of task decides how often it is shown."""
        return len(set(self.eligible)) > 1


_ON_EASY: Final = ((0.9, 0.3, 0.1), (0.7, 0.5, 0.3))
_ON_HARD: Final = ((0.1, 0.3, 0.9), (0.3, 0.5, 0.7))
CLASSES: Final = (
    LessonClass("good", UPLIFT),
    LessonClass("harmful", -UPLIFT),
    LessonClass("neutral", 0.0),
    LessonClass("good, mostly on hard tasks", UPLIFT, *_ON_HARD),
    LessonClass("harmful, mostly on easy tasks", -UPLIFT, *_ON_EASY),
    LessonClass("neutral, mostly on easy tasks", 0.0, *_ON_EASY),
    LessonClass("neutral, mostly on hard tasks", 0.0, *_ON_HARD),
)


class Played(NamedTuple):
    """One episode."""

    task: int  # the kind, by its place in KINDS
    exposures: list[Exposed]
    score: float


class Called(NamedTuple):
    """The sign that a rule called of a lesson; 0 for none."""

    of: LessonClass
    sign: int


class Bandit:
    """Episodes with lessons, `each` of every class."""

    def __init__(self, outcome: str, seed: int, *, each: int = 1) -> None:
        self.lessons = {
            f"{lesson_class.name} {n}": lesson_class
            for lesson_class in CLASSES
            for n in range(each)
        }
        self._outcome = outcome
        self._rng = random.Random(f"{outcome}:{seed}")

    def play(self, probability: Callable[[str, int], float]) -> Played:
        """Play an episode, in which an eligible lesson is shown with this probability."""
        task = self._rng.randrange(len(KINDS))
        expected = list(KINDS.values())[task]
        exposures = []
        for lesson, lesson_class in self.lessons.items():
            if self._rng.random() < lesson_class.eligible[task]:
                p = probability(lesson, task)
                is_shown = self._rng.random() < p
                exposures.append(Exposed(lesson, p, is_shown))
                expected += lesson_class.uplift * is_shown
        return Played(task, exposures, self._score(min(0.97, max(0.03, expected))))

    def _score(self, expected: float) -> float:
        if self._outcome == "graded score":
            return min(1.0, max(0.0, self._rng.gauss(expected, 0.2)))
        is_success = self._rng.random() < expected
        if self._outcome.endswith("flipped") and self._rng.random() < FLIPPED:
            is_success = not is_success
        return float(is_success)


class Ours:
    """Credit from controlled exposure, and the policy that follows it."""

    def __init__(self, lessons: dict[str, LessonClass], sure: float) -> None:
        self.credit, self.baseline = Credit(), Expectation()
        self._lessons, self._sure = lessons, sure
        self._promoted: set[str] = set()
        self._low = dict.fromkeys(lessons, 0)  # looks in a row at which it was surely bad

    def probability(self, lesson: str, task: int) -> float:
        """With which an eligible lesson is shown."""
        if self._low[lesson] >= 2:
            return 0.0
        return 0.9 if lesson in self._promoted else self._lessons[lesson].trial[task]

    def learn(self, played: Played) -> None:
        """Credit an episode."""
        cluster = list(KINDS)[played.task]
        residual = played.score - self.baseline.expected(cluster).mean
        self.credit.add(cluster, residual, played.exposures)
        self.baseline.add(cluster, played.score)

    def look(self) -> None:
        """Promote and retire."""
        for lesson, low in self._low.items():
            if low < 2:
                held = self.credit.overall(lesson)
                call = self.sign(lesson) if min(held.shown, held.withheld) >= PER_ARM else 0
                self._low[lesson] = low + 1 if call < 0 else 0
                (self._promoted.add if call > 0 else self._promoted.discard)(lesson)

    def sign(self, lesson: str) -> int:
        """Call a sign, or 0."""
        probability = self.credit.overall(lesson).probability_positive
        return (probability > self._sure) - (probability < 1 - self._sure)


@dataclass(slots=True)
class Means:
    """Scores with a lesson and without it."""

    used: list[float] = field(default_factory=list)
    unused: list[float] = field(default_factory=list)

    def add(self, played: Played, lesson: str) -> None:
        """Sort an episode to one side."""
        is_used = any(one.is_shown for one in played.exposures if one.lesson == lesson)
        (self.used if is_used else self.unused).append(played.score)

    def sign(self) -> int:
        """Call a sign as the SDK does."""
        if len(self.used) < 5 or not self.unused or len(self.used) + len(self.unused) < 10:
            return 0
        delta = statistics.fmean(self.used) - statistics.fmean(self.unused)
        return (delta >= 0.01) - (delta < -0.01)

    def sure_sign(self, sure: float) -> int:
        """Call the sign of the same difference where it is sure."""
        if min(len(self.used), len(self.unused)) < PER_ARM:
            return 0
        delta = statistics.fmean(self.used) - statistics.fmean(self.unused)
        sides = (self.used, self.unused)
        error = math.sqrt(sum(statistics.variance(side) / len(side) for side in sides))
        reach = statistics.NormalDist().inv_cdf(sure) * error
        return (delta > reach) - (delta < -reach)


def ours_and_means(outcome: str, seed: int, sure: float) -> dict[str, list[Called]]:
    """Play with our policy, and call signs from these episodes by each rule."""
    bandit = Bandit(outcome, seed)
    ours, means = Ours(bandit.lessons, sure), {lesson: Means() for lesson in bandit.lessons}
    for episode in range(1, EPISODES + 1):
        played = bandit.play(ours.probability)
        ours.learn(played)
        for lesson, held in means.items():
            held.add(played, lesson)
        if episode % LOOK == 0:
            ours.look()
    rules: dict[str, Callable[[str], int]] = {
        "ours": ours.sign,
        "ATLAS SDK, same episodes": lambda lesson: means[lesson].sign(),
        "the same means, with an interval": lambda lesson: means[lesson].sure_sign(sure),
    }
    return {
        name: [
            Called(lesson_class, call(lesson)) for lesson, lesson_class in bandit.lessons.items()
        ]
        for name, call in rules.items()
    }


def atlas_alone(outcome: str, seed: int) -> list[Called]:
    """Play as the SDK does, without coins: what is eligible is shown, until it is pruned as harmful."""
    bandit = Bandit(outcome, seed)
    means, pruned = {lesson: Means() for lesson in bandit.lessons}, set[str]()
    for episode in range(1, EPISODES + 1):
        played = bandit.play(lambda lesson, _task: float(lesson not in pruned))
        for lesson, held in means.items():
            held.add(played, lesson)
            if episode % LOOK == 0 and held.sign() < 0:
                pruned.add(lesson)
    return [
        Called(lesson_class, -1 if lesson in pruned else means[lesson].sign())
        for lesson, lesson_class in bandit.lessons.items()
    ]


def shares(runs: Sequence[Sequence[Called]]) -> dict[str, list[float]]:
    """Return precision, recall and precision among the confounded, each with its 95 % interval over seeds."""
    measures: dict[str, Callable[[list[Called]], float]] = {
        "precision": lambda all_calls: _right([c for c in all_calls if c.sign]),
        "recall": lambda all_calls: _right([c for c in all_calls if c.of.sign]),
        "precision, confounded": lambda all_calls: _right(
            [c for c in all_calls if c.sign and c.of.is_confounded]
        ),
    }
    rng = random.Random("seeds")
    draws = [rng.choices(runs, k=len(runs)) for _ in range(1000)]
    found = {}
    for name, measure in measures.items():
        drawn = sorted(measure([call for run in draw for call in run]) for draw in draws)
        found[name] = [measure([call for run in runs for call in run]), drawn[25], drawn[-26]]
    return found


def _right(calls: list[Called]) -> float:
    return sum(call.sign == call.of.sign for call in calls) / len(calls) if calls else math.nan


def by_class(runs: Sequence[Sequence[Called]]) -> dict[str, list[int]]:
    """Return how many lessons of each class were called helpful, harmful, and neither."""
    return {
        lesson_class.name: [
            sum(call.of is lesson_class and call.sign == sign for run in runs for call in run)
            for sign in (1, -1, 0)
        ]
        for lesson_class in CLASSES
    }


def measured(outcome: str) -> dict[str, dict[str, list[list[Called]]]]:
    """Return the calls of every seed, by threshold and rule."""
    found: dict[str, dict[str, list[list[Called]]]] = {}
    for sure in (SURE, *OTHERS):
        runs = [ours_and_means(outcome, seed, sure) for seed in range(SEEDS)]
        rules = {rule: [run[rule] for run in runs] for rule in runs[0]}
        found[f"{sure}"] = rules if sure == SURE else {"ours": rules["ours"]}
    alone = [atlas_alone(outcome, seed) for seed in range(SEEDS)]
    found[f"{SURE}"]["ATLAS SDK, its own episodes"] = alone
    return found


def main() -> None:
    """Measure and save."""
    rows: list[list[str]] = []
    saved: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
    for outcome in OUTCOMES:
        found = measured(outcome)
        saved[outcome] = {
            sure: {rule: {**shares(runs), _COUNTED: by_class(runs)} for rule, runs in rules.items()}
            for sure, rules in found.items()
        }
        for sure, rules in found.items():
            for rule, runs in rules.items():
                cells = [
                    f"{m:.2f} [{low:.2f}, {high:.2f}]" for m, low, high in shares(runs).values()
                ]
                rows.append([outcome, rule, "" if rule.startswith("ATLAS") else sure, *cells])
    table(["outcome", "rule", "P >", "precision [95 %]", "recall", "precision, confounded"], rows)
    print()
    counted = saved[OUTCOMES[0]][f"{SURE}"]
    table(
        [f"helpful / harmful / neither, of {SEEDS}", *counted],
        [
            [lesson_class.name, *(" / ".join(map(str, rule[_COUNTED][lesson_class.name]))
                          for rule in counted.values())]
            for lesson_class in CLASSES
        ],
    )  # fmt: skip
    save(
        "credit",
        {
            "machine": machine(), "episodes": EPISODES, "seeds": SEEDS, "limit": LIMIT, "sure": SURE,
            "uplift": UPLIFT, "kinds": KINDS, "outcomes": saved,
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
