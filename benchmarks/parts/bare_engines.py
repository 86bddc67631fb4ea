"""Engines as they are, without our contract: what `domains.py` measures the contract against."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Protocol

sys.path.insert(0, str(Path(__file__).parents[1]))
from agentcl.envs.base import Task
from agentcl.envs.domains.excytin.dialect import to_sqlite
from agentcl.envs.domains.excytin.domain import InvestigationDomain
from agentcl.envs.domains.excytin.sql import SqliteBackend
from agentcl.envs.domains.household import begin_game, household_of, open_engine
from agentcl.envs.domains.scienceworld_engine import JVM_OPTIONS
from agentcl.envs.domains.taubench import TauBenchDomain, _Checkout, scripted_user
from agentcl.envs.domains.textworld_games import GameFolder
from parts.results import CACHE


class Engine(Protocol):
    """A bare engine, driven without our contract."""

    def begin(self, task: Task, seed: int) -> None:
        """Begin an episode."""
        ...

    def step(self, action: str) -> None:
        """Act."""
        ...


class BareBabyAI:
    """minigrid as it is: a number goes in, a picture comes out."""

    def __init__(self) -> None:
        self._engines: dict[str, Any] = {}

    def begin(self, task: Task, seed: int) -> None:
        """Begin an episode."""
        from agentcl.envs.domains.babyai import ACTIONS, engine_seed, make_engine

        if task.family not in self._engines:
            self._engines[task.family] = make_engine(task.family)
        self._engine = self._engines[task.family]
        self._numbers = {action: number for number, action in enumerate(ACTIONS)}
        with redirect_stdout(StringIO()):
            self._engine.reset(seed=engine_seed(task, seed))

    def step(self, action: str) -> None:
        """Act."""
        self._engine.step(self._numbers[action])


class BareTextWorld:
    """textworld as it is, working out admissible actions at every step or never."""

    def __init__(self, *, is_tracking: bool) -> None:
        self._is_tracking = is_tracking
        self._engines: dict[str, Any] = {}

    def begin(self, task: Task, seed: int) -> None:
        """Begin an episode."""
        from agentcl.envs.domains.textworld import open_game

        if task.id not in self._engines:
            path = GameFolder(CACHE / "textworld").game(task)
            self._engines[task.id] = open_game(path, is_tracking=self._is_tracking)
        self._engine = self._engines[task.id]
        self._engine.reset()

    def step(self, action: str) -> None:
        """Act."""
        self._engine.step(action)


class BareScienceWorld:
    """scienceworld as it is: its server's step and score, or its own `step`, which lists actions too."""

    def __init__(self, *, is_listing: bool) -> None:
        from scienceworld import ScienceWorldEnv

        # Both sides with the options that make the engine repeat itself, which cost it more than ours does.
        os.environ["JAVA_TOOL_OPTIONS"] = " ".join(JVM_OPTIONS)
        self._engine = ScienceWorldEnv("", envStepLimit=10**9)
        self._is_listing = is_listing

    def begin(self, task: Task, seed: int) -> None:
        """Begin an episode."""
        self._engine.load(task.family, task.variation, "")
        self._engine.reset()

    def step(self, action: str) -> None:
        """Act."""
        if self._is_listing:
            self._engine.step(action)
            return
        server = self._engine.server
        server.step(action)
        server.getScore()
        server.getCompleted()


class BareHousehold:
    """TextWorld's engine for planning domains as it is; it lists actions after every step."""

    def __init__(self) -> None:
        self._engine = open_engine()

    def begin(self, task: Task, seed: int) -> None:
        """Begin an episode."""
        begin_game(self._engine, household_of(task, seed))

    def step(self, action: str) -> None:
        """Act."""
        self._engine.step(action)


class BareSQLite:
    """A plain connection of Python's own sqlite3 to the same tables; the query is in its dialect already.

    It fetches every row and shows none; the answer that is submitted means nothing to it.
    """

    def __init__(self, domain: InvestigationDomain) -> None:
        self._open = domain._dataset.open
        self._connection = sqlite3.connect(":memory:")
        self._queries: dict[str, str] = {}  # by action; the first round fills it, and others count

    def begin(self, task: Task, seed: int) -> None:
        """Begin an episode."""
        self._connection.close()
        self._connection = sqlite3.connect(":memory:")
        theirs = self._open(task)
        assert isinstance(theirs, SqliteBackend)
        self._connection.deserialize(theirs._connection.serialize())
        theirs.close()

    def step(self, action: str) -> None:
        """Act."""
        query = self._queries.get(action)
        if query is None:
            is_query = action.startswith("execute[")
            query = to_sqlite(action[len("execute[") : -1]) if is_query else ""
            self._queries[action] = query
        if query:
            self._connection.execute(query).fetchall()


class BareTauBench:
    """The checkout's own environment as it is: it takes actions of its own kind, and no text."""

    def __init__(self, domain: TauBenchDomain) -> None:
        self._checkout, self._user = _Checkout(domain._required()), scripted_user
        self._domains: dict[tuple[str, str], Any] = {}
        self._actions: dict[str, Any] = {}  # by text; the first round fills it, and others count

    def begin(self, task: Task, seed: int) -> None:
        """Begin an episode."""
        key = (task.family, task.split)
        if key not in self._domains:
            self._domains[key] = self._checkout.open(task.family, task.split, self._user)
        self._domain = self._domains[key]
        self._domain.reset(task_index=task.variation)

    def step(self, action: str) -> None:
        """Act."""
        if action not in self._actions:
            name, _, arguments = action.partition(" ")
            self._actions[action] = self._checkout.action(name, json.loads(arguments))
        self._domain.step(self._actions[action])
