"""Episodes under way whose steps come one call at a time, from a client that knows them by their id."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Final

from agentcl.errors import NotFound
from agentcl.memory.episode import EpisodeRecall, EpisodeRecorder

_MOST: Final = 200  # at a time; the oldest is then kept as interrupted


@dataclass(slots=True)
class OpenEpisode:
    """An episode under way.

    Attributes:
        recorder: of it.
        recalled: what it was shown last.
        lock: who holds it works on the episode; it is not safe for threads by itself.
    """

    recorder: EpisodeRecorder
    recalled: EpisodeRecall | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Underway:
    """The episodes under way of a server. Safe for threads."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, OpenEpisode] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, recorder: EpisodeRecorder) -> str:
        """Keep an episode that was begun; return the id by which it is found. A frozen one, which is not stored, gets one too."""
        id = recorder.id or token_hex(13)
        with self._lock:
            self._held[id] = OpenEpisode(recorder)
            old = self._held.popitem(last=False)[1] if len(self._held) > _MOST else None
        if old is not None:
            _interrupt(old, "too many episodes were open")
        return id

    @contextmanager
    def at(self, id: str) -> Iterator[OpenEpisode]:
        """Yield an episode, for whoever works on it alone. Once it is over, it is kept no longer.

        Raises:
            NotFound: if no such episode is under way here.
        """
        with self._lock:
            held = self._held.get(id)
        if held is None:
            raise NotFound(
                f"no episode {id!r} is under way here; begin one, and name the id that it returns"
            )
        with held.lock:
            yield held
            if held.recorder.is_over:
                with self._lock:
                    self._held.pop(id, None)

    def close(self, reason: str) -> None:
        """Keep what is still under way as interrupted: nobody told how it ended."""
        while self._held:
            with self._lock:
                held = self._held.popitem()[1]
            _interrupt(held, reason)


def _interrupt(held: OpenEpisode, reason: str) -> None:
    with held.lock:
        if not held.recorder.is_over:
            held.recorder.interrupt(reason)
