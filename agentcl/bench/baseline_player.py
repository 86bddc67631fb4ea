"""Plays episodes with what a baseline recalls, and lets it remember what each taught."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agentcl.bench.actors import Actor
from agentcl.bench.baselines.base import Item
from agentcl.bench.episode_log import EpisodeLog, LoggedEnvironment
from agentcl.bench.leaks import CheckedMemory, CheckedRecall
from agentcl.bench.rows import Learned, ResultRow
from agentcl.envs.streams.stream import StreamItem, TaskStream

MemoryOf = Callable[[StreamItem], CheckedMemory]


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

    def resume(self, stream: TaskStream, done: Sequence[ResultRow]) -> None:
        """Remember again what the rows say that was learned."""
        for row, item in zip(done, stream, strict=False):
            self._memory_of(item).add([Item(one.id, one.text) for one in row.learned])

    def play(
        self, number: int, item: StreamItem, environment: LoggedEnvironment, log: EpisodeLog
    ) -> None:
        """Recall, act to the end, remember."""
        memory = self._memory_of(item)
        seen = environment.reset(item.task, seed=item.seed)
        recalled = CheckedRecall(memory, f"{seen.goal}\n{seen.text}".strip())
        try:
            self._actor.begin(item.task, seen, recalled, seed=item.seed)
            log.end = self._act(environment, log)
            score = environment.score()
            if self._is_taught and item.is_learned_from:
                texts = self._actor.learn(log.steps, log.last, score)
                items = [Item(f"e{number}.{n}", text) for n, text in enumerate(texts)]
                learned = self._remember(memory, items)
                log.learned = tuple(Learned(one.id, one.text) for one in learned)
        finally:
            log.recalled = tuple(one.id for one in recalled.items)
            log.shown = tuple(one.text for one in recalled.items)
            log.leaks = tuple(recalled.leaks)
            log.usage = self._actor.used()

    def _remember(self, memory: CheckedMemory, items: Sequence[Item]) -> Sequence[Item]:
        if not self._is_repeated:
            return memory.add_new(items)
        memory.add(items)
        return items

    def _act(self, environment: LoggedEnvironment, log: EpisodeLog) -> str:
        seen = log.last
        while True:
            action, log.thought = self._actor.act(environment, seen)
            if action is None:
                return "gave up"
            outcome = environment.step(action)
            seen = outcome.observation
            if outcome.terminated:
                return "terminated"
            if outcome.truncated:
                return "truncated"
