import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentcl.retrieval.exact import ExactIndex
from agentcl.retrieval.fulltext import FullTextIndex
from agentcl.retrieval.index import Index
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


class TestChromaIndex(IndexContract):
    is_persistent = True
    examples = 5

    def open(self, folder: Path) -> Index:
        pytest.importorskip("chromadb")
        from agentcl.retrieval.chroma import ChromaIndex

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
        from agentcl.retrieval.pgvector import PgvectorIndex
        from agentcl.store.postgres.address import parse

        name = "i" + hashlib.md5(str(folder).encode()).hexdigest()
        address = parse(self.cluster.url(schema=name))
        return PgvectorIndex(address, graph_from=self.graph_from, exact_below=0)


class TestPgvectorIndexWithGraph(TestPgvectorIndex):
    graph_from = 1
