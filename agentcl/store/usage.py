"""What asking models took: one type for a call, for a role in an episode, and for a whole run.

It stands with the records because they keep it; whoever asks models finds it in `agentcl.models`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Usage:
    """What calls to models took; add up several with `+`."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    duration_s: float = 0.0
    is_estimated: bool = False  # an endpoint did not say, so these are high estimates of the tokens

    def __add__(self, other: Usage) -> Usage:
        """Return what both took."""
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.duration_s + other.duration_s,
            self.is_estimated or other.is_estimated,
        )

    @property
    def tokens(self) -> int:
        """Tokens read and written; one that is written mostly costs several times as much."""
        return self.prompt_tokens + self.completion_tokens

    def stored(self) -> tuple[int, int, int, float]:
        """Return what the journal keeps of it; `Usage(*stored)` reads it again."""
        return self.calls, self.prompt_tokens, self.completion_tokens, self.duration_s


NO_USAGE: Final = Usage()
