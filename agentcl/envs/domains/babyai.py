"""BabyAI's levels, told as text: what the agent sees, where it is, and what it can do.

The engine is `minigrid` (extra `babyai`). It shows an agent seven by seven cells as numbers; the text says the
same and no more, in steps forward, left and right. Variation and seed together draw the rooms and the mission:
the same pair is the same episode, any other is another draw of the level. What there is to learn is the level.
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, Final

from agentcl.envs.base import Determinism, Observation, Oracle, Score, Split, Task
from agentcl.envs.engines import EngineEnvironment, Happened
from agentcl.envs.requests import families_of, require_own
from agentcl.errors import EnvironmentFailed, InvalidInput, needs

NAME: Final = "babyai"
# Level: the engine's own step limit, the smallest that it gives to any mission of the level.
LEVELS: Final[Mapping[str, int]] = {
    "GoToLocal": 64,
    "PickupLoc": 64,
    "PutNextLocal": 128,
    "OpenDoor": 576,
    "UnlockLocal": 576,
    "GoTo": 576,
    "GoToSeq": 1152,
    "BossLevel": 1152,
}
# In the order of the engine's numbers.
ACTIONS: Final = ("turn left", "turn right", "go forward", "pick up", "drop", "toggle")
NO_SUCH: Final = "There is no such action."
_WAIT: Final = 6  # the engine's action that does nothing, and takes a step
_VARIATIONS: Final[Mapping[Split, range]] = {
    "train": range(200),
    "dev": range(200, 250),
    "test": range(250, 300),
}
_MIDDLE: Final = 3  # the agent's column of the seven that it sees
_NEAREST: Final = 6  # ... and its row
# The engine's numbers of what a cell may hold.
_EMPTY, _WALL, _FLOOR, _DOOR, _KEY, _BALL, _BOX, _GOAL, _LAVA = range(1, 10)
_NAMES: Final = ("door", "key", "ball", "box", "goal", "lava")
_THINGS: Final = dict(zip(range(_DOOR, _LAVA + 1), _NAMES, strict=True))
_PORTABLE: Final = (_KEY, _BALL, _BOX)
_COLOURS: Final = ("red", "green", "blue", "purple", "yellow", "grey")
_DOORS: Final = ("open", "closed", "locked")
_OPEN, _LOCKED = 0, 2

_Cell = Sequence[int]  # kind, colour, state
View = Sequence[Sequence[_Cell]]  # columns from the left, each from its farthest cell on

_log = logging.getLogger(__name__)


def describe(view: View) -> str:
    """Return what an agent sees as text, the nearest things first.

    Args:
        view: the engine's picture as nested lists; the agent's own cell holds what it carries.
    """
    seen = []
    for column, cells in enumerate(view):
        for row, cell in enumerate(cells):
            if cell[0] in _THINGS and (column, row) != (_MIDDLE, _NEAREST):
                ahead, aside = _NEAREST - row, column - _MIDDLE
                seen.append((ahead + abs(aside), aside, f"{_thing(cell)} {_where(ahead, aside)}"))
    seen.sort()
    words = [f"You see {_listed([thing for _, _, thing in seen] or ['nothing but floor'])}."]
    if walls := _walls(view):
        words.append(f"Walls: {'; '.join(walls)}.")
    own = view[_MIDDLE][_NEAREST]
    words.append(f"You carry {_thing(own) if own[0] in _THINGS else 'nothing'}.")
    return " ".join(words)


def admissible(view: View) -> list[str]:
    """Return the actions that change something, given what an agent sees."""
    kind, colour, state = view[_MIDDLE][_NEAREST - 1]
    carried, carried_colour, _ = view[_MIDDLE][_NEAREST]
    is_carrying, is_door = carried in _THINGS, kind == _DOOR
    has_key = carried == _KEY and carried_colour == colour
    possible = (
        True,
        True,
        kind in (_EMPTY, _FLOOR, _GOAL, _LAVA) or (is_door and state == _OPEN),
        kind in _PORTABLE and not is_carrying,
        kind == _EMPTY and is_carrying,
        kind == _BOX or (is_door and (state != _LOCKED or has_key)),
    )
    return [action for action, is_possible in zip(ACTIONS, possible, strict=True) if is_possible]


def _thing(cell: _Cell) -> str:
    kind, colour, state = cell
    if kind == _LAVA:
        return "lava"
    named = f"{_COLOURS[colour]} {_THINGS[kind]}"
    if kind == _DOOR:
        named = f"{_DOORS[state]} {named}"
    return f"an {named}" if named[0] in "aeiou" else f"a {named}"


def _where(ahead: int, aside: int) -> str:
    parts = []
    if ahead:
        parts.append(f"{_steps(ahead)} forward")
    if aside:
        parts.append(f"{_steps(abs(aside))} {'right' if aside > 0 else 'left'}")
    return " and ".join(parts)


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"


def _walls(view: View) -> list[str]:
    """Return where the first wall is that is seen straight forward, left and right."""
    lines = (
        [(view[_MIDDLE][_NEAREST - n], f"{_steps(n)} forward") for n in range(1, _NEAREST + 1)],
        [(view[_MIDDLE - n][_NEAREST], f"{_steps(n)} left") for n in range(1, _MIDDLE + 1)],
        [(view[_MIDDLE + n][_NEAREST], f"{_steps(n)} right") for n in range(1, _MIDDLE + 1)],
    )
    return [
        where
        for line in lines
        if (where := next((where for cell, where in line if cell[0] == _WALL), None))
    ]


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])}, and {words[-1]}"


def engine_seed(task: Task, seed: int) -> int:
    """Return the seed that the engine gets: another for each task and seed."""
    digest = hashlib.blake2b(f"{task.id}:{seed}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1


def make_engine(level: str) -> Any:  # noqa: ANN401  # the engine carries no types
    """Return the bare engine of a level.

    Raises:
        MissingExtra: if minigrid is not installed.
    """
    with needs("BabyAI", "babyai"):
        import gymnasium
        import minigrid  # noqa: F401  # importing it registers its levels
    return gymnasium.make(f"BabyAI-{level}-v0", disable_env_checker=True).unwrapped


class BabyAIEnvironment(EngineEnvironment):
    """The environment. Deterministic to the character."""

    name = NAME
    determinism: Determinism = "bitwise"

    def __init__(self) -> None:
        super().__init__()
        self._engine: Any = None
        self._level = ""

    def _check(self, task: Task) -> None:
        _check(task)

    def _begin(self, task: Task, seed: int) -> Observation:
        if self._engine is None or self._level != task.family:
            self._release()
            self._engine, self._level = make_engine(task.family), task.family
        with _quiet():
            picture, _ = self._engine.reset(seed=engine_seed(task, seed))
        self._view: View = picture["image"].tolist()
        self._raw, self._is_done = 0.0, False
        return Observation(describe(self._view), goal=f"{picture['mission']}.")

    def _act(self, action: str) -> Happened:
        number = _NUMBERS.get(" ".join(action.split()), _WAIT)
        picture, reward, is_over, _, _ = self._engine.step(number)
        self._view = picture["image"].tolist()
        self._raw, self._is_done = float(reward), reward > 0
        text = describe(self._view)
        if number == _WAIT:
            text = f"{NO_SUCH} {text}"
        return Happened(text, reward=float(self._is_done), is_over=is_over)

    def _admissible(self) -> Sequence[str]:
        return admissible(self._view)

    def _score(self) -> Score:
        """Return 1 for a mission that is done; `raw` is the engine's reward, less the longer it took."""
        return Score(float(self._is_done), self._raw, self._is_done)

    def _release(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()


_NUMBERS: Final = {action: number for number, action in enumerate(ACTIONS)}


class BabyAIOracle:
    """The engine's own bot, let loose in a room of its own that is the same."""

    def actions(self, task: Task, *, seed: int) -> Sequence[str]:
        """Return what the bot does; it finishes the mission, if not always by the shortest way.

        Raises:
            EnvironmentFailed: if the bot does not know how, or needs more steps than the task has.
        """
        _check(task)
        engine = make_engine(task.family)
        from minigrid.utils.baby_ai_bot import BabyAIBot

        taken: list[str] = []
        try:
            with _quiet():
                engine.reset(seed=engine_seed(task, seed))
                bot = BabyAIBot(engine)
                while len(taken) < task.max_steps:
                    number = int(bot.replan())
                    taken.append(ACTIONS[number])
                    _, reward, is_over, _, _ = engine.step(number)
                    if is_over and reward > 0:
                        return taken
                    if is_over:
                        break
        except Exception as error:  # whatever the bot trips over is its failure, not ours
            raise EnvironmentFailed(f"the bot broke in {task.id}: {error!r}") from error
        finally:
            engine.close()
        raise EnvironmentFailed(f"the bot did not finish {task.id} with seed {seed}")


class BabyAIDomain:
    """Eight levels, each with 200 variations to train on, and 50 each for dev and test."""

    name = NAME
    families: Sequence[str] = tuple(LEVELS)

    def make(self) -> BabyAIEnvironment:
        """Return a fresh environment. Raises MissingExtra if minigrid is not installed."""
        make_engine(next(iter(LEVELS))).close()
        return BabyAIEnvironment()

    def tasks(self, split: Split, *, family: str | None = None) -> Iterator[Task]:
        """Yield the tasks of a split, the levels taking turns."""
        levels = families_of(split, family, self.families)
        for variation in _VARIATIONS[split]:
            for level in levels:
                yield Task(NAME, level, variation, split, LEVELS[level])

    def oracle(self) -> Oracle:
        """Return the engine's bot."""
        return BabyAIOracle()


def _check(task: Task) -> None:
    require_own(task, NAME, LEVELS)
    if task.max_steps > LEVELS[task.family]:
        raise InvalidInput(
            f"{task.id} has {task.max_steps} steps; the engine allows {LEVELS[task.family]}"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the engine prints while it draws a level out of the program's output."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        yield
    if printed.getvalue():
        _log.debug("the engine says: %s", printed.getvalue().strip())
