"""HippoRAG 2's published package at work, inside its own environment; started by `graph_published.py`.

No language model is asked: facts come from a file, and the filter keeps every linked fact. Vectors come from
a file as well, so that only the package's own work is timed, in processor seconds. Parts of the package that
this run does not use (vLLM, LiteLLM, boto3, GritLM, transformers) are replaced by empty modules.
"""

# ruff: noqa: ANN401 - what the package hands over has no types

from __future__ import annotations

import json
import logging
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np

UNUSED = (
    "vllm", "litellm", "boto3", "botocore", "botocore.exceptions", "gritlm", "transformers", "tiktoken",
    "einops",
)  # fmt: skip


def main(folder: Path) -> None:
    """Index, ask, add one passage; write rankings and seconds to `published.json`."""
    for name in UNUSED:
        sys.modules.setdefault(name, MagicMock())
    logging.disable(logging.WARNING)
    package: Any = import_module("hipporag.HippoRAG")  # the package's own name stands for the class
    from hipporag.utils.config_utils import BaseConfig

    with (folder / "task.json").open(encoding="utf-8") as file:
        task = json.load(file)
    vectors = np.load(folder / "vectors.npy")
    row_of = {text: row for row, text in enumerate(task["encoded"])}

    class GivenVectors:
        """Stands in for the package's embedding model."""

        def __init__(self, **_: Any) -> None:
            self.embedding_dim = vectors.shape[1]

        def batch_encode(self, texts: Any, **_: Any) -> Any:
            wanted = [texts] if isinstance(texts, str) else texts
            return vectors[[row_of[text] for text in wanted]]

    package._get_embedding_model_class = lambda **_: GivenVectors
    package._get_llm_class = lambda _: MagicMock()
    package.DSPyFilter = lambda _: keep_all
    config = BaseConfig()
    config.save_dir = str(folder / "published")
    config.llm_name, config.embedding_model_name = "none", "given"
    # Pairs below 0.8 are not used, and at most 100 of a phrase; 128 neighbours give the same edges as 2,047.
    config.synonymy_edge_topk = 128
    Path(config.save_dir).mkdir(exist_ok=True)
    extracted = Path(config.save_dir) / "openie_results_ner_none.json"
    extracted.write_text(json.dumps({"docs": task["openie"][:-1]}))
    engine = package.HippoRAG(global_config=config)
    found: dict[str, Any] = {"seconds": {}}

    def timed(name: str, act: Any) -> Any:
        started = time.process_time()
        result = act()
        found["seconds"][name] = time.process_time() - started
        return result

    timed("index", lambda: engine.index(task["passages"]))
    solutions = timed("questions", lambda: engine.retrieve(task["questions"], num_to_retrieve=20))
    found["rankings"] = [solution.docs for solution in solutions]
    found["edges"] = engine.graph.ecount()
    held = json.loads(extracted.read_text())
    extracted.write_text(json.dumps({**held, "docs": [*held["docs"], task["openie"][-1]]}))
    timed("one more passage", lambda: engine.index([*task["passages"], task["added"]]))
    found["edges_after"] = engine.graph.ecount()
    (folder / "published.json").write_text(json.dumps(found))


def keep_all(query: str, facts: Any, indices: Any, len_after_rerank: int) -> Any:
    """Keep every linked fact."""
    return indices[:len_after_rerank], facts[:len_after_rerank], {}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
