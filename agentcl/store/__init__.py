"""What is remembered: records, the journal they live in, and how they change."""

from agentcl.store.base import Copy, Erasure, Reembedding, Removed, Store, Writing
from agentcl.store.episodes import Decision, Episode, Exposure, Guidance, Reflection, Stated, Step
from agentcl.store.jobs import Job, Price
from agentcl.store.opening import holds_store, open_store
from agentcl.store.records import (
    ANY,
    Document,
    Extraction,
    Fact,
    Passage,
    Record,
    Scope,
    ScopeView,
    register,
)
from agentcl.store.rows import Counters, EncoderSpec, Version

__all__ = [
    "ANY",
    "Copy",
    "Counters",
    "Decision",
    "Document",
    "EncoderSpec",
    "Episode",
    "Erasure",
    "Exposure",
    "Extraction",
    "Fact",
    "Guidance",
    "Job",
    "Passage",
    "Price",
    "Record",
    "Reembedding",
    "Reflection",
    "Removed",
    "Scope",
    "ScopeView",
    "Stated",
    "Step",
    "Store",
    "Version",
    "Writing",
    "holds_store",
    "open_store",
    "register",
]
