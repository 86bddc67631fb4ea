"""What a product done in pieces must not change; the rest of `ExactIndex` is in the index contract."""

import numpy as np
import pytest

from agentcl.retrieval.index import Change, Entry, Query
from agentcl.retrieval.vectors.exact import ExactIndex
from agentcl.store.records import Scope

COUNT = 3_001


@pytest.mark.parametrize("every", [1, 2, 7, 97])  # the share of the rows that the reader sees
def test_the_best_of_any_selection_are_those_of_a_full_product(every: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(COUNT, 24)).astype("<f4")
    index = ExactIndex()
    index.apply([_change(n, vectors[n].tobytes(), every) for n in range(COUNT)], watermark=COUNT)
    asked = vectors[5] + vectors[8]
    found = index.search(
        Query(view=Scope(user="ada").view(), vector=asked.tobytes()),
        limit=10,
    )
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = units @ (asked / np.linalg.norm(asked))
    seen = np.arange(0, COUNT, every)
    best = seen[np.argsort(-cosines[seen])][:10]
    assert [match.seq for match in found] == [n + 1 for n in best]
    assert [match.score for match in found] == pytest.approx(cosines[best].tolist(), abs=1e-6)


def _change(number: int, vector: bytes, every: int) -> Change:
    scope = Scope(user="ada" if number % every == 0 else "ben")
    entry = Entry(number + 1, f"p{number}", "passage", scope, "", vector, number, None, None, {})
    return Change(number + 1, entry.id, number, entry)
