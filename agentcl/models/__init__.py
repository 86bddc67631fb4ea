"""One door to any frozen language model: what is asked, what comes back, and what it cost."""

from agentcl.models.base import ChatModel, Message, Reply, Sampling, TokenLogprob
from agentcl.models.cache import CachedModel
from agentcl.models.ledger import Call, Ledger, LedgerLine, Prices, RecordedModel
from agentcl.models.metered import MeteredModel
from agentcl.models.scripted import ScriptedModel
from agentcl.models.structured import ask_object
from agentcl.store.usage import Usage

__all__ = [
    "CachedModel",
    "Call",
    "ChatModel",
    "Ledger",
    "LedgerLine",
    "Message",
    "MeteredModel",
    "Prices",
    "RecordedModel",
    "Reply",
    "Sampling",
    "ScriptedModel",
    "TokenLogprob",
    "Usage",
    "ask_object",
]
