"""`Memory`: what an agent remembers, kept in one folder and found again.

    with Memory("agent-memory") as memory:
        memory.add("The ferry to Tessary leaves at seven.", user="ada")
        print(memory.search("when does the boat go?", user="ada").prompt(budget_tokens=200))

Writing calls no language model, and what a verb has returned from is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Unpack

from agentcl.errors import EncoderMismatch, InvalidInput
from agentcl.memory import documents
from agentcl.memory.documents import Draft
from agentcl.memory.experience import Experience
from agentcl.retrieval.filters import Filters, parse_filters
from agentcl.retrieval.index import Query
from agentcl.retrieval.recall import Mode, Recall
from agentcl.retrieval.retriever import Retrieved
from agentcl.store.checks import (
    ReadScope,
    WriteScope,
    check_scope,
    check_time,
    check_unicode,
    check_view,
)
from agentcl.store.records import KINDS, AnyScope, Document, Passage, Record, Scope, to_micros
from agentcl.store.rows import Counters, Version, mismatch
from agentcl.store.vectors import SupportsList, pack

if TYPE_CHECKING:
    from agentcl.retrieval.graph.search import Recognise

_BATCH: Final = 256  # documents that `add_many` writes in one transaction
_CACHED_QUERIES: Final = 1_000
_MODES: Final = ("hybrid", "dense", "text", "graph", "hipporag2")


class Unchanged:
    """The type of `UNCHANGED`: a field that `update` leaves as it is."""

    def __repr__(self) -> str:
        return "UNCHANGED"


UNCHANGED: Final = Unchanged()


class Memory(Experience):
    """A persistent memory in one folder.

    Several processes and threads may open the same folder: all may read, writers take turns, and a
    search sees every write that was acknowledged before it began.

    Every verb takes the same keyword-only scope: `tenant`, `user`, `agent`, `session`. Where a verb
    reads (`search`, `get`, `list`, `history`) a field left out means what is shared, a named one adds
    what is its own, and `ANY` opens it; tenants never share. Where a verb changes records (`add`,
    `update`, `delete`, `forget` by id) it names their scope exactly. Where a verb works on a whole
    (`forget(everything=True)`, `export`, `stats`) it means the named scope and all below it.

    Args:
        path: the folder; made if absent. Default: the setting `path`, else `agentcl-memory`.
        encoder: a name (see `agentcl.retrieval.encoders.open_encoder`) or an `Encoder`. Default: the
            one this folder was filled with; for a new folder "minilm" if installed, else "hashing".
        index: the dense index: "exact", "chroma", "chroma:http://HOST:PORT", or an `Index`.
        durability: "full" (survives a power cut) or "normal" (survives a crash of the process).
        busy_timeout_s: how long to wait for another process's write.
        passage_limit: the longest passage in characters.
        graph: how `mode="graph"` looks for passages.
        read_only: never change what is stored (SQLite may still keep its own `-wal` and `-shm`).
        clock: microseconds since 1970; for tests and replays.

    Raises:
        ConfigError: if a setting cannot be used.
        EncoderMismatch: if the folder was filled with another encoder.
        StoreUnavailable: (or a subclass) if the folder cannot be opened.
    """

    # Writing

    def add(
        self,
        text: str,
        *,
        title: str = "",
        uri: str = "",
        media_type: str = "text/plain",
        metadata: Mapping[str, Any] | None = None,
        valid_from: datetime | None = None,
        valid_to: datetime | None = None,
        vector: Sequence[float] | SupportsList | None = None,
        **scope: Unpack[WriteScope],
    ) -> Document:
        """Remember a text; it is stored and can be found when this returns.

        Args:
            text: what to remember; kept exactly.
            title: a name for it; found and shown with each of its passages.
            uri: where it came from. A document with the same uri in the same scope is updated.
            media_type: what kind of text it is.
            metadata: JSON values of your own, to filter by.
            valid_from: when it began to hold in the world (aware); None: always did.
            valid_to: when it ceases to hold (exclusive); a search after that leaves it out.
            vector: a ready vector for the whole text, which then stays one passage.
            scope: `tenant`, `user`, `agent`, `session`; see the class.

        Returns:
            The stored document, with its id.

        Raises:
            InvalidInput: if a value cannot be kept exactly; nothing was stored.
            StoreUnavailable: (or a subclass) if it could not be stored.
        """
        draft = Draft(
            text=text,
            title=title,
            uri=uri,
            media_type=media_type,
            metadata=metadata,
            valid_from=valid_from,
            valid_to=valid_to,
            vector=vector,
        )
        return self._add([draft], check_scope(scope))[0]

    def add_many(
        self,
        drafts: Iterable[str | Draft],
        *,
        progress: Callable[[int], None] | None = None,
        **scope: Unpack[WriteScope],
    ) -> Sequence[Document]:
        """Remember many texts, some hundred in one transaction; faster than one by one.

        Args:
            drafts: texts, or `Draft`s with titles, metadata and so on; read lazily.
            progress: called after each transaction with the number of documents stored so far.
            scope: `tenant`, `user`, `agent`, `session`; see the class.

        Raises:
            InvalidInput: if one cannot be kept; those of earlier transactions are stored, those of its
                own are not.
        """
        owner = check_scope(scope)
        iterator = iter(drafts)
        stored: list[Document] = []
        while some := list(islice(iterator, _BATCH)):
            batch = [Draft(text=draft) if isinstance(draft, str) else draft for draft in some]
            stored.extend(self._add(batch, owner))
            if progress is not None:
                progress(len(stored))
        if stored:
            self.retriever.catch_up()
        return stored

    def update(
        self,
        id: str,
        *,
        text: str | Unchanged = UNCHANGED,
        title: str | Unchanged = UNCHANGED,
        metadata: Mapping[str, Any] | Unchanged | None = UNCHANGED,
        valid_from: datetime | Unchanged | None = UNCHANGED,
        valid_to: datetime | Unchanged | None = UNCHANGED,
        vector: Sequence[float] | SupportsList | None = None,
        **scope: Unpack[WriteScope],
    ) -> Document:
        """Write the next version of a document; the old one stays in its history.

        Raises:
            NotFound: if there is no such document in exactly this scope.
            InvalidInput: if a value cannot be kept, or the id is a passage's.
        """
        owner = check_scope(scope)
        while True:
            held = self._changeable(id, owner)
            if not isinstance(held, Document):
                raise InvalidInput(f"{id!r} is a {held.kind}; only documents can be updated")
            draft = Draft(
                text=held.text if isinstance(text, Unchanged) else text,
                title=held.title if isinstance(title, Unchanged) else title,
                uri=held.uri,
                media_type=held.media_type,
                metadata=held.metadata if isinstance(metadata, Unchanged) else metadata,
                valid_from=held.valid_from if isinstance(valid_from, Unchanged) else valid_from,
                valid_to=held.valid_to if isinstance(valid_to, Unchanged) else valid_to,
                vector=vector,
            )
            (prepared,) = self._prepare([draft], owner)
            with self.journal.writing() as writing:
                writing.claim_encoder(self._spec)
                if self._changeable(id, owner).version != held.version:
                    continue  # another writer was faster while this text was encoded: look again
                document = replace(prepared.document, id=held.id)
                return documents.rewrite(writing, self.journal, prepared, document, held)

    def delete(
        self,
        id: str,
        **scope: Unpack[WriteScope],
    ) -> None:
        """Stop finding a record; its history stays. `forget` removes it for good.

        Raises:
            NotFound: if there is no such record in exactly this scope.
            InvalidInput: if the id is a passage's.
        """
        owner = check_scope(scope)
        with self.journal.writing() as writing:
            record = self._changeable(id, owner)
            if isinstance(record, Document):
                for passage in documents.passages_of(self.journal, record):
                    documents.discard(writing, self.journal, passage)
            writing.delete(record)

    def credit(
        self,
        id: str,
        *,
        uses: int = 0,
        wins: int = 0,
        losses: int = 0,
        **scope: Unpack[ReadScope],
    ) -> Counters:
        """Count how a record fared when it was used; return its counters.

        Raises:
            NotFound: if the scope does not see such a record.
            InvalidInput: if a number is negative.
        """
        if min(uses, wins, losses) < 0:
            raise InvalidInput("uses, wins and losses are counts and cannot be negative")
        view = check_view(scope)
        with self.journal.writing() as writing:
            self.journal.newest(id, view=view)
            writing.credit(id, uses=uses, wins=wins, losses=losses)
        return self.journal.counters(id)

    # Reading

    def search(
        self,
        query: str,
        *,
        limit: int = 10,
        mode: Mode = "hybrid",
        filters: Filters | None = None,
        as_of: datetime | None = None,
        valid_at: datetime | AnyScope | None = None,
        vector: Sequence[float] | SupportsList | None = None,
        recognise: Recognise | None = None,
        **scope: Unpack[ReadScope],
    ) -> Recall:
        """Find passages, best first.

        Args:
            query: a question or words.
            limit: how many hits at the most.
            mode: "hybrid" joins both rankings, "dense" is by vector only, "text" by words only;
                "graph" goes on from what is fused to passages that name the same things;
                "hipporag2" does what the published code does, for comparison.
            filters: conditions on metadata, e.g. `{"lang": "en", "year": {"gte": 2020}}`.
            as_of: search the memory as it was recorded at this moment.
            valid_at: only what holds in the world at this moment; default `as_of`, or now; `ANY`
                finds what held at any time.
            vector: a ready vector for the query.
            recognise: filters the facts that a graph search begins with, e.g.
                `agentcl.memory.extraction.Recognition(model)`; default: all are kept.
            scope: `tenant`, `user`, `agent`, `session`; see the class.

        Raises:
            InvalidInput: if the query is empty or an argument cannot be used.
            EncoderMismatch: if the folder's vectors are another encoder's.
        """
        check_unicode(query, "query")
        if not query.strip() and vector is None:
            raise InvalidInput("the query is empty; ask something, or use list()")
        if limit < 1:
            raise InvalidInput(f"limit must be at least 1, and is {limit}")
        if mode not in _MODES:
            raise InvalidInput(f"unknown mode {mode!r}; choose one of {', '.join(_MODES)}")
        moment = check_time(as_of, "as_of")
        view = check_view(scope)
        conditions = parse_filters(filters)
        holding: int | None = None
        if not isinstance(valid_at, AnyScope):
            world = check_time(valid_at, "valid_at") or moment
            holding = self._clock() if world is None else to_micros(world)
        packed = None if vector is None else pack(vector, dim=self.encoder.dim)
        held = self.journal.encoder()
        if held is not None and mode != "text":
            if held != self._spec:
                raise EncoderMismatch(mismatch(held, self._spec, self.path))
            if packed is None:
                packed = self._encode_query(query)
        asked = Query(
            view=view,
            text=query,
            vector=packed,
            at=None if moment is None else to_micros(moment),
            valid_at=holding,
            conditions=conditions,
        )
        found = (
            Retrieved([])
            if held is None
            else self.retriever.retrieve(asked, mode=mode, limit=limit, recognise=recognise)
        )
        return Recall(
            query=query,
            hits=tuple(found.hits),
            mode=mode,
            encoder=self.encoder.name,
            is_lexical=self.encoder.is_lexical,
            indexes=self._asked(mode),
            as_of=moment,
            way=found.way,
            facts=found.facts,
        )

    def get(
        self,
        id: str,
        *,
        as_of: datetime | None = None,
        **scope: Unpack[ReadScope],
    ) -> Record:
        """Return a record by its id, as it is or as it was.

        Raises:
            NotFound: if the scope does not see such a record (at that moment).
        """
        view = check_view(scope)
        return self.journal.get(check_unicode(id, "id"), view=view, at=_micros(as_of))

    def list(
        self,
        *,
        kind: str = "document",
        limit: int = 100,
        after: Record | None = None,
        as_of: datetime | None = None,
        **scope: Unpack[ReadScope],
    ) -> Sequence[Record]:
        """Return records in the order of their last change, oldest first.

        Args:
            kind: which kind of record.
            limit: how many at the most.
            after: continue after this record, the last one of the previous call.
            as_of: as recorded at this moment.
            scope: `tenant`, `user`, `agent`, `session`; see the class.

        Raises:
            InvalidInput: if there is no such kind.
        """
        if kind not in KINDS:
            raise InvalidInput(f"unknown kind {kind!r}; known kinds: {', '.join(sorted(KINDS))}")
        if limit < 1:
            raise InvalidInput(f"limit must be at least 1, and is {limit}")
        rows = self.journal.live(
            view=check_view(scope),
            kinds=(kind,),
            at=_micros(as_of),
            after=0 if after is None else self.journal.seq_of(after),
        )
        return [row.record() for row in islice(rows, limit)]

    def history(
        self,
        id: str,
        **scope: Unpack[ReadScope],
    ) -> Sequence[Version]:
        """Return every version of a record, oldest first, deletion and erasure included.

        Raises:
            NotFound: if the scope sees no version of it.
        """
        view = check_view(scope)
        return self.journal.history(check_unicode(id, "id"), view=view)

    def passages(
        self,
        id: str,
        **scope: Unpack[ReadScope],
    ) -> Sequence[Passage]:
        """Return the passages of a document, in order. Raises NotFound."""
        record = self.get(id, **scope)
        if not isinstance(record, Document):
            raise InvalidInput(f"{id!r} is a {record.kind}, and only documents have passages")
        return documents.passages_of(self.journal, record)

    def _prepare(self, drafts: Sequence[Draft], scope: Scope) -> Sequence[documents.Prepared]:
        return documents.prepare(
            drafts,
            scope=scope,
            encoder=self.encoder,
            journal=self.journal,
            passage_limit=self.setting("passage_limit"),
        )

    def _add(self, drafts: Sequence[Draft], scope: Scope) -> Sequence[Document]:
        prepared = self._prepare(drafts, scope)
        with self.journal.writing() as writing:
            writing.claim_encoder(self._spec)
            return documents.write(writing, self.journal, prepared)

    def _encode_query(self, query: str) -> bytes:
        with self._lock:
            if query in self._queries:
                self._queries.move_to_end(query)
                return self._queries[query]
        (vector,) = self.encoder.encode([query], role="query")
        with self._lock:
            self._queries[query] = vector
            if len(self._queries) > _CACHED_QUERIES:
                self._queries.popitem(last=False)
        return vector

    def _asked(self, mode: Mode) -> tuple[str, ...]:
        dense, text = self.retriever.dense.index.name, self.retriever.text.index.name
        return {
            "hybrid": (dense, text),
            "dense": (dense,),
            "text": (text,),
            "graph": (dense, text, "graph", "facts"),
            "hipporag2": (dense, "graph", "facts"),
        }[mode]

    def _changeable(self, id: str, scope: Scope) -> Record:
        """Return the live record that may be changed from exactly this scope."""
        check_unicode(id, "id")
        record = self.journal.get(id, view=scope.view())
        self._refuse_other_scope(id, record.scope, scope)
        if isinstance(record, Passage):
            raise InvalidInput(
                f"{id!r} is a passage of document {record.document_id!r}; change the document"
            )
        return record


def _micros(moment: datetime | None) -> int | None:
    checked = check_time(moment, "as_of")
    return None if checked is None else to_micros(checked)
