"""The modes of search: one table of which rankings each asks, and how it makes them one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from agentcl.errors import InvalidInput
from agentcl.text.suggesting import did_you_mean
from agentcl.text.visible import shown

Mode = Literal["hybrid", "dense", "text", "graph"]


@dataclass(frozen=True, slots=True)
class SearchMode:
    """What a mode asks, and what it makes of the answers."""

    name: str
    rankings: tuple[Literal["dense", "text"], ...]  # by vector, by words
    walks: bool = False  # whether it goes on from what they found, through the graph
    # none: one ranking as it is. sum: scores added. product: scores added to the logarithm of visits.
    # walk: the visits alone.
    joins: Literal["none", "sum", "product", "walk"] = "none"


MODES: Final[Mapping[str, SearchMode]] = {
    mode.name: mode
    for mode in (
        SearchMode("hybrid", ("dense", "text"), joins="sum"),
        SearchMode("dense", ("dense",)),
        SearchMode("text", ("text",)),
        SearchMode("graph", ("dense", "text"), walks=True, joins="product"),
    )
}
# What the published code of HippoRAG 2 does. For comparison in benchmarks, so no name in the table.
PUBLISHED: Final = SearchMode("hipporag2", ("dense",), walks=True, joins="walk")


def search_mode(mode: Mode | SearchMode) -> SearchMode:
    """Return what a mode asks.

    Raises:
        InvalidInput: if there is no mode of that name.
    """
    if isinstance(mode, SearchMode):
        return mode
    advice = f"choose one of {', '.join(MODES)}"
    if not isinstance(mode, str):
        raise InvalidInput(f"unknown mode {shown(mode)}; {advice}")
    if mode not in MODES:
        raise InvalidInput(f"unknown mode {mode!r}{did_you_mean(mode, MODES, advice)}")
    return MODES[mode]
