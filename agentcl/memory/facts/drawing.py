"""A graph as a picture, and as what XML can hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from agentcl.text.visible import for_xml

if TYPE_CHECKING:
    import networkx as nx

    from agentcl.text.svg import Picture

_COLOURS: Final = {"passage": 0, "phrase": 1, "hit": 2}
_LEGEND: Final = (
    "Blue: passages; green: hits; orange: phrases. "
    "Rest the pointer on a node or an edge to read it whole."
)


def net_of(graph: nx.MultiGraph[str], hits: Collection[str], title: str) -> Picture:
    """Return a graph as a net, in which hits have a colour of their own."""
    from agentcl.text.svg import NetEdge, NetNode, net, spring

    number = {node: place for place, node in enumerate(graph)}
    edges = [
        NetEdge(number[start], number[end], data.get("predicate", ""))
        for start, end, data in graph.edges(data=True)
    ]
    places = spring(len(number), [(edge.start, edge.end) for edge in edges])
    nodes = [
        NetNode(
            data["name"], at, _COLOURS["hit" if node in hits else data["kind"]], label=data["name"]
        )
        for at, (node, data) in zip(places, graph.nodes(data=True), strict=True)
    ]
    return net(nodes, edges, title=title, desc=_LEGEND)


def for_graphml(graph: nx.MultiGraph[str]) -> nx.MultiGraph[str]:
    """Return a graph with texts that XML can hold."""

    def held(attributes: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: for_xml(value) if isinstance(value, str) else value
            for name, value in attributes.items()
        }

    written: nx.MultiGraph[str] = graph.__class__()
    for node, own in graph.nodes(data=True):
        written.add_node(for_xml(node), **held(own))
    for one, other, own in graph.edges(data=True):
        written.add_edge(for_xml(one), for_xml(other), **held(own))
    return written
