"""A memory that learns, beside a frozen language model.

`Memory` keeps documents in a folder and finds them again; `AsyncMemory` is its twin for asyncio.
"""

from agentcl.aio import AsyncMemory
from agentcl.documents import Draft
from agentcl.errors import (
    AgentclError,
    ConfigError,
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
)
from agentcl.facade import KEEP, Memory
from agentcl.memory import (
    ANY,
    Counters,
    Document,
    Extraction,
    Fact,
    Passage,
    Record,
    Scope,
    Version,
)
from agentcl.retrieval.recall import Hit, Recall
from agentcl.upkeep import Receipt, Stats

__all__ = [
    "ANY",
    "KEEP",
    "AgentclError",
    "AsyncMemory",
    "ConfigError",
    "Counters",
    "Document",
    "Draft",
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
]
