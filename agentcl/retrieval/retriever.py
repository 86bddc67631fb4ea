"""The way from a question to passages: every index asked, their rankings made one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agentcl.errors import StoreCorrupt
from agentcl.retrieval.aliases import KnownAliases, worded
from agentcl.retrieval.feed import Feed
from agentcl.retrieval.folders import claim, home, scratch
from agentcl.retrieval.fusion import Fused, Fusion, by_walk, fuse, join, with_link
from agentcl.retrieval.index import Index, Keeping, Match, Query
from agentcl.retrieval.indexes import clear_unused, open_index, open_pgvector
from agentcl.retrieval.modes import Mode, SearchMode, search_mode
from agentcl.retrieval.recall import Hit, LinkedFact
from agentcl.retrieval.states import IndexState, state_of
from agentcl.retrieval.words.counting import MOST_SCORED
from agentcl.retrieval.words.fulltext import FullTextIndex
from agentcl.retrieval.words.neighbours import Neighbours
from agentcl.store.base import Store
from agentcl.store.episodes import Episode, Step
from agentcl.store.records import Passage, from_micros
from agentcl.store.rows import Row
from agentcl.store.turns import Beside
from agentcl.text.identifiers import Identifiers

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

    from agentcl.retrieval.graph.index import Steps
    from agentcl.retrieval.graph.search import GraphSearch, Recognise
    from agentcl.retrieval.graph.settings import GraphSettings
    from agentcl.retrieval.graph.synonyms import Encode

# Modules of the standard library that few searches need are imported where they are used.
logger = logging.getLogger(__name__)
_LOOK_S: Final = 0.25  # between two looks of who waits while another one fills indexes
_TIE: Final = 1e-9  # scores that differ by less are equal
Readable = tuple[Row, tuple[str, ...], dict[str, Any], dict[str, Any]]  # sources, metadata, fields
_DEPTH: Final = 200  # entries asked of each index, so that fusion knows both scores of most


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Hits, best first, and for a graph search how it came to them."""

    hits: list[Hit]
    way: str = ""
    facts: tuple[LinkedFact, ...] = ()
    damaged: tuple[str, ...] = ()  # what was left out, and why
    weights: Mapping[str, float] = field(default_factory=dict)  # of the question's terms


class Retriever:
    """Finds passages by meaning and by words. Safe to call from several threads.

    Args:
        journal: what is searched.
        index: the dense index: "exact", "usearch", "chroma", "chroma:http://HOST:PORT", "pgvector" where the
            journal is in PostgreSQL, or any `Index`.
        is_lexical: whether the encoder compares spelling only; its ranking then counts less.
        encode: gives vectors of phrases, where the graph needs them.
        graph_settings: how `mode="graph"` looks for passages.
    """

    def __init__(
        self,
        journal: Store,
        *,
        index: str | Index,
        is_lexical: bool,
        encode: Encode,
        graph_settings: GraphSettings | None = None,
    ) -> None:
        self._journal = journal
        self._neighbours = Neighbours(journal)
        self.aliases = KnownAliases(journal)
        self._is_lexical = is_lexical
        self._encode = encode
        self._graph_settings = graph_settings
        self._lock = threading.RLock()
        self._share = 0.0  # of what indexes are filled with, that is done
        self._scratch: TemporaryDirectory[str] | None = None
        self._mode = journal.mode()
        own = None if journal.read_only else home(journal)
        if own is None:
            # Indexes must be written somewhere, and the memory's own folder must not be.
            self._scratch = scratch()
            self.folder = Path(self._scratch.name)
        else:
            self.folder = own
        self._index = index
        self._epoch = journal.epoch()
        fulltext = claim(self.folder / "fulltext", mode=self._mode)
        self._words = FullTextIndex(fulltext, mode=self._mode)
        self.text = Feed(self._words, reads_text=True)
        self._open_dense()
        self._graph: GraphSearch | None = None  # made when it is first asked, and so is this:
        self._experience: Feed | None = None

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """The dense and the text index, and those of experience and of the graph once they were asked."""
        experience = (self._experience,) if self._experience else ()
        return (self.dense, self.text, *experience, *(self._graph.feeds if self._graph else ()))

    def experience(self) -> Feed:
        """Return what finds episodes and their steps by vector, with all that the journal has by now."""
        with self._lock:
            self._look_for_new_vectors()
            if self._experience is None:
                self._experience = Feed(
                    open_index("exact", self.folder, collection=""),
                    reads_vectors=True,
                    kinds=frozenset({Episode.kind, Step.kind}),
                )
                self._experience.index.name = "experience"
            self._experience.catch_up(self._journal)
            return self._experience

    @property
    def graph(self) -> GraphSearch:
        """The graph of what passages name and state."""
        with self._lock:
            if self._graph is None:
                from agentcl.retrieval.graph.search import GraphSearch
                from agentcl.retrieval.graph.settings import GraphSettings

                settings = self._graph_settings or GraphSettings()
                self._graph = GraphSearch(
                    self._journal,
                    self._encode,
                    settings,
                    folder=claim(self.folder / "graph", mode=self._mode),
                    is_lexical=self._is_lexical,
                )
            return self._graph

    def catch_up(
        self, *, mode: Mode | SearchMode = "hybrid", progress: Callable[[float], None] | None = None
    ) -> None:
        """Bring the indexes that a mode asks up to the journal, whoever wrote it.

        `progress` is called now and then with the share that is done, 0 to 1, while indexes are filled, also if somebody
        else does it.
        """
        asked = search_mode(mode)
        with self._entered(progress):
            self._look_for_new_vectors()
            feeds = (
                *((self.dense,) if "dense" in asked.rankings else ()),
                *((self.text,) if "text" in asked.rankings else ()),
                *(self.graph.feeds if asked.walks else ()),
            )
            last = self._journal.last_seq()
            self.aliases.follow(last)
            behind = [feed for feed in feeds if not _is_at(feed, last)]
            parts = len(behind)
            if asked.walks:
                walked = sum(feed in behind for feed in self.graph.feeds)
                told = self._told(progress, 0, walked, parts) if progress else None
                self.graph.fill(told)
                behind = [feed for feed in behind if not _is_at(feed, last)]
            for number, feed in enumerate(behind, start=parts - len(behind)):
                feed.catch_up(self._journal, self._told(progress, number, 1, parts))
            self._share = 0.0
            if "dense" in asked.rankings:
                self._keep_dense()
            if asked.walks:
                self._keep_graph()

    def _told(
        self, progress: Callable[[float], None] | None, done: int, weight: int, parts: int
    ) -> Callable[[float], None]:
        """Return what is told the share of some parts, behind those that are done, and tells the share of all."""

        def tell(share: float) -> None:
            self._share = (done + weight * share) / parts if parts else 1.0
            if progress is not None:
                progress(self._share)

        return tell

    @contextmanager
    def _entered(self, progress: Callable[[float], None] | None) -> Iterator[None]:
        """Hold the lock; who waits for it while another one fills indexes is told how far that is."""
        if progress is None:
            self._lock.acquire()
        else:
            while not self._lock.acquire(timeout=_LOOK_S):
                progress(self._share)
        try:
            yield
        finally:
            self._lock.release()

    def states(self) -> list[IndexState]:
        """Return how far each index is."""
        last = self._journal.last_seq()
        return [state_of(feed.index, last) for feed in self.feeds]

    def retrieve(
        self,
        query: Query,
        *,
        mode: Mode | SearchMode,
        limit: int,
        recognise: Recognise | None = None,
    ) -> Retrieved:
        """Return at most `limit` hits, best first; ties break by the journal's order.

        Passages with the same text are one hit. Where they fill what was asked of the indexes, more is asked.

        `recognise` filters the facts that a graph search begins with.
        """
        asked = search_mode(mode)
        self.catch_up(mode=asked)
        query = replace(query, same=self.aliases.same(query.view, query.at))
        # By the number of the row; of rows that nobody but others sees, nothing is said.
        damaged = {
            seq: what
            for feed in self.feeds
            for seq, (row, what) in list(feed.damaged.items())
            if query.view.sees(row.scope)
        }
        if asked.joins == "walk":
            found = self._as_published(query, limit, recognise, damaged)
            return replace(found, damaged=tuple(damaged.values()))
        times = 1
        while True:
            found, is_filled = self._retrieve(query, asked, limit, times, recognise, damaged)
            if not is_filled:
                return replace(found, damaged=tuple(damaged.values()))
            times *= 4

    def _retrieve(
        self,
        query: Query,
        asked: SearchMode,
        limit: int,
        times: int,
        recognise: Recognise | None,
        damaged: dict[int, str],
    ) -> tuple[Retrieved, bool]:
        """Return hits, and whether it was copies that left too few though the indexes hold more.

        The indexes are asked for so many `times` the entries that hits without copies need.
        """
        rankings: dict[str, Sequence[Match]] = {}
        words = replace(query, text=worded(query))
        if "text" in asked.rankings and (exact := self._exact(words)):
            rankings["exact"] = exact
        is_alone = asked.joins == "none" and not rankings
        depth = times * (limit if is_alone else max(_DEPTH, 4 * limit))
        if "dense" in asked.rankings and query.vector is not None:
            rankings["dense"] = self.dense.search(self._journal, query, limit=depth)
        if "text" in asked.rankings and query.text:
            text = self.text.search(self._journal, words, limit=depth)
            rankings["text"] = self._neighbours.given_on(text, rankings.get("dense", ()))
        weights = self._words.weights(words) if "text" in rankings else {}
        fusion = Fusion(rankings, is_lexical=self._is_lexical)
        if asked.walks:
            walked = self.graph.walk(query, fusion, limit=times * limit, recognise=recognise)
            joined = join(fusion, walked.walk.found)
            hits = self._hits(joined, query, limit, damaged, walked.walk.steps_to)
            found = Retrieved(hits, walked.way, walked.facts, weights=weights)
            return found, _is_filled(hits, limit, rankings, depth)
        fused: Iterator[Fused] = map(fusion.entry, fusion.ordered())
        if asked.joins == "sum":  # what neither ranking speaks for is no hit, however few there are
            fused = takewhile(lambda entry: entry.score > 0, fused)
        hits = self._hits(fused, query, limit, damaged)
        return Retrieved(hits, weights=weights), _is_filled(hits, limit, rankings, depth)

    def _exact(self, query: Query) -> Sequence[Match]:
        """Return what holds the identifiers that a query asks for; nothing if too much holds them."""
        keys = Identifiers(query.text).asked_keys()
        if not keys:
            return ()
        asked = replace(query, identifiers=keys)
        found = self.text.search(self._journal, asked, limit=MOST_SCORED)
        return found if len(found) < MOST_SCORED else ()

    def _as_published(
        self, query: Query, limit: int, recognise: Recognise | None, damaged: dict[int, str]
    ) -> Retrieved:
        """Rank by the walk alone, as HippoRAG 2 does; by vectors alone when no fact is left."""
        if query.vector is None:
            return Retrieved([], "no vector: nothing was asked")
        every = 1 + self._journal.last_seq()
        dense = self.dense.search(self._journal, query, limit=every)
        walked = self.graph.walk_as_published(query, dense, limit=limit, recognise=recognise)
        fused = (
            by_walk(walked.walk.found)
            if walked.facts and walked.walk.found
            else fuse({"dense": dense})
        )
        hits = self._hits(fused, query, limit, damaged, walked.walk.steps_to)
        return Retrieved(hits, walked.way, walked.facts)

    def remove(self, ids: Collection[str]) -> None:
        """Take erased records out of every index that is open; their bytes may stay on disk."""
        with self._lock:
            self._neighbours.forget()
            for feed in self.feeds:
                feed.index.remove(ids)

    def clear(self) -> list[str]:
        """Clear the bytes of all that was erased from every index, open or not; return in words what was done.

        Others, who are kept out of no index for long, may have put back what they had read before.
        """
        with self._lock:
            try:
                self.catch_up()
            except StoreCorrupt as error:  # a record that is damaged keeps no other in the files
                logger.warning("%s; bytes are cleared all the same", error)
        for feed in self.feeds:
            feed.index.clear()
        used = {feed.index.name for feed in self.feeds}
        return [*used, *clear_unused(self._journal, self.folder, used)]

    def rebuild(self) -> None:
        """Build every index anew from the journal."""
        with self._lock:
            for feed in self.feeds:
                feed.rebuild(self._journal)

    def stop(self) -> None:
        """Give up files that the dense index is writing; those of before stay."""
        if self._keeping is not None:
            self._keeping.stop()

    def close(self) -> None:
        """Release what the indexes hold; calling it twice is allowed."""
        for feed in self.feeds:
            feed.index.close()
        if self._scratch is not None:
            self._scratch.cleanup()

    def _look_for_new_vectors(self) -> None:
        """Drop what the indexes hold if another process replaced all vectors."""
        epoch = self._journal.epoch()
        if epoch == self._epoch:
            return
        self._epoch = epoch
        if isinstance(self._index, str):
            self.stop()  # files of vectors that nobody has any more
            self.dense.index.close()
            self._open_dense()
        else:
            self.dense.rebuild(self._journal)
        if self._experience is not None:
            self._experience.rebuild(self._journal)

    def _keep_graph(self) -> None:
        """Write the graph to its file, unless it names what another process erased meanwhile."""
        index = self.graph.index
        mark = index.watermark()
        if index.keep() and any(row.op == "erase" for row in self._journal.since(mark)):
            index.discard()

    def _keep_dense(self) -> None:
        """Let the dense index write files, without what anybody erases meanwhile."""
        if self._keeping is not None:
            journal = self._journal
            self._keeping.keep(
                lambda since: [row.id for row in journal.since(since) if row.op == "erase"]
            )

    def _open_dense(self) -> None:
        index = self._dense_index()
        self.dense = Feed(index, reads_vectors=True)
        # Asked once: what a protocol asks for is looked up slowly, and each search would wait for it.
        self._keeping = index if isinstance(index, Keeping) else None

    def _dense_index(self) -> Index:
        index = self._index
        if not isinstance(index, str):
            return index
        if index == "usearch" and self._journal.read_only:
            return self._open_read_only()
        if index in ("chroma", "usearch"):
            claim(self.folder / index, mode=self._mode)
        if index == "pgvector":
            return open_pgvector(self._journal, self._epoch)
        return open_index(index, self.folder, collection=self._collection(), mode=self._mode)

    def _open_read_only(self) -> Index:
        """Open the files of "usearch" where they are, which are as many as the vectors; nothing is written."""
        folder = home(self._journal) or self.folder
        return open_index("usearch", folder, collection=self._collection(), is_read_only=True)

    def _collection(self) -> str:
        return f"agentcl-{self._journal.meta('id')}-{self._epoch}"

    def _hits(
        self,
        fused: Iterator[Fused],
        query: Query,
        limit: int,
        damaged: dict[int, str],
        steps_to: Callable[[int], Steps] = lambda seq: (),
    ) -> list[Hit]:
        """Return the hits of entries; what cannot be read is noted in `damaged`."""
        copies: dict[str, list[Hit]] = {}  # by their text; each by its id where all are wanted
        last, beside = 0.0, Beside(self._journal, query.view)
        while len(copies) < limit and (some := list(islice(fused, limit - len(copies)))):
            last = some[-1].score
            for found, row in self._rows(some, query, damaged):
                hit = _hit(with_link(found, steps_to(found.seq)), row, query.text, beside)
                copies.setdefault(hit.text.strip() if query.is_distinct else hit.id, []).append(hit)
        if not query.is_distinct:
            return [hit for (hit,) in copies.values()]
        # What has the same title and text as a hit has its score, so copies of the last one come next.
        tied = list(takewhile(lambda one: one.score > last - _TIE, fused))
        for found, row in self._rows(tied, query, damaged):
            hit = _hit(found, row, query.text, beside)
            if hit.text.strip() in copies:
                copies[hit.text.strip()].append(hit)
        return [_as_one(same) for same in copies.values()]

    def _rows(
        self, some: Sequence[Fused], query: Query, damaged: dict[int, str]
    ) -> Iterator[tuple[Fused, Readable]]:
        """Yield entries with their rows and what these hold.

        Left out are rows that another process erased since the indexes were asked, damaged ones, and those
        that an index has under another scope than the journal: it may be somebody else's file.
        """
        rows = self._journal.rows([found.seq for found in some]) if some else {}
        for found in some:
            row = rows.get(found.seq)
            if row is None or row.kind != Passage.kind or not query.view.sees(row.scope):
                continue
            try:
                yield found, (row, *row.parts())
            except StoreCorrupt as error:
                damaged[row.seq] = str(error)


def _is_at(feed: Feed, seq: int) -> bool:
    """Return whether an index has applied just the journal's first `seq` rows."""
    try:
        return feed.index.watermark() == seq
    except StoreCorrupt:
        return False  # catching up repairs it


def _is_filled(
    hits: Sequence[Hit], limit: int, rankings: Mapping[str, Sequence[Match]], depth: int
) -> bool:
    """Return whether copies took the places of other hits that an index may have."""
    has_copies = any(hit.copies > 1 for hit in hits)
    return (
        has_copies
        and len(hits) < limit
        and any(len(ranking) >= depth for ranking in rankings.values())
    )


def _as_one(same: Sequence[Hit]) -> Hit:
    """Return passages with the same text as one hit, in the place of the best.

    It is the newest of those with the best one's title, which the question may have asked for.
    """
    best = same[0]
    if len(same) == 1:
        return best
    titled = [hit for hit in same if hit.title == best.title]
    newest = max(titled, key=lambda hit: (hit.created_at, hit.seq))
    return replace(newest, score=best.score, parts=best.parts, copies=len(same))


def _hit(found: Fused, readable: Readable, query: str, beside: Beside) -> Hit:
    """Return a passage as a hit; straight from its row, since no search needs the record between."""
    row, sources, metadata, own = readable
    return Hit(
        id=row.id,
        document_id=sources[0],
        text=own["text"],
        title=own.get("title", ""),
        uri=own.get("uri", ""),
        score=found.score,
        parts=found.parts,
        scope=row.scope,
        metadata=metadata,
        created_at=from_micros(row.created_at),
        valid_from=None if row.valid_from is None else from_micros(row.valid_from),
        valid_to=None if row.valid_to is None else from_micros(row.valid_to),
        seq=row.seq,
        query=query,
        beside=beside,
    )
