"""Who plays the episodes of one life: an actor with what a baseline recalls, which then learns from each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from agentcl.bench.actors import Actor
from agentcl.bench.attempts import Attempt, WatchedEnvironment
from agentcl.bench.baselines.base import Item
from agentcl.bench.leakage import Recollection, WatchedMemory
from agentcl.bench.rows import Learned, Row
from agentcl.envs.streams.stream import StreamItem, TaskStream

MemoryOf = Callable[[StreamItem], WatchedMemory]


class Player(Protocol):
    """Plays one episode after the other and learns from them; not safe for threads."""

    instructions: str  # all that it is told beside memory and what it sees

    def resume(self, stream: TaskStream, done: Sequence[Row]) -> None:
        """Bring memory to where the rows of an earlier run left it."""
        ...

    def play(
        self, number: int, item: StreamItem, environment: WatchedEnvironment, attempt: Attempt
    ) -> None:
        """Play an episode, and learn from it where the stream says so.

        What happens is noted in `attempt` as it happens: of an episode that raises, that is what is kept.
        """
        ...


class BaselinePlayer:
    """An actor whose memory is a baseline.

    Args:
        memory_of: the memory for an episode: the same for all, or one for each kind of task.
        actor: who acts.
        is_taught: remember what the actor learns.
        is_repeated: remember what is held already once more, as the newest.
    """

    def __init__(
        self,
        memory_of: MemoryOf,
        actor: Actor,
        *,
        is_taught: bool = True,
        is_repeated: bool = False,
    ) -> None:
        self.instructions = actor.instructions
        self._memory_of, self._actor = memory_of, actor
        self._is_taught, self._is_repeated = is_taught, is_repeated

    def resume(self, stream: TaskStream, done: Sequence[Row]) -> None:
        """Remember again what the rows say that was learned."""
        for row, item in zip(done, stream, strict=False):
            self._memory_of(item).add([Item(one.id, one.text) for one in row.learned])

    def play(
        self, number: int, item: StreamItem, environment: WatchedEnvironment, attempt: Attempt
    ) -> None:
        """Recall, act to the end, remember."""
        memory = self._memory_of(item)
        seen = environment.reset(item.task, seed=item.seed)
        recalled = Recollection(memory, f"{seen.goal}\n{seen.text}".strip())
        try:
            self._actor.begin(item.task, seen, recalled, seed=item.seed)
            attempt.end = self._act(environment, attempt)
            score = environment.score()
            if self._is_taught and item.is_learned_from:
                texts = self._actor.learn(attempt.steps, attempt.last, score)
                items = [Item(f"e{number}.{n}", text) for n, text in enumerate(texts)]
                learned = self._remember(memory, items)
                attempt.learned = tuple(Learned(one.id, one.text) for one in learned)
        finally:
            attempt.recalled = tuple(one.id for one in recalled.items)
            attempt.shown = tuple(one.text for one in recalled.items)
            attempt.leaks = tuple(recalled.leaks)
            attempt.usage = self._actor.used()

    def _remember(self, memory: WatchedMemory, items: Sequence[Item]) -> Sequence[Item]:
        if not self._is_repeated:
            return memory.add_new(items)
        memory.add(items)
        return items

    def _act(self, environment: WatchedEnvironment, attempt: Attempt) -> str:
        seen = attempt.last
        while True:
            action, attempt.thought = self._actor.act(environment, seen)
            if action is None:
                return "gave up"
            outcome = environment.step(action)
            seen = outcome.observation
            if outcome.terminated:
                return "terminated"
            if outcome.truncated:
                return "truncated"
