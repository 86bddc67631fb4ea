"""Train the model that reads whether a condition holds in a text.

    python -m training.matching.read --out agentcl/retrieval/weights/conditions.safetensors [--epochs 7]

The lower three layers of all-MiniLM-L6-v2 stay as they are and read each text alone, once. Copies of its upper three
layers read a condition and a text together. They start from the originals, or from weights that were trained before
(`--start`), so that both are understood from the first step on, and a head of two layers says how likely the condition
holds. What is kept is the running mean of the weights, as the difference to the originals, of low rank.

With `--kept FOLDER` a run that was broken off goes on where it was, when it is called again in the same way.
"""

from __future__ import annotations

import argparse
import copy
import random
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import AutoModel, AutoTokenizer

from agentcl.guidance.meaning.features import sentences
from agentcl.retrieval.conditions import MOST_TOKENS, WEIGHTS, add_trained, beside, mean, through
from agentcl.retrieval.encoders.local import bundled
from training.matching.examples import FARTHER, Example, examples_of, set_among_others
from training.matching.situations import Situations, Text, Told, domains, load

JOINED: Final = 3  # upper layers that read both
WIDTH: Final = 384
RANK: Final = 64
TOKENS: Final = 1_500  # of a batch
CHUNK: Final = 1_024  # pairs among which a batch is of one length
DECAY: Final = 0.995  # of the running mean, by step
OFTEN: Final = 50  # steps after which all is written that a run goes on from


class Alone:
    """What the lower layers make of texts, kept; in a file too if one is named."""

    def __init__(self, file: Path | None = None) -> None:
        folder = str(bundled())
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self.bert: Any = AutoModel.from_pretrained(folder).eval()
        self.file = file
        self.hidden: dict[str, Tensor] = {}
        self.vector: dict[str, Tensor] = {}
        if file and file.exists():
            self.hidden, self.vector = torch.load(file)

    @torch.no_grad()
    def read(self, texts: Sequence[str], *, only_vectors: bool = False) -> None:
        """Read what was not read yet."""
        layers = self.bert.encoder.layer
        held = self.vector if only_vectors else self.hidden
        todo = sorted({text for text in texts if text not in held}, key=len)
        for start in range(0, len(todo), 64):
            batch = todo[start : start + 64]
            made = self.tokenizer(
                batch, truncation=True, max_length=MOST_TOKENS, padding=True, return_tensors="pt"
            )
            mask = made["attention_mask"]
            with torch.autocast("cpu", dtype=torch.bfloat16):
                hidden = through(layers[:-JOINED], self.bert.embeddings(made["input_ids"]), mask)
                top = through(layers[-JOINED:], hidden, mask)
            pooled = functional.normalize(mean(top.float(), mask), dim=-1)
            for at, (text, length) in enumerate(zip(batch, mask.sum(1).tolist(), strict=True)):
                self.vector[text] = pooled[at].clone()
                if not only_vectors:
                    self.hidden[text] = hidden[at, :length].to(torch.bfloat16).clone()
        if todo and self.file:
            _write((self.hidden, self.vector), self.file)


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

    def go_on_from(self, weights: Path) -> None:
        """Take what was trained before."""
        held = load_file(weights)
        add_trained(self.layers, held)
        self.side.data.copy_(held["side"])
        self.head.load_state_dict(
            {
                name.removeprefix("head."): value
                for name, value in held.items()
                if name.startswith("head.")
            }
        )


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
    whens = torch.stack([alone.vector[one.when] for one in found.lessons])
    rows = []
    for text in found.texts:
        seen = torch.stack([alone.vector[one] for one in (text.text, *sentences(text.text))])
        order = (whens @ seen.T).amax(1).argsort(descending=True).tolist()
        some = (found.lessons[at] for at in order)
        left_out = text.right | text.unknown | {text.lesson}
        others = (one for one in some if one.id not in left_out)
        rows.append([one for one, _ in zip(others, range(FARTHER), strict=False)])
    return rows


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


def train(
    found: Situations,
    *,
    epochs: int,
    rate: float,
    seed: int,
    others: int = 3,
    start: Path | None = None,
    known: Collection[str] = (),
    again: float = 0.1,
    kept: Path | None = None,
) -> tuple[Reader, Alone]:
    """Return the trained reader; prints the loss.

    Args:
        found: what it learns from.
        epochs: how often.
        rate: of the layers, at its highest.
        seed: of all that is drawn.
        others: lessons of other texts, with each text.
        start: weights that were trained before.
        known: domains that they were trained on.
        again: the share of the texts of known domains that is drawn for each epoch.
        kept: a folder for what a run goes on from.
    """
    torch.manual_seed(seed)
    alone = Alone(kept / "alone.pt" if kept else None)
    among = set_among_others(found, random.Random(seed))
    drawn = [again if _domain(text) in known else 1.0 for text in found.texts] + [1.0] * len(among)
    found = replace(found, texts=(*found.texts, *among))
    alone.read(
        [one for lesson in found.lessons for one in (lesson.when, *lesson.alike, lesson.near)]
    )
    alone.read([text.text for text in found.texts])
    alone.read([one for text in found.texts for one in sentences(text.text)], only_vectors=True)
    near, reader = nearest(alone, found), Reader(alone.bert)
    if start:
        reader.go_on_from(start)
    new = [*reader.head.parameters(), reader.side]
    groups = [(rate, list(reader.layers.parameters())), (8 * rate, new)]
    optimiser = torch.optim.AdamW(
        [{"params": some, "lr": own} for own, some in groups], weight_decay=0.02
    )
    of_steps = get_ema_multi_avg_fn(DECAY)  # type: ignore[no-untyped-call]
    averaged = AveragedModel(reader, multi_avg_fn=of_steps)
    plan = [
        batch
        for epoch in range(epochs)
        for batch in _epoch(alone, found, near, drawn, random.Random(seed + epoch), others)
    ]
    file, first = (kept / "run.pt" if kept else None), 0
    if file and file.exists():
        held = torch.load(file)
        first = held["step"]
        reader.load_state_dict(held["reader"])
        averaged.load_state_dict(held["averaged"])
        optimiser.load_state_dict(held["optimiser"])
    started, losses = time.monotonic(), list[float]()
    for step in range(first, len(plan)):
        done = step / len(plan)
        pace = min(1.0, (done + 1e-3) / 0.06) * max(0.02, 1 - done)
        for group, (own, _) in zip(optimiser.param_groups, groups, strict=True):
            group["lr"] = own * pace
        loss = _loss(reader, alone, plan[step])
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        averaged.update_parameters(reader)
        losses.append(loss.item())
        if (step + 1) % OFTEN == 0:
            minutes = (time.monotonic() - started) / 60
            lately = np.mean(losses[-2 * OFTEN :])
            print(f"step {step + 1} of {len(plan)}, {minutes:.1f} min: {lately:.4f}", flush=True)
            if file:
                whole = {"step": step + 1, "reader": reader.state_dict()}
                whole |= {"averaged": averaged.state_dict(), "optimiser": optimiser.state_dict()}
                _write(whole, file)
    trained = averaged.module.eval()
    assert isinstance(trained, Reader)
    return trained, alone


def _write(what: object, file: Path) -> None:
    """Write a file that a run goes on from; if it is broken off now, the last one stays."""
    fresh = file.with_suffix(".new")
    torch.save(what, fresh)
    fresh.replace(file)


def _domain(text: Text) -> str:
    return text.lesson.partition(":")[0]


def _epoch(
    alone: Alone,
    found: Situations,
    near: Sequence[Sequence[Told]],
    drawn: Sequence[float],
    rng: random.Random,
    others: int,
) -> list[list[Example]]:
    """Return the batches of an epoch: of each text as often as it is drawn."""
    some = [at for at, share in enumerate(drawn) if rng.random() < share]
    part = replace(found, texts=tuple(found.texts[at] for at in some))
    examples = list(examples_of(part, [near[at] for at in some], rng, others))
    rng.shuffle(examples)
    return batches(alone, examples, rng)


def _loss(reader: Reader, alone: Alone, batch: Sequence[Example]) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        odds = reader(*batch_of(alone, batch)).float()
    holds = torch.tensor([one.holds for one in batch]) * 0.96 + 0.02
    each = functional.binary_cross_entropy_with_logits(odds, holds, reduction="none")
    return (each * torch.tensor([one.weight for one in batch])).mean()


def low_rank(layers: Any, alone: Alone) -> dict[str, Tensor]:  # noqa: ANN401  # untyped there
    """Return trained layers as `add_trained` reads them: the difference to the original ones, of low rank."""
    original = dict(alone.bert.encoder.layer[-JOINED:].named_parameters())
    held = dict[str, Tensor]()
    for name, value in layers.named_parameters():
        if value.dim() == 1:
            held[f"layers.{name}"] = value.detach()
            continue
        left, sizes, right = torch.linalg.svd(
            (value - original[name]).detach(), full_matrices=False
        )
        root, module = sizes[:RANK].sqrt(), name.removesuffix(".weight")
        held[f"layers.{module}.up"] = left[:, :RANK] * root
        held[f"layers.{module}.down"] = root[:, None] * right[:RANK]
    return held


def half(held: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights in half precision."""
    return {name: value.half().contiguous() for name, value in held.items()}


def save(reader: Reader, alone: Alone, file: Path) -> None:
    """Write the difference to the original layers, and what is new, as half precision."""
    held: dict[str, Tensor] = {"side": reader.side.detach(), **low_rank(reader.layers, alone)}
    held |= {f"head.{name}": value.detach() for name, value in reader.head.named_parameters()}
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(half(held), file)


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--without", default="", help="domains that are left out, for `decide`")
    parser.add_argument("--epochs", type=int, default=7)
    parser.add_argument("--rate", type=float, default=1.2e-4)
    parser.add_argument("--others", type=int, default=3, help="lessons of other texts, with each")
    parser.add_argument("--start", type=Path, help="weights that were trained before")
    parser.add_argument("--known", default="", help="domains that those were trained on")
    parser.add_argument("--again", type=float, default=0.1, help="share of their texts in an epoch")
    parser.add_argument("--kept", type=Path, help="a folder for what a run goes on from")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    left_out = asked.without.split(",")
    found = load(file for file in domains() if file.stem not in left_out)
    print(f"{len(found.lessons)} lessons, {len(found.texts)} texts", flush=True)
    if asked.kept:
        asked.kept.mkdir(parents=True, exist_ok=True)
    reader, alone = train(
        found,
        epochs=asked.epochs,
        rate=asked.rate,
        seed=asked.seed,
        others=asked.others,
        start=asked.start,
        known=asked.known.split(","),
        again=asked.again,
        kept=asked.kept,
    )
    save(reader, alone, asked.out)
    print(f"written to {asked.out}")


if __name__ == "__main__":
    main()
