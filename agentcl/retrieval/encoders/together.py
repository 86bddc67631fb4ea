"""Callers who come at the same time are answered by one computation."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence


class _Asked:
    """What one caller waits for."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.vectors: list[bytes] | None = None
        self.error: Exception | None = None

    @property
    def is_over(self) -> bool:
        return self.vectors is not None or self.error is not None


class Together:
    """Computes for one caller at a time, and at once for those who wait meanwhile.

    Nobody waits for others to come: a caller who is alone is answered as if there were none.

    Args:
        compute: from texts to their vectors; never called twice at once.
        lock: held while it computes.
        most: texts of one computation. A caller's own are never divided.
    """

    def __init__(
        self, compute: Callable[[Sequence[str]], list[bytes]], *, lock: threading.Lock, most: int
    ) -> None:
        self._compute, self._turn, self._most = compute, lock, most
        self._lock = threading.Lock()  # of who waits
        self._waiting: deque[_Asked] = deque()

    def __call__(self, texts: Sequence[str]) -> list[bytes]:
        """Return the vectors of some texts. Raises what computing them raises, not what those of others do."""
        asked = _Asked(texts)
        with self._lock:
            self._waiting.append(asked)
        with self._turn:
            if not asked.is_over:
                self._answer(self._take(asked))
        if asked.vectors is None:
            raise asked.error or RuntimeError("a caller was passed over")
        return asked.vectors

    def _take(self, own: _Asked) -> list[_Asked]:
        """Return the callers of one computation: one's own texts, and of those who wait as many as fit, first come first."""
        taken, count = [own], len(own.texts)
        with self._lock:
            self._waiting.remove(own)
            while self._waiting and count + len(self._waiting[0].texts) <= self._most:
                taken.append(self._waiting.popleft())
                count += len(taken[-1].texts)
        return taken

    def _answer(self, taken: Sequence[_Asked]) -> None:
        """Compute for some callers, one's own first; of several that fail together each is asked alone."""
        try:
            vectors = iter(self._compute([text for one in taken for text in one.texts]))
        except Exception as error:  # noqa: BLE001  # it is raised where it belongs
            if len(taken) == 1:
                taken[0].error = error
                return
            for one in taken:
                self._answer([one])
        except BaseException:  # this caller is stopped; the others take their own turns
            with self._lock:
                self._waiting.extendleft(reversed(taken[1:]))
            raise
        else:
            for one in taken:
                one.vectors = [next(vectors) for _ in one.texts]
