"""The tools of the reference memory server, answered from the same memory.

Of its graph an entity is a document, each of its observations is one, and a relation is one that states a fact. So what
one kind of client wrote the others find.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from agentcl.errors import NotFound, needs
from agentcl.mcp.answering import ADDING, READING, REMOVING, told
from agentcl.mcp.listing import every
from agentcl.mcp.tools import Tools
from agentcl.store.records import Document

with needs("the server for editors", "mcp"):
    from mcp.server.mcpserver import MCPServer
    from typing_extensions import TypedDict  # pydantic asks for it before Python 3.12

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory
    from agentcl.retrieval.recall import Hit

_ENTITY: Final = "entity:"
_OBSERVATION: Final = "observation:"
_RELATION: Final = "relation:"
_FOUND: Final = 10  # passages of a search


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
            held = {one.metadata["entity"]: one for one in every(self._memory, _ENTITY)}
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
        return every(self._memory, f"{_OBSERVATION}{_part(name)}:")

    def _relations(self) -> Iterator[Document]:
        return every(self._memory, _RELATION)


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
