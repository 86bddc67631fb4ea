"""Ctrl-C while numba is imported: the next search works, and is compiled."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

INTERRUPTED = """
import os, signal, sys, threading

class Interrupting:
    # Sends what Ctrl-C sends in the middle of the import.
    def find_spec(self, name, path=None, target=None):
        if name == "numba.core.types.functions":
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(0.5)  # until it has been delivered
        return None

sys.meta_path.insert(0, Interrupting())
from agentcl.retrieval.graph.pagerank import kernels
try:
    kernels()
except KeyboardInterrupt:
    print("interrupted")
print(kernels().__name__)
"""


@pytest.mark.skipif(find_spec("numba") is None, reason="no numba")
def test_an_interrupted_import_of_numba_is_made_up_for() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["interrupted", "agentcl.retrieval.graph.kernels"]
