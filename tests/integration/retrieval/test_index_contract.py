import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agentcl.retrieval.index import Change, Index
from agentcl.retrieval.vectors.exact import ExactIndex
from agentcl.retrieval.words.fulltext import FullTextIndex
from agentcl.testing import IndexContract

if TYPE_CHECKING:
    from tests.postgres import Cluster


class TestExactIndex(IndexContract):
    def open(self, folder: Path) -> Index:
        return ExactIndex()


class TestFullTextIndex(IndexContract):
    searches = "text"
    is_persistent = True

    def open(self, folder: Path) -> Index:
        return FullTextIndex(folder / "fulltext")


class TestUsearchIndex(IndexContract):
    """Little is held: none of it is in files yet."""

    write_from, exact_below = 20_000, 20_000

    def open(self, folder: Path) -> Index:
        pytest.importorskip("usearch")
        from agentcl.retrieval.vectors.usearch import UsearchIndex

        return UsearchIndex(
            "contract",
            folder / "usearch",
            write_from=self.write_from,
            exact_below=self.exact_below,
        )


class _Written:
    """An index that goes to files after every change."""

    def __init__(self, index: Any) -> None:
        self._index = index
        self.name = index.name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    def apply(self, changes: Sequence[Change], *, watermark: int, since: int = 0) -> None:
        self._index.apply(changes, watermark=watermark, since=since)
        self._index.keep()
        self._index.finish()

    def rebuild(self, changes: Iterable[Change], *, watermark: int) -> None:
        self._index.rebuild(changes, watermark=watermark)
        self._index.keep()
        self._index.finish()


class TestUsearchIndexInFiles(TestUsearchIndex):
    is_persistent = True
    examples = 15
    write_from, exact_below = 1, 20_000

    def open(self, folder: Path) -> Index:
        return _Written(super().open(folder))


class TestUsearchIndexWithGraph(TestUsearchIndexInFiles):
    exact_below = 0


class TestChromaIndex(IndexContract):
    is_persistent = True
    examples = 5

    def open(self, folder: Path) -> Index:
        pytest.importorskip("chromadb")
        from agentcl.retrieval.vectors.chroma import ChromaIndex

        return ChromaIndex("contract", folder=folder / "chroma")


class TestPgvectorIndex(IndexContract):
    is_persistent = True
    examples = 4
    graph_from = 1_000

    @pytest.fixture(autouse=True)
    def server(self, cluster: "Cluster") -> None:
        cluster.execute("CREATE EXTENSION IF NOT EXISTS vector")
        self.cluster = cluster

    def open(self, folder: Path) -> Index:
        from agentcl.retrieval.vectors.pgvector import PgvectorIndex
        from agentcl.store.postgres.address import parse

        name = "i" + hashlib.md5(str(folder).encode()).hexdigest()
        address = parse(self.cluster.url(schema=name))
        return PgvectorIndex(address, graph_from=self.graph_from, exact_below=0)


class TestPgvectorIndexWithGraph(TestPgvectorIndex):
    graph_from = 1
