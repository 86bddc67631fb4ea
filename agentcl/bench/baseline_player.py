"""Plays episodes with what a baseline recalls, and lets it remember what each taught."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agentcl.bench.baselines.base import Item
from agentcl.bench.episode_log import EpisodeLog, LoggedActor, LoggedEnvironment
from agentcl.bench.leaks import CheckedMemory, CheckedRecall
from agentcl.bench.learners import Learner
from agentcl.bench.rows import Learned, ResultRow
from agentcl.envs.acting import Actor, Situation, act_until_over
from agentcl.envs.streams.stream import StreamItem, TaskStream

MemoryOf = Callable[[StreamItem], CheckedMemory]


class BaselinePlayer:
    """An actor whose memory is a baseline.

    Args:
        memory_of: the memory for an episode: the same for all, or one for each kind of task.
        actor: who acts.
        learner: what an episode leaves to remember; None: nothing.
        are_notes: each line of a text is guidance by itself, and what is remembered already counts as the
            newest when it comes again.
    """

    def __init__(
        self,
        memory_of: MemoryOf,
        actor: Actor,
        learner: Learner | None = None,
        *,
        are_notes: bool = False,
    ) -> None:
        self.instructions: str = getattr(actor, "instructions", "")
        self._memory_of, self._actor, self._learner = memory_of, actor, learner
        self._are_notes = are_notes

    def resume(self, stream: TaskStream, done: Sequence[ResultRow]) -> None:
        """Remember again what the rows say that was learned, all at once: encoding one by one takes long."""
        learned: dict[int, tuple[CheckedMemory, list[Item]]] = {}
        for row, item in zip(done, stream, strict=False):
            if row.learned:
                memory = self._memory_of(item)
                _, items = learned.setdefault(id(memory), (memory, []))
                items += [Item(one.id, one.text) for one in row.learned]
        for memory, items in learned.values():
            memory.add(items)

    def play(
        self, number: int, item: StreamItem, environment: LoggedEnvironment, log: EpisodeLog
    ) -> None:
        """Recall, act to the end, remember."""
        memory = self._memory_of(item)
        seen = environment.reset(item.task, seed=item.seed)
        recalled = CheckedRecall(memory, f"{seen.goal}\n{seen.text}".strip())
        start = Situation(
            seen.goal,
            seen.text,
            guidance=self._guidance(recalled.first),
            task=item.task,
            seed=item.seed,
            ask=recalled.ask,
        )
        try:
            log.end = act_until_over(environment, LoggedActor(self._actor, log), start)
            environment.score()
            if self._learner is not None and item.is_learned_from:
                texts = self._learner(log)
                items = [Item(f"e{number}.{n}", text) for n, text in enumerate(texts)]
                learned = self._remember(memory, items)
                log.learned = tuple(Learned(one.id, one.text) for one in learned)
        finally:
            log.recalled = tuple(one.id for one in recalled.items)
            log.shown = tuple(one.text for one in recalled.items)
            log.leaks = tuple(recalled.leaks)

    def _guidance(self, texts: Sequence[str]) -> tuple[str, ...]:
        if not self._are_notes:
            return tuple(texts)
        return tuple(line for text in texts for line in text.splitlines())

    def _remember(self, memory: CheckedMemory, items: Sequence[Item]) -> Sequence[Item]:
        if not self._are_notes:
            return memory.add_new(items)
        memory.add(items)
        return items
