"""mem0's own store (Qdrant in a folder, SQLite for history): texts as they are, no model asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

_USER: Final = "bench"


class _Embedder:
    def __init__(self, encode: Callable[[Sequence[str], str], list[list[float]]]) -> None:
        self._encode = encode

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        role = "query" if memory_action == "search" else "passage"
        return self._encode([text], role)[0]

    def embed_batch(self, texts: list[str], memory_action: str | None = None) -> list[list[float]]:
        role = "query" if memory_action == "search" else "passage"
        return self._encode(texts, role)


class Mem0:
    """`Memory.add(infer=False)` and `Memory.search` with its defaults.

    mem0 joins keyword search to vectors only where fastembed is installed and its model "Qdrant/bm25" can be
    had, and entities only with spaCy and its English model; else it goes on without and warns. `settings`
    says what it has.

    Args:
        folder: where it keeps its files.
        dim: of the vectors.
        encode: makes them.
        bm25_model: a folder with the files of "Qdrant/bm25", where they cannot be downloaded.
    """

    def __init__(
        self,
        folder: str,
        dim: int,
        encode: Callable[[Sequence[str], str], list[list[float]]],
        *,
        bm25_model: str = "",
    ) -> None:
        os.environ.update(MEM0_TELEMETRY="False", OPENAI_API_KEY="unused", MEM0_DIR=folder)
        from mem0 import Memory  # reads the environment when it is imported

        store = {"path": f"{folder}/vectors", "on_disk": True, "collection_name": "items",
                 "embedding_model_dims": dim}  # fmt: skip
        self._memory: Any = Memory.from_config(
            {
                "vector_store": {"provider": "qdrant", "config": store},
                "history_db_path": f"{folder}/history.db",
            }
        )
        self._memory.embedding_model = _Embedder(encode)
        if bm25_model:
            from fastembed import SparseTextEmbedding

            self._memory.vector_store._bm25_encoder = SparseTextEmbedding(
                "Qdrant/bm25", specific_model_path=bm25_model
            )
        self._ids: dict[str, str] = {}  # its own, by key
        self._keys: dict[str, str] = {}  # and back

    def add(self, texts: Mapping[str, str]) -> None:
        """Keep each text as one memory."""
        for key, text in texts.items():
            added = self._memory.add(text, user_id=_USER, infer=False)["results"]
            self._ids[key] = added[0]["id"]
            self._keys[added[0]["id"]] = key

    def remove(self, keys: Sequence[str]) -> None:
        """Delete memories."""
        for key in keys:
            id = self._ids.pop(key)
            self._memory.delete(id)
            del self._keys[id]

    def recall(self, query: str, limit: int) -> list[str]:
        """Search with mem0's own threshold and scoring."""
        found = self._memory.search(query, top_k=limit, filters={"user_id": _USER})["results"]
        return [self._keys[one["id"]] for one in found]

    def settings(self) -> Mapping[str, str | int | float | bool]:
        """Return its version, and which of its parts work here."""
        from mem0.utils.spacy_models import get_nlp_full

        return {
            "mem0ai": version("mem0ai"),
            "infer": False,
            "has_keyword_search": self._memory.vector_store._get_bm25_encoder() is not None,
            "has_entities": get_nlp_full() is not None,
        }

    def close(self) -> None:
        """Close the store."""
        self._memory.close()


def start(
    folder: str,
    dim: int,
    encode: Callable[[Sequence[str], str], list[list[float]]],
    options: Mapping[str, Any],
) -> Mem0:
    """Return the store."""
    return Mem0(folder, dim, encode, **options)
