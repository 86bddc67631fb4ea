"""Train the reference model: `python -m agentcl.reference.train --preset gpu|cpu|smoke`."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from agentcl.reference.batches import IGNORED, Batch, Encoder, make_batches, pad_rows
from agentcl.reference.examples import Example
from agentcl.reference.gates import Asked, draw_sets
from agentcl.reference.mix import STAGES, Stage
from agentcl.reference.tokenizer import train_tokenizer

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Preset:
    """How large a model is trained, on how much, for how long at most."""

    width: int
    layers: int
    heads: int
    hidden: int  # of the feed-forward part
    vocabulary: int
    context: int  # tokens that the model can read
    longest: int  # tokens of the longest training conversation
    tokens: int  # to train on
    minutes: float  # the learning rate ends at zero then, wherever the tokens are
    batch_tokens: int
    learning_rate: float
    workers: int  # processes that make examples


PRESETS: Final = {
    "gpu": Preset(384, 8, 6, 1024, 1280, 1024, 1024, 900_000_000, 24, 65_536, 2e-3, 12),
    "cpu": Preset(192, 6, 3, 512, 1280, 1024, 512, 45_000_000, 90, 8_192, 3e-3, 1),
    "smoke": Preset(64, 2, 2, 128, 640, 512, 256, 60_000, 2, 2_048, 3e-3, 1),
}
_CHUNK: Final = 32  # batches made together
_WARM_UP: Final = 0.01  # of the training
_GATES: Final = 20  # how often the gates are tried in one training
_GATE_SIZE: Final = 48  # questions a set
_COOL_DOWN: Final = 0.35  # the last share, in which the learning rate falls to zero


def build_model(preset: Preset) -> Any:
    """Return an untrained `LlamaForCausalLM` in bfloat16."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=preset.vocabulary,
        hidden_size=preset.width,
        num_hidden_layers=preset.layers,
        num_attention_heads=preset.heads,
        num_key_value_heads=preset.heads,
        intermediate_size=preset.hidden,
        max_position_embeddings=preset.context,
        tie_word_embeddings=True,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    model: Any = LlamaForCausalLM(config)
    for name, parameter in model.named_parameters():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            torch.nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * preset.layers))
    return model.to(torch.bfloat16)


class Master:
    """Float32 copies of bfloat16 weights, which the optimisers move.

    Matrices inside the layers are moved by Muon (Jordan et al. 2024), the rest by AdamW. Weights and
    gradients in bfloat16 make a step two to three times faster than autocast at these sizes; the
    float32 copy keeps the small changes that bfloat16 would round away.
    """

    def __init__(self, model: Any, preset: Preset) -> None:
        import torch

        self._pairs = [(p, p.detach().float().clone()) for p in model.parameters()]
        names = [name for name, _ in model.named_parameters()]
        matrices, others = [], []
        for name, (_, copy) in zip(names, self._pairs, strict=True):
            is_matrix = copy.ndim == 2 and ".layers." in name
            (matrices if is_matrix else others).append(copy)
        self._optimisers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(others, lr=preset.learning_rate, betas=(0.9, 0.98), weight_decay=0.0),
            torch.optim.Muon(
                matrices,
                lr=preset.learning_rate,
                weight_decay=0.01,
                adjust_lr_fn="match_rms_adamw",
            ),
        ]
        self._rate = preset.learning_rate

    def step(self, share: float) -> float:
        """Move the weights at `share` of the full learning rate; return the gradient's norm."""
        import torch

        for weight, copy in self._pairs:
            copy.grad = weight.grad.float() if weight.grad is not None else None
            weight.grad = None
        norm = torch.nn.utils.clip_grad_norm_([copy for _, copy in self._pairs], 1.0)
        for optimiser in self._optimisers:
            for group in optimiser.param_groups:
                group["lr"] = self._rate * share
            optimiser.step()
        with torch.no_grad():
            for weight, copy in self._pairs:
                weight.copy_(copy)
        return float(norm)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs."""
        return {
            "weights": [copy for _, copy in self._pairs],
            "optimisers": [optimiser.state_dict() for optimiser in self._optimisers],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what `state` returned."""
        import torch

        with torch.no_grad():
            for (weight, copy), saved in zip(self._pairs, state["weights"], strict=True):
                copy.copy_(saved)
                weight.copy_(copy)
        for optimiser, saved in zip(self._optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)


@dataclass(slots=True)
class Progress:
    """Where training stands; saved in every checkpoint."""

    tokens: int = 0
    seconds: float = 0.0
    steps: int = 0
    stage: int = 0
    stage_tokens: int = 0
    chunk: int = 0  # how many chunks of batches have been used
    right: float = 0.0  # moving share of answer tokens right
    gates: int = 0  # how often the gates have been tried


def train(
    preset: Preset, folder: Path, *, seed: int = 0, is_quiet: bool = False, threads: int | None = None
) -> None:
    """Train a model and write it, its tokenizer and its learning curve to `folder`.

    Begins where an earlier run in the same folder stopped. Examples follow from `seed` and from how
    far training has come, so a resumed run sees what an uninterrupted one would have seen.
    """
    import torch
    from rich.progress import BarColumn, Progress as Bar, TextColumn, TimeRemainingColumn

    if threads:
        torch.set_num_threads(threads)
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(folder, preset, seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = build_model(preset).to(device)
    master, progress = Master(model, preset), Progress()
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=device, weights_only=True)
        master.restore(saved["master"])
        progress = Progress(**saved["progress"])
    curve = folder / "curve.jsonl"
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with ExitStack() as stack:
        bar = stack.enter_context(Bar(*columns, disable=is_quiet))
        task = bar.add_task("training", total=1.0)
        source = stack.enter_context(_Source(Encoder(tokenizer), preset, seed))
        sets = draw_sets(seed, _GATE_SIZE)
        saved_at = noted_at = time.monotonic()
        while (done := _done(progress, preset)) < 1:
            stage = STAGES[progress.stage]
            for batch in source.take(progress):
                started = time.monotonic()
                loss, right = _learn(model, batch, device)
                norm = master.step(_rate(_done(progress, preset)))
                progress.seconds += time.monotonic() - started
                progress.tokens += batch.ids.size
                progress.stage_tokens += batch.ids.size
                progress.steps += 1
                progress.right += (right - progress.right) * max(0.02, 1 / progress.steps)
                if not math.isfinite(loss):
                    raise click.ClickException(
                        f"the loss is {loss} at step {progress.steps}: lower the learning rate, and "
                        f"begin again from an empty folder"
                    )
                done = _done(progress, preset)
                bar.update(task, completed=done, description=_says(stage, loss, progress))
                if time.monotonic() - noted_at > min(20, preset.minutes) or done >= 1:
                    noted_at = time.monotonic()
                    _note(curve, progress, stage, loss, norm)
                if int(done * _GATES) > progress.gates or done >= 1:
                    progress.gates = int(done * _GATES)
                    shares = exact_shares(model, source.encoder, sets, device)
                    _append(folder / "gates.jsonl", {**asdict(progress), **shares})
                    bar.console.print(_table(progress, shares))
                if done >= 1:
                    break
            if progress.right >= stage.passed_at or progress.stage_tokens >= stage.share * preset.tokens:
                if progress.stage + 1 < len(STAGES):
                    progress.stage, progress.stage_tokens = progress.stage + 1, 0
                    progress.right = 0.5 * progress.right
            if time.monotonic() - saved_at > 120:
                saved_at = time.monotonic()
                _save(checkpoint, master, progress)
                _write(model, tokenizer, folder, preset, progress, seed)
    _save(checkpoint, master, progress)
    _write(model, tokenizer, folder, preset, progress, seed)


class _Source:
    """Batches made ahead in other processes, in an order that the seed alone decides."""

    def __init__(self, encoder: Encoder, preset: Preset, seed: int) -> None:
        self.encoder, self._preset, self._seed = encoder, preset, seed
        self._pool = ProcessPoolExecutor(preset.workers)
        self._coming: dict[tuple[int, int], Future[list[Batch]]] = {}

    def __enter__(self) -> _Source:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def take(self, progress: Progress) -> list[Batch]:
        """Return the next chunk, and begin to make those after it."""
        stage, chunk = progress.stage, progress.chunk
        for ahead in range(self._preset.workers + 1):
            key = (stage, chunk + ahead)
            if key not in self._coming:
                make = partial(
                    make_batches,
                    self.encoder,
                    STAGES[stage],
                    f"{self._seed}:{stage}:{chunk + ahead}",
                    tokens=int(self._preset.batch_tokens * STAGES[stage].batch),
                    batches=_CHUNK,
                    longest=self._preset.longest,
                )
                self._coming[key] = self._pool.submit(make)
        batches = self._coming.pop((stage, chunk)).result()
        self._coming = {key: made for key, made in self._coming.items() if key[0] == stage}
        progress.chunk += 1
        return batches


def _learn(model: Any, batch: Batch, device: str) -> tuple[float, float]:
    """Take gradients on one batch; return the loss and the share of answer tokens right."""
    import torch
    from torch.nn import functional

    ids = torch.from_numpy(batch.ids).to(device)
    labels = torch.from_numpy(batch.labels).to(device)
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
    is_before_answer = labels[:, 1:] != IGNORED
    # Only where an answer's token comes next: the head is left out on everything that is read.
    logits = model.lm_head(hidden[:, :-1][is_before_answer]).float()
    wanted = labels[:, 1:][is_before_answer]
    loss = functional.cross_entropy(logits, wanted)
    loss.backward()
    return loss.item(), (logits.argmax(-1) == wanted).float().mean().item()


def exact_shares(
    model: Any, encoder: Encoder, sets: Mapping[str, Sequence[Asked]], device: str
) -> dict[str, float]:
    """Return for each set with one right answer the share of answers that greedy decoding gets whole.

    One forward pass over the right answer tells: greedy decoding writes it if and only if each of its
    tokens is the most likely one after those before it.
    """
    import torch

    shares = {}
    for name, asked in sets.items():
        if name in ("none", "misleading"):  # their answer is a draw among several
            continue
        single = [(Example(q.example.context, (q.turn,)), False) for q in asked]
        batch = pad_rows(encoder.conversations(single), encoder.pad)
        ids = torch.from_numpy(batch.ids).to(device)
        wanted = torch.from_numpy(batch.labels).to(device)[:, 1:]
        with torch.inference_mode():
            likely = model(input_ids=ids, use_cache=False).logits[:, :-1].argmax(-1)
        is_right = ((likely == wanted) | (wanted == IGNORED)).all(dim=1)
        shares[name] = round(is_right.float().mean().item(), 3)
    return shares


def _done(progress: Progress, preset: Preset) -> float:
    """How much of the training is over, from 0 to 1: by tokens or by time, whichever is further."""
    return max(progress.tokens / preset.tokens, progress.seconds / (60 * preset.minutes))


def _rate(done: float) -> float:
    """The share of the full learning rate: warm-up, plateau, linear cool-down."""
    return min(1.0, (done + 1e-4) / _WARM_UP, max(0.0, 1 - done) / _COOL_DOWN)


def _says(stage: Stage, loss: float, progress: Progress) -> str:
    return (
        f"{stage.name:10s} {progress.tokens / 1e6:6.2f}M tokens  loss {loss:5.3f}  "
        f"answers' tokens right {progress.right:5.1%}"
    )


def _tokenizer(folder: Path, preset: Preset, seed: int) -> Any:
    from transformers import PreTrainedTokenizerFast

    if (folder / "tokenizer.json").exists():
        return PreTrainedTokenizerFast.from_pretrained(str(folder))
    tokenizer = train_tokenizer(vocabulary=preset.vocabulary, seed=seed)
    tokenizer.save_pretrained(str(folder))
    return tokenizer


def _note(curve: Path, progress: Progress, stage: Stage, loss: float, norm: float) -> None:
    shape = {"stage": stage.name, "loss": round(loss, 4), "norm": round(norm, 3)}
    _append(curve, {**asdict(progress), **shape})


def _append(path: Path, row: Mapping[str, object]) -> None:
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def _table(progress: Progress, shares: Mapping[str, float]) -> str:
    cells = "  ".join(f"{name} {share:4.0%}" for name, share in shares.items())
    return f"{progress.tokens / 1e6:6.2f}M tokens, held out, exact: {cells}"


def _save(path: Path, master: Master, progress: Progress) -> None:
    import torch

    unfinished = path.with_suffix(".tmp")
    torch.save({"master": master.state(), "progress": asdict(progress)}, unfinished)
    unfinished.replace(path)


def _write(
    model: Any, tokenizer: Any, folder: Path, preset: Preset, progress: Progress, seed: int
) -> None:
    model.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    about = {"preset": asdict(preset), "progress": asdict(progress), "seed": seed}
    (folder / "training.json").write_text(json.dumps(about, indent=1) + "\n")


@click.command(help=__doc__)
@click.option("--preset", type=click.Choice(sorted(PRESETS)), required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--minutes", type=float, help="end after this time instead of the preset's")
@click.option("--quiet", is_flag=True, help="show no progress bar")
def main(preset: str, out: Path, seed: int, minutes: float | None, quiet: bool) -> None:
    from dataclasses import replace

    chosen = PRESETS[preset]
    if minutes:
        chosen = replace(chosen, minutes=minutes)
    train(chosen, out, seed=seed, is_quiet=quiet)
    click.echo(f"wrote {out}")


if __name__ == "__main__":
    main()
