"""TextWorld's games as files: what a task asks the generator for, and the folder that keeps what it made."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from agentcl.envs.base import Split, Task
from agentcl.envs.requests import require_own
from agentcl.errors import EnvironmentFailed, InvalidInput, needs
from agentcl.text.homes import cache_folder

NAME: Final = "textworld"

Setting = str | int | bool


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of game."""

    challenge: str  # the generator's name for it
    may_be: Mapping[str, Sequence[Setting]]  # what each setting may be, its default first
    levels: Sequence[Mapping[str, Setting]]  # settings of the listed tasks; variations take turns
    max_steps: int


_BOTH: Final = (False, True)
FAMILIES: Final[Mapping[str, Family]] = {
    "coin_collector": Family(
        "tw-coin_collector",
        # The rooms of levels that are left out do not fit into a game file.
        {"level": (5, *range(1, 5), *range(6, 51), *range(101, 131))},
        [{"level": level} for level in (5, 10, 105, 110)],
        max_steps=50,
    ),
    "treasure_hunter": Family(
        "tw-treasure_hunter",
        {"level": (5, *range(1, 5), *range(6, 31))},
        [{"level": level} for level in (5, 12, 16, 22)],
        max_steps=50,
    ),
    "simple": Family(
        "tw-simple",
        {"rewards": ("dense", "balanced", "sparse")},
        [{"rewards": "dense"}],
        max_steps=50,
    ),
    "cooking": Family(
        "tw-cooking",
        {
            "recipe": (1, 2, 3, 4, 5),
            "take": (1, 0, 2, 3, 4, 5),
            "go": (1, 6, 9, 12),
            "open": _BOTH,
            "cook": _BOTH,
            "cut": _BOTH,
            "drop": _BOTH,
        },
        [
            {"recipe": 1, "take": 1, "go": 1, "cook": True},
            {"recipe": 1, "take": 1, "go": 6, "open": True, "cook": True, "cut": True},
            {"recipe": 2, "take": 2, "go": 6, "open": True, "cook": True, "cut": True},
            {
                "recipe": 3,
                "take": 3,
                "go": 9,
                "open": True,
                "cook": True,
                "cut": True,
                "drop": True,
            },
        ],
        max_steps=100,
    ),
}
# Seeds of the generator that the listed tasks use, for every family.
VARIATIONS: Final[Mapping[Split, range]] = {
    "train": range(1, 101),
    "dev": range(1001, 1026),
    "test": range(2001, 2026),
}
_DIGEST: Final = "digest"  # of the game, in the file beside it
_FOODS: Final[Mapping[Split, str]] = {"train": "train", "dev": "valid", "test": "test"}


def settings_of(task: Task) -> dict[str, Setting]:
    """Return the settings that a task gives the generator, defaults filled in.

    Raises:
        InvalidInput: if the task is not one of this domain.
    """
    require_own(task, NAME, FAMILIES)
    family = FAMILIES[task.family]
    if not 0 <= task.variation < 2**32:
        raise InvalidInput(f"{task.id}: a variation is a seed, from 0 to {2**32 - 1}")
    settings = {name: values[0] for name, values in family.may_be.items()}
    for name, value in task.parameters.items():
        if name not in settings:
            raise InvalidInput(
                f"{task.id}: there is no {name!r}; choose from {', '.join(settings)}"
            )
        if not any(value == one and type(value) is type(one) for one in family.may_be[name]):
            allowed = ", ".join(map(str, sorted(family.may_be[name])))
            raise InvalidInput(f"{task.id}: {name} is {value!r}, but it can be one of {allowed}")
        settings[name] = value  # type: ignore[assignment]  # it is one of the allowed ones
    if settings.get("take", 0) > settings.get("recipe", 0):  # type: ignore[operator]  # both are int
        raise InvalidInput(f"{task.id} takes more ingredients than the recipe has")
    return settings


def require_engine() -> ModuleType:
    """Return the engine. Raises MissingExtra if it is not installed."""
    with needs("TextWorld", "textworld"):
        import textworld
        import textworld.challenges
        import textworld.generator
    engine: ModuleType = textworld
    return engine


class GameFolder:
    """Keeps games; makes one when it is first asked for. Several processes may share a folder.

    Args:
        folder: where the games are; default: `agentcl/textworld` in the user's cache folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = cache_folder("textworld") if folder is None else folder

    def game(self, task: Task) -> Path:
        """Return the file of a task's game, with its description beside it as `.json`.

        Raises:
            InvalidInput: if the task is not one of this domain.
            MissingExtra: if the engine is not installed.
            EnvironmentFailed: if the generator cannot make the game, the folder cannot be written, or the
                game in it is damaged: the interpreter would end the process over such a file.
        """
        settings = settings_of(task)
        engine = require_engine()
        # The foods and the distribution depend on the split; all else is in the settings.
        wanted = json.dumps([engine.__version__, task.family, task.split, settings], sort_keys=True)
        key = hashlib.blake2b(wanted.encode(), digest_size=6).hexdigest()
        home = self.folder / f"{task.family}-{task.variation}-{key}"
        if not home.is_dir():
            try:
                self._make(engine, task, settings, home)
            except Exception as error:  # whatever the generator and its compiler trip over
                raise EnvironmentFailed(
                    f"the game of {task.id} cannot be made in {self.folder}: {error}"
                ) from error
        game = home / "game.z8"
        try:
            is_whole = (home / _DIGEST).read_text("ascii") == _digest(game)
        except (OSError, ValueError):
            is_whole = False
        if not is_whole:
            raise EnvironmentFailed(f"{game} is damaged; delete its folder, and it is made again")
        return game

    def _make(
        self, engine: ModuleType, task: Task, settings: Mapping[str, Setting], home: Path
    ) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=".making-", dir=self.folder))
        try:
            with quiet():
                _generate(engine, task, settings, making / "game.z8")
            (making / _DIGEST).write_text(_digest(making / "game.z8"), "ascii")
            try:
                making.rename(home)
            except OSError:
                if not home.is_dir():  # if it is, another process was faster, with the same game
                    raise
        finally:
            shutil.rmtree(making, ignore_errors=True)


def _digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes()).hexdigest()


def _generate(engine: ModuleType, task: Task, settings: Mapping[str, Setting], path: Path) -> None:
    options = engine.GameOptions()
    options.seeds = task.variation
    options.path = str(path)
    options.grammar.only_last_action = True  # or the instructions tell the whole solution
    wanted: dict[str, Any] = dict(settings)
    if task.family == "simple":
        wanted |= {"goal": "brief", "test": task.split == "test"}
    elif task.family == "cooking":
        wanted |= {"split": _FOODS[task.split], "recipe_seed": 0}
    _, make, _ = engine.challenges.CHALLENGES[FAMILIES[task.family].challenge]
    game = make(wanted, options)
    engine.generator.compile_game(game, options)


@contextmanager
def quiet() -> Iterator[None]:
    """Ignore the engine's warnings, which it means to have switched off when it was imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
