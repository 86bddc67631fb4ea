"""One door to any frozen language model: what is asked, what comes back, and what it cost."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.models.base import (
        GREEDY,
        ChatModel,
        Message,
        Reply,
        Sampling,
        TokenLogprob,
        ToolCall,
    )
    from agentcl.models.cache import CachedModel
    from agentcl.models.calling import ToolModel
    from agentcl.models.check import Capability, Endpoint
    from agentcl.models.fetching import SHIPPED, Shipped, get_model
    from agentcl.models.kept import (
        KeptModel,
        kept_model,
        kept_models,
        models_folder,
        remove_model,
        unpacked,
    )
    from agentcl.models.ledger import Call, Ledger, LedgerLine, Prices, RecordedModel
    from agentcl.models.llamacpp import LlamaCppChat, LlamaCppServer
    from agentcl.models.local import LocalChat
    from agentcl.models.metered import MeteredModel
    from agentcl.models.named import open_model
    from agentcl.models.openai import OpenAIChat
    from agentcl.models.reference.shipped import REFERENCE_FOLDER, open_reference
    from agentcl.models.scripted import ScriptedModel
    from agentcl.models.structured import ask_object, ask_text
    from agentcl.models.tuned import Asking, asking_of, forget_asking, remember_asking
    from agentcl.models.vllm import VllmServer
    from agentcl.store.usage import Usage

__all__ = [
    "GREEDY", "REFERENCE_FOLDER", "SHIPPED", "Asking", "CachedModel", "Call", "Capability", "ChatModel",
    "Endpoint", "KeptModel", "Ledger", "LedgerLine", "LlamaCppChat", "LlamaCppServer", "LocalChat", "Message", "MeteredModel",
    "OpenAIChat", "Prices", "RecordedModel", "Reply", "Sampling", "ScriptedModel", "Shipped",
    "TokenLogprob", "ToolCall", "ToolModel", "Usage", "VllmServer", "ask_object", "ask_text", "asking_of",
    "forget_asking", "get_model", "kept_model", "kept_models", "models_folder", "open_model", "open_reference",
    "remember_asking", "remove_model", "unpacked",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "base": "GREEDY ChatModel Message Reply Sampling TokenLogprob ToolCall",
        "cache": "CachedModel",
        "calling": "ToolModel",
        "check": "Capability Endpoint",
        "fetching": "SHIPPED Shipped get_model",
        "kept": "KeptModel kept_model kept_models models_folder remove_model unpacked",
        "ledger": "Call Ledger LedgerLine Prices RecordedModel",
        "llamacpp": "LlamaCppChat LlamaCppServer",
        "local": "LocalChat",
        "metered": "MeteredModel",
        "named": "open_model",
        "openai": "OpenAIChat",
        "reference.shipped": "REFERENCE_FOLDER open_reference",
        "scripted": "ScriptedModel",
        "structured": "ask_object ask_text",
        "tuned": "Asking asking_of forget_asking remember_asking",
        "vllm": "VllmServer",
        "agentcl.store.usage": "Usage",
    })  # fmt: skip
