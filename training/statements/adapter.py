"""Train an adapter of low rank for a language model that lists what a user states.

    python -m training.statements.adapter MODEL --out FOLDER [--folds 10]

The model stays as it is; its upper layers get an addition of low rank (Hu et al. 2021, "LoRA"), in the form of PEFT. It
learns to answer each turn of a conversation with the lines of `agentcl.statements.lines`, behind the turns and answers
before. Sessions are learned from by themselves, as they are read later.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoTokenizer

from agentcl.models.base import Message
from agentcl.statements.lines import OwnTurn, heard, messages, written
from agentcl.statements.tagged import Tagged
from training.statements.talks import Session, Talk, load_talks

RANK: Final = 8
SCALE: Final = 2.0  # of what is added: alpha over rank
TRAINED: Final = 20  # upper layers that get an addition
PLACES: Final = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
TOKENS: Final = 1_600  # of a batch
LOWER: Final = 0.1  # of the sessions are read without capitals, as many people type


class Added(nn.Module):
    """A linear layer with an addition of low rank, counted in the layer's own precision."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base
        self.down = nn.Parameter(torch.randn(rank, base.in_features) / base.in_features**0.5)
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, given: Tensor) -> Tensor:
        """Return what the layer makes of `[..., in]`, `[..., out]`."""
        made: Tensor = self.base(given)
        down, up = self.down.to(given.dtype), self.up.to(given.dtype)
        return made + functional.linear(functional.linear(given, down), SCALE * up)


class Adapted:
    """A model with its addition.

    Args:
        folder: of the model, in the form of transformers.
        trained: how many upper layers get an addition.
    """

    def __init__(self, folder: Path, trained: int = TRAINED) -> None:
        self.folder = folder
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.tokenizer.pad_token = self.tokenizer.pad_token or self.tokenizer.eos_token
        self.model: Any = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, dtype=torch.bfloat16
        )
        self.model.requires_grad_(False)
        layers = self.model.model.layers
        self.first = max(0, len(layers) - trained)
        self.added: dict[str, Added] = {}
        for at in range(self.first, len(layers)):
            for name, module in list(layers[at].named_modules()):
                part = name.rpartition(".")[2]
                if part in PLACES:
                    made = Added(module, RANK)
                    setattr(layers[at].get_submodule(name.rpartition(".")[0]), part, made)
                    self.added[f"model.layers.{at}.{name}"] = made

    def parameters(self) -> list[nn.Parameter]:
        """Return what is trained."""
        return [value for one in self.added.values() for value in (one.down, one.up)]

    def rendered(self, said: Sequence[Message]) -> str:
        """Return a conversation as the model reads it, up to where it answers."""
        given = [{"role": one.role, "content": one.content} for one in said]
        made: str = self.tokenizer.apply_chat_template(
            given, tokenize=False, add_generation_prompt=True
        )
        return made

    @torch.no_grad()
    def merge(self) -> None:
        """Add the addition to the model itself, which is faster to ask. Nothing more is trained then."""
        for name, one in self.added.items():
            one.base.weight += (SCALE * (one.up @ one.down)).to(one.base.weight.dtype)
            parent, _, part = name.rpartition(".")
            setattr(self.model.get_submodule(parent), part, one.base)
        self.added = {}
        self.model.eval()

    def save(self, folder: Path) -> None:
        """Write the addition in the form of PEFT, which vLLM loads."""
        folder.mkdir(parents=True, exist_ok=True)
        held = {}
        for name, one in self.added.items():
            held[f"base_model.model.{name}.lora_A.weight"] = one.down.detach().bfloat16()
            held[f"base_model.model.{name}.lora_B.weight"] = one.up.detach().bfloat16()
        save_file(held, folder / "adapter_model.safetensors")
        about = {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "r": RANK,
            "lora_alpha": SCALE * RANK,
            "lora_dropout": 0.0,
            "bias": "none",
            "target_modules": list(PLACES),
            "layers_to_transform": list(range(self.first, len(self.model.model.layers))),
            "base_model_name_or_path": "",
            "inference_mode": True,
        }
        (folder / "adapter_config.json").write_text(json.dumps(about, indent=2) + "\n")

    def load(self, folder: Path) -> None:
        """Read an addition that was written before. Layers that it has nothing for stay as they are."""
        held = load_file(folder / "adapter_model.safetensors")
        with torch.no_grad():
            for name, one in self.added.items():
                if (down := f"base_model.model.{name}.lora_A.weight") in held:
                    one.down.copy_(held[down])
                    one.up.copy_(held[f"base_model.model.{name}.lora_B.weight"])


def exchanges(session: Session) -> list[tuple[OwnTurn, tuple[Tagged, ...]]]:
    """Return the turns of a session that are asked about, each with what it states."""
    said = [(turn.role, turn.text) for turn in session.turns]
    made = []
    for one in heard(said):
        says = tuple(label for label in session.turns[one.turn].says if label.value in one.text)
        made.append((one, says))
    return made


def tokens_of(
    adapted: Adapted, session: Session, *, lower: bool = False
) -> tuple[list[int], list[bool]]:
    """Return the tokens of a session with its answers, and which of them are learned.

    Args:
        adapted: whose tokens.
        session: labelled.
        lower: whether it is read without capitals.
    """
    asked = [(one, written(says)) for one, says in exchanges(session)]
    if lower:
        asked = [(replace(one, text=one.text.lower()), said.lower()) for one, said in asked]
    end = adapted.tokenizer.eos_token
    ids: list[int] = []
    learned: list[bool] = []
    begun = ""
    for at, (one, answer) in enumerate(asked):
        prompt = adapted.rendered(messages(asked[:at], one))
        more = prompt[len(begun) :].removeprefix(end if begun else "")
        for text, is_learned in ((more, False), (f"{answer}{end}", True)):
            some = adapted.tokenizer(text, add_special_tokens=False)["input_ids"]
            ids += some
            learned += [is_learned] * len(some)
        begun = f"{prompt}{answer}"
    return ids, learned


def batches(
    held: Sequence[tuple[list[int], list[bool]]], rng: random.Random
) -> Iterator[list[tuple[list[int], list[bool]]]]:
    """Yield sessions of about one length together, in an order by chance."""
    order = sorted(held, key=lambda one: len(one[0]) * rng.uniform(0.93, 1.07))
    made: list[list[tuple[list[int], list[bool]]]] = [[]]
    for one in order:
        if made[-1] and (len(made[-1]) + 1) * max(len(one[0]), len(made[-1][-1][0])) > TOKENS:
            made.append([])
        made[-1].append(one)
    yield from rng.sample(made, len(made))


def loss_of(adapted: Adapted, batch: Sequence[tuple[list[int], list[bool]]]) -> Tensor:
    """Return how unlikely the answers are, a token."""
    longest = max(len(ids) for ids, _ in batch)
    pad = adapted.tokenizer.eos_token_id
    ids = torch.tensor([one + [pad] * (longest - len(one)) for one, _ in batch])
    told = torch.tensor([one + [False] * (longest - len(one)) for _, one in batch])
    mask = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one, _ in batch])
    hidden = adapted.model.model(input_ids=ids, attention_mask=mask, use_cache=False)[0]
    before = told[:, 1:]
    odds = adapted.model.lm_head(hidden[:, :-1][before]).float()
    return functional.cross_entropy(odds, ids[:, 1:][before])


def train(
    adapted: Adapted, talks: Sequence[Talk], *, epochs: int, rate: float, seed: int, out: Path
) -> None:
    """Train the addition; prints the loss, and writes it down on the way."""
    rng = random.Random(seed)
    sessions = [session for talk in talks for session in talk.sessions]
    plan = []
    for _ in range(epochs):
        held = [tokens_of(adapted, one, lower=rng.random() < LOWER) for one in sessions]
        plan += list(batches([one for one in held if one[0]], rng))
    total = sum(len(ids) for batch in plan for ids, _ in batch)
    print(f"{len(sessions)} sessions, {len(plan)} steps, {total:,} tokens", flush=True)
    optimiser = torch.optim.AdamW(
        adapted.parameters(), lr=rate, weight_decay=0.0, betas=(0.9, 0.99)
    )
    started, losses, seen = time.monotonic(), list[float](), 0
    for step, batch in enumerate(plan):
        done = step / len(plan)
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (done + 1e-3) / 0.05) * max(0.03, 1 - done)
        loss = loss_of(adapted, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(adapted.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
        seen += sum(len(ids) for ids, _ in batch)
        if (step + 1) % 10 == 0:
            minutes = (time.monotonic() - started) / 60
            lately = sum(losses[-20:]) / len(losses[-20:])
            print(
                f"step {step + 1} of {len(plan)}, {minutes:.1f} min, {seen / minutes / 60:.0f} tokens/s: {lately:.3f}",
                flush=True,
            )
        if (step + 1) % 50 == 0:
            adapted.save(out)
    adapted.save(out)


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path, help="its folder, in the form of transformers")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--folds", type=int, help="leave so many parts of the conversations out: the first one"
    )
    asked = parser.parse_args()
    torch.manual_seed(asked.seed)
    order = random.Random(1).sample(load_talks(), len(load_talks()))
    kept = [one for at, one in enumerate(order) if not asked.folds or at % asked.folds]
    train(
        Adapted(asked.model),
        kept,
        epochs=asked.epochs,
        rate=asked.rate,
        seed=asked.seed,
        out=asked.out,
    )


if __name__ == "__main__":
    main()
