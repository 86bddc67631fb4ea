"""ExCyTIn-lite's data: a folder with the questions and the alert rows of ExCyTIn-Bench."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from agentcl.envs.base import Determinism, Split, Task
from agentcl.envs.domains.excytin.cases import MAX_STEPS, Case
from agentcl.envs.domains.excytin.mysql import MySqlBackend
from agentcl.envs.domains.excytin.sql import SqlBackend, SqliteBackend, image_of
from agentcl.envs.domains.excytin.tables import load_tables, read_gzip
from agentcl.errors import InvalidInput, LoadError
from agentcl.text.parsing import parsed_json

NAME: Final = "excytin-lite"
FULL_NAME: Final = "excytin-server"
NO_FOLDER: Final = (
    "excytin-lite reads its questions from a folder: give it as the option data=FOLDER; incident-logs "
    "needs none"
)
_PLACE: Final = "{incident}"  # in a server's address
_ONE_DEV_OF: Final = 5  # questions of the upstream training set
_FILE: Final = re.compile(r"(incident_\d+)\.json\.gz")
_Upstream = Literal["train", "test"]


class ExcytinFolder:
    """Questions from a folder; rows from the same folder, or from a server with the full logs.

    Upstream has `train` and `test`; here every question of `train` goes to `train` or to `dev` by the
    hash of its text, one of five to `dev`. A question's variation is its number in its file.

    Args:
        path: with `questions/train`, `questions/test` and `tables`.
        server: mysql://user:password@host:port/database, with {incident} for each incident's name.

    Raises:
        LoadError: if there are no questions.
    """

    def __init__(self, path: Path, *, server: str | None = None) -> None:
        found = [_FILE.fullmatch(p.name) for p in (path / "questions" / "test").glob("*.json.gz")]
        names = [match.group(1) for match in found if match]
        if not names:
            raise LoadError(
                f"{path} has no questions/test/incident_N.json.gz; name the folder that holds "
                "questions/ and tables/"
            )
        self.name = FULL_NAME if server else NAME
        self.families: Sequence[str] = tuple(
            sorted(names, key=lambda name: int(name.partition("_")[2]))
        )
        self.determinism: Determinism = "semantic" if server else "bitwise"
        self._path, self._server = path, server
        self._read = cache(self._load)
        self._image = cache(lambda incident: image_of(load_tables(path / "tables", incident)))

    def tasks(self, split: Split, family: str) -> Iterator[Task]:
        """Yield the questions of an incident, in the order of its file."""
        upstream: _Upstream = "test" if split == "test" else "train"
        for number, question in enumerate(self._read(family, upstream)):
            if split == "test" or (split == "dev") == _is_dev(question):
                of = {"questions": upstream}  # variations of both sets begin at 0
                yield Task(self.name, family, number, split, MAX_STEPS, of)

    def question(self, task: Task) -> Case:
        """Return a task's question."""
        upstream = task.parameters.get("questions")
        if task.env != self.name or task.family not in self.families:
            raise InvalidInput(f"{task.id} is no task of {self.name} with this folder")
        if upstream != "train" and upstream != "test":
            raise InvalidInput(f"{task.id} does not tell its set of questions, train or test")
        questions = self._read(task.family, upstream)
        if not 0 <= task.variation < len(questions):
            raise InvalidInput(f"{task.id}: there are {len(questions)} questions")
        return questions[task.variation]

    def open(self, task: Task) -> SqlBackend:
        """Open the database of a task's incident."""
        if self._server:
            return MySqlBackend(self._server.replace(_PLACE, task.family))
        return SqliteBackend(self._image(task.family))

    def _load(self, incident: str, upstream: _Upstream) -> tuple[Case, ...]:
        path = self._path / "questions" / upstream / f"{incident}.json.gz"
        try:
            rows = parsed_json(read_gzip(path))
        except ValueError as error:
            raise LoadError(f"{path} is no JSON: {error}") from error
        if not isinstance(rows, list):
            raise LoadError(f"{path} has another schema: it is no list of questions")
        return tuple(_question(row, f"question {n} of {path}") for n, row in enumerate(rows))


class NoFolder:
    """What stands for the folder while none is named: no question at all."""

    name = NAME
    families: Sequence[str] = ()
    determinism: Determinism = "bitwise"

    def tasks(self, split: Split, family: str) -> Iterator[Task]:
        """Yield nothing."""
        return iter(())

    def question(self, task: Task) -> Case:
        """Say that a folder is needed."""
        raise InvalidInput(NO_FOLDER)

    def open(self, task: Task) -> SqlBackend:
        """Say that a folder is needed."""
        raise InvalidInput(NO_FOLDER)


def _question(row: Any, where: str) -> Case:  # noqa: ANN401  # JSON
    try:
        context = row["context"]
        solution = tuple(str(step) for step in row["solution"])
        made = Case(
            context=context if isinstance(context, str) else json.dumps(context, indent=1),
            question=row["question"],
            answer=row["answer"],
            solution=solution,
        )
    except (KeyError, TypeError) as error:
        raise LoadError(f"{where} has another schema: {error!r}") from error
    if not all(isinstance(text, str) and text.strip() for text in (made.question, made.answer)):
        raise LoadError(f"{where} lacks its text or its answer")
    if not solution or not isinstance(row["solution"], list):
        raise LoadError(f"{where} has no solution")
    return replace(made, question=made.question.strip(), answer=made.answer.strip())


def _is_dev(question: Case) -> bool:
    digest = hashlib.sha256(question.shown().encode()).digest()
    return digest[0] % _ONE_DEV_OF == 0
