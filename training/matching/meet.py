"""Train the vectors that tell which conditions are worth reading with a text.

    python -m training.matching.meet --out agentcl/retrieval/weights/meeting.safetensors [--epochs 6]

The lower three layers of all-MiniLM-L6-v2 stay as they are. Copies of its upper three read conditions, texts and sentences
each alone, as the originals do, and start from these. A condition and a text are as near as the condition and what of the text is
nearest to it: the whole or a sentence. Trained is that a text is nearest to the conditions that hold in it, among those of other texts
and others that are drawn, and a condition to the texts in which it holds (InfoNCE, van den Oord et al. 2018, both ways). Texts that
only look alike are left out: to tell those is the reader's part. What is kept is the running mean of the weights, as the
difference to the originals, of low rank.
"""

from __future__ import annotations

import argparse
import copy
import random
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from agentcl.guidance.meaning.features import sentences
from agentcl.retrieval.conditions import MEETING, mean, through
from training.matching.examples import set_among_others
from training.matching.read import JOINED, WIDTH, Alone, half, low_rank
from training.matching.situations import Situations, Text, Told, domains, load

TEXTS: Final = 48  # of a batch
BESIDE: Final = 96  # conditions that are drawn beside those of a batch
PARTS: Final = 14  # of a text that are looked at in training: the whole, and sentences
COLD: Final = 0.05  # temperature
SHARP: Final = 0.02  # how nearly the nearest part alone counts in training
OTHER_WORDS: Final = 0.3  # of the conditions are said in other words
CHUNK: Final = 96  # texts that are read at once
DECAY: Final = 0.99  # of the running mean, by step


def parts_of(text: str) -> list[str]:
    """Return what of a text is compared with conditions: the whole, and each sentence."""
    return [*dict.fromkeys((text, *sentences(text)))]


def vectors(layers: Any, alone: Alone, texts: Sequence[str]) -> Tensor:  # noqa: ANN401  # untyped there
    """Return vectors of texts, `[texts, 384]`, each of length 1."""
    hidden = [alone.hidden[text] for text in texts]
    order = sorted(range(len(hidden)), key=lambda at: len(hidden[at]))
    found: dict[int, Tensor] = {}
    for start in range(0, len(order), CHUNK):
        some = order[start : start + CHUNK]
        longest = max(len(hidden[at]) for at in some)
        states, mask = torch.zeros(len(some), longest, WIDTH), torch.zeros(len(some), longest)
        for row, at in enumerate(some):
            states[row, : len(hidden[at])] = hidden[at].float()
            mask[row, : len(hidden[at])] = 1
        with torch.autocast("cpu", dtype=torch.bfloat16):
            top = through(layers, states, mask).float()
        found.update(zip(some, functional.normalize(mean(top, mask), dim=-1), strict=True))
    return torch.stack([found[at] for at in range(len(texts))])


def train(found: Situations, *, epochs: int, rate: float, seed: int) -> tuple[Any, Alone]:
    """Return the trained layers; prints the loss.

    Args:
        found: what they learn from.
        epochs: how often.
        rate: of the layers, at its highest.
        seed: of all that is drawn.
    """
    torch.manual_seed(seed)
    alone, rng = Alone(), random.Random(seed)
    texts = [*found.texts, *set_among_others(found, random.Random(seed))]
    texts = [one for one in texts if one.right]
    whens = {when for one in found.lessons for when in (one.when, *one.alike)}
    alone.read([*whens, *(part for one in texts for part in parts_of(one.text))])
    layers = copy.deepcopy(alone.bert.encoder.layer[-JOINED:])
    of_steps = get_ema_multi_avg_fn(DECAY)  # type: ignore[no-untyped-call]
    averaged = AveragedModel(layers, multi_avg_fn=of_steps)
    optimiser = torch.optim.AdamW(layers.parameters(), lr=rate, weight_decay=0.02)
    each = -(-len(texts) // TEXTS)
    for epoch in range(epochs):
        rng.shuffle(texts)
        started, losses = time.monotonic(), 0.0
        for at in range(each):
            done = (epoch * each + at) / (epochs * each)
            for group in optimiser.param_groups:
                group["lr"] = rate * min(1.0, (done + 1e-3) / 0.06) * max(0.02, 1 - done)
            batch = texts[at * TEXTS : (at + 1) * TEXTS]
            loss = loss_of(layers, alone, batch, found.lessons, rng)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(layers.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
            averaged.update_parameters(layers)
            losses += loss.item()
        minutes = (time.monotonic() - started) / 60
        print(f"epoch {epoch + 1} of {epochs}, {minutes:.1f} min: {losses / each:.3f}", flush=True)
    return averaged.module.eval(), alone


def loss_of(
    layers: Any,  # noqa: ANN401  # untyped there
    alone: Alone,
    batch: Sequence[Text],
    lessons: Sequence[Told],
    rng: random.Random,
) -> Tensor:
    """Return how far texts are from their own conditions, among others, and these from their texts."""
    by_id = {one.id: one for one in lessons}
    own = [by_id[id] for text in batch for id in sorted(text.right)]
    some = [*dict.fromkeys((*own, *rng.sample(lessons, min(BESIDE, len(lessons)))))]
    said = [
        rng.choice(one.alike[:1]) if one.alike and rng.random() < OTHER_WORDS else one.when
        for one in some
    ]
    parts = [parts_of(text.text)[:PARTS] for text in batch]
    each = vectors(layers, alone, [part for one in parts for part in one])
    cosines = vectors(layers, alone, said) @ each.T
    near = [
        SHARP * torch.logsumexp(one / SHARP, dim=1)
        for one in torch.split(cosines, [len(one) for one in parts], dim=1)
    ]
    scores = torch.stack(near) / COLD  # [texts, conditions]
    right = torch.tensor([[float(one.id in text.right) for one in some] for text in batch])
    unknown = torch.tensor([[one.id in text.unknown for one in some] for text in batch])
    scores = scores.masked_fill(unknown, -1e4)
    of_texts = (scores.log_softmax(1) * right).sum(1) / right.sum(1)
    has_text = right.sum(0) > 0
    of_conditions = (scores.log_softmax(0) * right).sum(0)[has_text] / right.sum(0)[has_text]
    return -of_texts.mean() - 0.5 * of_conditions.mean()


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=MEETING)
    parser.add_argument("--without", default="", help="domains that are left out, for `decide`")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--rate", type=float, default=6e-5)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    left_out: Collection[str] = asked.without.split(",")
    found = load(file for file in domains() if file.stem not in left_out)
    print(f"{len(found.lessons)} lessons, {len(found.texts)} texts", flush=True)
    layers, alone = train(found, epochs=asked.epochs, rate=asked.rate, seed=asked.seed)
    save_file(half(low_rank(layers, alone)), asked.out)
    print(f"written to {asked.out}")


if __name__ == "__main__":
    main()
