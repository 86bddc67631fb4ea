"""Investigations: a question about a security incident, a database to read, one answer to give.

`excytin-lite` has the questions and the protocol of ExCyTIn-Bench (arXiv 2507.14201) over its alert and
incident rows alone: none of its log tables, and a judge that is exact where the original asks a language
model. What it scores is therefore never to be put beside a published score. `incident-logs` is made up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from agentcl.envs.base import Observation, Score, Split, Task
from agentcl.envs.domains.excytin.cases import Case, Dataset
from agentcl.envs.domains.excytin.folder import NO_FOLDER, ExcytinFolder, NoFolder
from agentcl.envs.domains.excytin.generator import GeneratedIncidents
from agentcl.envs.domains.excytin.grading import (
    MOST_ROWS,
    AnswerJudge,
    Verdict,
    is_same,
    judge_exactly,
)
from agentcl.envs.domains.excytin.sql import QueryResult, SqlBackend
from agentcl.envs.engines import EngineEnvironment, Happened
from agentcl.envs.requests import families_of
from agentcl.errors import InvalidInput

OBSERVATION_CHARACTERS: Final = 10_000  # ExCyTIn-Bench's limit is 100,000, which fits few prompts
NO_SUCH: Final = "There is no such action. Write execute[SQL] or submit[answer]."
SUBMITTED: Final = "The answer is submitted."
RULES: Final = (
    "You investigate a security incident. A database holds its logs; SHOW TABLES and DESCRIBE tell what "
    "there is.\nWrite execute[SQL] to run one query, in MySQL's dialect; nothing can be written.\n"
    "Write submit[answer] once, when you know the answer: the value alone, as the logs have it."
)
_ACTION: Final = re.compile(r"\b(execute|submit)\s*\[(.*)\]", re.DOTALL | re.IGNORECASE)


class InvestigationEnvironment(EngineEnvironment):
    """The environment. A judge of your own is asked beside the exact one, and never decides the score."""

    def __init__(
        self,
        dataset: Dataset,
        *,
        judge: AnswerJudge | None = None,
        shown: int = OBSERVATION_CHARACTERS,
    ) -> None:
        super().__init__()
        self.name = dataset.name
        self.determinism = dataset.determinism
        self._dataset, self._judge, self._shown = dataset, judge, shown
        self._backend: SqlBackend | None = None

    def _check(self, task: Task) -> None:
        self._dataset.question(task)

    def _begin(self, task: Task, seed: int) -> Observation:
        """Begin an investigation; a seed changes nothing, since the incidents are as they are."""
        self._release()
        self._backend = self._dataset.open(task)
        self._question = question = self._dataset.question(task)
        self._seen: list[QueryResult] = []
        self._submitted: str | None = None
        self._verdict = Verdict(False, ())
        return Observation(f"{RULES}\n\n{question.context}", goal=question.question)

    def _act(self, action: str) -> Happened:
        """Run a query or submit the answer; the only reward is for the answer."""
        assert self._backend is not None, "an episode has a database"
        text, reward = NO_SUCH, 0.0
        match = _ACTION.search(action)
        if match and match.group(1).lower() == "execute":
            result = self._backend.execute(match.group(2))
            self._seen.append(result)
            text = result.shown(self._shown)
        elif match:
            self._submitted = match.group(2).strip()
            self._verdict = judge_exactly(self._question, self._submitted, self._seen)
            text, reward = SUBMITTED, self._verdict.value
        return Happened(text, reward, self._submitted is not None)

    def _admissible(self) -> None:
        """Nobody can list all queries."""

    def _score(self) -> Score:
        """Return what the answer and the way to it are worth; nothing before an answer is submitted."""
        value = self._verdict.value
        return Score(value, value, self._verdict.is_correct)

    def verdict(self) -> Verdict:
        """Return the exact verdict: which steps were found."""
        self._begun()
        return self._verdict

    def second_verdict(self) -> Verdict | None:
        """Return what the other judge says, asked now; None without one."""
        self._begun()
        if self._judge is None:
            return None
        return self._judge(self._question, self._submitted, self._seen)

    def _release(self) -> None:
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.close()


class InvestigationOracle:
    """Knows the answers, and where the rows have them."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def actions(self, task: Task, *, seed: int) -> Sequence[str]:
        """Return a query that shows the answer, where one cell holds it, and the answer itself."""
        answer = self._dataset.question(task).answer
        query = self.evidence(task)
        return [*([f"execute[{query}]"] if query else []), f"submit[{answer}]"]

    def evidence(self, task: Task) -> str | None:
        """Return a query of at most ten rows with the answer as one of its cells; None if there is none.

        A task without is still answerable if its answer is but a part of a cell, as in a description.
        """
        answer = self._dataset.question(task).answer
        backend = self._dataset.open(task)
        try:
            for table in backend.tables():
                for column in backend.describe(table):
                    query = f"SELECT DISTINCT {column} FROM {table}"
                    for (cell,) in backend.execute(query).rows:
                        if cell and is_same(answer, str(cell)):
                            value = str(cell).replace("\\", "\\\\").replace("'", "''")
                            return f"{query} WHERE {column} = '{value}' LIMIT {MOST_ROWS}"
        finally:
            backend.close()
        return None

    def is_answerable(self, task: Task) -> bool:
        """Return whether the answer stands anywhere in the rows, in whatever case."""
        answer = self._dataset.question(task).answer.casefold()
        backend = self._dataset.open(task)
        try:
            return any(
                answer in str(cell).casefold()
                for table in backend.tables()
                for row in backend.execute(f"SELECT * FROM {table}").rows
                for cell in row
            )
        finally:
            backend.close()


class InvestigationDomain:
    """A domain over any set of questions.

    Args:
        dataset: the questions and their databases.
        judge: asked beside the exact judge (`InvestigationEnvironment.second_verdict`).
        shown: characters of one observation at most.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        judge: AnswerJudge | None = None,
        shown: int | str = OBSERVATION_CHARACTERS,
    ) -> None:
        self.name = dataset.name
        self.families: Sequence[str] = dataset.families
        self._dataset, self._judge, self._shown = dataset, judge, _number("shown", shown)

    def make(self) -> InvestigationEnvironment:
        """Return a fresh environment."""
        return InvestigationEnvironment(self._dataset, judge=self._judge, shown=self._shown)

    def tasks(self, split: Split, *, family: str | None = None) -> Iterator[Task]:
        """Yield the tasks of a split, family by family."""
        for each in families_of(split, family, self.families):
            yield from self._dataset.tasks(split, each)

    def oracle(self) -> InvestigationOracle:
        """Return what knows the answers."""
        return InvestigationOracle(self._dataset)

    def question(self, task: Task) -> Case:
        """Return a task with its answer and solution, for reports; no agent may see it."""
        return self._dataset.question(task)


class ExcytinDomain(InvestigationDomain):
    """ExCyTIn-lite from a folder, or the same questions over a server with the full logs.

    Args:
        data: the folder with `questions/` and `tables/`; without, the domain can be listed and has no task.
        server: mysql://user:password@host:port/database with the full logs; {incident} in it stands for
            the incident's name. The domain is then named excytin-server.
        judge: as for `InvestigationDomain`.
        shown: as for `InvestigationDomain`.

    Raises:
        LoadError: if there are no questions in it.
    """

    def __init__(
        self,
        data: str | None = None,
        *,
        server: str | None = None,
        judge: AnswerJudge | None = None,
        shown: int | str = OBSERVATION_CHARACTERS,
    ) -> None:
        dataset = ExcytinFolder(Path(data), server=server) if data else NoFolder()
        super().__init__(dataset, judge=judge, shown=shown)

    def make(self) -> InvestigationEnvironment:
        """Return a fresh environment. Raises InvalidInput if no folder was named."""
        if not self.families:
            raise InvalidInput(NO_FOLDER)
        return super().make()


class IncidentLogsDomain(InvestigationDomain):
    """Incidents that are made up, by a seed; see `generator`."""

    def __init__(
        self,
        seed: int | str = 0,
        *,
        judge: AnswerJudge | None = None,
        shown: int | str = OBSERVATION_CHARACTERS,
    ) -> None:
        super().__init__(GeneratedIncidents(_number("seed", seed)), judge=judge, shown=shown)


def _number(name: str, text: int | str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise InvalidInput(f"{name} is a whole number, not {text!r}") from error
