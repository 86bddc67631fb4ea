"""Words: terms and stop words, token estimates, escaping, answers read out of text, saving it."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.text.answers import final_answer
    from agentcl.text.escaping import escape, inline, quoted, unescape
    from agentcl.text.tokens import TokenCounter, estimate_tokens

__all__ = [
    "TokenCounter", "escape", "estimate_tokens", "final_answer", "inline", "quoted", "unescape",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "answers": "final_answer",
        "escaping": "escape inline quoted unescape",
        "tokens": "TokenCounter estimate_tokens",
    })  # fmt: skip
