"""What is said to hold: read out of turns, and settled by a rule that no model has a part in."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.statements.currency import Span, contradictions, settle
    from agentcl.statements.dates import Mention, mentions, resolve
    from agentcl.statements.learned import LearnedDigester
    from agentcl.statements.model_digester import ModelDigester
    from agentcl.statements.reading import Assertion, Digested, Digester, Wish
    from agentcl.statements.rules import RuleDigester
    from agentcl.statements.slots import slot_of

__all__ = [
    "Assertion", "Digested", "Digester", "LearnedDigester", "Mention", "ModelDigester", "RuleDigester", "Span", "Wish", "contradictions", "mentions",
    "resolve", "settle", "slot_of",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "currency": "Span contradictions settle",
        "dates": "Mention mentions resolve",
        "learned": "LearnedDigester",
        "model_digester": "ModelDigester",
        "reading": "Assertion Digested Digester Wish",
        "rules": "RuleDigester",
        "slots": "slot_of",
    })  # fmt: skip
