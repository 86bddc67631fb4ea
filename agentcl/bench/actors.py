"""Who acts in a run: a model with what memory put into its prompt, or a policy without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from agentcl.agents.prompts import LESSONS, ask_lessons
from agentcl.agents.situations import Situation
from agentcl.agents.student import Student, conversation
from agentcl.bench.leaks import CheckedRecall
from agentcl.bench.rows import StepRow
from agentcl.envs.base import Environment, Observation, Score, Task
from agentcl.envs.domains.excytin.investigator import Investigator
from agentcl.envs.domains.incidents.responder import Responder
from agentcl.envs.policies import Policy
from agentcl.errors import InvalidInput, SchemaViolation
from agentcl.lessons import read_json
from agentcl.models.base import ChatModel, Sampling
from agentcl.models.metered import MeteredModel
from agentcl.models.structured import ask_object
from agentcl.store.usage import NO_USAGE, Usage

RECENT: Final = 12  # steps that a prompt shows
LESSON_TOKENS: Final = 320


class Actor(Protocol):
    """Acts in one episode after the other, with what a memory recalled, and says what is to be remembered."""

    name: str
    instructions: str  # all that it is told beside memory and what it sees

    def begin(
        self, task: Task, observation: Observation, memory: CheckedRecall, *, seed: int
    ) -> None:
        """Begin an episode."""
        ...

    def act(self, environment: Environment, observation: Observation) -> tuple[str | None, str]:
        """Return the next action, None to give up, and what was thought."""
        ...

    def learn(self, steps: Sequence[StepRow], observation: Observation, score: Score) -> list[str]:
        """Return what the episode, given what was seen last, leaves to remember, as texts."""
        ...

    def used(self) -> Mapping[str, Usage]:
        """Return what was asked of a model since `begin`, by role."""
        ...


class PolicyActor:
    """A policy without a model and without memory."""

    instructions = ""

    def __init__(self, policy: Policy) -> None:
        self.name = policy.name
        self._policy = policy

    def begin(
        self, task: Task, observation: Observation, memory: CheckedRecall, *, seed: int
    ) -> None:
        """Begin an episode; memory is not looked at."""
        self._policy.begin(task, observation, seed=seed)

    def act(self, environment: Environment, observation: Observation) -> tuple[str | None, str]:
        """Ask the policy."""
        return self._policy.act(environment, observation), ""

    def learn(self, steps: Sequence[StepRow], observation: Observation, score: Score) -> list[str]:
        """Learn nothing."""
        return []

    def used(self) -> Mapping[str, Usage]:
        """Return nothing: no model was asked."""
        return {}


class ResponderActor:
    """The scripted responder of incidents."""

    name = Responder.name
    instructions = ""

    def __init__(self) -> None:
        self._responder = Responder()

    def begin(
        self, task: Task, observation: Observation, memory: CheckedRecall, *, seed: int
    ) -> None:
        """Begin an episode with lessons."""
        self._responder.begin(task, observation, memory.first, seed=seed)

    def act(self, environment: Environment, observation: Observation) -> tuple[str | None, str]:
        """Ask the responder."""
        return self._responder.act(environment, observation), ""

    def learn(self, steps: Sequence[StepRow], observation: Observation, score: Score) -> list[str]:
        """Return its lessons."""
        return self._responder.learn(observation)

    def used(self) -> Mapping[str, Usage]:
        """Return nothing: no model was asked."""
        return {}


class InvestigatorActor:
    """The scripted investigator of incident logs; it asks its memory whenever it has something to find."""

    name = Investigator.name
    instructions = ""

    def begin(
        self, task: Task, observation: Observation, memory: CheckedRecall, *, seed: int
    ) -> None:
        """Begin an investigation."""
        self._investigator = Investigator(memory.ask)
        self._investigator.begin(task, observation, seed=seed)

    def act(self, environment: Environment, observation: Observation) -> tuple[str | None, str]:
        """Ask the investigator."""
        return self._investigator.act(environment, observation), ""

    def learn(self, steps: Sequence[StepRow], observation: Observation, score: Score) -> list[str]:
        """Return its lines."""
        return list(self._investigator.learn(score))

    def used(self) -> Mapping[str, Usage]:
        """Return nothing: no model was asked."""
        return {}


class ModelActor:
    """A frozen model that chooses an action with guidance in its prompt.

    Args:
        model: who is asked.
        instructions: said as the system's message; empty for a model that was trained on the form.
        learning: said before it writes lessons; empty likewise.
        is_taught: let it write lessons after each episode.
        max_tokens: of one answer.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        instructions: str = "",
        learning: str = "",
        is_taught: bool = True,
        max_tokens: int = 128,
    ) -> None:
        self.name = f"model {model.name}"
        self.instructions = instructions
        self._student = Student(
            model, instructions=instructions, max_tokens=max_tokens, recent=RECENT
        )
        self._model, self._learning, self._is_taught = model, learning, is_taught
        self._used: dict[str, Usage] = {}

    def begin(
        self, task: Task, observation: Observation, memory: CheckedRecall, *, seed: int
    ) -> None:
        """Begin an episode with guidance."""
        self._goal, self._scene = observation.goal, observation.text
        self._guidance = memory.first
        self._history: list[tuple[str, str]] = []
        self._last: str | None = None
        self._used = {}

    def act(self, environment: Environment, observation: Observation) -> tuple[str | None, str]:
        """Ask the model. An answer that is no admissible action is taken as it stands."""
        self._note(observation)
        actions = environment.admissible_actions()
        act = self._student.act(
            Situation(
                goal=self._goal,
                first=self._scene,
                history=tuple(self._history),
                actions=None if actions is None else tuple(actions),
                guidance=self._guidance,
            )
        )
        self._count("act", act.usage)
        self._last = act.action
        return self._last, act.thought

    def learn(self, steps: Sequence[StepRow], observation: Observation, score: Score) -> list[str]:
        """Let the model write lessons; what is no lesson, after asking twice, teaches nothing."""
        self._note(observation)
        if not self._is_taught or not self._history:
            return []
        prompt = ask_lessons(goal=self._goal, scene=self._scene, history=self._history[-RECENT:])
        sampling = Sampling(max_tokens=LESSON_TOKENS)
        messages = conversation(self._learning, prompt)
        metered = MeteredModel(self._model)
        try:
            reply = ask_object(metered, messages, schema=LESSONS, sampling=sampling)
            return [read_json(one).sentence() for one in reply.value["guidance"]]
        except (SchemaViolation, InvalidInput):
            return []
        finally:
            self._count("learn", metered.usage)

    def used(self) -> Mapping[str, Usage]:
        """Return what was asked since `begin`."""
        return dict(self._used)

    def _note(self, observation: Observation) -> None:
        if self._last is not None:
            self._history.append((self._last, observation.text))
            self._last = None

    def _count(self, role: str, usage: Usage) -> None:
        self._used[role] = self._used.get(role, NO_USAGE) + usage


class Recorder:
    """An actor whose episodes are remembered as they went, whatever it would say of them itself."""

    def __init__(self, actor: Actor) -> None:
        self.name, self.instructions = actor.name, actor.instructions
        self._actor = actor

    def begin(
        self, task: Task, observation: Observation, memory: CheckedRecall, *, seed: int
    ) -> None:
        """Begin an episode."""
        self._seen = observation
        self._actor.begin(task, observation, memory, seed=seed)

    def act(self, environment: Environment, observation: Observation) -> tuple[str | None, str]:
        """Ask the actor."""
        return self._actor.act(environment, observation)

    def learn(self, steps: Sequence[StepRow], observation: Observation, score: Score) -> list[str]:
        """Return the record of the episode."""
        told = " ".join(f"{step.action}: {step.seen.strip().rstrip('.')}." for step in steps)
        return [f"Goal: {self._seen.goal} {self._seen.text} {told} Score {score.value:.2f}."]

    def used(self) -> Mapping[str, Usage]:
        """Return the actor's."""
        return self._actor.used()
