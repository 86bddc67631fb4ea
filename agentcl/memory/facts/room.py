"""Verbs about what passages state: facts given, imported, or read by a model; and the graph of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Unpack

from agentcl.errors import InvalidInput
from agentcl.jobs.queue import Queue
from agentcl.jobs.runner import Runner
from agentcl.jobs.workplace import Workplace
from agentcl.memory.bound import UNBOUND, Bound, record_of
from agentcl.memory.facts import writing as fact_writing
from agentcl.memory.facts.extracting import Extract
from agentcl.memory.facts.files import Places
from agentcl.memory.facts.files import read as read_openie
from agentcl.memory.facts.writing import Reading
from agentcl.memory.opened import Opened
from agentcl.retrieval.graph.names import Extracted, Extractor, Triple
from agentcl.store.checks import (
    ReadScope,
    WriteScope,
    check_count,
    check_each,
    check_label,
    check_unicode,
)
from agentcl.store.records import Document, Extraction, Passage, Scope
from agentcl.text.paths import check_path
from agentcl.text.tokens import estimate_tokens

_BATCH: Final = 256  # passages of a file whose facts are stored at a time


@dataclass(frozen=True, slots=True)
class ExtractionState:
    """How far an extractor has come with a memory's passages."""

    extractor: str
    passages: int
    done: int  # read, with or without facts
    failed: int
    pending: int
    facts: int  # that are stored, whoever found them
    errors: tuple[tuple[str, int], ...]  # why, how often; the most frequent first
    prompt_tokens: (
        int  # a high estimate of what reading the pending ones would take, instructions left out
    )


@dataclass(frozen=True, slots=True)
class ExtractionReport:
    """What one run did."""

    read: int  # passages
    failed: int
    facts: int  # found in them
    dropped: int  # facts that could not be kept
    remaining: int  # passages that are still pending
    job: str  # its id in `memory.jobs`


@dataclass(frozen=True, slots=True)
class FactsImported:
    """What an import of facts did."""

    documents: int  # in the file
    matched: int  # passages that facts were given to
    facts: int
    dropped: int  # facts that could not be kept
    unknown: tuple[str, ...]  # the beginnings of texts that this memory does not hold


class Facts:
    """The facts of a memory. Made by `Memory.facts`."""

    def __init__(self, opened: Opened, bound: Bound = UNBOUND) -> None:
        self._opened = opened
        self._bound = bound

    def add(
        self,
        id: str,
        facts: Iterable[Triple | Sequence[str]],
        *,
        phrases: Iterable[str] = (),
        extractor: str = "given",
        **scope: Unpack[WriteScope],
    ) -> int:
        """Say what a passage states; what was known of it before is replaced.

        Args:
            id: a passage, or a document that has only one.
            facts: triples of subject, predicate and object.
            phrases: what it names besides.
            extractor: where they come from.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Returns:
            How many facts the passage has now. A fact with an empty subject or object, or with a part of
            more than 1,000 characters, is left out.

        Raises:
            NotFound: if there is no such passage in exactly this scope.
            InvalidInput: if a fact has not three strings.
        """
        owner = self._bound.owner(scope)
        passage = self._passage(id, owner)
        named = (
            check_unicode(one, "a phrase") for one in check_each(phrases, "phrases", "strings")
        )
        check_each(facts, "facts", "triples of strings")
        given = Extracted(tuple(named), fact_writing.check_facts(facts))
        found, dropped = fact_writing.clean(given)
        reading = Reading(passage, check_label(extractor, "extractor"), found, dropped)
        fact_writing.store(self._opened, [reading])
        return len(found.facts)

    def import_(
        self, path: str | os.PathLike[str], *, extractor: str = "", **scope: Unpack[WriteScope]
    ) -> FactsImported:
        """Take over facts that another program extracted, for the texts that this memory holds.

        The file is JSON in HippoRAG's layout (`docs` with `passage`, `extracted_entities` and
        `extracted_triples`), or JSON lines or TSV of triples; see docs/howto/graph.md. Importing twice
        changes nothing.

        Args:
            path: the file; `.gz` is unpacked.
            extractor: where the facts come from; default: the file's name.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Raises:
            TransferError: if the file is none of these; nothing is imported then.
        """
        owner = self._bound.owner(scope)
        source = check_path(path)
        name = check_label(extractor or source.name, "extractor")
        read = read_openie(source)
        places = Places(self._opened.journal.records(Passage, view=owner.exactly()))
        batch: list[Reading] = []
        unknown: list[str] = []
        counts = {"matched": 0, "facts": 0, "dropped": 0}
        for document in read:
            parts = places.find(document)
            if not parts:
                unknown.append(" ".join(document.text.split())[:80])
            for passage, extracted in parts:
                found, dropped = fact_writing.clean(extracted)
                batch.append(Reading(passage, name, found, dropped))
                counts["matched"] += 1
                counts["facts"] += len(found.facts)
                counts["dropped"] += dropped
            counts["dropped"] += document.malformed
            if len(batch) >= _BATCH:
                fact_writing.store(self._opened, batch)
                batch = []
        fact_writing.store(self._opened, batch)
        return FactsImported(len(read), unknown=tuple(unknown), **counts)

    def extract(
        self,
        extractor: Extractor,
        *,
        limit: int | None = None,
        retry: bool = False,
        workers: int = 8,
        on: Workplace | None = None,
        progress: Callable[[int, int], None] | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        **scope: Unpack[ReadScope],
    ) -> ExtractionReport:
        """Read every passage that an extractor has not read yet, and keep what it states.

        Can be stopped at any time, killed even, and called again: what was read is stored and is not
        read again. A passage that it fails on is noted as failed with the reason; the others go on.
        Only one run at a time works on a memory, whatever the process. Each is a job in `memory.jobs`; a
        call goes on with the job that the same call before left unfinished.

        Args:
            extractor: e.g. `agentcl.memory.ModelExtractor(model)`.
            limit: read at most so many passages in this call; one that goes on with a job reads as many again.
            retry: read also those again that failed before.
            workers: how many passages are read at once.
            on: where they are read, e.g. `agentcl.jobs.Ray()`, with so many at once in each of its workers; default: in
                this process.
            progress: called with the numbers of passages read and to read.
            should_stop: asked after each passage; True ends the run early.
            scope: `tenant`, `user`, `agent`, `session`: these and all below; see `Memory`.

        Raises:
            StoreBusy: if another run is at work on this memory.
            RequestRefused: if every passage is refused in the same words, or the first ten are; they are
                still to be read then.
            ModelUnavailable: if the model cannot be asked; what was read before is stored.
            ClusterUnavailable: if the machines of `on` do not answer; likewise.
        """
        workers = check_count(workers, "workers")
        if not isinstance(getattr(extractor, "name", None), str):
            raise InvalidInput(f"extractor must be an Extractor, not {extractor!r}")
        journal = self._opened.journal
        kind = Extract(self._opened, {extractor.name: (extractor, workers)}, on)
        job = Runner(Queue(journal), [kind]).run_now(
            kind.name,
            kind.spec(extractor.name, retry=retry, limit=limit),
            scope=self._bound.root(scope),
            progress=progress or (lambda done, total: None),
            should_stop=should_stop,
        )
        view = self._bound.subtree(scope)
        left = fact_writing.pending(journal, view=view, extractor=extractor.name)
        return ExtractionReport(**kind.totals, remaining=sum(1 for _ in left), job=job.id)

    def state(
        self,
        extractor: str,
        *,
        retry: bool = False,
        limit: int | None = None,
        **scope: Unpack[ReadScope],
    ) -> ExtractionState:
        """Return how far an extractor has come, and what the rest would take.

        Args:
            extractor: its name.
            retry: count passages that failed as pending.
            limit: count at most so many as pending, as `extract` would read them.
            scope: `tenant`, `user`, `agent`, `session`: these and all below; see `Memory`.
        """
        view = self._bound.subtree(scope)
        check_label(extractor, "extractor")
        wanted = None if limit is None else check_count(limit, "limit")
        pending = fact_writing.pending(
            self._opened.journal, view=view, extractor=extractor, retry=retry
        )
        todo = [*islice(pending, wanted)]
        own = [
            e
            for e in self._opened.journal.records(Extraction, view=view)
            if e.extractor == extractor
        ]
        errors: dict[str, int] = {}
        for extraction in own:
            if extraction.error:
                errors[extraction.error] = errors.get(extraction.error, 0) + 1
        kinds = self._opened.journal.count(view)[0]
        return ExtractionState(
            extractor=extractor,
            passages=kinds.get("passage", 0),
            done=sum(not extraction.error for extraction in own),
            failed=sum(errors.values()),
            pending=len(todo),
            facts=kinds.get("fact", 0),
            errors=tuple(sorted(errors.items(), key=lambda item: (-item[1], item[0]))),
            prompt_tokens=sum(estimate_tokens(passage.search_text()) for passage in todo),
        )

    def _passage(self, id: str, scope: Scope) -> Passage:
        record = record_of(self._opened.journal, id, scope)
        if isinstance(record, Document):
            view = scope.exactly()
            rows = list(
                islice(self._opened.journal.live(view=view, kinds=("passage",), source=id), 2)
            )
            if len(rows) != 1:
                raise InvalidInput(
                    f"document {id!r} has several passages; say which of them states the facts "
                    "(see `memory.store.passages`)"
                )
            record = rows[0].record()
        if not isinstance(record, Passage):
            raise InvalidInput(f"{id!r} is a {record.kind}; only passages state facts")
        return record
