"""What is said to hold: read out of turns, and settled by a rule that no model has a part in."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.statements.currency import Span, contradictions, settle
    from agentcl.statements.dates.resolving import Mention, mentions, resolve
    from agentcl.statements.digesters.learned import LearnedDigester
    from agentcl.statements.digesters.model import ModelDigester
    from agentcl.statements.digesters.rules import RuleDigester
    from agentcl.statements.digesters.sentences import SentenceDigester
    from agentcl.statements.model_summariser import ModelSummariser
    from agentcl.statements.reading import Assertion, Digested, Digester, Wish
    from agentcl.statements.slots import slot_of
    from agentcl.statements.strengths import strength
    from agentcl.statements.summarising import Gist, Summariser

__all__ = [
    "Assertion", "Digested", "Digester", "Gist", "LearnedDigester", "Mention", "ModelDigester", "ModelSummariser", "RuleDigester", "SentenceDigester", "Span", "Summariser",
    "Wish", "contradictions", "mentions", "resolve", "settle", "slot_of", "strength",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "currency": "Span contradictions settle",
        "dates.resolving": "Mention mentions resolve",
        "digesters.learned": "LearnedDigester",
        "digesters.model": "ModelDigester",
        "model_summariser": "ModelSummariser",
        "reading": "Assertion Digested Digester Wish",
        "digesters.rules": "RuleDigester",
        "digesters.sentences": "SentenceDigester",
        "slots": "slot_of",
        "strengths": "strength",
        "summarising": "Gist Summariser",
    })  # fmt: skip
