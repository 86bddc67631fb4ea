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

import click

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
ROW = "{:<12}{:<39}{:<10}{:<11}{}"
LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")


def fill(memory: Memory) -> None:
    """Remember every file of the corpus, each under its name."""
    sources = list(load(HERE / "corpus"))
    with click.progressbar(sources, label="remembering", hidden=not sys.stdout.isatty()) as shown:
        for source in shown:
            memory.add(source.text, title=source.title, uri=Path(source.uri).stem)


def show(recall: Recall) -> None:
    """Print a question with its three best hits and the reasons."""
    click.secho(f"\n? {recall.query}", bold=True)
    for rank, hit in enumerate(recall.hits[:3], start=1):
        text = LINK.sub(r"\1", " ".join(hit.text.split("\n\n", 1)[-1].split()))
        click.echo(f"  {rank}. {click.style(hit.title, bold=True)}: {text[:150]}…")
        click.secho(f"     {hit.why()}", dim=True)


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
        click.echo(f"{counts.records['document']} documents remembered in {took_s:.1f} s, "
                  f"each safe on disk; encoder {memory.store.encoder.name}")  # fmt: skip
        if memory.store.encoder.is_lexical:
            click.secho("This encoder compares spelling only; pip install 'agentcl[local]' adds one that "
                        "knows meaning.", dim=True)  # fmt: skip
        recalls = [memory.search(question) for question in SHOWN]
        for recall in recalls:
            show(recall)

        scores = {
            mode: recall_at_5(memory, questions, mode) for mode in ("text", "dense", "hybrid")
        }
        click.echo(f"\nFound among the first five documents, {len(questions)} questions:")
        click.secho(ROW.format("question", "", "by words", "by vector", "hybrid"), bold=True)
        for kind, meaning in KINDS.items():
            shares = (f"{100 * scores[mode][kind]:.0f}%" for mode in scores)
            click.echo(ROW.format(kind, meaning, *shares))

        click.echo(f"\n{click.style('What a prompt gets', bold=True)} (budget 250 tokens):")
        print(recalls[0].prompt(budget_tokens=250))

        document = memory.list(limit=1)[0]
        receipt = memory.forget(document.id)
        click.echo(f"\nForgotten for good: {len(receipt.removed)} records, their bytes cleared from "
                   "every file of the folder.")  # fmt: skip
    PICTURE.write_text(draw(HERE / "corpus", recalls[-1], scores), "utf-8")
    click.echo(f"\nThe picture is in {click.style(str(PICTURE), bold=True)}, the memory in "
               f"{click.style(str(FOLDER), bold=True)}. Next, try:")  # fmt: skip
    print(f'  .venv/bin/agentcl search "who kept the light?" --path {FOLDER}')


if __name__ == "__main__":
    main()
