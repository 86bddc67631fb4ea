"""Train the tagger that reads statements out of what a user says.

    python -m training.statements.read [--folds 5]      # with folds: only says how well it reads what it has not seen

The layers of all-MiniLM-L6-v2 get an addition of low rank (Hu et al. 2021, "LoRA"), which is trained with the heads
that `agentcl.statements.digesters.tagging` names. The rest stays as it is. A conversation is left out whole or not at all.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer

from agentcl.retrieval.conditions import through
from agentcl.retrieval.encoders.local import bundled
from agentcl.statements.digesters.tagging import (
    SLOTS,
    TYPES,
    WEIGHTS,
    Pairs,
    StatementTagger,
    heads,
    links,
    packed,
    slot_and_end,
)
from training.statements import measure
from training.statements.sentences import Labelled, Target, load, target, varied
from training.statements.talks import labelled, load_talks
from training.statements.values import measured, report

JOINED: Final = 6  # upper layers that are trained
WIDTH: Final = 384
RANK: Final = 48
INNER: Final = 128
BATCH: Final = 24
CHUNK: Final = 20  # batches among which one is of about one length


class _Added(nn.Module):
    """A linear layer with an addition of low rank."""

    def __init__(self, base: nn.Linear, up: Tensor, down: Tensor) -> None:
        super().__init__()
        self.base, self.up, self.down = base, up, down

    def forward(self, given: Tensor) -> Tensor:
        made: Tensor = self.base(given) + (given @ self.down.T) @ self.up.T
        return made


class Model:
    """The encoder with what is trained of it, by the names under which it is written."""

    def __init__(self) -> None:
        folder = str(bundled())
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.bert: Any = AutoModel.from_pretrained(folder, local_files_only=True)
        self.bert.requires_grad_(False)
        self.held: dict[str, Tensor] = {}
        layers = self.bert.encoder.layer[-JOINED:]
        for name, module in list(layers.named_modules()):
            if isinstance(module, nn.Linear):
                up = self._new(f"layers.{name}.up", module.out_features, RANK, scale=0.0)
                down = self._new(f"layers.{name}.down", RANK, module.in_features, scale=0.02)
                layers.get_submodule(name.rpartition(".")[0]).__setattr__(
                    name.rpartition(".")[2], _Added(module, up, down)
                )
        self._new("tags.weight", 3 * len(TYPES), WIDTH, scale=0.02)
        self._new("tags.bias", 3 * len(TYPES), scale=0.0)
        self._new("kind.0.weight", INNER, 2 * WIDTH, scale=0.03)
        self._new("kind.0.bias", INNER, scale=0.0)
        self._new("kind.1.weight", len(SLOTS) + 1, INNER, scale=0.05)
        self._new("kind.1.bias", len(SLOTS) + 1, scale=0.0)
        for kind in TYPES[1:]:
            self._new(f"link.{kind}.value", WIDTH, 64, scale=0.05)
            self._new(f"link.{kind}.span", WIDTH, 64, scale=0.05)
            self._new(f"link.{kind}.none", 64, scale=0.05)
            self._new(f"link.{kind}.apart", 1, scale=0.0)

    def _new(self, name: str, *shape: int, scale: float) -> Tensor:
        made = nn.Parameter(scale * torch.randn(shape))
        self.held[name] = made
        return made

    def hidden(self, pairs: Pairs) -> Tensor:
        """Return the hidden states, `[pairs, tokens, 384]`."""
        begun = self.bert.embeddings(input_ids=pairs.ids, token_type_ids=pairs.types)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return through(self.bert.encoder.layer, begun, pairs.mask).float()


def loss_of(model: Model, hidden: Tensor, parts: Sequence[int | None], wanted: Target) -> Tensor:
    """Return what is wrong with what is made of one sentence."""
    seen = [at for at, part in enumerate(parts) if part is not None]
    odds = heads(model.held, hidden)[:, seen].reshape(-1, 3)
    tags = torch.tensor([[tags[at] for at in seen] for tags in wanted.tags]).reshape(-1)
    total = functional.cross_entropy(odds, tags, reduction="sum") / 8
    for value in wanted.values:
        slot, ended = slot_and_end(model.held, hidden, value.span)
        total = total + functional.cross_entropy(slot[None], torch.tensor([value.slot]))
        total = total + functional.binary_cross_entropy_with_logits(
            ended, torch.tensor(float(value.ended))
        )
        for kind, place in value.goes_with.items():
            scores = links(model.held, hidden, value.span, wanted.spans[kind], kind)
            total = total + functional.cross_entropy(scores[None], torch.tensor([place]))
    return total


def train(sentences: Sequence[Labelled], *, epochs: int, rate: float, seed: int) -> Model:
    """Return the trained model; prints the loss."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    model = Model()
    model.bert.train()
    added = [value for name, value in model.held.items() if name.startswith("layers.")]
    new = [value for name, value in model.held.items() if not name.startswith("layers.")]
    groups = [(rate, added), (2 * rate, new)]
    optimiser = torch.optim.AdamW(
        [{"params": some, "lr": own} for own, some in groups], weight_decay=0.01
    )
    plan = [batch for _ in range(epochs) for batch in _batches(sentences, rng)]
    started, losses = time.monotonic(), list[float]()
    for step, batch in enumerate(plan):
        done = step / len(plan)
        pace = min(1.0, (done + 1e-3) / 0.06) * max(0.02, 1 - done)
        for group, (own, _) in zip(optimiser.param_groups, groups, strict=True):
            group["lr"] = own * pace
        some = [varied(one, rng) for one in batch]
        pairs = Pairs(model.tokenizer, [(one.before, one.text) for one in some])
        hidden = model.hidden(pairs)
        each = [
            loss_of(model, hidden[at], pairs.parts[at], target(one, pairs, at))
            for at, one in enumerate(some)
        ]
        loss = torch.stack(each).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_([*added, *new], 1.0)
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
        if (step + 1) % 50 == 0:
            minutes = (time.monotonic() - started) / 60
            lately = sum(losses[-50:]) / 50
            print(f"step {step + 1} of {len(plan)}, {minutes:.1f} min: {lately:.3f}", flush=True)
    return model


def _batches(sentences: Sequence[Labelled], rng: random.Random) -> list[list[Labelled]]:
    order = rng.sample(sentences, len(sentences))
    made = []
    for start in range(0, len(order), CHUNK * BATCH):
        chunk = sorted(
            order[start : start + CHUNK * BATCH], key=lambda one: len(one.before) + len(one.text)
        )
        made += [chunk[at : at + BATCH] for at in range(0, len(chunk), BATCH)]
    rng.shuffle(made)
    return made


def save(model: Model, file: Path) -> None:
    """Write what was trained, packed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(packed(model.held), file)


def main() -> None:
    """Train and write, or measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--folds", type=int, help="leave so many parts out in turns, and measure on them"
    )
    parser.add_argument("--only", type=int, help="only the first so many folds")
    asked = parser.parse_args()
    talks = {talk.title: talk for talk in load_talks()}
    groups = [("", [one]) for one in load()]
    groups += [(title, labelled([talk])) for title, talk in talks.items()]
    sentences = [one for _, group in groups for one in group]
    stating = sum(bool(one.says) for one in sentences)
    print(f"{len(sentences)} pieces, {stating} of which state something", flush=True)
    if not asked.folds:
        save(train(sentences, epochs=asked.epochs, rate=asked.rate, seed=asked.seed), asked.out)
        print(f"written to {asked.out}")
        return
    order = random.Random(1).sample(groups, len(groups))
    told = {sure: Counter[str]() for sure in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)}
    for fold in range(asked.only or asked.folds):
        apart = order[fold :: asked.folds]
        left = [one for _, group in apart for one in group]
        file = asked.out.with_suffix(".fold")
        kept = [
            one for at, (_, group) in enumerate(order) if at % asked.folds != fold for one in group
        ]
        save(train(kept, epochs=asked.epochs, rate=asked.rate, seed=asked.seed), file)
        tagger = StatementTagger(file)
        for sure, counts in told.items():
            counts.update(measured(tagger, left, sure))
            print(f"fold {fold}, sure {sure}: {report(counts)}", flush=True)
        measure.show([talks[title] for title, _ in apart if title], tagger)
        file.unlink()


if __name__ == "__main__":
    main()
