"""The names and arguments of two other memory servers, answered from the same memory.

What one kind of client wrote the others find: all of it is documents. Of the reference server's graph an entity is a
document, each of its observations is one, and a relation is one that states a fact.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import quote

from agentcl.errors import InvalidInput, NotFound, needs
from agentcl.mcp.answering import ADDING, CHANGING, READING, REMOVING, told
from agentcl.mcp.tools import Tools
from agentcl.store.conversations import Turn
from agentcl.store.records import Document, Passage, Record

with needs("the server for editors", "mcp"):
    from mcp.server.mcpserver import MCPServer
    from pydantic import Field
    from typing_extensions import TypedDict  # pydantic asks for it before Python 3.12

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory
    from agentcl.retrieval.recall import Hit

Compat = Literal["reference", "mem0"]
_ENTITY: Final = "entity:"
_OBSERVATION: Final = "observation:"
_RELATION: Final = "relation:"
_FOUND: Final = 10  # passages of a search
_MOST: Final = 2_000  # documents that one answer is made of
_PAGE: Final = 200
_FILTERS: Final = (
    "filters name user_id, agent_id, run_id (each a text) and metadata, alone or joined by AND"
)


class _Entity(TypedDict):
    name: str
    entityType: str
    observations: list[str]


_Relation = TypedDict("_Relation", {"from": str, "to": str, "relationType": str})


class _Added(TypedDict):
    entityName: str
    contents: list[str]


class _Removed(TypedDict):
    entityName: str
    observations: list[str]


def add_reference(server: MCPServer[Any], tools: Tools) -> None:
    """Add the tools of the reference memory server: a graph of entities, observations and relations."""

    @server.tool(annotations=ADDING)
    @told
    def create_entities(entities: list[_Entity]) -> dict[str, Any]:
        """Create entities; one that is there already is left as it is."""
        graph = _Graph(tools.handle("write"))
        return {"entities": [one for one in entities if graph.create(one)]}

    @server.tool(annotations=ADDING)
    @told
    def create_relations(relations: list[_Relation]) -> dict[str, Any]:
        """Create relations between entities that are there, in active voice."""
        graph = _Graph(tools.handle("write"))
        for one in relations:
            graph.named(one["from"])
            graph.named(one["to"])
        return {"relations": [one for one in relations if graph.relate(one)]}

    @server.tool(annotations=ADDING)
    @told
    def add_observations(observations: list[_Added]) -> dict[str, Any]:
        """Add observations to entities that are there."""
        graph = _Graph(tools.handle("write"))
        for one in observations:
            graph.named(one["entityName"])
        return {
            "results": [
                {
                    "entityName": one["entityName"],
                    "addedObservations": graph.observe(one["entityName"], one["contents"]),
                }
                for one in observations
            ]
        }

    @server.tool(annotations=REMOVING)
    @told
    def delete_entities(entityNames: list[str]) -> dict[str, Any]:  # its argument
        """Delete entities with their observations and relations. Their history is kept."""
        graph = _Graph(tools.handle("write"))
        gone = [name for name in dict.fromkeys(entityNames) if graph.delete(name)]
        return _done("entities", len(gone), len(entityNames))

    @server.tool(annotations=REMOVING)
    @told
    def delete_observations(deletions: list[_Removed]) -> dict[str, Any]:
        """Delete observations of entities. Their history is kept."""
        graph = _Graph(tools.handle("write"))
        gone = [graph.unobserve(one["entityName"], one["observations"]) for one in deletions]
        return _done("observations", sum(gone), sum(len(one["observations"]) for one in deletions))

    @server.tool(annotations=REMOVING)
    @told
    def delete_relations(relations: list[_Relation]) -> dict[str, Any]:
        """Delete relations. Their history is kept."""
        graph = _Graph(tools.handle("write"))
        gone = [graph.unrelate(one) for one in relations]
        return _done("relations", sum(gone), len(relations))

    @server.tool(annotations=READING)
    @told
    def read_graph() -> dict[str, Any]:
        """Read all entities and relations."""
        return _Graph(tools.handle("read")).read()

    @server.tool(annotations=READING)
    @told
    def search_nodes(query: str) -> dict[str, Any]:
        """Find what fits a question or words: entities with their relations, and remembered texts."""
        memory = tools.handle("read")
        hits = memory.search(query, limit=_FOUND).hits
        found = _Graph(memory).read([name for hit in hits for name in _names(hit.metadata)])
        held = {one["name"]: one for one in found["entities"]}
        ranked: list[dict[str, Any]] = []
        for hit in hits:
            names = _names(hit.metadata)
            ranked += [held.pop(name) for name in names if name in held]
            ranked += [] if names else [_text_of(hit)]
        return {"entities": ranked, "relations": found["relations"]}

    @server.tool(annotations=READING)
    @told
    def open_nodes(names: list[str]) -> dict[str, Any]:
        """Read entities by their names, with their relations."""
        return _Graph(tools.handle("read")).read(names)


class _Graph:
    """A graph of named things, kept as documents of a memory."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def named(self, name: str) -> Document:
        """Return an entity. Raises NotFound."""
        try:
            found = self._memory.get(uri=_ENTITY + _part(name))
        except NotFound:
            raise NotFound(
                f"there is no entity {name!r}; create it first (create_entities)"
            ) from None
        assert isinstance(found, Document)
        return found

    def create(self, one: _Entity) -> bool:
        """Add an entity with its observations, unless it is there."""
        try:
            self.named(one["name"])
        except NotFound:
            kind = one["entityType"]
            self._memory.add(
                f"{one['name']}: {kind}" if kind else one["name"],
                title=one["name"],
                uri=_ENTITY + _part(one["name"]),
                metadata={"entity": one["name"], "entity_type": kind},
            )
            self.observe(one["name"], one["observations"])
            return True
        return False

    def observe(self, name: str, contents: Iterable[str]) -> list[str]:
        """Add observations, and return those that are new."""
        held = {record.text for record in self._observations(name)}
        new = [text for text in dict.fromkeys(contents) if text not in held]
        for text in new:
            uri = f"{_OBSERVATION}{_part(name)}:{hashlib.sha256(text.encode()).hexdigest()[:32]}"
            self._memory.add(text, title=name, uri=uri, metadata={"entity": name})
        return new

    def relate(self, one: _Relation) -> bool:
        """Add a relation, and the fact that it states, unless it is there."""
        uri = _relation(one)
        try:
            self._memory.get(uri=uri)
        except NotFound:
            triple = (one["from"], one["relationType"], one["to"])
            stated = self._memory.add(
                " ".join(triple),
                uri=uri,
                metadata={"from": one["from"], "relation": one["relationType"], "to": one["to"]},
            )
            self._memory.facts.add(stated.id, [triple], extractor="mcp")
            return True
        return False

    def delete(self, name: str) -> bool:
        """Delete an entity with all that is said of it; False if it is not there."""
        try:
            entity = self.named(name)
        except NotFound:
            return False
        of_it = [
            *self._observations(name),
            *(one for one in self._relations() if name in _ends(one)),
        ]
        for record in (*of_it, entity):
            self._memory.delete(record.id)
        return True

    def unobserve(self, name: str, texts: Sequence[str]) -> int:
        """Delete observations, and return how many there were."""
        gone = [record for record in self._observations(name) if record.text in texts]
        for record in gone:
            self._memory.delete(record.id)
        return len(gone)

    def unrelate(self, one: _Relation) -> bool:
        """Delete a relation; False if it is not there."""
        try:
            self._memory.delete(self._memory.get(uri=_relation(one)).id)
        except NotFound:
            return False
        return True

    def read(self, names: Iterable[str] | None = None) -> dict[str, Any]:
        """Return entities, all or those named, with the relations that one of them has a part in."""
        if names is None:
            held = {one.metadata["entity"]: one for one in _every(self._memory, _ENTITY)}
        else:
            held = {}
            for name in dict.fromkeys(names):
                try:
                    held[name] = self.named(name)
                except NotFound:
                    continue
        return {
            "entities": [
                {
                    "name": name,
                    "entityType": entity.metadata.get("entity_type", ""),
                    "observations": [record.text for record in self._observations(name)],
                }
                for name, entity in held.items()
            ],
            "relations": [
                {"from": start, "to": end, "relationType": one.metadata["relation"]}
                for one in self._relations()
                for start, end in [_ends(one)]
                if names is None or start in held or end in held
            ],
        }

    def _observations(self, name: str) -> Iterator[Document]:
        return _every(self._memory, f"{_OBSERVATION}{_part(name)}:")

    def _relations(self) -> Iterator[Document]:
        return _every(self._memory, _RELATION)


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
        for record in [*_every(memory)]:
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
            for one in _every(
                tools.handle("read", scope), most=page * page_size if not fields else _MOST
            )
            if fields.items() <= one.metadata.items()
        )
        start = (page - 1) * page_size
        return {"results": [_told_of(one) for one in islice(fitting, start, start + page_size)]}

    @server.tool(annotations=READING)
    @told
    def list_memories() -> dict[str, Any]:
        """List memories."""
        return {"results": [*map(_told_of, _every(tools.handle("read"), most=_PAGE))]}

    @server.tool(annotations=READING)
    @told
    def get_memory(memory_id: str) -> dict[str, Any]:
        """Read a memory by its id."""
        record = tools.handle("read").get(memory_id)
        if not isinstance(record, Document | Passage | Turn):
            raise InvalidInput(f"{memory_id!r} is a {record.kind}, and no text")
        return _told_of(record)


def _every(memory: Memory, prefix: str = "", *, most: int = _MOST) -> Iterator[Document]:
    """Yield documents in the order of their last change, so many at the most."""
    last: Record | None = None
    while most > 0:
        page = memory.list(prefix=prefix, limit=min(_PAGE, most), after=last)
        yield from (one for one in page if isinstance(one, Document))
        if not page:
            return
        last, most = page[-1], most - len(page)


def _part(text: str) -> str:
    return quote(text, safe="")


def _relation(one: _Relation) -> str:
    return _RELATION + ":".join(map(_part, (one["from"], one["relationType"], one["to"])))


def _ends(relation: Document) -> tuple[str, str]:
    return relation.metadata["from"], relation.metadata["to"]


def _names(metadata: Mapping[str, Any]) -> list[str]:
    """Return the entities that a found document speaks of."""
    if {"from", "relation", "to"} <= metadata.keys():
        return [metadata["from"], metadata["to"]]
    return [metadata["entity"]] if "entity" in metadata else []


def _text_of(hit: Hit) -> dict[str, Any]:
    """Return a text that is no part of the graph, in the form of an entity."""
    kind = "message" if "turn" in hit.metadata else "document"
    name = hit.title or hit.uri or hit.document_id
    return {"name": name, "entityType": kind, "observations": [hit.text]}


def _done(what: str, gone: int, asked: int) -> dict[str, Any]:
    if gone == asked:
        return {"success": True, "message": f"{what.capitalize()} deleted successfully"}
    return {"success": True, "message": f"{gone} of {asked} {what} deleted; there are no others"}


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
