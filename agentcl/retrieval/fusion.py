"""Making one ranking of several."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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


def fuse(rankings: Mapping[str, Sequence[Match]], *, is_lexical: bool = False) -> Iterator[Fused]:
    """Yield the entries of all rankings, best first; ties break by `seq`.

    A convex combination of scores (Bruch et al. 2023, arXiv 2210.11934), each divided by the best of its
    ranking; negative cosines count as 0. An entry that a ranking does not have gets nothing from it,
    so rankings should be deep. Any dense weight from 0.4 to 0.6 beats both parts on the real corpora.

    Args:
        rankings: "dense" and "text", either of which may be missing or empty.
        is_lexical: whether the dense ranking compares spelling only.
    """
    dense_weight = LEXICAL_DENSE_WEIGHT if is_lexical else DENSE_WEIGHT
    weights = {"dense": dense_weight, "text": 1.0 - dense_weight}
    present = {name: ranking for name, ranking in rankings.items() if ranking}
    if len(present) == 1:
        weights = dict.fromkeys(present, 1.0)
    scales = {
        name: weights[name] / max(ranking[0].score, _SMALL) for name, ranking in present.items()
    }
    places: dict[int, list[tuple[str, int]]] = {}
    scores: dict[int, float] = {}
    for name, ranking in present.items():
        for place, match in enumerate(ranking):
            contribution = scales[name] * max(match.score, 0.0)
            scores[match.seq] = scores.get(match.seq, 0.0) + contribution
            places.setdefault(match.seq, []).append((name, place))
    for seq in sorted(scores, key=lambda seq: (-scores[seq], seq)):
        found = [(name, place, present[name][place]) for name, place in places[seq]]
        parts = tuple(
            ScorePart(name, place + 1, match.score, scales[name] * max(match.score, 0.0))
            for name, place, match in found
        )
        yield Fused(seq, found[0][2].id, scores[seq], parts)


def seeds(fused: Sequence[Fused]) -> dict[int, float]:
    """Return where a walk begins: the best passages by seq, each with its share of the restarts."""
    best = fused[:SEEDS]
    if not best or best[0].score <= 0:
        return {}
    return {found.seq: math.exp(SHARPNESS * (found.score / best[0].score - 1)) for found in best}


def join(fused: Sequence[Fused], walked: Sequence[Association]) -> Iterator[Fused]:
    """Yield what the rankings or the walk found, best first; ties break by `seq`.

    A product of experts, in logarithms: a passage that answers a second step is both a little like
    the question and visited from what answers the first. So the fused score, a log-likelihood up to its
    scale, is added to the logarithm of the visits. A sum of scores instead finds much less, since
    visits fall by powers of ten from one step to the next.
    """
    ids = {found.seq: found.id for found in fused} | {found.seq: found.id for found in walked}
    parts = {
        found.seq: _walk_part(found, place, _WALK_WEIGHT * math.log1p(found.share / _FAINT), ids)
        for place, found in enumerate(walked, start=1)
    }
    joint = [
        replace(found, score=found.score + parts[found.seq].contribution,
                parts=(*found.parts, parts[found.seq]))
        if found.seq in parts else found
        for found in fused
    ]  # fmt: skip
    held = {found.seq for found in fused}
    joint += [
        Fused(found.seq, found.id, parts[found.seq].contribution, (parts[found.seq],))
        for found in walked
        if found.seq not in held
    ]
    yield from sorted(joint, key=lambda found: (-found.score, found.seq))


def by_walk(walked: Sequence[Association]) -> Iterator[Fused]:
    """Yield what a walk found, by its visits alone."""
    ids = {found.seq: found.id for found in walked}
    for place, found in enumerate(walked, start=1):
        part = _walk_part(found, place, found.share, ids)
        yield Fused(found.seq, found.id, found.share, (part,))


def _walk_part(found: Association, place: int, adds: float, ids: Mapping[int, str]) -> ScorePart:
    steps = tuple((ids.get(seq, ""), phrase) for seq, phrase in found.route)
    link = Link(steps) if steps else None
    return ScorePart("graph", place, found.share, adds, link)
