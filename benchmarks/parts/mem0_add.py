"""mem0's raw add, timed; run by `writes.py` with the Python of mem0's own environment.

    python mem0_add.py VECTORS.npy FOLDER

Vectors are ready: the embedder only hands them out. No model is called (`infer=False`).
"""

import json
import os
import sys
import time

os.environ.update(MEM0_TELEMETRY="False", OPENAI_API_KEY="unused", MEM0_DIR=sys.argv[2])

import numpy as np
from mem0 import Memory


class Ready:
    """Hands out the next vector for whatever text."""

    def __init__(self, vectors: list[list[float]]) -> None:
        self._vectors = iter(vectors)

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        """Return the next vector."""
        return next(self._vectors)

    def embed_batch(self, texts: list[str], memory_action: str | None = None) -> list[list[float]]:
        """Return the next vectors."""
        return [next(self._vectors) for _ in texts]


def main() -> None:
    """Add every vector with a short text of its own and print the milliseconds of each."""
    vectors = np.load(sys.argv[1])
    store = {"path": f"{sys.argv[2]}/vectors", "on_disk": True, "collection_name": "notes",
             "embedding_model_dims": vectors.shape[1]}  # fmt: skip
    memory = Memory.from_config(
        {
            "vector_store": {"provider": "qdrant", "config": store},
            "history_db_path": f"{sys.argv[2]}/history.db",
        }
    )
    memory.embedding_model = Ready(vectors.tolist())
    took = []
    for number in range(len(vectors)):
        started = time.perf_counter()
        memory.add(f"note {number} about the harbour", user_id="ada", infer=False)
        took.append((time.perf_counter() - started) * 1e3)
    print(json.dumps(took))


if __name__ == "__main__":
    main()
