"""One door to any frozen language model: what is asked, what comes back, and what it cost."""

from agentcl.models.base import ChatModel, Message, Reply, Sampling, TokenLogprob, Usage
from agentcl.models.cache import CachedModel
from agentcl.models.ledger import Call, Ledger, LedgerLine, Prices, RecordedModel
from agentcl.models.scripted import ScriptedModel
from agentcl.models.structured import ask_object

__all__ = [
    "CachedModel",
    "Call",
    "ChatModel",
    "Ledger",
    "LedgerLine",
    "Message",
    "Prices",
    "RecordedModel",
    "Reply",
    "Sampling",
    "ScriptedModel",
    "TokenLogprob",
    "Usage",
    "ask_object",
]
