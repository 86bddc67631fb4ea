"""The gates of the reference model, on names, worlds and phrasings that training never drew.

    python benchmarks/reference_model.py                      # the weights in the package, in process
    python benchmarks/reference_model.py --folder FOLDER      # other weights
    python benchmarks/reference_model.py --url http://localhost:8000/v1   # the same, served: faster

Each set is also asked with its context taken away, where only chance is left. The model's fingerprint is
compared before and after. With `--curve FOLDER` the learning curve of a training is drawn.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from parts import results
from rich.progress import track

from agentcl.models import ChatModel
from agentcl.models.openai import OpenAIChat
from agentcl.models.reference.chat import ReferenceChat
from agentcl.models.reference.shipped import REFERENCE_FOLDER
from agentcl.text.svg import Axis, Series, beside, chart
from training.gates import Score, ask, draw_sets, judge

PICTURE = Path(__file__).parent.parent / "docs" / "reference-model.svg"
_LOAD = """
import time
from pathlib import Path
started = time.perf_counter()
from agentcl.models.reference.chat import ReferenceChat
ReferenceChat(Path({folder!r}), name="reference").fingerprint()
print(time.perf_counter() - started)
"""


def main() -> None:
    """Ask, judge, print, write."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--folder", type=Path, default=REFERENCE_FOLDER)
    options.add_argument("--url")
    options.add_argument("--model", default="reference")
    options.add_argument("--count", type=int, default=300, help="questions a set")
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--curve", type=Path, help="the folder of a training")
    given = options.parse_args()
    if given.curve:
        draw_curve(given.curve)
        return
    workers = 32 if given.url else 1
    model: ChatModel = (
        OpenAIChat(given.model, base_url=given.url)
        if given.url
        else ReferenceChat(given.folder, name=given.model)
    )
    before = model.fingerprint()
    sets = draw_sets(given.seed, given.count)
    replies: dict[str, list[str]] = {}
    blind: dict[str, list[str]] = {}
    started = time.perf_counter()
    for name, asked in track(sets.items(), description="asking"):
        replies[name] = ask(model, asked, workers=workers)
        blind[name] = ask(model, asked, has_context=False, workers=workers)
    seconds = time.perf_counter() - started
    is_frozen = model.fingerprint() == before
    scores = judge(sets, replies, blind)
    show(scores)
    print(f"\n{2 * given.count * len(sets)} questions in {seconds:.0f} s; frozen: {is_frozen}")
    if given.folder != REFERENCE_FOLDER:
        return
    found: dict[str, Any] = {
        "machine": results.machine("numpy"),
        "through": "vLLM" if given.url else "numpy",
        "seed": given.seed,
        "scores": [asdict(score) for score in scores],
        "is_frozen": is_frozen,
        "training": json.loads((given.folder / "training.json").read_text("utf-8")),
        "parameters": parameters(given.folder),
        "mib": (given.folder / "model.safetensors").stat().st_size / 2**20,
        "load_s": load_seconds(given.folder),
    }
    print(f"{found['mib']:.1f} MiB, loaded in {found['load_s']:.2f} s")
    results.save("reference_model", found)


def show(scores: list[Score]) -> None:
    """Print the scores as a table."""
    results.table(
        ["", "%", "95 %", "n", "limit", "without context or chance", "passed"],
        [
            [
                score.name,
                f"{100 * score.value:.1f}",
                f"{100 * score.low:.1f} to {100 * score.high:.1f}",
                str(score.count),
                "" if score.limit is None else f"{100 * score.limit:.0f}",
                f"{100 * score.without_context:.1f}",
                "yes" if score.is_passed else "NO",
            ]
            for score in scores
        ],
    )


def parameters(folder: Path) -> int:
    """Return how many weights there are; tied ones count once."""
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "pt") as tensors:
        names = tensors.keys()
        return sum(math.prod(tensors.get_slice(name).get_shape()) for name in names)


def load_seconds(folder: Path) -> float:
    """Return the seconds to load weights and tokenizer, in a fresh process, numpy imported with them."""
    code = _LOAD.format(folder=str(folder))
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(done.stdout)


def draw_curve(folder: Path) -> None:
    """Draw the training loss and the periodic gates over the tokens read."""
    curve = [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]
    gates = [json.loads(line) for line in (folder / "gates.jsonl").read_text().splitlines()]
    read = Axis("million tokens read", max(row["tokens"] for row in (*curve, *gates)) / 1e6)
    losses = [(row["tokens"] / 1e6, row["loss"]) for row in curve]
    smooth: list[tuple[float, float]] = []
    for tokens, loss in losses:
        smooth.append((tokens, 0.85 * smooth[-1][1] + 0.15 * loss if smooth else loss))
    stages = [
        (after["tokens"] / 1e6, after["stage"])
        for before, after in itertools.pairwise(curve)
        if before["stage"] != after["stage"]
    ]
    left = chart(
        [Series("", losses, 6, weight="faint"), Series("smoothed", smooth, 0)],
        title="Loss on answers",
        across=read,
        up=Axis("loss", max(loss for _, loss in losses)),
        moments=stages,
        are_named=False,
        size=(520, 360),
    )
    names = [name for name in gates[-1] if name not in curve[-1]]
    right = chart(
        [
            # A gate may have come in later.
            Series(name, [(g["tokens"] / 1e6, g[name]) for g in gates if name in g], place)
            for place, name in enumerate(names)
        ],
        title="Gates: held out, exact",
        across=read,
        up=Axis("share right"),
        size=(640, 360),
    )
    picture = beside([left, right], title="How the reference model was trained")
    PICTURE.write_text(picture.file(), "utf-8")
    print(f"written to {PICTURE.relative_to(PICTURE.parent.parent)}")


if __name__ == "__main__":
    main()
