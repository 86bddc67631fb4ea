"""An episode at a server, while it goes on here."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar, cast

from agentcl.client.asking import Remote, ask
from agentcl.memory.episodes.recall import EpisodeRecall
from agentcl.memory.episodes.recording import EpisodeRecorder
from agentcl.store.episodes import Episode
from agentcl.store.records import Scope
from agentcl.wire.verbs import VERBS, Begun

P = ParamSpec("P")
T = TypeVar("T")
_MOST_REASON: Final = 500  # characters


def _step(
    verb: Callable[Concatenate[EpisodeRecorder, P], T],
) -> Callable[Concatenate[RemoteEpisode, P], T]:
    """Return a verb of an episode that is run at the server."""
    asked, signature = VERBS[f"episodes.{verb.__name__}"], inspect.signature(verb)

    @wraps(verb)
    def run(self: RemoteEpisode, /, *args: P.args, **kwargs: P.kwargs) -> T:
        given = signature.bind(None, *args, **kwargs).arguments
        answer = self._ask(asked.key, given)
        if isinstance(answer, EpisodeRecall):
            answer = replace(
                answer, explain=lambda lesson: self._ask("episodes.why_not", {"lesson": lesson})
            )
        return cast(T, answer)

    return run


class RemoteEpisode:
    """An episode under way at a server; what `EpisodeRecorder` is in a process. Made by `Client.episode`.

    Left without `finish`, it is kept without a score; left by an exception, as interrupted.

    Attributes:
        id: by which a score can be given later.
        record: of the episode, as it was begun, or as it ended.
        is_over: whether it was finished or interrupted.
    """

    def __init__(self, room: Remote, begun: Begun) -> None:
        self.id = begun.id
        self.record = begun.episode
        self.is_over = False
        self._room = room

    @property
    def scope(self) -> Scope:
        """Whose episode it is."""
        return self.record.scope

    recall = _step(EpisodeRecorder.recall)
    answering = _step(EpisodeRecorder.answering)
    step = _step(EpisodeRecorder.step)
    spend = _step(EpisodeRecorder.spend)
    finish = _step(EpisodeRecorder.finish)
    interrupt = _step(EpisodeRecorder.interrupt)

    def _ask(self, key: str, given: Mapping[str, Any]) -> Any:  # noqa: ANN401  # any answer
        answer = ask(self._room, VERBS[key], {**given, "id": self.id})
        if isinstance(answer, Episode):
            self.record, self.is_over = answer, True
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.is_over:
            return
        if error is None:
            self.finish(None)
        else:
            self.interrupt(f"{type(error).__name__}: {error}"[:_MOST_REASON])
