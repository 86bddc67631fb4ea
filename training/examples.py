"""What an example is: a context that is read, and what is asked and answered about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from agentcl.models.base import Message

Skill = Literal["answer", "two-hop", "absent", "facts", "relevant", "action", "guidance", "summary"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing asked about a context, and the right answer."""

    skill: Skill
    ask: str
    answer: str
    about: Mapping[str, Any] = field(default_factory=dict)  # what scoring needs beside the answer


@dataclass(frozen=True, slots=True)
class Example:
    """A context, and turns that can be asked of it in any order."""

    context: str
    turns: tuple[Turn, ...]

    def messages(self, turn: Turn, *, is_context_system: bool = False) -> list[Message]:
        """Return the prompt that asks one turn.

        Args:
            turn: one of `turns`.
            is_context_system: the context is the system's message, as a memory would put it;
                otherwise it stands before the question.
        """
        if is_context_system:
            return [Message("system", self.context), Message("user", turn.ask)]
        return [Message("user", f"{self.context}\n{turn.ask}" if self.context else turn.ask)]

    def without_context(self) -> Example:
        """Return the same turns with nothing to read."""
        return Example("", self.turns)
