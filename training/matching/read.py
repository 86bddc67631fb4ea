"""Train the model that reads whether a condition holds in a text.

    python -m training.matching.read --out agentcl/retrieval/weights/conditions.safetensors [--epochs 7]

The lower three layers of all-MiniLM-L6-v2 stay as they are and read each text alone, once. Copies of its upper three
layers read a condition and a text together. They start from the originals, so that both are understood from the first
step on, and a head of two layers says how likely the condition holds. What is kept of them is the difference to the
originals, of low rank.

Each text is paired with the lesson that it was written for, with that lesson in other words, with one that looks alike
and is another, and with other lessons of all domains that look alike to the unchanged model.
"""

from __future__ import annotations

import argparse
import copy
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer

from agentcl.guidance.features import sentences
from agentcl.retrieval.conditions import MOST_TOKENS, WEIGHTS, beside, mean, through
from agentcl.retrieval.encoders.local import bundled
from training.matching.situations import Situations, Told, domains, load

JOINED: Final = 3  # upper layers that read both
WIDTH: Final = 384
RANK: Final = 48
TOKENS: Final = 2_500  # of a batch
CHUNK: Final = 1_024  # pairs among which a batch is of one length
LIKE: Final = 8  # nearest other lessons, of which most pairs are drawn ...
FARTHER: Final = 30  # ... and the others


class Example(NamedTuple):
    """One pair, and whether the condition holds."""

    when: str
    text: str
    holds: float
    weight: float = 1.0


class Alone:
    """What the lower layers make of texts, kept."""

    def __init__(self) -> None:
        folder = str(bundled())
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self.bert: Any = AutoModel.from_pretrained(folder).eval()
        self.hidden: dict[str, Tensor] = {}
        self.vector: dict[str, np.ndarray[Any, Any]] = {}

    @torch.no_grad()
    def read(self, texts: Sequence[str]) -> None:
        """Read what was not read yet."""
        layers = self.bert.encoder.layer
        todo = sorted({text for text in texts if text not in self.hidden}, key=len)
        for start in range(0, len(todo), 64):
            batch = todo[start : start + 64]
            made = self.tokenizer(
                batch, truncation=True, max_length=MOST_TOKENS, padding=True, return_tensors="pt"
            )
            mask = made["attention_mask"]
            with torch.autocast("cpu", dtype=torch.bfloat16):
                hidden = through(layers[:-JOINED], self.bert.embeddings(made["input_ids"]), mask)
                top = through(layers[-JOINED:], hidden, mask)
            pooled = functional.normalize(mean(top.float(), mask), dim=-1).numpy()
            for at, (text, length) in enumerate(zip(batch, mask.sum(1).tolist(), strict=True)):
                self.hidden[text] = hidden[at, :length].to(torch.bfloat16).clone()
                self.vector[text] = pooled[at]


class Reader(nn.Module):
    """The upper layers and the head."""

    def __init__(self, bert: Any) -> None:  # noqa: ANN401  # untyped there
        super().__init__()
        self.layers = copy.deepcopy(bert.encoder.layer[-JOINED:])
        self.side = nn.Parameter(torch.zeros(2, WIDTH))
        self.head = nn.Sequential(
            nn.Linear(4 * WIDTH + 4, 128), nn.GELU(), nn.Dropout(0.1), nn.Linear(128, 1)
        )

    def forward(self, hidden: Tensor, masks: Tensor, likeness: Tensor) -> Tensor:
        """Return log-odds, `[pairs]`, of `[pairs, tokens, 384]`, two masks and what stands `beside`."""
        hidden = (
            hidden + masks[0].unsqueeze(-1) * self.side[0] + masks[1].unsqueeze(-1) * self.side[1]
        )
        hidden = through(self.layers, hidden, masks.sum(0)).float()
        one, other = mean(hidden, masks[0]), mean(hidden, masks[1])
        seen = torch.cat([hidden[:, 0], one, other, one * other, likeness], dim=-1)
        odds: Tensor = self.head(seen).squeeze(-1)
        return odds


def batch_of(alone: Alone, examples: Sequence[Example]) -> tuple[Tensor, Tensor, Tensor]:
    """Return what the reader takes of some examples."""
    held = [(alone.hidden[one.when], alone.hidden[one.text]) for one in examples]
    longest = max(len(when) + len(text) for when, text in held)
    hidden, masks = torch.zeros(len(held), longest, WIDTH), torch.zeros(2, len(held), longest)
    likeness = []
    for at, ((when, text), example) in enumerate(zip(held, examples, strict=True)):
        end = len(when) + len(text)
        hidden[at, : len(when)], hidden[at, len(when) : end] = when.float(), text.float()
        masks[0, at, : len(when)] = masks[1, at, len(when) : end] = 1
        vector = alone.vector[example.when]
        whole = float(vector @ alone.vector[example.text])
        best = max(float(vector @ alone.vector[one]) for one in sentences(example.text))
        likeness.append(beside(whole, best, len(text)))
    return hidden, masks, torch.tensor(likeness)


def nearest(alone: Alone, found: Situations) -> list[list[Told]]:
    """Return for each text the other lessons that look most alike and do not speak of it."""
    whens = np.stack([alone.vector[one.when] for one in found.lessons])
    rows = []
    for text in found.texts:
        seen = np.stack([alone.vector[one] for one in (text.text, *sentences(text.text))])
        order = np.argsort(-(whens @ seen.T).max(1))
        some = (found.lessons[at] for at in order)
        others = (one for one in some if one.id not in text.right and one.id != text.lesson)
        rows.append([one for one, _ in zip(others, range(FARTHER), strict=False)])
    return rows


def examples_of(
    found: Situations, near: Sequence[Sequence[Told]], rng: random.Random
) -> Iterator[Example]:
    """Yield the pairs of one epoch."""
    by_id = {one.id: one for one in found.lessons}
    for text, others in zip(found.texts, near, strict=True):
        own = by_id[text.lesson]
        holds = float(own.id in text.right)
        yield Example(own.when, text.text, holds)
        if own.alike and rng.random() < 0.4:
            yield Example(rng.choice(own.alike), text.text, holds, 0.8)
        if holds and own.near and rng.random() < 0.5:
            yield Example(own.near, text.text, 0.0, 0.7)
        for id in sorted(text.right - {own.id}):
            yield Example(by_id[id].when, text.text, 1.0)
        for other in (*rng.sample(others[:LIKE], 2), rng.choice(others[LIKE:])):
            yield Example(other.when, text.text, 0.0)


def batches(alone: Alone, examples: Sequence[Example], rng: random.Random) -> list[list[Example]]:
    """Return examples in batches of about as many tokens, each of about one length."""

    def length(one: Example) -> int:
        return len(alone.hidden[one.when]) + len(alone.hidden[one.text])

    made: list[list[Example]] = []
    for start in range(0, len(examples), CHUNK):
        batch: list[Example] = []
        for one in sorted(examples[start : start + CHUNK], key=length):
            if batch and length(one) * (len(batch) + 1) > TOKENS:
                made.append(batch)
                batch = []
            batch.append(one)
        made.append(batch)
    rng.shuffle(made)
    return made


def train(found: Situations, *, epochs: int, rate: float, seed: int) -> tuple[Reader, Alone]:
    """Return the trained reader; prints the loss."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    alone = Alone()
    alone.read(
        [one for lesson in found.lessons for one in (lesson.when, *lesson.alike, lesson.near)]
    )
    alone.read([one for text in found.texts for one in (text.text, *sentences(text.text))])
    near, reader = nearest(alone, found), Reader(alone.bert)
    new = [*reader.head.parameters(), reader.side]
    groups = [(rate, list(reader.layers.parameters())), (1e-3, new)]
    optimiser = torch.optim.AdamW(
        [{"params": some, "lr": own} for own, some in groups], weight_decay=0.02
    )
    started, step, losses = time.monotonic(), 0, list[float]()
    for epoch in range(epochs):
        examples = list(examples_of(found, near, rng))
        rng.shuffle(examples)
        planned = batches(alone, examples, rng)
        for batch in planned:
            done = step / (epochs * len(planned))
            pace = min(1.0, (done + 1e-3) / 0.06) * max(0.02, 1 - done)
            for group, (own, _) in zip(optimiser.param_groups, groups, strict=True):
                group["lr"] = own * pace
            with torch.autocast("cpu", dtype=torch.bfloat16):
                odds = reader(*batch_of(alone, batch)).float()
            holds = torch.tensor([one.holds for one in batch]) * 0.96 + 0.02
            each = functional.binary_cross_entropy_with_logits(odds, holds, reduction="none")
            loss = (each * torch.tensor([one.weight for one in batch])).mean()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
            losses.append(loss.item())
            step += 1
            if step % 100 == 0:
                minutes = (time.monotonic() - started) / 60
                print(
                    f"epoch {epoch}, step {step}, {minutes:.1f} min: {np.mean(losses[-100:]):.4f}",
                    flush=True,
                )
    return reader.eval(), alone


def save(reader: Reader, alone: Alone, file: Path) -> None:
    """Write the difference to the original layers, of low rank, and what is new, as half precision."""
    original = dict(alone.bert.encoder.layer[-JOINED:].named_parameters())
    held: dict[str, Tensor] = {"side": reader.side.detach()}
    held |= {f"head.{name}": value.detach() for name, value in reader.head.named_parameters()}
    for name, value in reader.layers.named_parameters():
        if value.dim() == 1:
            held[f"layers.{name}"] = value.detach()
            continue
        left, sizes, right = torch.linalg.svd(
            (value - original[name]).detach(), full_matrices=False
        )
        root, module = sizes[:RANK].sqrt(), name.removesuffix(".weight")
        held[f"layers.{module}.up"] = left[:, :RANK] * root
        held[f"layers.{module}.down"] = root[:, None] * right[:RANK]
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.half().contiguous() for name, value in held.items()}, file)


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--without", default="", help="domains that are left out, for `decide`")
    parser.add_argument("--epochs", type=int, default=7)
    parser.add_argument("--rate", type=float, default=1.2e-4)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    left_out = asked.without.split(",")
    found = load(file for file in domains() if file.stem not in left_out)
    print(f"{len(found.lessons)} lessons, {len(found.texts)} texts")
    reader, alone = train(found, epochs=asked.epochs, rate=asked.rate, seed=asked.seed)
    save(reader, alone, asked.out)
    print(f"written to {asked.out}")


if __name__ == "__main__":
    main()
