"""agentcl at work in a process of its own; started by `graph_published.py`.

Vectors come from a file, so that only agentcl's own work is timed, in processor seconds, and the process loads
what a program loads whose encoder is elsewhere. With `--torch` it loads torch and sentence-transformers as well:
the more objects a process holds, the longer each full round of Python's garbage collector takes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from agentcl import Draft, Memory
from agentcl.retrieval.encoders.base import Role
from agentcl.retrieval.modes import PUBLISHED, Mode, SearchMode

sys.path.insert(0, str(Path(__file__).parents[1]))
from parts.recalls import documents_of

MODES: dict[str, Mode | SearchMode] = {
    "dense": "dense",
    "agentcl, graph": "graph",
    "agentcl, hipporag2": PUBLISHED,
}


class GivenVectors:
    """An encoder that knows its texts' vectors beforehand."""

    name = "given"
    is_lexical = False

    def __init__(self, texts: Sequence[tuple[str, str]], vectors: np.ndarray) -> None:
        self.dim = int(vectors.shape[1])
        packed = [vector.astype("<f4").tobytes() for vector in vectors]
        self._held = {
            (role, text): vector for (role, text), vector in zip(texts, packed, strict=True)
        }

    def encode(self, texts: Sequence[str], *, role: Role) -> list[bytes]:
        """Return the vectors of texts."""
        return [self._held[role, text] for text in texts]


def main() -> None:
    """Index, ask, add one passage; write rankings and seconds to a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--torch", action="store_true")
    arguments = parser.parse_args()
    if arguments.torch:
        import_module("sentence_transformers")
    task = json.loads((arguments.folder / "ours.json").read_text("utf-8"))
    texts = [(role, text) for role, text in task["encoded"]]
    encoder = GivenVectors(texts, np.load(arguments.folder / "ours.npy"))
    name = "torch" if arguments.torch else "bare"
    found = measured(task, encoder, arguments.folder / name)
    (arguments.folder / f"{name}.json").write_text(json.dumps(found), "utf-8")


def measured(task: dict[str, Any], encoder: GivenVectors, folder: Path) -> dict[str, Any]:
    """Return our rankings by mode, and our seconds."""
    seconds: dict[str, float] = {}
    rankings: dict[str, list[list[int]]] = {}
    drafts = [Draft(text=text, title=title) for title, text in task["documents"]]
    questions, (title, text) = task["questions"], task["added"]
    with Memory(folder / "warm", encoder=encoder) as memory:  # compiles what numba compiles
        for document in memory.add_many([drafts[0], drafts[1]]):
            memory.facts.add(document.id, task["added_facts"])
        memory.search(questions[0], mode="graph")

    def timed(name: str, act: Callable[[], Any]) -> Any:  # noqa: ANN401  # whatever it returns
        started = time.process_time()
        result = act()
        seconds[name] = time.process_time() - started
        return result

    with Memory(folder / "memory", encoder=encoder) as memory:

        def index() -> list[str]:
            ids = [document.id for document in memory.add_many(drafts)]
            memory.facts.import_(task["facts"])
            memory.store.retriever.catch_up(mode="graph")
            memory.search(questions[0], mode="graph")
            return ids

        ids = timed("index", index)
        position = {id: number for number, id in enumerate(ids)}

        def ask(mode: Mode | SearchMode) -> list[list[int]]:
            return [documents_of(memory, question, mode, position) for question in questions]

        for name, mode in MODES.items():
            memory.search(questions[0], mode=mode)
            rankings[name] = timed("questions" if mode == "graph" else name, partial(ask, mode))

        def add_one() -> None:
            document = memory.add(text, title=title)
            memory.facts.add(document.id, task["added_facts"])
            memory.store.retriever.catch_up(mode="graph")

        timed("one more passage", add_one)
    return {"seconds": seconds, "rankings": rankings}


if __name__ == "__main__":
    main()
