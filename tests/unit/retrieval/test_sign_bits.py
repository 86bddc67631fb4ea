import numpy as np
from numpy.typing import NDArray

from agentcl.retrieval.vectors.sign_bits import SCAN_FROM, SignScan

Floats = NDArray[np.float32]


def unit(rows: NDArray[np.float64]) -> Floats:
    scaled: Floats = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def clustered(count: int, dim: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(count // 20, dim))
    return unit(centres[rng.integers(0, len(centres), count)] + rng.normal(size=(count, dim)))


def recall(scan: SignScan, rows: Floats, asked: Floats) -> float:
    found = 0
    for question in asked:
        nearest = np.argpartition(rows @ question, -10)[-10:]
        found += int(np.isin(nearest, scan.near(question, None, limit=10)).sum())
    return found / (10 * len(asked))


def test_signs_find_the_neighbours_and_narrow_the_rest() -> None:
    rows = clustered(SCAN_FROM, 128, seed=0)
    scan = SignScan()
    scan.update(rows)
    assert scan.is_useful
    assert recall(scan, rows, clustered(50, 128, seed=0)[:20]) > 0.98
    assert len(scan.near(rows[0], None, limit=10)) < SCAN_FROM / 10


def test_rows_added_later_are_found() -> None:
    rows = clustered(SCAN_FROM + 500, 64, seed=1)
    scan = SignScan()
    scan.update(rows[:SCAN_FROM])
    for end in range(SCAN_FROM + 1, SCAN_FROM + 501, 50):
        scan.update(rows[:end])
    scan.update(rows)
    for row in (SCAN_FROM, SCAN_FROM + 250, SCAN_FROM + 499):
        assert row in scan.near(rows[row], None, limit=1)


def test_only_the_rows_that_may_be_seen_are_returned() -> None:
    rows = clustered(SCAN_FROM, 64, seed=2)
    scan = SignScan()
    scan.update(rows)
    some = np.arange(0, SCAN_FROM, 3)
    near = scan.near(rows[3], some, limit=10)
    assert 3 in near
    assert np.isin(near, some).all()


def test_vectors_without_telling_signs_are_found_out() -> None:
    """Nearly all numbers of a sparse vector are zero, and so are nearly all of its signs."""
    rng = np.random.default_rng(3)
    rows = np.zeros((SCAN_FROM, 512))
    for row in rows:
        row[rng.integers(0, 512, 4)] = rng.normal(size=4)
    scan = SignScan()
    scan.update(unit(rows))
    assert not scan.is_useful


def test_few_vectors_are_not_scanned() -> None:
    scan = SignScan()
    scan.update(clustered(SCAN_FROM - 1, 64, seed=4))
    assert not scan.is_useful
