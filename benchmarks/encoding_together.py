"""What does it bring that callers who come at the same time are encoded as one batch?

    python benchmarks/encoding_together.py [--data ../shared/data/multihop] [--questions 240]

Threads ask the encoder `minilm` for the vectors of the corpora's questions, one question a call, with torch on one thread. "one after the
other" is the same model behind a lock. Both take turns, and each figure is the median of the rounds. It also says how far the vectors of both
are apart: a batch pads its texts, which may change the last bits.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from parts.corpora import load
from parts.results import machine, save, table

from agentcl.retrieval.encoders.local import SentenceTransformerEncoder

THREADS = (1, 2, 4, 8, 16, 32)
Encode = Callable[[str], bytes]


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/multihop"))
    parser.add_argument("--questions", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    asked = [one for corpus in load(given.data) for one in corpus.questions][: given.questions]
    encoder = SentenceTransformerEncoder("minilm")
    encoder.encode(asked[:1], role="query")
    lock = threading.Lock()

    def alone(text: str) -> bytes:
        with lock:
            return encoder._compute("query", [text])[0]

    def together(text: str) -> bytes:
        return encoder.encode([text], role="query")[0]

    rows: dict[str, dict[str, float]] = {}
    for threads in THREADS:
        times: dict[str, list[float]] = {"alone": [], "together": []}
        for _ in range(given.rounds):
            for name, encode in (("alone", alone), ("together", together)):
                times[name].append(seconds(encode, asked, threads))
        took = {name: statistics.median(found) for name, found in times.items()}
        rows[str(threads)] = {
            "alone_a_s": len(asked) / took["alone"],
            "together_a_s": len(asked) / took["together"],
            "times": took["alone"] / took["together"],
        }
    apart = distance(encoder, asked)
    table(
        ["callers at once", "one after the other, a s", "together, a s", "times"],
        [
            [
                threads,
                f"{row['alone_a_s']:.0f}",
                f"{row['together_a_s']:.0f}",
                f"{row['times']:.2f}",
            ]
            for threads, row in rows.items()
        ],
    )
    print(f"\nvectors at most {apart:.1e} apart")
    save(
        "encoding_together",
        {"machine": machine("torch"), "questions": len(asked), "rows": rows, "apart": apart},
    )


def seconds(encode: Encode, texts: Sequence[str], threads: int) -> float:
    """Return how long some threads take for all texts."""
    with ThreadPoolExecutor(threads) as pool:
        started = time.perf_counter()
        for _ in pool.map(encode, texts):
            pass
        return time.perf_counter() - started


def distance(encoder: SentenceTransformerEncoder, texts: Sequence[str]) -> float:
    """Return the largest difference of a number in vectors computed alone and in batches."""
    alone = [encoder._compute("query", [text])[0] for text in texts]
    batched = encoder._compute("query", texts)
    both = (np.frombuffer(b"".join(found), "<f4") for found in (alone, batched))
    first, second = both
    return float(np.abs(first - second).max())


if __name__ == "__main__":
    main()
