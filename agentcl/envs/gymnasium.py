"""Gymnasium's environments as ours, and ours as Gymnasium's. Needs the extra `gymnasium`."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from agentcl.envs.base import Determinism, Environment, Observation, Score, Task
from agentcl.envs.engines import EngineEnvironment, Happened
from agentcl.envs.requests import require_own
from agentcl.errors import InvalidInput, needs
from agentcl.text.escaping import quoted

with needs("Gymnasium's environments", "gymnasium"):
    import gymnasium

NO_SUCH: Final = "There is no such action."
LONGEST_OBSERVATION: Final = 100_000  # characters
LONGEST_ACTION: Final = 10_000
_SAMPLED: Final = 40  # characters of a text that a space draws
_TASK: Final = "task"  # the option of `reset` that carries one

Describe = Callable[[Any, Mapping[str, Any]], str]
Parse = Callable[[str], Any]
Rate = Callable[[float, bool], Score]


def rate_by_reward(total: float, terminated: bool) -> Score:
    """Return a score for environments that reward a success with something above 0, and nothing else."""
    is_success = terminated and total > 0
    return Score(float(is_success), total, is_success)


class FromGymnasium(EngineEnvironment):
    """A Gymnasium environment as one of ours, or an object whose `reset` and `step` are like Gymnasium's.

    Args:
        name: of the environment, as its tasks name it.
        make: returns the environment of a task; it is closed when another family's is asked for.
        families: which kinds of tasks there are.
        describe: turns an observation and its `info` into text.
        actions: words for actions, or a function that turns text into one and returns None for text that
            is none.
        goal: what the task asks for, given the first observation and `info`.
        rate: the score, given the sum of rewards and whether the environment ended the episode.
        determinism: what two runs of the same task, seed and actions share.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[Task], gymnasium.Env[Any, Any]],
        *,
        families: Sequence[str],
        describe: Describe,
        actions: Mapping[str, Any] | Parse,
        goal: Callable[[Any, Mapping[str, Any]], str],
        rate: Rate = rate_by_reward,
        determinism: Determinism = "semantic",
    ) -> None:
        super().__init__()
        self.name, self.determinism, self.families = name, determinism, families
        self._make, self._describe, self._goal, self._rate = make, describe, goal, rate
        self._words = tuple(actions) if isinstance(actions, Mapping) else None
        self._parse: Parse = actions.get if isinstance(actions, Mapping) else actions
        self._engine: gymnasium.Env[Any, Any] | None = None
        self._made_for: Task | None = None

    def _check(self, task: Task) -> None:
        require_own(task, self.name, self.families)

    def _begin(self, task: Task, seed: int) -> Observation:
        if self._engine is None or self._made_for != task:
            self._release()
            self._engine, self._made_for = self._make(task), task
        seen, told = self._engine.reset(seed=seed)
        self._total, self._is_done = 0.0, False
        self._text = self._describe(seen, told)
        return Observation(self._text, goal=self._goal(seen, told))

    def _act(self, action: str) -> Happened:
        assert self._engine is not None
        chosen = self._parse(" ".join(action.split()))
        if chosen is None:  # the engine is not asked: it may know no action that does nothing
            return Happened(f"{NO_SUCH} {self._text}", 0.0, is_over=False)
        seen, reward, terminated, truncated, told = self._engine.step(chosen)
        self._total += float(reward)
        self._is_done = bool(terminated)
        self._text = self._describe(seen, told)
        return Happened(self._text, float(reward), bool(terminated), is_cut=bool(truncated))

    def _admissible(self) -> Sequence[str] | None:
        return self._words

    def _score(self) -> Score:
        return self._rate(self._total, self._is_done)

    def _release(self) -> None:
        engine, self._engine, self._made_for = self._engine, None, None
        close = getattr(
            engine, "close", None
        )  # a class that is only like Gymnasium's may have none
        if close is not None:
            close()


class AnyText(gymnasium.spaces.Text):
    """Texts of any characters up to a length; those that it draws are of printable ASCII."""

    def __init__(self, max_length: int) -> None:
        super().__init__(max_length, min_length=0, charset=string.printable)

    def contains(self, x: object) -> bool:
        """Whether it is a text that is short enough."""
        return isinstance(x, str) and len(x) <= self.max_length

    def sample(self, mask: Any = None, probability: Any = None) -> str:  # noqa: ANN401  # as Text has it
        """Draw a short text."""
        if mask is None and probability is None:
            mask = (_SAMPLED, None)
        return super().sample(mask, probability)


class ToGymnasium(gymnasium.Env[str, str]):
    """One of our environments as Gymnasium's: observations and actions are texts.

    `reset(options={"task": task})` names the task; without, one of `tasks` is drawn. The first observation
    begins with the goal; `info` has the goal, the task's id, and at the end the score.

    Args:
        environment: ours; it is closed with this one.
        tasks: what to draw from.

    Raises:
        InvalidInput: if there are no tasks, or from `reset`, if the option is none of this domain.
        EnvironmentFailed: from `reset` and `step`, if the environment breaks.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  # as Gymnasium has it

    def __init__(self, environment: Environment, tasks: Sequence[Task]) -> None:
        if not tasks:
            raise InvalidInput("there are no tasks to draw from")
        self.environment, self._tasks = environment, tuple(tasks)
        self.observation_space = AnyText(LONGEST_OBSERVATION)
        self.action_space = AnyText(LONGEST_ACTION)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Begin an episode. The environment gets the seed itself, or without one the next that is drawn."""
        super().reset(seed=seed)
        drawn = self._tasks[int(self.np_random.integers(len(self._tasks)))]
        task = (options or {}).get(_TASK, drawn)
        if not isinstance(task, Task):
            raise InvalidInput(f"the option {_TASK!r} is to be a Task, not {type(task).__name__}")
        episode = int(self.np_random.integers(2**31)) if seed is None else seed
        seen = self.environment.reset(task, seed=episode)
        text = f"Goal: {quoted(seen.goal)}\n\n{seen.text}"
        return text[:LONGEST_OBSERVATION], {"goal": seen.goal, _TASK: task.id}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Act."""
        outcome = self.environment.step(action)
        told: dict[str, Any] = {}
        if outcome.terminated or outcome.truncated:
            score = self.environment.score()
            told = {"score": score.value, "raw_score": score.raw, "is_success": score.is_success}
        text = outcome.observation.text[:LONGEST_OBSERVATION]
        return text, outcome.reward, outcome.terminated, outcome.truncated, told

    def close(self) -> None:
        """Close the environment inside."""
        self.environment.close()
