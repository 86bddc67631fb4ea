"""A memory that learns, beside a frozen language model.

`Memory` keeps documents, facts, episodes and lessons in a folder and finds them again. `AsyncMemory` is its
twin for asyncio, and `Client` (`AsyncClient`) for one that `agentcl serve` serves. `Agent` plays with a frozen model and learns into a memory.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from agentcl.errors import (
    AccessDenied,
    AgentclError,
    BaselineFailed,
    ConfigError,
    Duplicate,
    EncoderMismatch,
    EncoderUnavailable,
    EnvironmentFailed,
    EraseIncomplete,
    InvalidInput,
    LoadError,
    MemoryClosed,
    MissingExtra,
    MissingPeer,
    ModelChanged,
    ModelUnavailable,
    NoAnswer,
    NotEquipped,
    NotFound,
    NotTrusted,
    RequestRefused,
    SchemaTooNew,
    SchemaViolation,
    ServerUnavailable,
    StorageFull,
    StoreBusy,
    StoreCorrupt,
    StoreReadOnly,
    StoreUnavailable,
    TransferError,
    VersionConflict,
)

if TYPE_CHECKING:
    from agentcl.agents import (
        Agent,
        Budget,
        OutcomeTeacher,
        Student,
        Supervisor,
        Teacher,
        Tool,
        ToolAgent,
    )
    from agentcl.client import AsyncClient, Client
    from agentcl.envs import Domain, Environment, Task, open_domain
    from agentcl.guidance import Pamphlet, Standing
    from agentcl.lessons import Lesson
    from agentcl.memory import (
        UNCHANGED,
        AsyncMemory,
        Draft,
        EpisodeRecall,
        EpisodeRecorder,
        Memory,
        ModelExtractor,
        Receipt,
        Stats,
    )
    from agentcl.models import (
        ChatModel,
        LocalChat,
        Message,
        OpenAIChat,
        Sampling,
        ScriptedModel,
        Usage,
        open_model,
        open_reference,
    )
    from agentcl.retrieval import (
        Encoder,
        GraphSettings,
        Hit,
        Index,
        Recall,
        Retriever,
        open_encoder,
    )
    from agentcl.store import (
        ANY,
        Counters,
        Document,
        Episode,
        Extraction,
        Fact,
        Passage,
        Record,
        Scope,
        Step,
        Version,
    )

    __version__: str

__all__ = [
    "ANY", "UNCHANGED", "AccessDenied", "Agent", "AgentclError", "AsyncClient", "AsyncMemory", "BaselineFailed", "Budget",
    "ChatModel", "Client", "ConfigError", "Counters", "Document", "Domain", "Draft", "Duplicate", "Encoder",
    "EncoderMismatch", "EncoderUnavailable", "Environment", "EnvironmentFailed", "Episode", "EpisodeRecall",
    "EpisodeRecorder", "EraseIncomplete", "Extraction", "Fact", "GraphSettings", "Hit", "Index",
    "InvalidInput", "Lesson", "LoadError", "LocalChat", "Memory", "MemoryClosed", "Message",
    "MissingExtra", "MissingPeer", "ModelChanged", "ModelExtractor", "ModelUnavailable",
    "NoAnswer", "NotEquipped", "NotFound", "NotTrusted", "OpenAIChat", "OutcomeTeacher", "Pamphlet", "Passage", "Recall", "Receipt", "Record", "RequestRefused",
    "Retriever", "Sampling", "SchemaTooNew", "SchemaViolation", "Scope", "ScriptedModel",
    "ServerUnavailable", "Standing", "Stats", "Step", "StorageFull", "StoreBusy", "StoreCorrupt", "StoreReadOnly",
    "StoreUnavailable", "Student", "Supervisor", "Task", "Teacher", "Tool", "ToolAgent", "TransferError", "Usage",
    "Version", "VersionConflict", "__version__", "open_domain", "open_encoder", "open_model", "open_reference",
]  # fmt: skip


def _face(
    room: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a room that imports its public names when first asked (PEP 562).

    Args:
        room: its name.
        homes: by module, the names that it holds, separated by spaces. A module of the room itself is named
            without the room.
    """
    places = {name: module for module, names in homes.items() for name in names.split()}

    def get(name: str) -> Any:  # noqa: ANN401  # any public name
        if name not in places:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        module = places[name]
        home = module if module.startswith("agentcl.") else f"{room}.{module}"
        found = getattr(import_module(home), name)
        vars(import_module(room))[name] = found
        return found

    return get, lambda: sorted({*vars(import_module(room)), *places})


if not TYPE_CHECKING:
    _get, _listed = _face(
        __name__,
        {
            "agents": "Agent Budget OutcomeTeacher Student Supervisor Teacher Tool ToolAgent",
            "client": "AsyncClient Client",
            "envs": "Domain Environment Task open_domain",
            "guidance": "Pamphlet Standing",
            "lessons": "Lesson",
            "memory": "UNCHANGED AsyncMemory Draft EpisodeRecall EpisodeRecorder Memory ModelExtractor Receipt Stats",
            "models": "ChatModel LocalChat Message OpenAIChat Sampling ScriptedModel Usage open_model open_reference",
            "retrieval": "Encoder GraphSettings Hit Index Recall Retriever open_encoder",
            "store": "ANY Counters Document Episode Extraction Fact Passage Record Scope Step Version",
        },
    )

    def __getattr__(name: str) -> Any:  # noqa: ANN401  # any public name
        if name == "__version__":
            from importlib.metadata import version  # slow to import, and few ask

            return version("agentcl")
        return _get(name)

    def __dir__() -> list[str]:
        return [*_listed(), "__version__"]
