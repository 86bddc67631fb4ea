"""Pictures: what is in them, that they are XML whatever they are told, and that names do not lie on each other."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from agentcl.text.svg import (
    Axis,
    NetEdge,
    NetNode,
    Picture,
    Series,
    beside,
    chart,
    legend_key,
    net,
    spring,
)

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</title><script>alert(1)</script>\x00\ud800\u202e \"'& " + "W" * 200
LINES = [
    Series("first", [(1, 0.5), (2, 0.5), (9, 0.9)], 0, breaks=[2]),
    Series("other", [(1, 0.5), (2, 0.6), (9, 0.9)], 1),
]


def parsed(picture: Picture) -> ET.Element:
    return ET.fromstring(picture.file())


def words(picture: Picture) -> list[str]:
    return [text.text or "" for text in parsed(picture).iter(f"{SVG}text")]


def drawn(series: list[Series], *, are_named: bool = True) -> Picture:
    across, up = Axis("episode", 10), Axis("score")
    return chart(series, title="Scores", across=across, up=up, rules=[0.5], are_named=are_named)


def test_a_chart_says_what_it_shows_to_those_who_cannot_see_it() -> None:
    root = parsed(drawn(LINES))
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "Scores"
    assert root.findtext(f"{SVG}desc") == (
        "score, over episode. first: 0.50 to 0.90; other: 0.50 to 0.90."
    )


def test_a_line_is_broken_where_points_are_left_out() -> None:
    first, other = [p for p in parsed(drawn(LINES)).iter(f"{SVG}path") if "line plain" in p.get("class", "")][:2]  # fmt: skip
    assert [path.get("d", "").count("M") for path in (first, other)] == [2, 1]


def test_names_that_end_at_one_place_stand_apart() -> None:
    ends = [
        (float(text.get("x", "")), float(text.get("y", "")))
        for text in parsed(drawn(LINES)).iter(f"{SVG}text")
        if text.text in ("first", "other")
    ]
    assert len(ends) == 2
    assert abs(ends[0][1] - ends[1][1]) >= 14


def test_a_chart_without_names_leaves_them_to_a_legend() -> None:
    assert not {"first", "other"} & set(words(drawn(LINES, are_named=False)))
    assert 's1"' in legend_key(1)
    assert "rule" in legend_key(None)


def test_an_interval_is_drawn_through_its_point() -> None:
    dot = drawn([Series("dot", [(5, 0.5)], 0, intervals=[(0.25, 0.75)])])
    assert dot.body.count('class="line s0"') == 1
    assert "dot: 0.50" in dot.desc


@pytest.mark.parametrize("end", [0.3, 1, 7, 162, 48_000])
def test_ticks_are_few_and_round(end: float) -> None:
    ticks = Axis("", end).ticks()
    assert 3 <= len(ticks) <= 6
    assert ticks[0] == 0
    assert ticks[-1] <= end * 1.0001


def test_a_logarithmic_axis_has_a_place_for_nothing() -> None:
    axis = Axis("tokens", 5_000, is_log=True)
    assert (axis.share(0), axis.share(5_000)) == (0, 1)
    assert axis.ticks() == [0, 1, 10, 100, 1_000]


def test_hostile_words_are_text_in_every_form_of_a_picture() -> None:
    nodes = [NetNode(HOSTILE, at, 0, HOSTILE) for at in spring(3, [(0, 1)])]
    picture = net(nodes, [NetEdge(0, 1, HOSTILE)], title=HOSTILE, desc=HOSTILE)
    for found in (picture, beside([picture, drawn([Series(HOSTILE, [(1, 1)], 0)])], title=HOSTILE)):
        assert "<script" not in found.page()
        assert found.file().encode()
        assert not list(parsed(found).iter(f"{SVG}script"))


def test_every_name_of_a_net_can_be_read() -> None:
    nodes = [NetNode(f"node {n}", at, 0, f"node {n}") for n, at in enumerate(spring(30, []))]
    picture = net(nodes, [NetEdge(0, 1, "knows")], title="", desc="")
    hints = [title.text for title in parsed(picture).iter(f"{SVG}title")]
    assert {*(node.name for node in nodes), "knows"} <= set(hints)
    assert {node.label for node in nodes} <= set(words(picture))


def test_nodes_with_an_edge_lie_near_each_other_always_in_the_same_places() -> None:
    edges = [(a, b) for half in (range(5), range(5, 10)) for a in half for b in half if a < b]
    places = spring(10, edges)
    assert places == spring(10, edges)
    assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in places)
    near = max(abs(complex(*places[a]) - complex(*places[b])) for a, b in edges)
    far = min(
        abs(complex(*places[a]) - complex(*places[b])) for a in range(5) for b in range(5, 10)
    )
    assert near < far


def test_no_node_and_one_node_have_places() -> None:
    assert spring(0, []) == []
    assert len(spring(1, [])) == 1


def test_a_file_follows_the_theme_and_asks_for_nothing() -> None:
    page = drawn(LINES).page()
    assert "prefers-color-scheme:dark" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
