"""What is remembered: records, the journal they live in, and how they change."""

from agentcl.memory.experience import (
    Decision,
    Episode,
    Exposure,
    Guidance,
    Reflection,
    Stated,
    Step,
)
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
    "Decision",
    "Document",
    "EncoderSpec",
    "Episode",
    "Exposure",
    "Extraction",
    "Fact",
    "Guidance",
    "Journal",
    "Passage",
    "Record",
    "Reflection",
    "Scope",
    "ScopeView",
    "Stated",
    "Step",
    "Version",
    "register",
]
