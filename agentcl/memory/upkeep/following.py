"""Keeping the indexes up to the journal beside all else, so that no search waits for what others wrote."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from agentcl.errors import AgentclError, MemoryClosed, StoreUnavailable

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory

logger = logging.getLogger(__name__)
_WAIT_S: Final = 600.0
_RETRY_S: Final = 5.0  # before a memory that could not be read is tried again
_REST_S: Final = 0.5  # what is written in a burst is taken up together ...
_RESTS: Final = 4.0  # ... and four fifths of the time belong to whoever searches


class Following:
    """Waits in a thread of its own for what anybody writes, and brings the indexes up to it.

    A search does that by itself, too, so this is about time alone: what ends it, or keeps it from working, makes no
    search wrong.

    Args:
        memory: whose indexes; those of a hybrid search are followed.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._is_ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="following", daemon=True)

    def begin(self) -> None:
        """Begin. It can be done once."""
        self._thread.start()

    def end(self) -> None:
        """End it, and wait until it is; call it before the memory is closed."""
        self._is_ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        journal, seen = self._memory.store.journal, 0
        while not self._is_ended.is_set():
            try:
                last = journal.wait(seen, timeout_s=_WAIT_S, should_stop=self._is_ended.is_set)
                if last == seen or self._is_ended.is_set():
                    continue
                begun = time.monotonic()
                self._memory.store.retriever.catch_up()
                seen = last
                rest_s = _REST_S + _RESTS * (time.monotonic() - begun)
            except MemoryClosed:
                return
            except StoreUnavailable as error:  # whoever searches is told
                logger.warning("indexes are not kept up with what others write: %s", error)
                rest_s = _RETRY_S
            except AgentclError as error:
                logger.warning("indexes are not kept up with what others write any more: %s", error)
                return
            self._is_ended.wait(rest_s)
