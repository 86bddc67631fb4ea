"""What memory brings into an episode: lessons, past stretches and documents, as a prompt and with reasons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentcl.guidance.selection import Choice, line_of
from agentcl.lessons import Stretch
from agentcl.text.escaping import quoted
from agentcl.text.tokens import estimate_tokens

if TYPE_CHECKING:
    from agentcl.retrieval.recall import Recall


@dataclass(frozen=True, slots=True, repr=False)
class EpisodeRecall:
    """What memory puts into a prompt: lessons, and past stretches and documents where they were asked for."""

    lessons: tuple[str, ...]  # as sentences, in a stable order
    choice: Choice
    documents: Recall | None = None
    demonstrations: tuple[Stretch, ...] = ()  # past stretches, in the order in which they came
    withheld_demonstrations: tuple[Stretch, ...] = ()  # by a coin, to measure what they are worth
    explain: Callable[[str], str] | None = None  # why a lesson, by its id, is not shown
    new: tuple[str, ...] = ()  # of the lessons, those that the episode was not shown before
    nearest: tuple[str, ...] = ()  # where none is shown: the lessons that came nearest

    def __repr__(self) -> str:
        said = [f"lesson {line!r}" for line in self.lessons] or ["no lesson"]
        said += [f"withheld to measure its worth: {line!r}" for line in self.withheld]
        said += [f"nearest, and not shown: {line!r}" for line in self.nearest]
        said += [f"no room for {len(self.choice.left_out)} more"] * bool(self.choice.left_out)
        said += [f"demonstration {one.episode}" for one in self.demonstrations]
        said += [f"withheld demonstration {one.episode}" for one in self.withheld_demonstrations]
        if self.documents is not None:
            said.append(repr(self.documents))
        return f"EpisodeRecall({'; '.join(said)})"

    @property
    def withheld(self) -> tuple[str, ...]:
        """Lessons that apply and that a coin left out of this episode: only so is it seen what they are worth."""
        return tuple(line_of(offer.guidance) for offer in self.choice.withheld)

    def why_not(self, lesson: str) -> str:
        """Return in a sentence why a lesson is not shown here: the first test that it fails.

        Args:
            lesson: its id.

        Raises:
            NotFound: if there is no such lesson.
        """
        assert self.explain is not None
        return self.explain(lesson)

    def prompt(self, *, budget_tokens: int = 1_000) -> str:
        """Return lessons, past stretches and documents as one text for a prompt; empty if there are none."""
        parts = ["Guidance:\n" + "\n".join(f"- {quoted(line)}" for line in self.lessons)] * bool(
            self.lessons
        )
        parts += ["\n".join(one.lines()) for one in self.demonstrations]
        if self.documents is not None:
            left = budget_tokens - sum(map(estimate_tokens, parts))
            parts.append(self.documents.prompt(budget_tokens=max(0, left)))
        return "\n".join(filter(None, parts))
