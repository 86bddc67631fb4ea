"""A peer that is none, run as a process by the tests of `RemoteBaseline`; its argument says how it misbehaves."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from agentcl.bench.peers import serving


class Fake:
    """Ranks by the dot product of the vectors that it asks the other side for."""

    def __init__(self, encode: serving.Encode, manner: str) -> None:
        self._encode = encode
        self._manner = manner
        self._vectors: dict[str, list[float]] = {}

    def add(self, texts: Mapping[str, str]) -> None:
        sys.stdout.write("a peer may print what it likes\n")
        self._vectors |= dict(
            zip(texts, self._encode(list(texts.values()), "passage"), strict=True)
        )

    def remove(self, keys: Sequence[str]) -> None:
        for key in keys:
            del self._vectors[key]

    def recall(self, query: str, limit: int) -> list[str]:
        if self._manner.startswith("ends"):
            sys.stderr.write("the store is on fire\n")
            os._exit(3)
        if self._manner == "raises":
            raise ValueError("no such shard")
        (wanted,) = self._encode([query], "query")
        scores = {
            key: sum(a * b for a, b in zip(vector, wanted, strict=True))
            for key, vector in self._vectors.items()
        }
        return sorted(scores, key=lambda key: (-scores[key], key))[:limit]

    def settings(self) -> Mapping[str, str | int | float | bool]:
        return {"fake": True, "reads": sys.stdin.read(1)}

    def close(self) -> None:
        if self._manner == "does not leave":
            threading.Event().wait()


def start(folder: str, dim: int, encode: serving.Encode, options: Mapping[str, Any]) -> Fake:
    manner = sys.argv[1]
    if manner == "hangs":
        threading.Event().wait()
    if manner == "ends and has a child":
        code = "import sys, time; file = open(sys.argv[1], 'w'); print('up', flush=True); time.sleep(600)"
        command = [sys.executable, "-c", code, f"{folder}/held"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
    if manner == "is missing":
        raise ImportError("No module named 'fake'")
    return Fake(encode, manner)


if __name__ == "__main__":
    if sys.argv[1] == "talks nonsense":
        sys.stdout.write("Welcome!\n")
        sys.stdout.flush()
    serving.serve_pipe(start)
