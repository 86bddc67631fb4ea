"""A memory that learns, beside a frozen language model.

`Memory` keeps documents in a folder and finds them again; `AsyncMemory` is its twin for asyncio.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

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

if TYPE_CHECKING:
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

_HOMES: Final = {  # where the names are that are imported when they are first asked for
    "agentcl.memory.aio": ("AsyncMemory",),
    "agentcl.memory.documents": ("Draft",),
    "agentcl.memory.memory": ("UNCHANGED", "Memory"),
    "agentcl.memory.forgetting": ("Receipt",),
    "agentcl.memory.storage": ("Stats",),
    "agentcl.retrieval.recall": ("Hit", "Recall"),
    "agentcl.store.records": (
        "ANY", "Document", "Extraction", "Fact", "Passage", "Record", "Scope",
    ),
    "agentcl.store.rows": ("Counters", "Version"),
}  # fmt: skip


def __getattr__(name: str) -> Any:  # noqa: ANN401  # PEP 562: any of the names above
    for home, names in _HOMES.items():
        if name in names:
            found = globals()[name] = getattr(import_module(home), name)
            return found
    raise AttributeError(f"module 'agentcl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
