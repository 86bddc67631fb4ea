"""What is remembered: records, the journal they live in, and how they change."""

from agentcl.memory.journal import Journal
from agentcl.memory.records import (
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
from agentcl.memory.rows import Counters, EncoderSpec, Version

__all__ = [
    "ANY",
    "Counters",
    "Document",
    "EncoderSpec",
    "Extraction",
    "Fact",
    "Journal",
    "Passage",
    "Record",
    "Scope",
    "ScopeView",
    "Version",
    "register",
]
