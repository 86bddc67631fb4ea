"""The tools of mem0's two servers, the one of its platform and OpenMemory, answered from the same memory."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Final

from agentcl.errors import InvalidInput, NotFound, needs
from agentcl.mcp.answering import ADDING, CHANGING, READING, REMOVING, told
from agentcl.mcp.listing import MOST, PAGE, every
from agentcl.mcp.tools import Tools
from agentcl.store.conversations import Turn
from agentcl.store.records import Document, Passage

with needs("the server for editors", "mcp"):
    from mcp.server.mcpserver import MCPServer
    from pydantic import Field

if TYPE_CHECKING:
    from agentcl.retrieval.recall import Hit

_FOUND: Final = 10  # passages of a search
_FILTERS: Final = (
    "filters name user_id, agent_id, run_id (each a text) and metadata, alone or joined by AND"
)


def add_mem0(server: MCPServer[Any], tools: Tools) -> None:
    """Add the tools of mem0's two servers, the one of its platform and OpenMemory."""
    _add_mem0_writing(server, tools)
    _add_mem0_reading(server, tools)


_User = Annotated[
    str, Field(description="Whose memory; left out, the one that the server is bound to.")
]


def _add_mem0_writing(server: MCPServer[Any], tools: Tools) -> None:
    @server.tool(annotations=ADDING)
    @told
    def add_memory(
        text: str,
        messages: list[dict[str, Any]] | None = None,
        user_id: _User = "",
        agent_id: str = "",
        run_id: str = "",
        metadata: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Store a preference, a fact, or what was said. It is stored as it is."""
        scope = _scope(user_id, agent_id, run_id)
        if messages:
            memory = tools.handle("write", scope)
            turns = memory.remember(messages, metadata=metadata).turns
            return {
                "results": [{"id": one.id, "memory": one.text, "event": "ADD"} for one in turns]
            }
        done = tools.remember(text, metadata=metadata, **scope)
        event = "NONE" if done["did"] == "known already" else "ADD"
        return {"results": [{"id": done["id"], "memory": text, "event": event}]}

    @server.tool(annotations=ADDING)
    @told
    def add_memories(text: str) -> dict[str, Any]:
        """Store a text as a memory."""
        return add_memory(text)

    @server.tool(annotations=CHANGING)
    @told
    def update_memory(memory_id: str, text: str) -> dict[str, Any]:
        """Replace the text of a memory. The old one stays in its history."""
        done = tools.update(memory_id, text)
        return {"id": done["id"], "memory": text, "event": "UPDATE"}

    @server.tool(annotations=REMOVING)
    @told
    def delete_memory(memory_id: str) -> dict[str, Any]:
        """Delete a memory. Its history is kept."""
        tools.forget([memory_id])
        return {"message": "Memory deleted successfully!"}

    @server.tool(annotations=REMOVING)
    @told
    def delete_memories(memory_ids: list[str]) -> dict[str, Any]:
        """Delete memories. Their history is kept."""
        tools.forget(memory_ids)
        return {"message": f"{len(memory_ids)} memories deleted"}

    @server.tool(annotations=REMOVING)
    @told
    def delete_all_memories(
        user_id: _User = "", agent_id: str = "", run_id: str = ""
    ) -> dict[str, Any]:
        """Delete all memories of exactly this scope. Their history is kept."""
        memory = tools.handle("write", _scope(user_id, agent_id, run_id))
        gone = 0
        for record in [*every(memory)]:
            try:
                memory.delete(record.id)
            except NotFound:  # it is shared, and seen from here only
                continue
            gone += 1
        return {"message": f"{gone} memories deleted"}


def _add_mem0_reading(server: MCPServer[Any], tools: Tools) -> None:
    @server.tool(annotations=READING)
    @told
    def search_memories(
        query: str,
        filters: dict[str, Any] | None = None,
        limit: Annotated[int, Field(ge=1, le=100)] = _FOUND,
    ) -> dict[str, Any]:
        """Find memories by meaning and words. Filters name user_id, agent_id, run_id, or metadata."""
        scope, fields = _narrowed(filters)
        hits = tools.handle("read", scope).search(query, limit=limit, filters=fields).hits
        return {"results": [_hit(one) for one in hits]}

    @server.tool(annotations=READING)
    @told
    def search_memory(query: str) -> dict[str, Any]:
        """Find memories by meaning and words."""
        return search_memories(query)

    @server.tool(annotations=READING)
    @told
    def get_memories(
        filters: dict[str, Any] | None = None,
        page: Annotated[int, Field(ge=1, le=1_000)] = 1,
        page_size: Annotated[int, Field(ge=1, le=100)] = 10,
    ) -> dict[str, Any]:
        """List memories, page by page. Filters name user_id, agent_id, run_id, or metadata."""
        scope, fields = _narrowed(filters)
        fitting = (
            one
            for one in every(
                tools.handle("read", scope), most=page * page_size if not fields else MOST
            )
            if fields.items() <= one.metadata.items()
        )
        start = (page - 1) * page_size
        return {"results": [_told_of(one) for one in islice(fitting, start, start + page_size)]}

    @server.tool(annotations=READING)
    @told
    def list_memories() -> dict[str, Any]:
        """List memories."""
        return {"results": [*map(_told_of, every(tools.handle("read"), most=PAGE))]}

    @server.tool(annotations=READING)
    @told
    def get_memory(memory_id: str) -> dict[str, Any]:
        """Read a memory by its id."""
        record = tools.handle("read").get(memory_id)
        if not isinstance(record, Document | Passage | Turn):
            raise InvalidInput(f"{memory_id!r} is a {record.kind}, and no text")
        return _told_of(record)


def _scope(user_id: str, agent_id: str, run_id: str) -> dict[str, str]:
    named = {"user": user_id, "agent": agent_id, "session": run_id}
    return {name: value for name, value in named.items() if value}


def _narrowed(filters: Mapping[str, Any] | None) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the scope and the conditions that mem0's filters say. Raises InvalidInput for what it cannot say here."""
    fields: dict[str, Any] = {}
    conditions: dict[str, Any] = {}
    clauses = [filters or {}]
    while clauses:
        clause = clauses.pop()
        if not isinstance(clause, Mapping):
            raise InvalidInput(f"{clause!r} is no condition: {_FILTERS}")
        for name, value in clause.items():
            if name == "AND" and isinstance(value, list):
                clauses += value
            elif name in ("user_id", "agent_id", "run_id") and isinstance(value, str):
                fields[name] = value
            elif name == "metadata" and isinstance(value, Mapping):
                conditions.update(value)
            else:
                raise InvalidInput(f"{name}: {value!r} cannot be asked here: {_FILTERS}")
    return _scope(*(fields.get(name, "") for name in ("user_id", "agent_id", "run_id"))), conditions


def _hit(hit: Hit) -> dict[str, Any]:
    return {
        "id": hit.document_id,
        "memory": hit.text,
        "score": round(hit.score, 4),
        "user_id": hit.scope.user or None,
        "metadata": hit.metadata,
        "created_at": hit.created_at.isoformat(),
    }


def _told_of(record: Document | Passage | Turn) -> dict[str, Any]:
    return {
        "id": record.id,
        "memory": record.text,
        "user_id": record.scope.user or None,
        "agent_id": record.scope.agent or None,
        "run_id": record.scope.session or None,
        "metadata": dict(record.metadata),
        "created_at": record.created_at.isoformat(),
    }
