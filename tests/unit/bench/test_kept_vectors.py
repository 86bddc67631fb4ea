"""Vectors that outlive a run that is killed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest

from agentcl.bench.kept_vectors import KeptVectors
from agentcl.retrieval.encoders import HashingEncoder


class Counted(HashingEncoder):
    """Notes what it encodes, and dies after so many passages."""

    def __init__(self, most: int = 10**9) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._most = most

    def encode(self, texts: Sequence[str], *, role: Literal["query", "passage"]) -> list[bytes]:
        if len(self.asked) + len(texts) > self._most:
            raise KeyboardInterrupt
        self.asked += texts
        return super().encode(texts, role=role)


def test_vectors_are_those_of_the_encoder(tmp_path: Path) -> None:
    texts = ["one", "two", "one", "", "three"]
    kept = KeptVectors(HashingEncoder(), tmp_path / "v.db")
    for _ in range(2):
        assert kept.encode(texts, role="passage") == HashingEncoder().encode(texts, role="passage")
    kept.close()


def test_a_passage_is_encoded_once_however_often_the_run_is_killed(tmp_path: Path) -> None:
    texts = [f"passage {n}" for n in range(200)]
    asked: list[str] = []
    for _ in range(3):
        dying = Counted(most=70)
        kept = KeptVectors(dying, tmp_path / "v.db")
        with pytest.raises(KeyboardInterrupt):
            kept.encode(texts, role="passage")
        kept.close()
        asked += dying.asked
    last = Counted()
    kept = KeptVectors(last, tmp_path / "v.db")
    assert kept.encode(texts, role="passage") == HashingEncoder().encode(texts, role="passage")
    kept.close()
    assert [*asked, *last.asked] == texts


def test_questions_are_encoded_each_time(tmp_path: Path) -> None:
    counted = Counted()
    kept = KeptVectors(counted, tmp_path / "v.db")
    for _ in range(2):
        kept.encode(["what?"], role="query")
    kept.close()
    assert counted.asked == ["what?", "what?"]
