"""A memory that learns, beside a frozen language model.

`Memory` keeps documents in a folder and finds them again; `AsyncMemory` is its twin for asyncio.
"""

from agentcl.errors import (
    AgentclError,
    ConfigError,
    Duplicate,
    EncoderMismatch,
    EraseIncomplete,
    InvalidInput,
    LoadError,
    MemoryClosed,
    MissingExtra,
    ModelUnavailable,
    NotFound,
    RequestRefused,
    SchemaTooNew,
    SchemaViolation,
    StorageFull,
    StoreBusy,
    StoreCorrupt,
    StoreReadOnly,
    StoreUnavailable,
    TransferError,
    VersionConflict,
)
from agentcl.memory.aio import AsyncMemory
from agentcl.memory.documents import Draft
from agentcl.memory.forgetting import Receipt
from agentcl.memory.memory import UNCHANGED, Memory
from agentcl.memory.storage import Stats
from agentcl.retrieval.recall import Hit, Recall
from agentcl.store.records import ANY, Document, Extraction, Fact, Passage, Record, Scope
from agentcl.store.rows import Counters, Version

__all__ = [
    "ANY",
    "UNCHANGED",
    "AgentclError",
    "AsyncMemory",
    "ConfigError",
    "Counters",
    "Document",
    "Draft",
    "Duplicate",
    "EncoderMismatch",
    "EraseIncomplete",
    "Extraction",
    "Fact",
    "Hit",
    "InvalidInput",
    "LoadError",
    "Memory",
    "MemoryClosed",
    "MissingExtra",
    "ModelUnavailable",
    "NotFound",
    "Passage",
    "Recall",
    "Receipt",
    "Record",
    "RequestRefused",
    "SchemaTooNew",
    "SchemaViolation",
    "Scope",
    "Stats",
    "StorageFull",
    "StoreBusy",
    "StoreCorrupt",
    "StoreReadOnly",
    "StoreUnavailable",
    "TransferError",
    "Version",
    "VersionConflict",
]
