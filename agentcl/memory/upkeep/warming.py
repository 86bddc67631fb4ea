"""Opening the encoder and the indexes beside what a process begins with, so that nobody waits for them who need not."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

from agentcl.errors import AgentclError, MemoryClosed

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory

logger = logging.getLogger(__name__)
LOADING: Final = "loading"
READY: Final = "ready"


class WarmUp:
    """`Memory.warm_up` in a thread of its own. A memory that is closed meanwhile waits for the encoder, and no longer.

    Args:
        memory: to be warmed up.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._state = LOADING
        self._is_over = threading.Event()
        self._is_ended = threading.Event()

    @property
    def state(self) -> str:
        """How far it is: "loading", "ready", or the name of the error that kept it from being so."""
        return self._state

    def begin(self, *, after_s: float = 0.0) -> None:
        """Begin, or wait so many seconds first, for what is more urgent."""
        threading.Thread(target=self._run, args=(after_s,), name="warm-up", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait for the end, but no longer than that; return whether it came. A failure is an end, too."""
        return self._is_over.wait(seconds)

    def end(self) -> None:
        """Do not begin any more, if it has not begun."""
        self._is_ended.set()

    def _run(self, after_s: float) -> None:
        if self._is_ended.wait(after_s):
            return
        try:
            self._memory.warm_up()
            self._state = READY
        except MemoryClosed as error:  # by who began it, and needs it no more
            self._state = type(error).__name__
        except AgentclError as error:  # whoever asks for it is told again
            self._state = type(error).__name__
            logger.warning("the encoder cannot be used yet: %s", error)
        finally:
            self._is_over.set()
