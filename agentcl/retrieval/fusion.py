"""Making one ranking of several."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest
from typing import TYPE_CHECKING, Final

from agentcl.retrieval.index import Match
from agentcl.retrieval.recall import Link, ScorePart

if TYPE_CHECKING:
    from agentcl.retrieval.graph.index import Association

DENSE_WEIGHT: Final = 0.55  # of an encoder that knows meaning; the text ranking has the rest
LEXICAL_DENSE_WEIGHT: Final = (
    0.02  # of one that compares spelling: BM25 does that better, but misses typos
)
SEEDS: Final = 20  # passages at which a walk begins ...
SHARPNESS: Final = 25.0  # ... with shares that fall by e for every 1/25 of the best score
_WALK_WEIGHT: Final = 0.1  # of the logarithm of visits, in units of the fused score
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
    ranking; negative cosines count as 0. An entry that a ranking does not have gets nothing from it,
    so rankings should be deep. Any dense weight from 0.4 to 0.6 beats both parts on the real corpora;
    more of it helps where several passages are needed, less where the question names what it is about.

    Args:
        rankings: "dense" and "text", either of which may be missing or empty.
        is_lexical: whether the dense ranking compares spelling only.
    """

    def __init__(
        self, rankings: Mapping[str, Sequence[Match]], *, is_lexical: bool = False
    ) -> None:
        dense_weight = LEXICAL_DENSE_WEIGHT if is_lexical else DENSE_WEIGHT
        weights = {"dense": dense_weight, "text": 1.0 - dense_weight}
        self._present = {name: ranking for name, ranking in rankings.items() if ranking}
        if len(self._present) == 1:
            weights = dict.fromkeys(self._present, 1.0)
        self._scales = {
            name: weights[name] / max(ranking[0].score, _SMALL)
            for name, ranking in self._present.items()
        }
        self._places: dict[int, list[tuple[str, int]]] = {}
        self.scores: dict[int, float] = {}  # by seq
        for name, ranking in self._present.items():
            scale = self._scales[name]
            for place, match in enumerate(ranking):
                seq, adds = match.seq, scale * max(match.score, 0.0)
                self.scores[seq] = self.scores.get(seq, 0.0) + adds
                self._places.setdefault(seq, []).append((name, place))

    def ordered(self) -> list[int]:
        """Return the entries by seq, best first; ties break by `seq`."""
        return sorted(self.scores, key=lambda seq: (-self.scores[seq], seq))

    def entry(self, seq: int) -> Fused:
        """Return one entry with what each ranking said of it."""
        found = [(name, place, self._present[name][place]) for name, place in self._places[seq]]
        parts = tuple(
            ScorePart(name, place + 1, match.score, self._scales[name] * max(match.score, 0.0))
            for name, place, match in found
        )
        return Fused(seq, found[0][2].id, self.scores[seq], parts)


def fuse(rankings: Mapping[str, Sequence[Match]], *, is_lexical: bool = False) -> Iterator[Fused]:
    """Yield the entries of all rankings, best first; see `Fusion`."""
    fusion = Fusion(rankings, is_lexical=is_lexical)
    return map(fusion.entry, fusion.ordered())


def seeds(fusion: Fusion) -> dict[int, float]:
    """Return where a walk begins: the best passages by seq, each with its share of the restarts."""
    best = nsmallest(SEEDS, fusion.scores, key=lambda seq: (-fusion.scores[seq], seq))
    if not best or fusion.scores[best[0]] <= 0:
        return {}
    highest = fusion.scores[best[0]]
    shares = {seq: fusion.scores[seq] / highest for seq in best}
    return {seq: math.exp(SHARPNESS * (share - 1)) for seq, share in shares.items() if share > 0}


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
    for seq in sorted(scores, key=lambda seq: (-scores[seq], seq)):
        parts = fusion.entry(seq).parts if seq in fusion.scores else ()
        if seq not in places:
            yield replace(fusion.entry(seq), score=scores[seq])
            continue
        found = walked[places[seq]]
        part = ScorePart("graph", found.rank, found.share, _adds(found))
        yield Fused(seq, found.id, scores[seq], (*parts, part))


def by_walk(walked: Sequence[Association]) -> Iterator[Fused]:
    """Yield what a walk found, by its visits alone."""
    for found in walked:
        part = ScorePart("graph", found.rank, found.share, found.share)
        yield Fused(found.seq, found.id, found.share, (part,))


def with_link(found: Fused, steps: tuple[tuple[str, str], ...]) -> Fused:
    """Return an entry whose graph part tells how the walk came to it."""
    if not steps:
        return found
    parts = [
        replace(part, link=Link(steps)) if part.source == "graph" else part for part in found.parts
    ]
    return replace(found, parts=tuple(parts))


def _adds(found: Association) -> float:
    return _WALK_WEIGHT * math.log1p(found.share / _FAINT)
