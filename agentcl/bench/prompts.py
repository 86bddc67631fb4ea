"""What a model is asked when it acts, reads or learns; the reference model was trained on these forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from agentcl.envs.lessons import CLAIMS

ACTING: Final = (
    "You act in a text world. Follow the guidance where it applies to the situation, and not where it "
    'does not. Say in one sentence why, and end with "Answer: " and exactly one of the actions.'
)
READING: Final = (
    'Answer from the passages alone. End with "Answer: " and the answer in as few words as possible, or '
    '"Answer: not stated" if the passages do not tell.'
)
LEARNING: Final = (
    "Write what this episode teaches for the next one. Name kinds of things and situations, never names of "
    'this episode. Each lesson has "when" (the situation, such as "a queue is slow"), "claim" (do, avoid, '
    'useless, or needs: something has to be done before) and "what" (such as "drain it").'
)
LESSONS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "guidance": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "when": {"type": "string"},
                    "claim": {"enum": list(CLAIMS)},
                    "what": {"type": "string"},
                },
                "required": ["when", "claim", "what"],
            },
        }
    },
    "required": ["guidance"],
}


def ask_action(
    *,
    guidance: Sequence[str],
    goal: str,
    scene: str,
    history: Sequence[tuple[str, str]],
    actions: Sequence[str] | None,
) -> str:
    """Return the prompt for the next action.

    Args:
        guidance: what memory has to say.
        goal: what the task asks for.
        scene: what was seen first.
        history: actions, and what was seen then.
        actions: those to choose from; None where nobody knows them.
    """
    lines = ["Guidance:", *(f"- {text}" for text in guidance)] if guidance else []
    lines += [f"Goal: {goal}", f"Observation: {scene}"]
    if history:
        lines += ["History:", *_numbered(history)]
    if actions:
        lines.append(f"Actions: {'; '.join(actions)}.")
    return "\n".join([*lines, "Next action?"])


def ask_lessons(*, goal: str, scene: str, history: Sequence[tuple[str, str]]) -> str:
    """Return the prompt for what an episode teaches."""
    lines = ["Episode:", f"Goal: {goal}", f"Observation: {scene}", *_numbered(history)]
    return "\n".join([*lines, "Write guidance as JSON."])


def ask_answer(*, passages: Sequence[str], question: str) -> str:
    """Return the prompt for an answer from passages."""
    lines = ["Passages:", *(f"[{n}] {text}" for n, text in enumerate(passages, 1))]
    return "\n".join([*(lines if passages else []), f"Question: {question}"])


def _numbered(history: Sequence[tuple[str, str]]) -> list[str]:
    return [
        f"{n}. {action}: {seen.strip().rstrip('.')}." for n, (action, seen) in enumerate(history, 1)
    ]
