"""The episodes of one part of a run, one after the other, each recalled for and learned from."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from agentcl.bench.episode_log import FATAL, EpisodeLog, LoggedEnvironment
from agentcl.bench.leaks import told_answers
from agentcl.bench.rows import Part, ResultRow
from agentcl.envs.base import Environment, Oracle
from agentcl.envs.streams.stream import StreamItem, TaskStream
from agentcl.errors import EnvironmentFailed
from agentcl.text.tokens import estimate_tokens

_LOGGER = logging.getLogger(__name__)


class Player(Protocol):
    """Plays one episode after the other and learns from them; not safe for threads."""

    instructions: str  # all that it is told beside memory and what it sees

    def resume(self, stream: TaskStream, done: Sequence[ResultRow]) -> None:
        """Bring memory to where the rows of an earlier run left it."""
        ...

    def play(
        self, number: int, item: StreamItem, environment: LoggedEnvironment, log: EpisodeLog
    ) -> None:
        """Play an episode, and learn from it where the stream says so.

        What happens is noted in `log` as it happens: of an episode that raises, that is what is kept.
        """
        ...


def play_tasks(
    part: Part,
    stream: TaskStream,
    player: Player,
    make: Callable[[], Environment],
    *,
    oracle: Oracle | None = None,
    done: Sequence[ResultRow] = (),
) -> Iterator[ResultRow]:
    """Yield a row for each episode of a stream that is not done, in order.

    Args:
        part: of the run.
        stream: the episodes.
        player: who plays and learns; knows nothing yet, or what an earlier run left.
        make: returns a fresh environment; an environment that failed is replaced.
        oracle: what is looked for in what the player is told, if it is told anything.
        done: the rows that an earlier run left; what they learned is brought back first.

    Raises:
        ModelUnavailable: if the model cannot be asked; what is done stays done.
    """
    player.resume(stream, done)
    environment: Environment | None = None
    try:
        for number in range(len(done), len(stream.items)):
            item = stream.items[number]
            if environment is None:
                environment = make()
            row = _episode(part, number, item, player, environment)
            if row.end == "failed":
                _close(environment)
                environment = None
            if oracle is not None and player.instructions:
                answers = oracle.actions(item.task, seed=item.seed)
                row = replace(row, leaks=(*row.leaks, *told_answers(player.instructions, answers)))
            yield row
    finally:
        if environment is not None:
            _close(environment)


def _close(environment: Environment) -> None:
    try:
        environment.close()
    except FATAL:
        raise
    except Exception:  # a stranger's; what was played is kept all the same
        _LOGGER.warning("an environment of %s did not close", environment.name, exc_info=True)


def _episode(
    part: Part, number: int, item: StreamItem, player: Player, environment: Environment
) -> ResultRow:
    started = time.perf_counter()
    log = EpisodeLog()
    error = ""
    try:
        player.play(number, item, LoggedEnvironment(environment, log), log)
    except FATAL:
        raise
    except Exception as raised:  # noqa: BLE001  # the one boundary: it is kept, and the run goes on
        error = str(raised) if isinstance(raised, EnvironmentFailed) else traceback.format_exc()
    score = None if error else log.score
    return ResultRow(
        number,
        part.baseline,
        part.seed,
        item.task.id,
        item.task.family,
        item.phase,
        item.seed,
        score=score.value if score else None,
        raw=score.raw if score else None,
        is_success=score.is_success if score else None,
        goal=log.goal,
        first=log.first,
        steps=tuple(log.steps),
        end="failed" if error else log.end,
        error=error,
        episode=log.episode,
        recalled=tuple(log.recalled),
        shown=tuple(log.shown),
        learned=() if error else tuple(log.learned),
        leaks=tuple(log.leaks),
        shifts=tuple(log.shifts),
        usage=log.usage,
        memory_tokens=sum(map(estimate_tokens, log.shown)),
        wall_s=round(time.perf_counter() - started, 6),
    )
