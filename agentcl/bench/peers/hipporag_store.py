"""HippoRAG 2's published package: passages, and facts from a file, since no model reads them here.

Where the file has no facts of a passage it has none; without any, the package ranks by vectors alone. Of the
facts that a question is linked to, all are kept. The package itself fails (an assertion) on a question
while it has five facts or fewer. Parts of it that this does not use are replaced by empty modules.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from unittest.mock import MagicMock

_UNUSED: Final = (
    "vllm", "litellm", "boto3", "botocore", "botocore.exceptions", "gritlm", "transformers", "tiktoken",
    "einops",
)  # fmt: skip
_NEIGHBOURS: Final = 128  # for synonyms; pairs below 0.8 are not used, so more give the same edges


class HippoRag:
    """`HippoRAG.index`, `delete` and `retrieve`.

    Args:
        folder: where it keeps its files.
        dim: of the vectors.
        encode: makes them.
        facts: a file of facts as the package itself writes it, by the text of the passage.
    """

    def __init__(
        self,
        folder: str,
        dim: int,
        encode: Callable[[Sequence[str], str], list[list[float]]],
        *,
        facts: str = "",
    ) -> None:
        for name in _UNUSED:
            sys.modules.setdefault(name, MagicMock())
        package: Any = import_module("hipporag.HippoRAG")
        misc: Any = import_module("hipporag.utils.misc_utils")
        import numpy as np

        class Ours:
            """Stands in for the package's embedding model."""

            def __init__(self, **_: Any) -> None:  # noqa: ANN401  # the package's own
                self.embedding_dim = dim

            def batch_encode(self, texts: Any, instruction: str = "", **_: Any) -> Any:  # noqa: ANN401
                wanted = [texts] if isinstance(texts, str) else list(texts)
                return np.array(encode(wanted, "query" if instruction else "passage"), np.float32)

        package._get_embedding_model_class = lambda **_: Ours
        package._get_llm_class = lambda _: MagicMock()
        package.DSPyFilter = lambda _: _keep_all
        config = import_module("hipporag.utils.config_utils").BaseConfig()
        config.save_dir = str(Path(folder) / "hipporag")
        config.llm_name, config.embedding_model_name = "none", "ours"
        config.synonymy_edge_topk = _NEIGHBOURS
        Path(config.save_dir).mkdir(exist_ok=True)
        self._engine: Any = package.HippoRAG(global_config=config)
        given = json.loads(Path(facts).read_text("utf-8"))["docs"] if facts else []
        self._engine.openie = _Given(misc, {doc["passage"]: doc for doc in given})
        self._texts: dict[str, str] = {}  # by key
        self._keys: dict[str, list[str]] = {}  # by text; the package keeps equal ones once

    def add(self, texts: Mapping[str, str]) -> None:
        """Index passages."""
        self._engine.index(list(texts.values()))
        self._engine.ready_to_retrieve = False  # it does not notice by itself that there is more
        for key, text in texts.items():
            self._texts[key] = text
            self._keys.setdefault(text, []).append(key)

    def remove(self, keys: Sequence[str]) -> None:
        """Delete the passages that no other key has."""
        gone = []
        for key in keys:
            text = self._texts.pop(key)
            self._keys[text].remove(key)
            if not self._keys[text]:
                del self._keys[text]
                gone.append(text)
        if gone:
            self._engine.delete(gone)

    def recall(self, query: str, limit: int) -> list[str]:
        """Retrieve as the package does."""
        if not self._texts:
            return []
        (solution,) = self._engine.retrieve([query], num_to_retrieve=limit)
        return [key for text in solution.docs for key in self._keys[text]][:limit]

    def settings(self) -> Mapping[str, str | int | float | bool]:
        """Return its version, and of how many passages it was given facts."""
        return {
            "hipporag": version("hipporag"),
            "passages_with_facts": len(self._engine.openie.facts),
        }

    def close(self) -> None:
        """Do nothing: it writes whatever it changes at once."""


class _Given:
    """Stands in for the package's extraction."""

    def __init__(self, misc: Any, facts: Mapping[str, Any]) -> None:  # noqa: ANN401  # the package's module
        self._misc = misc
        self.facts = facts

    def batch_openie(self, chunks: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the entities and the facts of each passage."""
        entities, triples = {}, {}
        for key, row in chunks.items():
            doc = self.facts.get(row["content"], {})
            named = doc.get("extracted_entities", [])
            stated = [one for one in doc.get("extracted_triples", []) if len(one) == 3]
            entities[key] = self._misc.NerRawOutput(
                chunk_id=key, response="", unique_entities=named, metadata={}
            )
            triples[key] = self._misc.TripleRawOutput(
                chunk_id=key, response="", triples=stated, metadata={}
            )
        return entities, triples


def _keep_all(
    query: str, facts: Any, indices: Any, len_after_rerank: int  # noqa: ANN401  # the package's own
) -> tuple[Any, Any, dict[str, Any]]:  # fmt: skip
    return indices[:len_after_rerank], facts[:len_after_rerank], {}


def start(
    folder: str,
    dim: int,
    encode: Callable[[Sequence[str], str], list[list[float]]],
    options: Mapping[str, Any],
) -> HippoRag:
    """Return the store."""
    return HippoRag(folder, dim, encode, **options)
