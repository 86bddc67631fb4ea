"""A graph whose texts hold what XML may not hold is exported so that it can be read back."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import pytest

from agentcl import Memory

CONTROLS = "".join(map(chr, (*range(1, 32), 127, 133, 159, 0x2028, 0x202E, 0xFFFE, 0xFFFF)))


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        one = memory.add(
            'Build \x1b[31mlog\x1b[0m of Ilka \x0c Renn and <Tag> & "Quote" \ufffe.',
            title=f"T{CONTROLS}",
        )
        memory.facts.add(
            one.id,
            [
                ("Ilka\x01 Renn", "is\x0cin", "Upper & <Mossling>"),
                ("Ilka\x02 Renn", "is\r\nin", f"All {CONTROLS} of them"),
            ],
        )
        yield memory


def test_graphml_is_read_back_with_all_its_nodes_and_edges(memory: Memory, tmp_path: Path) -> None:
    memory.graph.export(tmp_path / "g.graphml")
    ET.parse(tmp_path / "g.graphml")
    held, read = memory.graph.networkx(), nx.read_graphml(tmp_path / "g.graphml")
    assert (len(read), read.number_of_edges()) == (len(held), held.number_of_edges())
    for (node, own), (other, kept) in zip(
        held.nodes(data=True), read.nodes(data=True), strict=True
    ):
        assert len(node) == len(other)
        assert {name: len(value) for name, value in own.items()} == {
            name: len(value) for name, value in kept.items()
        }
    names = {kept["name"] for _, kept in read.nodes(data=True)}
    assert len([name for name in names if name.casefold().startswith("ilka\u2401 renn")]) == 1
    assert len([name for name in names if name.casefold().startswith("ilka\u2402 renn")]) == 1


def test_json_is_read_back_exactly(memory: Memory, tmp_path: Path) -> None:
    memory.graph.export(tmp_path / "g.json")
    data = json.loads((tmp_path / "g.json").read_text("utf-8"))
    read = nx.node_link_graph(data, edges="edges")
    assert nx.utils.graphs_equal(read, memory.graph.networkx())


@pytest.mark.parametrize("name", ["g.svg", "g.html"])
def test_pictures_hold_no_control_characters(memory: Memory, tmp_path: Path, name: str) -> None:
    memory.graph.draw(tmp_path / name, phrase="Ilka\x01 Renn")
    text = (tmp_path / name).read_text("utf-8")
    assert not [char for char in CONTROLS if char in text and char not in "\t\n\u2028"]
    if name.endswith("svg"):
        ET.fromstring(text)
