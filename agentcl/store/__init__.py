"""What is remembered: records, the journal they live in, and how they change."""

from agentcl.store.episodes import Decision, Episode, Exposure, Guidance, Reflection, Stated, Step
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
from agentcl.store.sqlite.journal import Journal

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
