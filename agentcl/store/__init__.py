"""What is kept: records, and the store that keeps every version of them."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.store.adapters import Adapter
    from agentcl.store.backends import holds_store, open_store
    from agentcl.store.base import Copy, Erasure, Removed, Store
    from agentcl.store.checks import ReadScope, WriteScope
    from agentcl.store.conversations import (
        Conversation,
        Digestion,
        Proposal,
        Statement,
        Synopsis,
        Tidying,
        Turn,
    )
    from agentcl.store.episodes import (
        AdapterCoin,
        Decision,
        Episode,
        Exposure,
        Guidance,
        Reflection,
        Showing,
        Stated,
        Step,
    )
    from agentcl.store.jobs import Job, Price
    from agentcl.store.records import (
        ANY,
        Alias,
        AnyScope,
        Compression,
        Document,
        Extraction,
        Fact,
        Passage,
        Record,
        Scope,
        ScopeView,
        register,
    )
    from agentcl.store.rows import Churn, Counters, EncoderSpec, Row, Version
    from agentcl.store.transfer import Imported
    from agentcl.store.usage import Usage
    from agentcl.store.vectors import SupportsList, pack, unpack
    from agentcl.store.writing import Reembedding, Writing

__all__ = [
    "ANY", "Adapter", "AdapterCoin", "Alias", "AnyScope", "Churn", "Compression", "Conversation", "Copy", "Counters", "Decision", "Digestion",
    "Document", "EncoderSpec", "Episode", "Erasure", "Exposure", "Extraction", "Fact", "Guidance", "Imported",
    "Job", "Passage", "Price", "Proposal", "ReadScope", "Record", "Reembedding", "Reflection", "Removed", "Row",
    "Scope", "ScopeView", "Showing", "Stated", "Statement", "Step", "Store", "SupportsList", "Synopsis",
    "Tidying", "Turn", "Usage", "Version", "WriteScope", "Writing", "holds_store", "open_store", "pack", "register",
    "unpack",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "adapters": "Adapter",
        "base": "Copy Erasure Removed Store",
        "checks": "ReadScope WriteScope",
        "conversations": "Conversation Digestion Proposal Statement Synopsis Tidying Turn",
        "episodes": "AdapterCoin Decision Episode Exposure Guidance Reflection Showing Stated Step",
        "jobs": "Job Price",
        "backends": "holds_store open_store",
        "records": "ANY Alias AnyScope Compression Document Extraction Fact Passage Record Scope ScopeView register",
        "rows": "Churn Counters EncoderSpec Row Version",
        "transfer": "Imported",
        "usage": "Usage",
        "vectors": "SupportsList pack unpack",
        "writing": "Reembedding Writing",
    })  # fmt: skip
