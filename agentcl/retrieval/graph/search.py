"""From a question to passages over the graph: facts are linked, perhaps filtered, and walked from."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from agentcl.errors import AgentclError
from agentcl.retrieval.feed import Feed, fill
from agentcl.retrieval.fusion import SHARPNESS, Fusion, seeds
from agentcl.retrieval.graph.index import GraphIndex, Walk
from agentcl.retrieval.graph.settings import HIPPORAG2, GraphSettings
from agentcl.retrieval.graph.synonyms import Encode
from agentcl.retrieval.index import Match, Query
from agentcl.retrieval.recall import LinkedFact
from agentcl.retrieval.vectors.exact import ExactIndex
from agentcl.store.base import Store
from agentcl.store.records import Fact
from agentcl.store.rows import readable

logger = logging.getLogger(__name__)

# Given a question and facts, the positions of those that help to answer it. May raise AgentclError.
Recognise = Callable[[str, Sequence[LinkedFact]], Sequence[int]]

_PASSAGE_NODE_WEIGHT: Final = 0.05  # HippoRAG 2's, of every passage's dense score
_FILLING: Final = 0.2  # of the work on an empty graph; the rest is to find what texts name
_LINKING_TOP_K: Final = 5  # HippoRAG 2's: facts kept, and phrases kept of them


@dataclass(frozen=True, slots=True)
class Walked:
    """What a walk found, from which facts, and which way was taken, in words."""

    walk: Walk
    facts: tuple[LinkedFact, ...]
    way: str


class GraphSearch:
    """The graph, the vectors of facts, and how they are asked.

    Args:
        journal: what both are derived from.
        encode: gives vectors of phrases.
        settings: how `walk` looks for passages.
        folder: where the graph is kept.
        is_lexical: whether the encoder compares spelling only; the question is not linked to facts then.
    """

    def __init__(
        self,
        journal: Store,
        encode: Encode,
        settings: GraphSettings,
        *,
        folder: Path,
        is_lexical: bool,
    ) -> None:
        self._journal = journal
        self._is_lexical = is_lexical
        self._settings = settings
        self.index = GraphIndex(encode=encode, folder=folder, mode=journal.mode())
        self._facts = ExactIndex()
        self._facts.name = "facts"
        kinds = frozenset({"passage", "fact", "extraction"})
        self.feeds = (
            Feed(self.index, reads_fields=True, kinds=kinds),
            Feed(self._facts, reads_vectors=True, kinds=frozenset({"fact"})),
        )

    def fill(self, progress: Callable[[float], None] | None = None) -> None:
        """Read the journal once for both, as long as both are empty; else each catches up by itself.

        `progress` is called now and then with the share that is done, 0 to 1.
        """
        told = progress or (lambda share: None)
        if not any(feed.index.watermark() for feed in self.feeds):
            fill(self.feeds, self._journal, lambda share: told(_FILLING * share))
            if progress is not None:  # else names are found when they are asked for
                self.index.read_names(lambda share: told(_FILLING + (1 - _FILLING) * share))

    def walk(
        self, query: Query, found: Fusion, *, limit: int, recognise: Recognise | None
    ) -> Walked:
        """Walk from what the other rankings found, and from the facts that the question is linked to."""
        begin = seeds(found)
        linked, way = self._linked(query, self._settings.linking_top_k, recognise)
        shares = {
            fact.seq: math.exp(SHARPNESS * (fact.score / linked[0].score - 1))
            for fact in linked
            if fact.is_kept and fact.score > 0
        }
        walk = self.index.associate(
            query, begin, limit=limit, among=found.scores, facts=shares, settings=self._settings
        )
        kept = sum(fact.is_kept for fact in linked)
        return Walked(walk, linked, f"{walk.way}, from {len(begin)} passages and {kept} facts{way}")

    def walk_as_published(
        self, query: Query, dense: Sequence[Match], *, limit: int, recognise: Recognise | None
    ) -> Walked:
        """Walk with the settings and constants of HippoRAG 2's published code; `dense` has every passage."""
        every = self._facts.search(replace(query, conditions=()), limit=len(self._facts) or 1)
        linked, way = self._recognised(query, every[:_LINKING_TOP_K], recognise)
        scaled = _min_max(every)
        facts = {fact.seq: scaled[fact.seq] for fact in linked if fact.is_kept}
        if not facts:
            return Walked(Walk((), "dense"), linked, f"dense alone: no fact is left{way}")
        passages = {seq: _PASSAGE_NODE_WEIGHT * share for seq, share in _min_max(dense).items()}
        walk = self.index.walk_everywhere(
            query, passages, facts, settings=HIPPORAG2, limit=limit, phrases_kept=_LINKING_TOP_K
        )
        way = f"{walk.way}, from {len(passages)} passages and {len(facts)} facts{way}"
        return Walked(walk, linked, way)

    def _linked(
        self, query: Query, count: int, recognise: Recognise | None
    ) -> tuple[tuple[LinkedFact, ...], str]:
        # Spelling alone links a question to facts that have nothing to do with it.
        if not count or query.vector is None or self._is_lexical:
            return (), ""
        # What conditions keep out of the result may still be walked through.
        best = self._facts.search(replace(query, conditions=()), limit=count)
        return self._recognised(query, best, recognise)

    def _recognised(
        self, query: Query, best: Sequence[Match], recognise: Recognise | None
    ) -> tuple[tuple[LinkedFact, ...], str]:
        rows = self._journal.rows([match.seq for match in best])
        linked = [
            _linked_fact(fact, match)
            for match in best
            if match.seq in rows
            for fact in readable([rows[match.seq]])
            if isinstance(fact, Fact)
        ]
        if recognise is None or not linked:
            return tuple(linked), ""
        try:
            kept = set(recognise(query.text, linked))
        except AgentclError as error:
            logger.warning("the filter of facts failed, so all are kept: %s", error)
            return tuple(linked), f"; the filter failed ({type(error).__name__}), all facts kept"
        some = [replace(fact, is_kept=n in kept) for n, fact in enumerate(linked)]
        return tuple(some), f"; the filter kept {len(kept)} of {len(linked)}"


def _linked_fact(fact: Fact, match: Match) -> LinkedFact:
    return LinkedFact(
        match.seq, fact.id, fact.subject, fact.predicate, fact.object, fact.passage_id, match.score
    )


def _min_max(matches: Sequence[Match]) -> dict[int, float]:
    """Return scores brought to 0 to 1; all 1 when they are equal."""
    if not matches:
        return {}
    low, high = matches[-1].score, matches[0].score
    span = high - low
    return {match.seq: (match.score - low) / span if span else 1.0 for match in matches}
