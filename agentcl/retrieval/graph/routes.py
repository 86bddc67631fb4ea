"""How a walk may have come from a seed to a passage, for a reader: the way on which most of it flows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agentcl.retrieval.graph.view import View

_STRONG: Final = 0.1  # of the strongest seed's share: no way is needed to such a passage
_BROAD: Final = 200  # neighbours of a phrase that are looked at on a way of two steps

Route = tuple[tuple[int, int], ...]  # (passage, phrase it shares with the next)


class Routes:
    """Routes of one or two steps from the seeds of one walk; longer ones carry next to nothing.

    Args:
        view: the graph.
        seeds: passages where the walk begins, with their shares.
    """

    def __init__(self, view: View, seeds: Mapping[int, float]) -> None:
        self._view = view
        self._arrays = view.graph.arrays()
        self._seeds = seeds
        self._strongest = max(seeds.values(), default=0.0)
        self._flows: dict[int, list[tuple[float, int]]] = {}  # to a phrase, from its two best seeds
        degrees = self._arrays.degrees
        for node, share in seeds.items():
            degree = float(degrees[node])
            phrases = view.phrases_of(node) if degree > 0 else []
            for phrase, other in zip(phrases, degrees[phrases].tolist(), strict=True):
                if other > 0:
                    best = self._flows.setdefault(phrase, [])
                    best.append((share / degree / other, node))
                    if len(best) > 1:
                        best.sort(reverse=True)
                        del best[2:]

    def to(self, passage: int) -> Route:
        """Return the best way to a passage; empty when there is none, or where the walk began."""
        direct = self._direct(passage)
        if direct or self._seeds.get(passage, 0.0) >= _STRONG * self._strongest:
            return direct[1] if direct else ()
        ways = []
        for phrase in self._view.phrases_of(passage):
            degree = float(self._arrays.degrees[phrase])
            if not 0 < degree <= _BROAD:
                continue
            for middle in self._arrays.neighbours(phrase):
                before = self._direct(middle) if middle != passage else None
                if before and self._arrays.degrees[middle] > 0:
                    flow = before[0] / float(self._arrays.degrees[middle]) / degree
                    ways.append((flow, (*before[1], (middle, phrase))))
        return max(ways)[1] if ways else ()

    def _direct(self, passage: int) -> tuple[float, Route] | None:
        flows = self._flows
        ways = [
            (flow, ((seed, phrase),))
            for phrase in self._view.phrases_of(passage)
            if phrase in flows
            for flow, seed in flows[phrase]
            if seed != passage
        ]
        return max(ways) if ways else None
