"""A bounded part of `benchmarks/fuzz.py`."""

import signal
from pathlib import Path

import pytest

from tests.fuzzing import KINDS, run

CASES = {"export": 40, "folder": 12, "index": 8, "pamphlet": 30, "npz": 20, "toml": 15}


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="what hangs is ended by a signal")
@pytest.mark.parametrize("kind", KINDS)
def test_a_mutated_file_is_a_value_or_an_error_of_ours(tmp_path: Path, kind: str) -> None:
    assert list(run(tmp_path, kind, range(CASES[kind]), seed=2)) == []
