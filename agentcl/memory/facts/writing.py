"""Writing facts: what a passage states, checked, encoded, and put into the journal as one change.

A passage's facts come and go as a whole: reading it again replaces them, and they are deleted with it.
What a passage's text says of itself (`NameExtractor`) is not written: it can be derived at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Final

from agentcl.errors import InvalidInput, NoAnswer, RequestRefused, SchemaViolation
from agentcl.memory.documents.writing import derived_rows, encode
from agentcl.memory.opened import Opened
from agentcl.retrieval.encoders import Encoder
from agentcl.retrieval.graph.names import Extracted, Triple
from agentcl.retrieval.graph.phrases import normalise
from agentcl.store.base import Store
from agentcl.store.checks import check_unicode
from agentcl.store.records import Extraction, Fact, Passage, Record, ScopeView
from agentcl.store.rows import content_hash, readable
from agentcl.store.writing import Writing

LONGEST_PART: Final = 1_000  # characters of a subject, predicate or object
MOST_FACTS: Final = 2_000  # of one passage
_BATCH: Final = 256  # passages whose facts are written in one transaction
# What is wrong with one passage, not with the model: the others can still be read.
UNREADABLE: Final = (SchemaViolation, NoAnswer, InvalidInput, RequestRefused)


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found in one passage, ready to be written."""

    passage: Passage
    extractor: str
    found: Extracted
    dropped: int = 0
    error: str = ""
    refusal: str = ""  # in full, where the endpoint refused the request


def clean(found: Extracted) -> tuple[Extracted, int]:
    """Return what can be kept of an extraction, each fact once, and how many facts cannot.

    A fact is dropped when its subject or object is empty (or only signs), when a part has more than
    1,000 characters, or when the passage has 2,000 facts already.

    Raises:
        InvalidInput: if a part is no Unicode string.
    """
    facts: dict[Triple, None] = {}
    dropped = 0
    for fact in found.facts:
        for part in fact:
            check_unicode(part, "a fact's part")
        subject, predicate, object_ = (" ".join(part.split()) for part in fact)
        longest = max(len(subject), len(predicate), len(object_))
        is_sound = longest <= LONGEST_PART and normalise(subject) and normalise(object_)
        if not is_sound or len(facts) >= MOST_FACTS:
            dropped += 1
            continue
        tidy = Triple(subject, predicate, object_)
        facts[fact if fact == tidy else tidy] = None
    phrases = dict.fromkeys(" ".join(check_unicode(p, "a phrase").split()) for p in found.phrases)
    kept = [p for p in phrases if normalise(p) and len(p) <= LONGEST_PART]
    return Extracted(tuple(kept[:MOST_FACTS]), tuple(facts)), dropped + found.dropped


def encode_facts(
    readings: Iterable[Reading], *, encoder: Encoder, journal: Store
) -> dict[bytes, bytes]:
    """Return the vectors of all facts by the hash of their clause."""
    clauses = (fact.clause for reading in readings for fact in reading.found.facts)
    return encode({content_hash(c): c for c in clauses}, encoder=encoder, journal=journal)


def store(opened: Opened, readings: Iterable[Reading]) -> None:
    """Store readings, in one transaction for every few; see `write`."""
    iterator = iter(readings)
    while batch := list(islice(iterator, _BATCH)):
        vectors = encode_facts(batch, encoder=opened.encoder, journal=opened.journal)
        with opened.journal.writing() as writing:
            if vectors:
                opened.claim(writing)
            write(writing, opened.journal, batch, vectors)


def write(
    writing: Writing, journal: Store, readings: Iterable[Reading], vectors: Mapping[bytes, bytes]
) -> None:
    """Replace what is known of passages.

    Facts that stay keep their ids. Nothing is written of a passage that has gone or says something else
    by now; of two readings of one passage the later counts.

    Args:
        writing: the right to write.
        journal: where to.
        readings: what was found.
        vectors: of the facts, by the hash of their clause.
    """
    of_passage = {reading.passage.id: reading for reading in readings}
    versions = writing.live_versions(list(of_passage))
    known = journal.with_derived(list(versions))
    new: list[Iterable[Record]] = []
    count = 0
    for id, reading in of_passage.items():
        if id not in versions:
            continue
        if versions[id] != reading.passage.version:  # it was changed while it was read
            passage = journal.versions(id)[-1].record()
            assert isinstance(passage, Passage)
            if passage.text != reading.passage.text:
                continue
            reading = replace(reading, passage=passage)
        if id in known:
            replaced = _replaced(writing, journal, reading)
            new.append(replaced)
            count += len(replaced)
        else:
            new += [_facts(reading), (_extraction(reading),)]
            count += len(reading.found.facts) + 1
    writing.create_many(chain.from_iterable(new), vectors, count=count)


def _replaced(writing: Writing, journal: Store, reading: Reading) -> list[Record]:
    """Delete and revise what is known of a passage; return what is new."""
    wanted = {Triple(fact.subject, fact.predicate, fact.object): fact for fact in _facts(reading)}
    facts, extraction = known_of(journal, reading.passage)
    for fact in facts:
        triple = Triple(fact.subject, fact.predicate, fact.object)
        draft = wanted.get(triple)
        if draft is not None and fact == replace(
            draft, id=fact.id, version=fact.version, created_at=fact.created_at
        ):
            del wanted[triple]
        else:
            writing.delete(fact)
    done = _extraction(reading)
    if extraction is None:
        return [*wanted.values(), done]
    writing.revise(replace(done, id=extraction.id, attempts=extraction.attempts + 1))
    return list(wanted.values())


def known_of(journal: Store, passage: Passage) -> tuple[list[Fact], Extraction | None]:
    """Return the live facts of a passage, and its extraction if it has one."""
    records = [*readable(derived_rows(journal, passage))]
    extractions = [record for record in records if isinstance(record, Extraction)]
    facts = [record for record in records if isinstance(record, Fact)]
    return facts, extractions[0] if extractions else None


def pending(
    journal: Store, *, view: ScopeView, extractor: str, retry: bool = False
) -> Iterator[Passage]:
    """Yield the live passages that an extractor has not read yet, oldest first.

    Args:
        journal: where they are.
        view: whose passages.
        extractor: its name; what another one read is pending again.
        retry: yield also those that it failed on.
    """
    done = {
        (record.passage_id, record.text_hash)
        for record in journal.records(Extraction, view=view)
        if record.extractor == extractor and not (retry and record.error)
    }
    for passage in journal.records(Passage, view=view):
        if (passage.id, text_hash(passage)) not in done:
            yield passage


def text_hash(passage: Passage) -> str:
    """Return what tells whether a passage still says what was read."""
    return content_hash(passage.search_text()).hex()


def check_facts(facts: Iterable[Triple | Sequence[str]]) -> tuple[Triple, ...]:
    """Return facts given by a user as triples.

    Raises:
        InvalidInput: if one has not exactly three strings.
    """
    checked = []
    for fact in facts:
        if isinstance(fact, Triple):
            checked.append(fact)
            continue
        if isinstance(fact, str) or not isinstance(fact, Sequence) or len(fact) != 3:
            raise InvalidInput(
                f"a fact needs subject, predicate and object, three strings; {fact!r} is none"
            )
        checked.append(Triple(*(check_unicode(part, "a fact's part") for part in fact)))
    return tuple(checked)


def _facts(reading: Reading) -> Iterator[Fact]:
    passage, sources = reading.passage, (reading.passage.id,)
    return (
        Fact(
            id="",
            scope=passage.scope,
            valid_from=passage.valid_from,
            valid_to=passage.valid_to,
            sources=sources,
            metadata=passage.metadata,
            subject=fact.subject,
            predicate=fact.predicate,
            object=fact.object,
            extractor=reading.extractor,
        )
        for fact in reading.found.facts
    )


def _extraction(reading: Reading) -> Extraction:
    passage = reading.passage
    return Extraction(
        id="",
        scope=passage.scope,
        sources=(passage.id,),
        key=passage.id,
        extractor=reading.extractor,
        text_hash=text_hash(passage),
        phrases=reading.found.phrases,
        error=reading.error,
        dropped=reading.dropped,
    )
