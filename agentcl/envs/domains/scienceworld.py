"""ScienceWorld: elementary science in a simulated house, on the simulator of arXiv:2203.07540.

Families are its 30 kinds of task, variations and splits its own. The variation is the seed: one decides
where things are and what they are, and the `seed` of `reset` changes nothing. Presets that make tasks
easier (`simplifications`) are part of the task. With them, or with another step limit, scores are not to be
compared with those published without.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from agentcl.envs.base import Determinism, Observation, Oracle, Score, Split, Task
from agentcl.envs.domains.scienceworld_engine import ScienceWorldEngine, require_engine
from agentcl.envs.engines import EngineEnvironment, Happened
from agentcl.envs.requests import families_of, require_own, step_limit
from agentcl.errors import InvalidInput

NAME: Final = "scienceworld"
MAX_STEPS: Final = 200
# How many variations each family has, in version 1.2.3. The simulator gives the first half to train, the
# next quarter to dev and the rest to test, so tasks can be listed without starting it.
_COUNTS: Final = """
    boil:30 change-the-state-of-matter-of:30 chemistry-mix:32
    chemistry-mix-paint-secondary-color:36 chemistry-mix-paint-tertiary-color:36 find-animal:300
    find-living-thing:300 find-non-living-thing:300 find-plant:300 freeze:30 grow-fruit:126
    grow-plant:126 identify-life-stages-1:14 identify-life-stages-2:10
    inclined-plane-determine-angle:168 inclined-plane-friction-named-surfaces:1386
    inclined-plane-friction-unnamed-surfaces:162 lifespan-longest-lived:125
    lifespan-longest-lived-then-shortest-lived:125 lifespan-shortest-lived:125
    measure-melting-point-known-substance:436 measure-melting-point-unknown-substance:300
    melt:30 mendelian-genetics-known-plant:120 mendelian-genetics-unknown-plant:480
    power-component:20 power-component-renewable-vs-nonrenewable-energy:20 test-conductivity:900
    test-conductivity-of-unknown-substances:600 use-thermometer:540
"""
VARIATIONS: Final = {kind: int(n) for kind, n in (one.split(":") for one in _COUNTS.split())}
SIMPLIFICATIONS: Final = (
    "easy",  # all of the others that the task allows
    "teleportAction",
    "openDoors",
    "openContainers",
    "selfWateringFlowerPots",
    "noElectricalAction",
)
_ELECTRICAL: Final = ("power-component", "conductivity")
_BEST: Final = 100


def variations_of(family: str, split: Split) -> range:
    """Return the variations of a family in a split."""
    count = VARIATIONS[family]
    quarter = count // 4
    return {
        "train": range(2 * quarter),
        "dev": range(2 * quarter, 3 * quarter),
        "test": range(3 * quarter, count),
    }[split]


class ScienceWorldEnvironment(EngineEnvironment):
    """One simulator, started by the first `reset`. A step computes no admissible actions.

    An episode is over when the task is solved, when it cannot be solved any more (raw score below 0), and
    at the step limit. A step counts whether or not the simulator understood it.
    """

    name = NAME
    # On HotSpot (OpenJDK and its kin); on another virtual machine lists may come in another order.
    determinism: Determinism = "bitwise"

    def __init__(self) -> None:
        super().__init__()
        self._engine: ScienceWorldEngine | None = None
        self._raw = 0
        self._actions: tuple[str, ...] | None = None  # None: not asked for since the last step

    @property
    def process_id(self) -> int | None:
        """Return the id of the Java process, or None while there is none."""
        return None if self._engine is None else self._engine.process_id

    def _check(self, task: Task) -> None:
        _require_own(task)

    def _begin(self, task: Task, seed: int) -> Observation:
        self._raw, self._actions = 0, None
        if self._engine is None:
            self._engine = ScienceWorldEngine()
        seen = self._engine.load(task.family, task.variation, _simplifications(task))
        return Observation(seen, goal=self._engine.goal())

    def _act(self, action: str) -> Happened:
        engine = self._running()
        before = self._value()
        self._actions = None
        text = engine.step(action)
        self._raw = engine.score()
        return Happened(text, self._value() - before, self._raw < 0 or engine.is_complete())

    def _admissible(self) -> Sequence[str]:
        """Return what the simulator understands now, sorted: hundreds to thousands, its dearest work."""
        if self._actions is None:
            self._actions = tuple(self._running().actions())
        return self._actions

    def _score(self) -> Score:
        """Return the simulator's score, which falls to -100 after a wrong choice; its value then is 0."""
        return Score(self._value(), float(self._raw), self._raw >= _BEST)

    def _release(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _running(self) -> ScienceWorldEngine:
        assert self._engine is not None, "an episode has an engine"
        return self._engine

    def _value(self) -> float:
        return min(max(self._raw, 0), _BEST) / _BEST


class ScienceWorldOracle:
    """Asks a simulator of its own for the gold path; agents do not meet it.

    Its Java process runs until `close`, or until nobody holds the oracle.
    """

    def __init__(self) -> None:
        self._engine: ScienceWorldEngine | None = None

    def actions(self, task: Task, *, seed: int) -> Sequence[str]:
        """Return the gold path, which solves the task, if not always on the shortest way."""
        _require_own(task)
        if self._engine is None or self._engine.is_closed:
            self._engine = ScienceWorldEngine()
        self._engine.load(task.family, task.variation, _simplifications(task), with_gold=True)
        return self._engine.gold()

    def close(self) -> None:
        """End the Java process; twice is allowed."""
        if self._engine is not None:
            self._engine.close()


class ScienceWorldDomain:
    """The 30 families with 7,207 variations; only `make`, not the list of tasks, needs the simulator."""

    name = NAME
    families: Sequence[str] = tuple(VARIATIONS)

    def __init__(self, simplifications: str = "", max_steps: int | str = MAX_STEPS) -> None:
        """Choose what the tasks are like.

        Args:
            simplifications: of `SIMPLIFICATIONS`, with commas between them; none as a rule.
            max_steps: after which an episode is cut off.

        Raises:
            InvalidInput: if there is no such simplification, or the limit is no positive number.
        """
        chosen = [name.strip() for name in simplifications.split(",") if name.strip()]
        _require_known(chosen)
        self._parameters = {"simplifications": ",".join(chosen)} if chosen else {}
        self._max_steps = step_limit(max_steps)

    def make(self) -> ScienceWorldEnvironment:
        """Return a fresh environment; its Java process starts with the first episode.

        Raises:
            MissingExtra: if the simulator's package is not installed.
            ConfigError: if there is no Java.
        """
        require_engine()
        return ScienceWorldEnvironment()

    def tasks(self, split: Split, *, family: str | None = None) -> Iterator[Task]:
        """Yield the tasks of a split: the first variation of every family, then the second, and so on.

        So any number of them from the front is as even over the families as can be: they have from 10 to
        1,386 variations.
        """
        chosen = families_of(split, family, self.families)
        ranges = {kind: variations_of(kind, split) for kind in chosen}
        limit, parameters = self._max_steps, self._parameters
        for position in range(max(map(len, ranges.values()))):
            for kind, variations in ranges.items():
                if position < len(variations):
                    variation = variations[position]
                    yield Task(NAME, kind, variation, split, limit, dict(parameters))

    def oracle(self) -> Oracle:
        """Return what knows the gold paths."""
        return ScienceWorldOracle()


def _simplifications(task: Task) -> str:
    return str(task.parameters.get("simplifications", ""))


def _require_own(task: Task) -> None:
    require_own(task, NAME, VARIATIONS)
    if not 0 <= task.variation < VARIATIONS[task.family]:
        raise InvalidInput(
            f"{task.family} has no variation {task.variation}; it has 0 to {VARIATIONS[task.family] - 1}"
        )
    chosen = _simplifications(task).split(",")
    _require_known(chosen if chosen != [""] else [])
    if "noElectricalAction" in chosen and any(word in task.family for word in _ELECTRICAL):
        raise InvalidInput(f"{task.family} cannot be done without electrical actions")


def _require_known(simplifications: Sequence[str]) -> None:
    for name in simplifications:
        if name not in SIMPLIFICATIONS:
            raise InvalidInput(
                f"there is no simplification {name!r}; choose from {', '.join(SIMPLIFICATIONS)}"
            )
