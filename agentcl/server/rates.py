"""How many requests each caller makes."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Final

from agentcl.server.problems import Refused
from agentcl.server.settings import ServerSettings

_MOST_CALLERS: Final = 10_000  # whose rate is kept


class Rates:
    """How many requests each caller has made: a bucket of tokens that fills with time.

    Args:
        settings: with the rate; 0 counts nothing.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._rate = settings.rate_per_second
        self._burst = settings.burst
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, when

    def count(self, caller: str) -> None:
        """Count a request. Raises Refused if it is one too many."""
        if not self._rate:
            return
        tokens, is_allowed = self._take(caller)
        if not is_allowed:
            wait = max(1, round((1 - tokens) / self._rate))
            raise Refused(
                429,
                f"more than {self._rate:g} requests a second came from here; wait {wait} s",
                headers={"retry-after": str(wait)},
            )

    def _take(self, caller: str) -> tuple[float, bool]:
        """Take a token, if there is one; return how many are left, and whether there was."""
        now = time.monotonic()
        tokens, then = self._held.pop(caller, (float(self._burst), now))
        tokens = min(float(self._burst), tokens + (now - then) * self._rate)
        is_allowed = tokens >= 1
        self._held[caller] = (tokens - is_allowed, now)
        if len(self._held) > _MOST_CALLERS:
            self._held.popitem(last=False)
        return tokens - is_allowed, is_allowed
