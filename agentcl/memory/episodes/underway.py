"""Episodes under way whose steps come one call at a time, from a client that knows them by their id."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Final

from agentcl.errors import NotFound
from agentcl.memory.episodes.recall import EpisodeRecall
from agentcl.memory.episodes.recording import EpisodeRecorder
from agentcl.store.checks import WriteScope

_MOST: Final = 200  # of one scope; the oldest is then kept as interrupted


@dataclass(slots=True)
class OpenEpisode:
    """An episode under way.

    Attributes:
        recorder: of it.
        bound: to the handle that began it.
        recalled: what it was shown last.
        lock: is held while its recorder works: that is not safe for threads.
    """

    recorder: EpisodeRecorder
    bound: WriteScope
    recalled: EpisodeRecall | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def interrupt(self, reason: str) -> None:
        """Keep it as interrupted, if it is not over."""
        with self.lock:
            if not self.recorder.is_over:
                self.recorder.interrupt(reason)


class Underway:
    """The episodes under way of a server. Safe for threads.

    Args:
        what: its clients call an episode.
        begun_by: the verb that begins one, in a message.
    """

    def __init__(self, *, what: str = "episode", begun_by: str = "episodes.begin") -> None:
        self._what, self._begun_by = what, begun_by
        self._open: dict[str, OpenEpisode] = {}  # in the order in which they began
        self._lock = threading.Lock()

    def keep(self, recorder: EpisodeRecorder, bound: WriteScope) -> str:
        """Keep an episode that was begun; who has too many of them loses his oldest, and nobody else's.

        Args:
            recorder: of the episode.
            bound: to the handle that began it.

        Returns:
            The id by which it is found; a frozen one, which is not stored, gets one too.
        """
        id = recorder.id or token_hex(13)
        with self._lock:
            self._open[id] = OpenEpisode(recorder, bound)
            own = [one for one, held in self._open.items() if held.bound == bound]
            left = [self._open.pop(one) for one in own[:-_MOST]]
        for one in left:
            one.interrupt("too many episodes were open")
        return id

    def holds(self, id: str, bound: WriteScope) -> bool:
        """Return whether an episode is under way here, in the scope that a handle is bound to."""
        with self._lock:
            return self._found(id, bound) is not None

    @contextmanager
    def at(self, id: str, bound: WriteScope) -> Iterator[OpenEpisode]:
        """Yield an episode, for whoever works on it alone. Once it is over, it is kept no longer.

        Args:
            id: as `keep` returned it.
            bound: to the handle that asks: the episode must be of that scope.

        Raises:
            NotFound: if no such episode is under way here.
        """
        with self._lock:
            found = self._found(id, bound)
        if found is None:
            raise NotFound(
                f"no {self._what} {id!r} is under way here; begin one with {self._begun_by}, and name the id that it "
                "returns"
            )
        with found.lock:
            yield found
        if found.recorder.is_over:
            with self._lock:
                self._open.pop(id, None)

    def close(self, reason: str) -> None:
        """Keep what is still under way as interrupted: nobody told how it ended."""
        with self._lock:
            left, self._open = [*self._open.values()], {}
        for one in left:
            one.interrupt(reason)

    def _found(self, id: str, bound: WriteScope) -> OpenEpisode | None:
        found = self._open.get(id)
        is_own = found is not None and all(
            getattr(found.recorder.scope, name) == value for name, value in bound.items()
        )
        return found if is_own else None
