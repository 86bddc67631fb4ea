"""Full text: SQLite's FTS5 with and without the frequent-term cut, beside tantivy, for quality and speed.

    python benchmarks/fulltext.py --data ../shared/data/multihop

Recall@5 on the real corpora, and milliseconds for a question there and over 100,000 texts made of them
(see `embeddings.py`). tantivy is asked twice: with our terms, so that only the engines differ, and with
its own English analysis. Each engine answers every question once, in turn, after a warm-up.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tantivy

from agentcl.retrieval.index import Change, Entry, Query
from agentcl.retrieval.words.fulltext import FullTextIndex
from agentcl.store.records import Scope, ScopeView
from agentcl.text.terms import terms

sys.path.insert(0, str(Path(__file__).parent))
from embeddings import texts
from parts.corpora import Corpus, load
from parts.results import machine, save, table

Search = Callable[[str], list[int]]  # question -> positions of texts, best first
EVERYTHING = ScopeView(None, None, None, None)
LIMIT = 10


def fts5(documents: Sequence[str], folder: Path, *, frequent: float) -> Search:
    """Return a search over our own index."""
    index = FullTextIndex(folder, frequent=frequent)
    index.rebuild((_change(n, text) for n, text in enumerate(documents)), watermark=len(documents))

    def search(question: str) -> list[int]:
        found = index.search(Query(view=EVERYTHING, text=question), limit=LIMIT)
        return [match.seq - 1 for match in found]

    return search


def tantivy_search(documents: Sequence[str], folder: Path, *, own_analysis: bool) -> Search:
    """Return a search over a tantivy index, fed with our terms or with plain text."""
    folder.mkdir()
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("n", stored=True)
    builder.add_text_field("body", tokenizer_name="en_stem" if own_analysis else "whitespace")
    index = tantivy.Index(builder.build(), path=str(folder))
    writer = index.writer(heap_size=200_000_000, num_threads=1)
    for number, text in enumerate(documents):
        body = text if own_analysis else " ".join(terms(text))
        writer.add_document(tantivy.Document(n=number, body=body))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()

    def search(question: str) -> list[int]:
        if own_analysis:
            query, _ = index.parse_query_lenient(question, ["body"])
        else:
            some = [
                tantivy.Query.term_query(index.schema, "body", term)
                for term in dict.fromkeys(terms(question))
            ]
            query = tantivy.Query.boolean_query([(tantivy.Occur.Should, one) for one in some])
        hits = searcher.search(query, limit=LIMIT, count=False).hits
        return [searcher.doc(address)["n"][0] for _, address in hits]

    return search


ENGINES: dict[str, Callable[[Sequence[str], Path], Search]] = {
    "FTS5, every term": lambda documents, folder: fts5(documents, folder, frequent=1.0),
    "FTS5, frequent-term cut": lambda documents, folder: fts5(documents, folder, frequent=0.1),
    "tantivy, our terms": lambda documents, folder: tantivy_search(
        documents, folder, own_analysis=False
    ),
    "tantivy, its own analysis": lambda documents, folder: tantivy_search(
        documents, folder, own_analysis=True
    ),
}


def _change(number: int, text: str) -> Change:
    entry = Entry(number + 1, f"{number}", "passage", Scope(), text, None, 0, None, None, {})
    return Change(number + 1, entry.id, 0, entry)


def measure(
    documents: Sequence[str], questions: Sequence[str], scratch: Path
) -> tuple[dict[str, list[list[int]]], dict[str, float], dict[str, float]]:
    """Return rankings, median milliseconds and seconds to build, each by engine."""
    searches, built = {}, {}
    for number, (name, build) in enumerate(ENGINES.items()):
        started = time.perf_counter()
        searches[name] = build(documents, scratch / str(number))
        built[name] = time.perf_counter() - started
    rankings: dict[str, list[list[int]]] = {name: [] for name in ENGINES}
    took: dict[str, list[float]] = {name: [] for name in ENGINES}
    for search in searches.values():
        search(questions[0])
    for question in questions:
        for name, search in searches.items():
            started = time.perf_counter()
            rankings[name].append(search(question))
            took[name].append((time.perf_counter() - started) * 1e3)
    return rankings, {name: statistics.median(values) for name, values in took.items()}, built


def recall(corpus: Corpus, rankings: list[list[int]]) -> float:
    """Return recall@5 in percent."""
    shares = [
        len(gold & set(found[:5])) / len(gold)
        for gold, found in zip(corpus.gold, rankings, strict=True)
    ]
    return 100 * statistics.fmean(shares)


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/multihop"))
    parser.add_argument("--texts", type=int, default=100_000)
    arguments = parser.parse_args()
    corpora = load(arguments.data)
    rows: dict[str, dict[str, Any]] = {name: {"recall@5": {}, "ms": {}} for name in ENGINES}
    with tempfile.TemporaryDirectory() as folder:
        for number, corpus in enumerate(corpora):
            (Path(folder) / str(number)).mkdir()
            documents = [f"{title}\n{text}" for title, text in corpus.documents]
            rankings, took, _ = measure(documents, corpus.questions, Path(folder) / str(number))
            for name, row in rows.items():
                row["recall@5"][corpus.name] = recall(corpus, rankings[name])
                row["ms"][corpus.name] = took[name]
        (Path(folder) / "many").mkdir()
        questions = [question for corpus in corpora for question in corpus.questions][::3]
        many = texts(arguments.data, arguments.texts)
        _, took, built = measure(many, questions, Path(folder) / "many")
    for name, row in rows.items():
        row["ms"]["many"], row["build_s"] = took[name], built[name]
    names = [corpus.name for corpus in corpora]
    table(
        ["", *(f"recall@5 {name}" for name in names), f"ms, {len(many):,} texts", "build s"],
        [
            [
                engine,
                *(f"{row['recall@5'][name]:.1f} ({row['ms'][name]:.2f} ms)" for name in names),
                f"{row['ms']['many']:.2f}",
                f"{row['build_s']:.1f}",
            ]
            for engine, row in rows.items()
        ],
    )
    save("fulltext", {"machine": machine("tantivy"), "texts": len(many), "rows": rows})


if __name__ == "__main__":
    main()
