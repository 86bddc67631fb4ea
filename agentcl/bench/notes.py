"""Notes after failure, as Reflexion keeps them (Shinn et al. 2023, arXiv 2303.11366): the plain baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from agentcl.agents.student import conversation
from agentcl.bench.actors import Actor
from agentcl.bench.leaks import CheckedRecall
from agentcl.bench.rows import StepRow
from agentcl.envs.base import Environment, Observation, Score, Task
from agentcl.models.base import ChatModel, Sampling
from agentcl.store.usage import Usage

NOTING: Final = (
    "You look back at an attempt of yours that fell short. Say in two or three sentences what went wrong, and "
    "what you will do differently on the next task of this kind."
)
_NOTE_TOKENS: Final = 200


def ask_note(goal: str, first: str, steps: Sequence[StepRow], score: float) -> str:
    """Return the prompt for a note on an attempt."""
    told = [
        f"{n}. {step.action}: {step.seen.strip().rstrip('.')}." for n, step in enumerate(steps, 1)
    ]
    return "\n".join(
        [f"Goal: {goal}", f"Observation: {first}", *told, f"Score: {score:.2f}", "Note?"]
    )


class Noter:
    """An actor that leaves one note after each episode without the full score, and none after others.

    Args:
        actor: who acts.
        model: who writes the note in its own words. None: the note is all lessons that the actor draws; so
            for a model that was trained to write lessons and nothing else.
    """

    def __init__(self, actor: Actor, model: ChatModel | None) -> None:
        self.name, self.instructions = actor.name, actor.instructions
        self._actor, self._model = actor, model
        self._usage: Usage | None = None

    def begin(
        self, task: Task, observation: Observation, memory: CheckedRecall, *, seed: int
    ) -> None:
        """Begin an episode with the notes, a line of them for each line that was noted."""
        self._seen, self._usage = observation, None
        memory.first = tuple(line for note in memory.first for line in note.splitlines())
        self._actor.begin(task, observation, memory, seed=seed)

    def act(self, environment: Environment, observation: Observation) -> tuple[str | None, str]:
        """Ask the actor."""
        return self._actor.act(environment, observation)

    def learn(self, steps: Sequence[StepRow], observation: Observation, score: Score) -> list[str]:
        """Return the note."""
        if score.value >= 1:
            return []
        if self._model is None:
            lines = self._actor.learn(steps, observation, score)
            return ["\n".join(lines)] if lines else []
        prompt = ask_note(self._seen.goal, self._seen.text, steps, score.value)
        sampling = Sampling(max_tokens=_NOTE_TOKENS)
        reply = self._model.chat(conversation(NOTING, prompt), sampling=sampling)
        self._usage = reply.usage
        return [" ".join(reply.text.split())] if reply.text.strip() else []

    def used(self) -> Mapping[str, Usage]:
        """Return the actor's, and the note's."""
        used = dict(self._actor.used())
        return used if self._usage is None else {**used, "learn": self._usage}
