"""LightRAG's vector search over its own chunks (mode "naive"): documents as they are, no model asked.

Its knowledge graph needs a model that extracts; building it is switched off for each document.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

_CHARACTERS: Final = 4  # of one token: about what English has
_BITS: Final = 21  # of a code point
_NO_GRAPH: Final = "!"  # LightRAG's own sign
_NO_BUDGET: Final = 1_000_000_000  # tokens of an answer; the limit counts items


class Quads:
    """Tokens of four characters: the tokenizer of LightRAG itself would have to be downloaded."""

    def encode(self, content: str) -> list[int]:
        """Return a number for every four characters."""
        return [
            sum(
                (ord(char) + 1) << (_BITS * place)
                for place, char in enumerate(content[at : at + 4])
            )
            for at in range(0, len(content), _CHARACTERS)
        ]

    def decode(self, tokens: list[int]) -> str:
        """Return the text that `encode` had."""
        mask = (1 << _BITS) - 1
        codes = (
            token >> (_BITS * place) & mask for token in tokens for place in range(_CHARACTERS)
        )
        return "".join(chr(code - 1) for code in codes if code)


class LightRag:
    """`apipeline_enqueue_documents` without a graph, and `aquery_data` with mode "naive"."""

    def __init__(
        self, folder: str, dim: int, encode: Callable[[Sequence[str], str], list[list[float]]]
    ) -> None:
        import numpy as np
        from lightrag import LightRAG, QueryParam
        from lightrag.utils import EmbeddingFunc, Tokenizer

        async def embed(texts: list[str], context: str = "document") -> Any:  # noqa: ANN401  # an array
            vectors = encode(texts, "query" if context == "query" else "passage")
            return np.array(vectors, np.float32)

        async def no_model(*_: Any, **__: Any) -> str:  # noqa: ANN401  # LightRAG's own
            raise RuntimeError("this baseline has no language model")

        self._asked: Any = QueryParam
        self._loop = asyncio.new_event_loop()
        self._rag: Any = LightRAG(
            working_dir=folder,
            llm_model_func=no_model,
            embedding_func=EmbeddingFunc(
                embedding_dim=dim, func=embed, max_token_size=8192, supports_asymmetric=True
            ),
            tokenizer=Tokenizer("quads", Quads()),
        )
        self._run(self._rag.initialize_storages())

    def add(self, texts: Mapping[str, str]) -> None:
        """Keep each text as one document, which LightRAG cuts into chunks. Of equal texts it keeps one."""
        keys = list(texts)
        self._run(
            self._rag.apipeline_enqueue_documents(
                list(texts.values()), ids=keys, file_paths=keys, process_options=_NO_GRAPH
            )
        )
        self._run(self._rag.apipeline_process_enqueue_documents())
        # It marks what it cannot take as failed, and goes on.
        for key, state in self._run(self._rag.aget_docs_by_ids(keys)).items():
            if state["status"] != "processed":
                raise RuntimeError(f"LightRAG did not take {key}: {state}")

    def remove(self, keys: Sequence[str]) -> None:
        """Delete documents."""
        for key in keys:
            self._run(self._rag.adelete_by_doc_id(key))

    def recall(self, query: str, limit: int) -> list[str]:
        """Return the documents of the nearest chunks, each once; none where it finds a query too short."""
        from lightrag.query_validation import RAGQueryTooShortError

        wanted = limit
        while True:
            asked = self._asked(
                mode="naive",
                top_k=wanted,
                chunk_top_k=wanted,
                enable_rerank=False,
                max_total_tokens=_NO_BUDGET,
            )
            try:
                answer = self._run(self._rag.aquery_data(query, asked))
            except RAGQueryTooShortError:
                return []
            chunks = answer.get("data", {}).get("chunks", [])
            keys = list(dict.fromkeys(str(chunk["file_path"]) for chunk in chunks))
            if len(keys) >= limit or len(chunks) < wanted:
                return keys[:limit]
            wanted *= 2

    def settings(self) -> Mapping[str, str | int | float | bool]:
        """Return version, mode and what it cuts by."""
        return {
            "lightrag-hku": version("lightrag-hku"),
            "mode": "naive",
            "chunk_characters": _CHARACTERS * int(self._rag.chunk_token_size),
            "least_cosine": float(self._rag.cosine_better_than_threshold),
        }

    def close(self) -> None:
        """Write and close its files."""
        self._run(self._rag.finalize_storages())
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401  # LightRAG has no types
        return self._loop.run_until_complete(work)


def start(
    folder: str,
    dim: int,
    encode: Callable[[Sequence[str], str], list[list[float]]],
    options: Mapping[str, Any],
) -> LightRag:
    """Return the store."""
    return LightRag(folder, dim, encode, **options)
