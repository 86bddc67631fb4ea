"""One search of a memory: the arguments checked, the question encoded, the rankings asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from agentcl.errors import EncoderMismatch, EncoderUnavailable, InvalidInput
from agentcl.memory.opened import Opened
from agentcl.retrieval.filters import Filters, parse_filters
from agentcl.retrieval.index import Query
from agentcl.retrieval.modes import Mode, SearchMode, search_mode
from agentcl.retrieval.recall import Recall
from agentcl.retrieval.retriever import Retrieved
from agentcl.store.checks import check_count, check_time, check_unicode
from agentcl.store.records import AnyScope, ScopeView, to_micros
from agentcl.store.rows import EncoderSpec, mismatch
from agentcl.store.vectors import SupportsList, pack
from agentcl.text.asked import read_of

if TYPE_CHECKING:
    from agentcl.retrieval.graph.search import Recognise


def search(
    opened: Opened,
    query: str,
    view: ScopeView,
    *,
    limit: int = 10,
    mode: Mode | SearchMode = "hybrid",
    filters: Filters | None = None,
    as_of: datetime | None = None,
    valid_at: datetime | AnyScope | None = None,
    vector: Sequence[float] | SupportsList | None = None,
    recognise: Recognise | None = None,
    distinct: bool = True,
) -> Recall:
    """Find passages that a view sees; `Memory.search` documents the arguments."""
    check_unicode(query, "query")
    if not query.strip() and vector is None:
        raise InvalidInput("the query is empty; ask something, or use list()")
    limit = check_count(limit, "limit")
    way = search_mode(mode)
    moment = check_time(as_of, "as_of")
    conditions = parse_filters(filters)
    holding: int | None = None
    if not isinstance(valid_at, AnyScope):
        at = check_time(valid_at, "valid_at") or moment
        holding = opened.clock() if at is None else to_micros(at)
    held = opened.journal.encoder()
    packed = None
    if vector is not None:
        packed = pack(vector, dim=opened.encoder.dim if held is None else held.dim)
    asked = Query(
        view=view,
        text=read_of(query),
        vector=packed,
        at=None if moment is None else to_micros(moment),
        valid_at=holding,
        conditions=conditions,
        is_distinct=distinct,
    )

    def retrieve(way: SearchMode, asked: Query) -> Retrieved:
        if held is None:
            return Retrieved([])
        if "dense" in way.rankings:
            asked = replace(asked, vector=vector_of_query(opened, asked, held))
        return opened.retriever.retrieve(asked, mode=way, limit=limit, recognise=recognise)

    warning, used = "", way
    try:
        found = retrieve(way, asked)
    except EncoderUnavailable as error:
        if "text" not in way.rankings:
            raise
        warning = f"answered by words alone, since the encoder gives no vector: {error}"
        used = search_mode("text")
        found = retrieve(used, asked)
    return Recall(
        query=query,
        hits=tuple(found.hits),
        mode=way.name,
        encoder=opened.encoder_name(),
        is_lexical=opened.is_lexical,
        indexes=_asked(opened, used),
        as_of=moment,
        way=found.way,
        facts=found.facts,
        damaged=found.damaged,
        warning=warning,
        weights=found.weights,
    )


def vector_of_query(opened: Opened, asked: Query, held: EncoderSpec) -> bytes:
    """Return the vector of a question, which must be of the folder's space.

    Raises:
        EncoderMismatch: if the memory was opened with another encoder, or another process changed it.
        EncoderUnavailable: if the encoder does not answer.
    """
    if asked.vector is not None:
        if held.name != opened.encoder_name():
            raise EncoderMismatch(mismatch(held, opened.encoder_name(), opened.place))
        return asked.vector
    # First: an encoder that is down says so at once, and `spec` may have to ask it too.
    vector = opened.encode_query(asked.text)
    if held != opened.spec:
        raise EncoderMismatch(mismatch(held, opened.spec, opened.place))
    return vector


def _asked(opened: Opened, mode: SearchMode) -> tuple[str, ...]:
    """Return the names of the indexes that a mode asks."""
    retriever = opened.retriever
    rankings = {"dense": retriever.dense.index.name, "text": retriever.text.index.name}
    names = tuple(rankings[ranking] for ranking in mode.rankings)
    return (*names, "graph", "facts") if mode.walks else names
