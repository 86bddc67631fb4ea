"""Train the reference model: `python -m training.train --preset gpu|cpu|smoke`."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from agentcl.cli.stopping import stopping
from agentcl.errors import AgentclError, InvalidInput
from training.batches import IGNORED, Batch, Encoder, make_batches, pad_rows
from training.examples import Example
from training.gates import Asked, draw_sets
from training.mix import STAGES, Stage
from training.optimiser import Master
from training.presets import PRESETS, Preset, build_model, load_weights
from training.tokenizer import train_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM


_SHORT: Final = 192  # tokens a row
_CHUNK: Final = 32  # batches made together
_WARM_UP: Final = 0.01  # of the training
_SAVE_S: Final = 120  # between two checkpoints
_COOL_DOWN: Final = 0.35  # the last share, in which the learning rate falls to zero
_AGAIN: Final = 0.4  # of the learning rate, for weights that were trained before


@dataclass(slots=True)
class Progress:
    """Where training stands; saved in every checkpoint."""

    tokens: int = 0
    seconds: float = 0.0
    steps: int = 0
    stage: int = 0
    stage_began: float = 0.0  # how much of the training was over then
    chunk: int = 0  # how many chunks of batches have been used
    right: float = 0.0  # moving share of answers wholly right
    gates: int = 0  # how often held-out questions have been tried
    noted: float = 0.0  # seconds at the last point of the curve


class Training:
    """A training under way: model, optimiser, and how far it has come."""

    def __init__(
        self, preset: Preset, folder: Path, *, seed: int, start_from: Path | None = None
    ) -> None:
        """Begin, or go on from the checkpoint in `folder`. Raises InvalidInput for `start_from`."""
        import torch

        torch.manual_seed(seed)
        self.preset, self.folder, self.seed = preset, folder, seed
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.before = _trained_before(start_from) if start_from else None
        self.model = build_model(preset)
        if start_from:  # before anything is written
            load_weights(self.model, start_from)
        folder.mkdir(parents=True, exist_ok=True)
        self.tokenizer = _tokenizer(folder, start_from, preset, seed)
        self.encoder = Encoder(self.tokenizer)
        torch.nn.Module.to(self.model, self.device)  # its own `to` has no usable types
        rate = preset.learning_rate * (_AGAIN if start_from else 1.0)
        self.master = Master(self.model, rate)
        self.progress = Progress(stage=len(STAGES) - 1 if start_from else 0)
        self._gate_sets = draw_sets(seed, preset.gate_size)
        self._checkpoint = folder / "checkpoint.pt"
        if self._checkpoint.exists():
            saved = torch.load(self._checkpoint, map_location=self.device, weights_only=True)
            self.master.restore(saved["master"])
            self.progress = Progress(**saved["progress"])
            # A training that is over and is given more time has gates before it again.
            self.progress.gates = min(self.progress.gates, int(self.done * preset.gates))
            for name in ("curve.jsonl", "gates.jsonl"):
                _forget_after(folder / name, self.progress.tokens)

    @property
    def done(self) -> float:
        """How much of the training is over, from 0 to 1: by tokens or by time, whichever is further."""
        return max(
            self.progress.tokens / self.preset.tokens,
            self.progress.seconds / (60 * self.preset.minutes),
        )

    @property
    def stage(self) -> Stage:
        """The stage that it is in."""
        return STAGES[self.progress.stage]

    def learn(self, batch: Batch) -> float:
        """Take one step; return the loss. Raises InvalidInput when the loss is no number any more."""
        started = time.monotonic()
        loss, right = self._gradients(batch)
        norm = self.master.step(_rate(self.done))
        if not math.isfinite(loss):
            raise InvalidInput(
                f"the loss is {loss} after {self.progress.steps} steps: lower the learning rate, and "
                "begin again in an empty folder"
            )
        progress = self.progress
        progress.seconds += time.monotonic() - started
        progress.tokens += batch.ids.size
        progress.steps += 1
        progress.right += (right - progress.right) * max(0.02, 1 / progress.steps)
        if progress.seconds - progress.noted > 0.003 * 60 * self.preset.minutes or self.done >= 1:
            progress.noted = progress.seconds
            shape = {"stage": self.stage.name, "loss": round(loss, 4), "norm": round(norm, 3)}
            _append(self.folder / "curve.jsonl", {**asdict(progress), **shape})
        return loss

    def try_gates(self) -> dict[str, float] | None:
        """Return what is right on held-out questions, where it is time to look again."""
        due = min(self.preset.gates, int(self.done * self.preset.gates))
        if due <= self.progress.gates:
            return None
        self.progress.gates = due
        shares = exact_shares(self.model, self.encoder, self._gate_sets, self.device)
        _append(self.folder / "gates.jsonl", {**asdict(self.progress), **shares})
        return shares

    def end_chunk(self) -> None:
        """Go on to the next stage if this one is passed or has had its share."""
        progress, stage = self.progress, self.stage
        is_spent = self.done - progress.stage_began >= stage.share
        is_last = progress.stage + 1 == len(STAGES)
        if (progress.right >= stage.passed_at or is_spent) and not is_last:
            progress.stage, progress.stage_began = progress.stage + 1, self.done
            progress.right *= 0.5  # what was reached on easier examples counts no more

    def save(self) -> None:
        """Write the checkpoint, and the model as it is now."""
        import torch

        unfinished = self._checkpoint.with_suffix(".tmp")
        state = {"master": self.master.state(), "progress": asdict(self.progress)}
        torch.save(state, unfinished)
        unfinished.replace(self._checkpoint)
        self.model.save_pretrained(str(self.folder))
        about = {
            "name": next((n for n, p in PRESETS.items() if _is_like(p, self.preset)), "own"),
            "preset": asdict(self.preset),
            "progress": asdict(self.progress),
            "seed": self.seed,
            "machine": _machine(self.device),
            "before": self.before,
        }
        (self.folder / "training.json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")

    def _gradients(self, batch: Batch) -> tuple[float, float]:
        """Return the loss and the share of answers wholly right, lists left out."""
        import torch
        from torch.nn import functional

        ids = torch.from_numpy(batch.ids).to(self.device)
        labels = torch.from_numpy(batch.labels).to(self.device)
        if self.device == "cpu":
            # On short rows the fused kernel's backward pass is slower than plain matrix products.
            is_short = batch.ids.shape[1] <= _SHORT
            self.model.set_attn_implementation("eager" if is_short else "sdpa")
        hidden = self.model.model(input_ids=ids, use_cache=False).last_hidden_state
        is_before_answer = labels[:, 1:] != IGNORED
        # Only where an answer's token comes next: the head is left out on everything that is read.
        logits = self.model.lm_head(hidden[:, :-1][is_before_answer]).float()
        wanted = labels[:, 1:][is_before_answer]
        loss = functional.cross_entropy(logits, wanted)
        torch.autograd.backward(loss)
        # An answer is right if all of its tokens are; lists, which are mostly copied, do not count.
        begins = (labels[:, :-1] == IGNORED)[is_before_answer]
        answer = begins.cumsum(0) - 1  # the number of the answer that a token belongs to
        wrong = torch.zeros(int(begins.sum()), device=self.device)
        wrong.index_add_(0, answer, (logits.argmax(-1) != wanted).float())
        is_right = (wrong == 0)[wanted[begins] != self.encoder.listing]
        return loss.item(), is_right.float().mean().item() if len(is_right) else 1.0


def train(
    preset: Preset,
    folder: Path,
    *,
    seed: int = 0,
    start_from: Path | None = None,
    is_quiet: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
) -> Progress:
    """Train a model; write it, its tokenizer, its learning curve and its gates to `folder`.

    Goes on where an earlier run in the same folder stopped. Examples follow from `seed` and from how
    far training has come, so a resumed run sees what an uninterrupted one would have seen.

    Args:
        preset: what to train.
        folder: where everything is written.
        seed: of weights and examples.
        start_from: the folder of a model of the same shape, whose weights and tokenizer to begin with,
            at a lower learning rate and with the last stage; what it knew already is practised along.
        is_quiet: show no progress bar.
        should_stop: asked now and then; True saves a checkpoint and returns early.

    Raises:
        InvalidInput: if the loss is no number any more, or the model to begin with has another shape.
    """
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    training = Training(preset, folder, seed=seed, start_from=start_from)
    columns = (TextColumn("{task.description}"), BarColumn(20), TimeRemainingColumn())
    with ExitStack() as stack:
        console = Console(stderr=True, quiet=is_quiet)
        bar = stack.enter_context(Bar(*columns, console=console, disable=is_quiet))
        task = bar.add_task("training", total=1.0)
        source = stack.enter_context(_Source(training.encoder, preset, seed))
        saved_at = time.monotonic()
        while training.done < 1 and not should_stop():
            for batch in source.take(training.progress):
                loss = training.learn(batch)
                bar.update(task, completed=training.done, description=_says(training, loss))
                if shares := training.try_gates():
                    bar.console.print(_table(training.progress, shares), soft_wrap=True)
                if training.done >= 1:
                    break
            training.end_chunk()
            if time.monotonic() - saved_at > _SAVE_S:
                training.save()
                saved_at = time.monotonic()
    training.save()
    return training.progress


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


def _is_like(one: Preset, other: Preset) -> bool:
    return replace(one, minutes=other.minutes, tokens=other.tokens) == other


def _machine(device: str) -> str:
    """Return what trained, in words."""
    import torch

    if device == "cuda":
        return str(torch.cuda.get_device_name())
    return f"{torch.get_num_threads()} processors"


def exact_shares(
    model: Qwen3ForCausalLM, encoder: Encoder, sets: Mapping[str, Sequence[Asked]], device: str
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


def _rate(done: float) -> float:
    """The share of the full learning rate: warm-up, plateau, linear cool-down."""
    return min(1.0, (done + 1e-4) / _WARM_UP, max(0.0, 1 - done) / _COOL_DOWN)


def _says(training: Training, loss: float) -> str:
    return (
        f"{training.stage.name:10s} {training.progress.tokens / 1e6:6.2f}M tokens  "
        f"loss {loss:5.3f}  answers right {training.progress.right:5.1%}"
    )


def _tokenizer(
    folder: Path, start_from: Path | None, preset: Preset, seed: int
) -> PreTrainedTokenizerFast:
    """Return the tokenizer of `folder`, or else that of `start_from`, or a new one; `folder` has it then."""
    from transformers import PreTrainedTokenizerFast

    for source in (folder, start_from):
        if source and (source / "tokenizer.json").exists():
            tokenizer: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(
                str(source)
            )
            break
    else:
        tokenizer = train_tokenizer(vocabulary=preset.vocabulary, seed=seed)
    if not (folder / "tokenizer.json").exists():
        tokenizer.save_pretrained(str(folder))
    return tokenizer


def _trained_before(folder: Path) -> object:
    """Return what is known of how a model was trained. Raises InvalidInput if there is no whole model."""
    for name in ("model.safetensors", "tokenizer.json", "training.json"):
        if not (folder / name).is_file():
            raise InvalidInput(
                f"{folder} has no {name}: name a folder that this command wrote, or the package's own"
            )
    try:
        return json.loads((folder / "training.json").read_text("utf-8"))
    except ValueError as error:
        raise InvalidInput(
            f"{folder / 'training.json'} is damaged ({error}): take another copy of the folder"
        ) from error


def _append(path: Path, row: Mapping[str, object]) -> None:
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def _forget_after(path: Path, tokens: int) -> None:
    """Take away what was noted after the checkpoint: it is about to be done again."""
    if path.exists():
        rows = path.read_text("utf-8").splitlines(keepends=True)
        path.write_text(
            "".join(row for row in rows if json.loads(row)["tokens"] <= tokens), "utf-8"
        )


def _table(progress: Progress, shares: Mapping[str, float]) -> str:
    cells = "  ".join(f"{name} {share:4.0%}" for name, share in shares.items())
    return f"{progress.tokens / 1e6:6.2f}M tokens, held out, exact: {cells}"


@click.command(help=__doc__)
@click.option("--preset", type=click.Choice(sorted(PRESETS)), required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--minutes",
    type=float,
    help="End after this time instead of the preset's; more time, more tokens.",
)
@click.option(
    "--start-from",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Begin with this folder's weights and tokenizer, in the last stage.",
)
@click.option("--quiet", is_flag=True, help="Show no progress bar.")
def main(
    preset: str,
    out: Path,
    seed: int,
    minutes: float | None,
    start_from: Path | None,
    quiet: bool,
) -> None:
    """Run from the command line; Ctrl-C saves, and the same command goes on."""
    chosen = PRESETS[preset]
    if minutes is not None:
        if minutes <= 0:
            raise click.BadParameter("must be above 0", param_hint="--minutes")
        longer = max(1.0, minutes / chosen.minutes)
        chosen = replace(chosen, minutes=minutes, tokens=round(chosen.tokens * longer))
    try:
        with stopping("stopping at the end of this chunk; once more ends at once") as is_stopped:
            progress = train(
                chosen,
                out,
                seed=seed,
                start_from=start_from,
                is_quiet=quiet,
                should_stop=is_stopped,
            )
    except AgentclError as error:
        raise click.ClickException(str(error)) from error
    done = f"{progress.tokens / 1e6:.2f}M tokens in {progress.seconds / 60:.1f} min, in {out}"
    click.echo(
        f"stopped after {done}; the same command goes on" if is_stopped() else f"trained {done}"
    )


if __name__ == "__main__":
    main()
