"""Why a passage was found: the chain from the question over facts and phrases to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from agentcl.memory.documents.writing import derived_rows
from agentcl.retrieval.graph.names import Extractor, Triple
from agentcl.retrieval.graph.phrases import normalise
from agentcl.retrieval.recall import Hit, Recall
from agentcl.store.base import Store
from agentcl.store.records import Fact, Passage
from agentcl.store.rows import readable

_SHOWN: Final = 40  # characters of a passage without a title


@dataclass(frozen=True, slots=True)
class ExplainStep:
    """One link of a chain."""

    kind: Literal["question", "passage", "fact", "phrase"]
    text: str
    id: str = ""  # of the passage, or of the stored fact


@dataclass(frozen=True, slots=True)
class Explanation:
    """The chain to one hit, from the question."""

    hit: str  # the passage's id
    steps: tuple[ExplainStep, ...]

    def __str__(self) -> str:
        """Return the chain as one line."""
        return " → ".join(
            f"“{step.text}”" if step.kind in ("fact", "question") else step.text
            for step in self.steps
        )


def explain(recall: Recall, journal: Store, extractor: Extractor) -> list[Explanation]:
    """Return the chains of a recall's hits; see `Graph.explain`."""
    return [_explain(recall, hit, journal, extractor) for hit in recall]


def _explain(recall: Recall, hit: Hit, journal: Store, extractor: Extractor) -> Explanation:
    links = [part.link for part in hit.parts if part.link]
    begins = {other.id: _by_itself(other) for other in recall}
    # A hit that speaks for itself at least as much as where the walk began needs no chain.
    is_led_to = links and begins.get(links[0].source, 1.0) > _by_itself(hit)
    ways = links[0].steps if is_led_to else ()
    steps = [ExplainStep("question", recall.query)]
    begin = ways[0][0] if ways else hit.id
    linked = [fact for fact in recall.facts if fact.is_kept and fact.passage_id == begin]
    if linked:
        steps.append(ExplainStep("fact", linked[0].clause, linked[0].id))
    before = ""  # the phrase by which a passage was entered
    for id, phrase in ways:
        passage = _passage(journal, id)
        steps.append(ExplainStep("passage", _title(passage), id))
        steps += _saying(journal, passage, extractor, (before, phrase), known=steps)
        steps.append(ExplainStep("phrase", phrase))
        before = phrase
    if before:
        passage = _passage(journal, hit.id)
        steps += _saying(journal, passage, extractor, (before,), known=steps)
    steps.append(ExplainStep("passage", hit.title or _beginning(hit.text), hit.id))
    return Explanation(hit.id, tuple(steps))


def _by_itself(hit: Hit) -> float:
    return sum(part.contribution for part in hit.parts if part.source in ("dense", "text"))


def _saying(
    journal: Store,
    passage: Passage | None,
    extractor: Extractor,
    phrases: tuple[str, ...],
    *,
    known: list[ExplainStep],
) -> list[ExplainStep]:
    """Return the fact of a passage that says most of these phrases, unless the chain has it already."""
    if passage is None:
        return []
    wanted = {phrase for phrase in phrases if phrase}
    best: tuple[int, ExplainStep] | None = None
    for fact, id in _facts(journal, passage, extractor):
        said = len(wanted & {normalise(fact.subject), normalise(fact.object)})
        if said and (best is None or said > best[0]):
            best = said, ExplainStep("fact", fact.clause, id)
    return [] if best is None or best[1] in known else [best[1]]


def _facts(journal: Store, passage: Passage, extractor: Extractor) -> Iterator[tuple[Triple, str]]:
    stored = readable(derived_rows(journal, passage))
    facts = [record for record in stored if isinstance(record, Fact)]
    for fact in facts:
        yield Triple(fact.subject, fact.predicate, fact.object), fact.id
    if not facts:
        for triple in extractor.extract(passage.title, passage.text).facts:
            yield triple, ""


def _passage(journal: Store, id: str) -> Passage | None:
    """Return a passage as it was last; None when it was forgotten meanwhile."""
    rows = [row for row in journal.versions(id) if row.op == "put"]
    record = next(readable(rows[-1:]), None)
    return record if isinstance(record, Passage) else None


def _title(passage: Passage | None) -> str:
    return "a forgotten passage" if passage is None else passage.title or _beginning(passage.text)


def _beginning(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
