"""TextWorld: text adventures that are generated here, each from a seed, and played in the engine.

The engine is `textworld` (extra `textworld`, which brings jericho, under the GPL). A task's variation is the
seed of the generator, its parameters are the generator's settings; a game is made when it is first played
(seconds) and kept in a folder. A game holds no chance: the seed of `reset` changes nothing, and the same
actions lead to the same text, to the character. Families:

- `coin_collector`: find the coin at the end of a chain of rooms, with dead ends from level 101 on.
- `treasure_hunter`: bring one of two objects; taking the other loses. Doors and containers from level 11 on.
- `simple`: one house, always the same; which food has to go onto the stove differs.
- `cooking`: read the recipe, find what it names, cook and cut it accordingly, eat.

The generator's own instructions tell the whole solution; here they name only what is to be reached.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from agentcl.envs.base import Determinism, Observation, Oracle, Score, Split, Task
from agentcl.envs.domains.textworld_games import (
    FAMILIES,
    NAME,
    VARIATIONS,
    GameFolder,
    quiet,
    require_engine,
    settings_of,
)
from agentcl.envs.engines import EngineEnvironment, Happened
from agentcl.envs.requests import families_of
from agentcl.errors import EnvironmentFailed

NO_SUCH: Final = "That is no action of this game. Say one thing at a time, in a few words."
LONGEST_ACTION: Final = 100  # characters; the engine cuts off at 198
# Said to the interpreter instead of the game: they end it, write files, or take a step back. Like the
# interpreter, the first nine letters are looked at.
_COMMANDS: Final = "quit q restart restore save undo script transcript unscript verify"
_META: Final = frozenset(word[:9] for word in _COMMANDS.split())
_SEVERAL: Final = re.compile(r"[.;]\s*\S|\bthen\b")
_ESCAPE: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_PROMPT: Final = "Would you like to RESTART"
_STATUS: Final = re.compile(r">\s*-= [^\n]* =-\s*-?\d+/\d+\s*$")  # the line above the game


def clean(feedback: str) -> str:
    """Return what the engine says without its banner, its prompt, escapes and needless blanks."""
    text = _STATUS.sub("", _ESCAPE.sub("", feedback)).partition(_PROMPT)[0]
    lines = "\n".join(line.strip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip()


def is_one_command(action: str) -> bool:
    """Whether an action is one thing said to the game, and not to what runs it."""
    words = re.findall(r"[a-z-]+", action.lower())  # the interpreter needs no blanks between them
    return (
        bool(words)
        and len(action) <= LONGEST_ACTION
        and action.isascii()
        and action.isprintable()
        and not _SEVERAL.search(action.lower())
        and not any(word[:9] in _META or word.startswith("tw-") for word in words)
    )


def open_game(path: Path, *, is_tracking: bool) -> Any:  # noqa: ANN401  # the engine carries no types
    """Return the bare engine with a game loaded.

    Args:
        path: of a game that `GameFolder` made.
        is_tracking: whether the engine works out the admissible actions, at every step.
    """
    engine = require_engine()
    infos = engine.EnvInfos(
        objective=True,
        max_score=True,
        score=True,
        admissible_commands=is_tracking,
        extras=["walkthrough"],
    )
    with quiet():
        return engine.start(str(path), infos)


class TextWorldEnvironment(EngineEnvironment):
    """The environment. Deterministic to the character.

    The engine works out admissible actions at every step or never, and it takes longer than the step
    itself. So it begins without, is replaced by one that does so when they are first asked for, and stays
    so.
    """

    name = NAME
    determinism: Determinism = "bitwise"

    def __init__(self, games: GameFolder | None = None) -> None:
        super().__init__()
        self._games = games or GameFolder()
        self._engine: Any = None
        self._path: Path | None = None
        self._is_tracking = False

    def _check(self, task: Task) -> None:
        settings_of(task)

    def _begin(self, task: Task, seed: int) -> Observation:
        path = self._games.game(task)
        if path != self._path:
            self._release()
            self._engine, self._path = open_game(path, is_tracking=self._is_tracking), path
        self._state = self._engine.reset()
        self._said: list[str] = []
        self._raw = 0
        text = self._state.feedback
        return Observation(
            clean(text[max(0, text.find("-=")) :]), goal=clean(self._state.objective)
        )

    def _act(self, action: str) -> Happened:
        action = " ".join(action.split())
        if not is_one_command(action):
            return Happened(NO_SUCH, 0.0, is_over=False)
        self._said.append(action)
        self._state, raw, is_over = self._engine.step(action)
        gained, self._raw = raw - self._raw, raw
        return Happened(clean(self._state.feedback), gained / self._state.max_score, bool(is_over))

    def _admissible(self) -> Sequence[str]:
        if not self._is_tracking:
            self._track()
        return [str(action) for action in self._state.admissible_commands]

    def _score(self) -> Score:
        """Return the share of the points; `raw` is the points."""
        return Score(self._raw / self._state.max_score, float(self._raw), bool(self._state.won))

    def _release(self) -> None:
        engine, self._engine, self._path = self._engine, None, None
        if engine is not None:
            engine.close()

    def _track(self) -> None:
        """Go on in an engine that works out admissible actions, at the same point of the game."""
        assert self._path is not None
        path, before = self._path, clean(self._state.feedback)
        self._release()
        self._engine, self._path, self._is_tracking = open_game(path, is_tracking=True), path, True
        self._state = self._engine.reset()
        for action in self._said:
            self._state, _, _ = self._engine.step(action)
        if clean(self._state.feedback) != before:
            raise EnvironmentFailed(f"{path} went otherwise the second time; delete its folder")


class TextWorldOracle:
    """The generator's own solutions."""

    def __init__(self, games: GameFolder | None = None) -> None:
        self._games = games or GameFolder()

    def actions(self, task: Task, *, seed: int) -> Sequence[str]:
        """Return the walkthrough of the task's game. Raises EnvironmentFailed if it has none."""
        engine = open_game(self._games.game(task), is_tracking=False)
        try:
            known = engine.reset()["extra.walkthrough"]
        finally:
            engine.close()
        if not known:
            raise EnvironmentFailed(f"the generator gave no solution of {task.id}")
        return [str(action) for action in known]


class TextWorldDomain:
    """Four kinds of games: for each, 100 seeds to train on, and 25 each for dev and test.

    Args:
        folder: where games are kept; default: `agentcl/textworld` in the user's cache folder.
    """

    name = NAME
    families: Sequence[str] = tuple(FAMILIES)

    def __init__(self, folder: str | Path | None = None) -> None:
        self._games = GameFolder(None if folder is None else Path(folder))

    def make(self) -> TextWorldEnvironment:
        """Return a fresh environment. Raises MissingExtra if the engine is not installed."""
        require_engine()
        return TextWorldEnvironment(self._games)

    def tasks(self, split: Split, *, family: str | None = None) -> Iterator[Task]:
        """Yield the tasks of a split, families and levels taking turns; no game is made for it."""
        names = families_of(split, family, self.families)
        for n, variation in enumerate(VARIATIONS[split]):
            for name in names:
                kind = FAMILIES[name]
                level = kind.levels[n % len(kind.levels)]
                yield Task(NAME, name, variation, split, kind.max_steps, dict(level))

    def oracle(self) -> Oracle:
        """Return the generator's solutions."""
        return TextWorldOracle(self._games)
