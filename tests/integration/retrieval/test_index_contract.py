from pathlib import Path

import pytest

from agentcl.retrieval.exact import ExactIndex
from agentcl.retrieval.fulltext import FullTextIndex
from agentcl.retrieval.index import Index
from agentcl.testing import IndexContract


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
