"""Making one ranking of several."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, nsmallest
from typing import TYPE_CHECKING, Final

from agentcl.retrieval.index import Match
from agentcl.retrieval.recall import Link, ScorePart

if TYPE_CHECKING:
    from agentcl.retrieval.graph.index import Association

DENSE_WEIGHT: Final = 0.6  # of an encoder that knows meaning; the text ranking has the rest
FIRST: Final = 10  # entries whose spread tells how much a ranking has to say of a query
LEXICAL_DENSE_WEIGHT: Final = 0.02  # of one that compares spelling: BM25 lacks typos alone
SEEDS: Final = 20  # passages at which a walk begins ...
SHARPNESS: Final = 25.0  # ... with shares that fall by e for every 1/25 of the best score
WALK_WEIGHT: Final = 0.1  # of the logarithm of visits, in units of the fused score
_FAINT: Final = 1e-5  # visits below this differ by what the walk leaves waiting
_SMALL: Final = 1e-9  # a ranking whose best score is nothing adds nothing


@dataclass(frozen=True, slots=True)
class Fused:
    """One entry of the joint ranking, with what each ranking said of it."""

    seq: int
    id: str
    score: float
    parts: tuple[ScorePart, ...]


class Fusion:
    """The joint ranking of several. Scores are there at once; an entry is made when it is asked for.

    A convex combination of scores (Bruch et al. 2023, arXiv 2210.11934), each divided by the best of its
    ranking; negative cosines count as 0. An entry that the text ranking does not have gets nothing from it;
    one that the dense ranking ends before gets its last score, the most that its own cosine can be.

    A ranking weighs more for a query of which it tells the best from the next: the spread of the first scores
    predicts how good a ranking is (NQC: Shtok et al. 2012). `benchmarks/joining.py` shows what that gains.

    What holds the identifiers of a query in one more form comes before what does not: the others add up to 1.

    Args:
        rankings: "dense" and "text", either of which may be missing or empty; "exact", whose scores are
            how many forms of the query's identifiers an entry holds.
        is_lexical: whether the dense ranking compares spelling only.
    """

    def __init__(
        self, rankings: Mapping[str, Sequence[Match]], *, is_lexical: bool = False
    ) -> None:
        self._present = {name: ranking for name, ranking in rankings.items() if ranking}
        weights = _weights(self._present, is_lexical=is_lexical)
        self._scales = {
            name: weights[name] / max(ranking[0].score, _SMALL)
            for name, ranking in self._present.items()
            if name in weights
        }
        if "exact" in self._present:
            self._scales["exact"] = 1.0
        self._places: dict[str, dict[int, int]] = {}  # by ranking, then by seq
        self.scores: dict[int, float] = {}  # by seq
        held = self.scores.get
        for name, ranking in self._present.items():
            scale = self._scales[name]
            self._places[name] = {match.seq: place for place, match in enumerate(ranking)}
            self.scores.update(
                {
                    seq: held(seq, 0.0) + (scale * score if score > 0.0 else 0.0)
                    for seq, _, score in ranking
                }
            )
        self._beyond = self._beyond_dense()
        if self._beyond is not None:
            adds = self._beyond.contribution
            for seq in self.scores.keys() - self._places["dense"].keys():
                self.scores[seq] += adds

    def ordered(self) -> list[int]:
        """Return the entries by seq, best first; ties break by `seq`."""
        return [seq for _, seq in sorted((-score, seq) for seq, score in self.scores.items())]

    def entry(self, seq: int) -> Fused:
        """Return one entry with what each ranking said of it."""
        found = [
            (name, places[seq], self._present[name][places[seq]])
            for name, places in self._places.items()
            if seq in places
        ]
        parts = tuple(
            ScorePart(name, place + 1, match.score, self._scales[name] * max(match.score, 0.0))
            for name, place, match in found
        )
        if self._beyond is not None and seq not in self._places["dense"]:
            parts = (self._beyond, *parts)
        return Fused(seq, found[0][2].id, self.scores[seq], parts)

    def _beyond_dense(self) -> ScorePart | None:
        """Return what the dense ranking says at most of an entry that it ends before."""
        dense = self._present.get("dense")
        if dense is None or len(self._present) == 1 or dense[-1].score <= 0:
            return None
        last = dense[-1].score
        return ScorePart("dense", len(dense) + 1, last, self._scales["dense"] * last)


def _weights(present: Mapping[str, Sequence[Match]], *, is_lexical: bool) -> dict[str, float]:
    """Return the weights of the dense and the text ranking, if they are there; their sum is 1."""
    dense_weight = LEXICAL_DENSE_WEIGHT if is_lexical else DENSE_WEIGHT
    weights = {"dense": dense_weight, "text": 1.0 - dense_weight}
    weights = {name: weight for name, weight in weights.items() if name in present}
    if not is_lexical:
        first = min(FIRST, max((len(present[name]) for name in weights), default=0))
        spread = {name: w * math.sqrt(_spread(present[name], first)) for name, w in weights.items()}
        weights = spread if sum(spread.values()) > 0 else weights
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def _spread(ranking: Sequence[Match], first: int) -> float:
    """Return how far the first of a ranking lie below its best, from 0 to 1; who is not there has 0."""
    best = max(ranking[0].score, _SMALL)
    told = sum(max(match.score, 0.0) for match in ranking[:first]) / (first * best)
    return max(0.0, 1.0 - told)  # equal scores may add up to a little more than they are


def fuse(rankings: Mapping[str, Sequence[Match]], *, is_lexical: bool = False) -> Iterator[Fused]:
    """Yield the entries of all rankings, best first; see `Fusion`."""
    fusion = Fusion(rankings, is_lexical=is_lexical)
    return map(fusion.entry, fusion.ordered())


def seeds(fusion: Fusion) -> dict[int, float]:
    """Return where a walk begins: the best passages by seq, each with its share of the restarts."""
    best = nsmallest(SEEDS, ((-score, seq) for seq, score in fusion.scores.items() if score > 0))
    highest = -best[0][0] if best else 0.0
    return {seq: math.exp(SHARPNESS * (-score / highest - 1)) for score, seq in best}


def join(fusion: Fusion, walked: Sequence[Association]) -> Iterator[Fused]:
    """Yield what the rankings or the walk found, best first; ties break by `seq`.

    A product of experts, in logarithms: a passage that answers a second step is both a little like
    the question and visited from what answers the first. So the fused score, a log-likelihood up to its
    scale, is added to the logarithm of the visits. A sum of scores instead finds much less, since
    visits fall by powers of ten from one step to the next.
    """
    scores = {seq: score for seq, score in fusion.scores.items() if score > 0}
    places: dict[int, int] = {}
    for place, found in enumerate(walked):
        places[found.seq] = place
        scores[found.seq] = scores.get(found.seq, 0.0) + _adds(found)
    # Few are asked for, so they are ordered as they are.
    waiting = [(-score, seq) for seq, score in scores.items()]
    heapify(waiting)
    while waiting:
        score, seq = heappop(waiting)
        if seq not in places:
            yield fusion.entry(seq)
            continue
        parts = fusion.entry(seq).parts if seq in fusion.scores else ()
        found = walked[places[seq]]
        part = ScorePart("graph", found.rank, found.share, _adds(found))
        yield Fused(seq, found.id, -score, (*parts, part))


def by_walk(walked: Sequence[Association]) -> Iterator[Fused]:
    """Yield what a walk found, by its visits alone."""
    for found in walked:
        part = ScorePart("graph", found.rank, found.share, found.share)
        yield Fused(found.seq, found.id, found.share, (part,))


def with_link(found: Fused, steps: tuple[tuple[str, str], ...]) -> Fused:
    """Return an entry whose graph part tells how the walk came to it."""
    if not steps:
        return found
    link = Link(steps)
    parts = (replace(one, link=link) if one.source == "graph" else one for one in found.parts)
    return replace(found, parts=tuple(parts))


def _adds(found: Association) -> float:
    return WALK_WEIGHT * math.log1p(found.share / _FAINT)
