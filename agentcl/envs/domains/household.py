"""Household games that are made here and played in ALFWorld's engine (arXiv:2010.03768).

They are *self-made*: the planning domain and the language are those that the `alfworld` package ships, the
houses, the things and the tasks are drawn by us, because ALFWorld's own games are a download. Scores are
never to be compared with those published for ALFWorld.

Families are ALFWorld's kinds of task: `place`, `place-two`, `clean`, `heat`, `cool` (each: and bring it
somewhere) and `examine` (under a lamp). Every house is a split's own and has habits, said nowhere: where
each kind of thing is kept. They are the same in all families, so what was found once in a house can be
remembered for its other tasks. The seed changes what else lies around.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from agentcl.envs.base import Determinism, Observation, Oracle, Score, Split, Task
from agentcl.envs.domains.household_games import (
    FAMILIES,
    GOALS_PER_HOUSE,
    Household,
    article,
    draw_household,
    spoken,
)
from agentcl.envs.engines import EngineEnvironment, Happened
from agentcl.envs.requests import families_of, require_own
from agentcl.errors import EnvironmentFailed, InvalidInput, MissingExtra, needs

NAME: Final = "household"
MAX_STEPS: Final = 50
HOUSES: Final[Mapping[Split, range]] = {
    "train": range(30),
    "dev": range(30, 40),
    "test": range(40, 50),
}
_TASK: Final = "Your task is to"  # where the engine's own words on it begin; ours are the goal


class HouseholdEnvironment(EngineEnvironment):
    """One house at a time. The engine works out what can be done after every step, whether asked or not."""

    name = NAME
    determinism: Determinism = "bitwise"

    def __init__(self) -> None:
        super().__init__()
        self._engine: Any = None
        self._state: Any = None

    def _check(self, task: Task) -> None:
        household_of(task, 0)

    def _begin(self, task: Task, seed: int) -> Observation:
        household = household_of(task, seed)
        if self._engine is None:
            self._engine = open_engine()
        self._state = begin_game(self._engine, household)
        if self._state["won"]:
            raise EnvironmentFailed(f"{task.id} with seed {seed} is solved before it begins")
        seen = str(self._state.feedback).partition(_TASK)[0].rpartition("=-")[2].strip()
        return Observation(f"This is house {_house(task)}. {seen}", goal=household.goal())

    def _act(self, action: str) -> Happened:
        self._state, reward, is_over = self._engine.step(" ".join(action.split()))
        return Happened(str(self._state.feedback), float(reward), bool(is_over))

    def _admissible(self) -> Sequence[str]:
        return tuple(self._state["admissible_commands"])

    def _score(self) -> Score:
        is_won = bool(self._state["won"])
        return Score(float(is_won), float(is_won), is_won)

    def _release(self) -> None:
        self._engine = self._state = None


class HouseholdOracle:
    """Knows where things are."""

    def actions(self, task: Task, *, seed: int) -> Sequence[str]:
        """Return the actions that the game was made around; no planner is asked."""
        return household_of(task, seed).solution()


class HouseholdDomain:
    """Fifty houses: 30 to train on, 10 each for dev and test; only `make` needs the engine."""

    name = NAME
    families: Sequence[str] = FAMILIES

    def make(self) -> HouseholdEnvironment:
        """Return a fresh environment. Raises MissingExtra if the engine is not installed."""
        open_engine()
        return HouseholdEnvironment()

    def tasks(self, split: Split, *, family: str | None = None) -> Iterator[Task]:
        """Yield the tasks of a split, house by house."""
        kinds = families_of(split, family, FAMILIES)
        for house in HOUSES[split]:
            for kind in kinds:
                for number in range(GOALS_PER_HOUSE):
                    yield Task(NAME, kind, house * GOALS_PER_HOUSE + number, split, MAX_STEPS)

    def oracle(self) -> Oracle:
        """Return what knows where things are."""
        return HouseholdOracle()


def household_of(task: Task, seed: int) -> Household:
    """Return the game of a task. Raises InvalidInput if the task is not one of this domain."""
    require_own(task, NAME, FAMILIES)
    if task.variation < 0:
        raise InvalidInput(f"{task.family} has no variation {task.variation}")
    return draw_household(task.family, _house(task), task.variation % GOALS_PER_HOUSE, seed)


def _house(task: Task) -> int:
    return task.variation // GOALS_PER_HOUSE


def open_engine() -> Any:  # noqa: ANN401  # the engine carries no types
    """Return the bare engine. Raises MissingExtra if it is not installed."""
    with needs("household", "alfworld"):
        import fast_downward  # noqa: F401  # the engine itself would say so only when it is made
        from textworld import EnvInfos
        from textworld.envs.pddl import PddlEnv
    _data()
    return PddlEnv(EnvInfos(admissible_commands=True, won=True))


def begin_game(engine: Any, household: Household) -> Any:  # noqa: ANN401
    """Load a game into the bare engine and return its first state."""
    with _own_arguments():
        engine.load(_game(household))
        for entity in engine._entity_infos.values():
            entity.name = spoken(entity.id)
            entity.indefinite = article(entity.id)
        return engine.reset()


def _game(household: Household) -> dict[str, Any]:
    domain, grammar = (
        (_data() / name).read_text("utf-8") for name in ("alfred.pddl", "alfred.twl2")
    )
    return {
        "pddl_domain": domain,
        "grammar": grammar,
        "pddl_problem": household.problem(),
        "solvable": True,
        "walkthrough": household.solution(),
    }


def _data() -> Path:
    """Return where `alfworld` keeps its domain; found without importing it, since that makes folders."""
    found = find_spec("alfworld")
    if found is None or found.origin is None:
        raise MissingExtra("household", "alfworld")
    return Path(found.origin).parent / "data"


@contextmanager
def _own_arguments() -> Iterator[None]:
    """Give the process its arguments back, which the engine's translator replaces."""
    arguments = sys.argv
    try:
        yield
    finally:
        sys.argv = arguments
