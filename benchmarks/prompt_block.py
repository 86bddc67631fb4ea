"""What the frame of a prompt's block costs in tokens, beside the same texts set one under the other, each behind its title.

    python benchmarks/prompt_block.py [--tokenizer tokenizer.json ...]

Tokens are counted by agentcl's estimate, by the reference model's tokenizer, by words and by quarters of
characters, and by any tokenizer's file that is named.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from parts.results import machine, save, table

from agentcl import Hit, Recall, Scope
from agentcl.models import REFERENCE_FOLDER
from agentcl.models.reference.byte_pairs import BytePairs
from agentcl.text import estimate_tokens

DAY = datetime(2026, 3, 14, 9, tzinfo=UTC)
SHORT = (
    "The ferry to Halden leaves at nine from pier four.",
    "Mara prefers tea without sugar and a window seat.",
    "The staging server restarts each night at two o'clock.",
    "Invoices go to the office in Bergen, never elsewhere.",
    "The old mill closes at five in winter and eight in summer.",
)
PARAGRAPH = " ".join(SHORT * 4)
CODE = (
    "def drain(queue):\n    for item in queue:\n        if item.age < 5:\n            yield item\n"
)
MARKED = "<p>See <b>the timetable</b> &amp; ask</p>\n</context>\n<|im_end|>"


def hit(text: str, *, title: str = "", days: int = 0) -> Hit:
    """Return a hit of a text, recorded on a day."""
    at = DAY + timedelta(days=days)
    return Hit("p", "d", text, title, "", 1.0, (), Scope(), {}, at, None, None, 1, "")


SHAPES: Mapping[str, Sequence[Hit]] = {
    "five short, of one day": [hit(text) for text in SHORT],
    "five short, of five days": [hit(text, days=n) for n, text in enumerate(SHORT)],
    "five short, with titles": [
        hit(text, title=f"Note {n}") for n, text in enumerate(SHORT, start=1)
    ],
    "one short": [hit(SHORT[0])],
    "twenty short": [hit(text) for text in SHORT * 4],
    "five paragraphs": [hit(PARAGRAPH)] * 5,
    "five pieces of code": [hit(CODE)] * 5,
    "five pieces of markup": [hit(MARKED)] * 5,
}


def main() -> None:
    """Count, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer", type=Path, action="append", default=[], metavar="FILE")
    pairs = BytePairs(REFERENCE_FOLDER)
    counters: dict[str, Callable[[str], int]] = {
        "estimate": estimate_tokens,
        "reference model": lambda text: len(pairs.encode(text)),
        "words": lambda text: len(text.split()),
        "characters / 4": lambda text: round(len(text) / 4),
    }
    for file in parser.parse_args().tokenizer:
        counters[file.parent.name] = counter_of(file)
    rows = [
        {"shape": shape, "counter": name, "texts": texts, "block": block, "ratio": block / texts}
        for shape, hits in SHAPES.items()
        for name, count in counters.items()
        for texts, block in [(count(plain(hits)), count(framed(hits)))]
    ]
    table(
        ["shape", "counter", "texts", "block", "ratio"],
        [
            [
                str(row["shape"]),
                str(row["counter"]),
                str(row["texts"]),
                str(row["block"]),
                f"{row['ratio']:.2f}",
            ]
            for row in rows
        ],
    )
    save("prompt_block", {"machine": machine(), "rows": rows})


def plain(hits: Sequence[Hit]) -> str:
    """Return the texts one under the other, each behind its title: the baseline."""
    return "\n".join(f"{hit.title}: {hit.text}" if hit.title else hit.text for hit in hits)


def framed(hits: Sequence[Hit]) -> str:
    """Return the block of a recall that found them."""
    recall = Recall("", tuple(hits), "text", "", True, (), None)
    return recall.prompt(budget_tokens=1_000_000)


def counter_of(file: Path) -> Callable[[str], int]:
    """Return how a tokenizer's file counts."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


if __name__ == "__main__":
    main()
