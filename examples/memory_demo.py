"""The main job in one go: fill a memory, ask it, see what was found and why, draw it.

    python examples/memory_demo.py

Needs the base install only. With `pip install 'agentcl[local]'` the same memory also knows meaning.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from agentcl import Memory, Recall
from agentcl.files import load

sys.path.insert(0, str(Path(__file__).parent))
from picture import draw

HERE = Path(__file__).parent
FOLDER = Path("demo-memory")
PICTURE = Path("demo.svg")
SHOWN = (
    "At what hour does the ferry Petrel leave the fish quay in the morning?",
    "What protects the town from very high water?",
    "What must bakers not change in the biscuit of the convent that sand buried?",
)
KINDS = {
    "keyword": "shares rare words with its document",
    "paraphrase": "shares hardly a word with it",
    "multihop": "needs two documents",
}
LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")
out = Console()


def fill(memory: Memory) -> None:
    """Remember every file of the corpus, each under its name."""
    sources = list(load(HERE / "corpus"))
    for source in track(sources, "remembering", console=out, disable=not out.is_terminal):
        memory.add(source.text, title=source.title, uri=Path(source.uri).stem)


def show(recall: Recall) -> None:
    """Print a question with its three best hits and the reasons."""
    out.print(f"\n[bold]? {recall.query}[/]")
    for rank, hit in enumerate(recall.hits[:3], start=1):
        text = LINK.sub(r"\1", " ".join(hit.text.split("\n\n", 1)[-1].split()))
        out.print(f"  {rank}. [bold]{hit.title}[/]: {escape(text[:150])}…", highlight=False)
        out.print(f"     [dim]{escape(hit.why())}[/]", highlight=False)


def recall_at_5(memory: Memory, questions: list[dict[str, Any]], mode: Any) -> dict[str, float]:  # noqa: ANN401
    """Return which share of the documents wanted are among the first five, by kind of question."""
    shares: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for asked in questions:
        hits = memory.search(asked["question"], limit=20, mode=mode)
        found = list(dict.fromkeys(hit.uri for hit in hits))[:5]
        wanted = set(asked["gold"])
        shares[asked["kind"]].append(len(wanted & set(found)) / len(wanted))
    return {kind: sum(values) / len(values) for kind, values in shares.items()}


def main() -> None:
    """Run the demo in the working folder; an earlier run's memory is replaced."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    questions = json.loads((HERE / "questions.json").read_text("utf-8"))
    with Memory(FOLDER) as memory:
        started = time.perf_counter()
        fill(memory)
        took_s = time.perf_counter() - started
        counts = memory.store.stats()
        out.print(f"{counts.records['document']} documents remembered in {took_s:.1f} s, "
                  f"each safe on disk; encoder {memory.store.encoder.name}")  # fmt: skip
        if memory.store.encoder.is_lexical:
            out.print("[dim]This encoder compares spelling only; pip install 'agentcl\\[local]' "
                      "adds one that knows meaning.[/]")  # fmt: skip
        recalls = [memory.search(question) for question in SHOWN]
        for recall in recalls:
            show(recall)

        table = Table("question", "", "by words", "by vector", "hybrid", box=None, pad_edge=False)
        scores = {
            mode: recall_at_5(memory, questions, mode) for mode in ("text", "dense", "hybrid")
        }
        for kind, meaning in KINDS.items():
            table.add_row(kind, meaning, *(f"{100 * scores[m][kind]:.0f}%" for m in scores))
        out.print(f"\nFound among the first five documents, {len(questions)} questions:")
        out.print(table)

        out.print("\n[bold]What a prompt gets[/] (budget 250 tokens):")
        print(recalls[0].prompt(budget_tokens=250))

        document = memory.list(limit=1)[0]
        receipt = memory.forget(document.id)
        out.print(f"\nForgotten for good: {len(receipt.removed)} records, their bytes cleared from "
                  "every file of the folder.")  # fmt: skip
    PICTURE.write_text(draw(HERE / "corpus", recalls[-1], scores), "utf-8")
    out.print(
        f"\nThe picture is in [bold]{PICTURE}[/], the memory in [bold]{FOLDER}[/]. Next, try:"
    )
    print(f'  .venv/bin/agentcl search "who kept the light?" --path {FOLDER}')


if __name__ == "__main__":
    main()
