"""The training of a codec. It can be stopped at any time, and goes on with the next batches that it draws."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch

from agentcl.errors import InvalidInput
from training.compressor.data import Document, Source
from training.compressor.frames import Batch, Framer
from training.compressor.gates import Gates
from training.compressor.model import Compressor
from training.compressor.objectives import Loss, loss_of
from training.compressor.presets import Preset, Stage
from training.optimiser import Master

if TYPE_CHECKING:
    from torch import Tensor

_SAVE_S: Final = 120  # between two checkpoints
_CHUNK: Final = 16  # batches drawn together, so that documents of like length meet
_WARM_UP: Final = 0.01  # of the training
_COOL_DOWN: Final = 0.5  # the last share, in which the learning rate falls to zero


@dataclass(slots=True)
class Progress:
    """Where training stands; saved in every checkpoint."""

    steps: int = 0
    documents: int = 0
    tokens: int = 0
    seconds: float = 0.0
    stage: int = 0
    stage_began: float = 0.0  # how much of the training was over then
    chunk: int = 0
    right: float = 0.0  # moving share of the answers' tokens that are right
    matched: float = 0.0  # moving share of questions that find their memory in the batch
    gates: int = 0
    noted: int = 0  # steps at the last point of the curve


class Training:
    """A training under way: the compressor, its optimiser, and how far it has come.

    Args:
        model: the compressor on its frozen base.
        framer: for the base's tokens and frame.
        draw: where documents come from.
        gates: what is tried on the way.
        preset: how much is trained.
        folder: of the checkpoint and the curve; one that is there is gone on from.
        seed: of everything drawn.
    """

    def __init__(
        self,
        model: Compressor,
        framer: Framer,
        draw: Source,
        gates: Gates,
        preset: Preset,
        folder: Path,
        *,
        seed: int,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.model, self.framer, self.preset, self.folder = model, framer, preset, folder
        self._draw, self._gates, self._seed = draw, gates, seed
        self._before = [
            torch.tensor(ids, device=model.device)
            for ids in framer.ids([framer.frame.before, *framer.frame.beside])
        ]
        self.master = Master(model, preset.learning_rate)
        self.progress = Progress()
        self._checkpoint = folder / "checkpoint.pt"
        if self._checkpoint.exists():
            saved = torch.load(self._checkpoint, map_location=model.device, weights_only=True)
            self.master.restore(saved["master"])
            self.progress = Progress(**saved["progress"])
            for name in ("curve.jsonl", "gates.jsonl"):
                _forget_after(folder / name, self.progress.steps)

    @property
    def done(self) -> float:
        """How much of the training is over, from 0 to 1."""
        progress = self.progress
        return max(
            progress.steps / self.preset.steps, progress.seconds / (60 * self.preset.minutes)
        )

    @property
    def stage(self) -> Stage:
        """The stage that it is in."""
        return self.preset.stages[self.progress.stage]

    def chunk(self) -> list[Batch]:
        """Return the next batches, drawn by the seed and the chunk's number alone."""
        progress, stage = self.progress, self.stage
        rng = random.Random(f"{self._seed}:{progress.stage}:{progress.chunk}")
        progress.chunk += 1
        documents: list[Document] = []
        while len(documents) < _CHUNK * self.preset.documents:
            document = self._draw(rng, stage.size)
            asked = rng.sample(document.asked, min(stage.questions, len(document.asked)))
            documents.append(replace(document, asked=tuple(asked)))
        documents.sort(key=lambda one: len(one.text))
        size = self.preset.documents
        parts = [documents[start : start + size] for start in range(0, len(documents), size)]
        rng.shuffle(parts)
        whole = self.preset.weights.whole
        batches = [self.framer.batch(part, is_whole=whole) for part in parts]
        return [one for one in batches if one.passages.lengths.max() <= self.preset.longest + 8]

    def learn(self, batch: Batch) -> Loss:
        """Take one step. Raises InvalidInput when the loss is no number any more."""
        started = time.monotonic()
        rng = random.Random(f"{self._seed}:{self.progress.steps}")
        slots = rng.choices(list(self.stage.slots), list(self.stage.slots.values()))[0]
        loss = self._loss(batch, slots, rng)
        torch.autograd.backward(loss.total)
        self.master.step(_rate(self.done))
        if not math.isfinite(loss.answering):
            raise InvalidInput(
                f"the loss is {loss.answering} after {self.progress.steps} steps: lower the learning rate, and "
                "begin again in an empty folder"
            )
        self._note(batch, loss, slots, time.monotonic() - started)
        return loss

    def try_gates(self) -> dict[str, float] | None:
        """Return what is right on held-out questions, where it is time to look again."""
        due = min(self.preset.gates, int(self.done * self.preset.gates))
        if due <= self.progress.gates:
            return None
        self.progress.gates = due
        shares = self._gates.shares(self.model)
        _append(self.folder / "gates.jsonl", {**asdict(self.progress), **shares})
        return shares

    def end_chunk(self) -> None:
        """Go on to the next stage if this one is passed or has had its share."""
        progress, stage = self.progress, self.stage
        is_spent = self.done - progress.stage_began >= stage.share
        is_last = progress.stage + 1 == len(self.preset.stages)
        if (progress.right >= stage.passed_at or is_spent) and not is_last:
            progress.stage, progress.stage_began = progress.stage + 1, self.done
            progress.right *= 0.5

    def save(self) -> None:
        """Write the checkpoint."""
        unfinished = self._checkpoint.with_suffix(".tmp")
        state = {"master": self.master.state(), "progress": asdict(self.progress)}
        torch.save(state, unfinished)
        unfinished.replace(self._checkpoint)

    def _loss(self, batch: Batch, slots: int, rng: random.Random) -> Loss:
        model, weights = self.model, self.preset.weights
        memories = model.memories(batch.passages, slots)
        together = 1
        if len(memories) > 3 and rng.random() < self.stage.several:
            together = rng.choice((2, 3))
        before = self._frame(memories, together, rng)
        without = None
        if weights.memory_aware:
            with torch.no_grad():
                without = model.read([self._embedded(0, len(memories))], batch.talk)
        return loss_of(
            model,
            batch,
            weights,
            memories=memories,
            before=before,
            without=without,
            is_matching=self.stage.is_matching,
        )

    def _frame(self, memories: Tensor, together: int, rng: random.Random) -> list[Tensor]:
        """Return the memories as the base reads them: alone, or others of the batch beside each."""
        if together == 1:
            return [self._embedded(0, len(memories)), memories]
        own = rng.randrange(together)
        shifts = iter(rng.sample(range(1, len(memories)), together - 1))
        before: list[Tensor] = []
        for place in range(together):
            shift = 0 if place == own else next(shifts)
            before += [self._embedded(1 + place, len(memories)), memories.roll(shift, dims=0)]
        return before

    def _embedded(self, number: int, rows: int) -> Tensor:
        return self.model.embed(self._before[number]).expand(rows, -1, -1)

    def _note(self, batch: Batch, loss: Loss, slots: int, seconds: float) -> None:
        progress = self.progress
        progress.steps += 1
        progress.documents += len(batch.talk.ids)
        progress.tokens += batch.passages.ids.size + batch.talk.ids.size
        progress.seconds += seconds
        share = max(0.02, 1 / progress.steps)
        progress.right += (loss.right - progress.right) * share
        progress.matched += (loss.matched - progress.matched) * share
        if progress.steps - progress.noted >= 20:
            progress.noted = progress.steps
            row = {**asdict(progress), "loss": round(loss.answering, 4), "slots": slots}
            _append(self.folder / "curve.jsonl", row)


def train(
    training: Training,
    *,
    is_quiet: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
) -> Progress:
    """Train until it is over, or until `should_stop`; save every two minutes and at the end.

    Raises:
        InvalidInput: if the loss is no number any more.
    """
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(20), TimeRemainingColumn())
    with ExitStack() as stack:
        console = Console(stderr=True, quiet=is_quiet)
        bar = stack.enter_context(Bar(*columns, console=console, disable=is_quiet))
        task = bar.add_task("training", total=1.0)
        saved_at = time.monotonic()
        while training.done < 1 and not should_stop():
            for batch in training.chunk():
                loss = training.learn(batch)
                bar.update(task, completed=training.done, description=_says(training, loss))
                if shares := training.try_gates():
                    bar.console.print(_table(training.progress, shares), soft_wrap=True)
                if time.monotonic() - saved_at > _SAVE_S:
                    training.save()
                    saved_at = time.monotonic()
                if training.done >= 1 or should_stop():
                    break
            training.end_chunk()
    training.save()
    return training.progress


def _rate(done: float) -> float:
    """The share of the full learning rate: warm-up, plateau, linear cool-down."""
    return min(1.0, (done + 1e-4) / _WARM_UP, max(0.0, 1 - done) / _COOL_DOWN)


def _says(training: Training, loss: Loss) -> str:
    progress = training.progress
    return (
        f"stage {progress.stage + 1}  {progress.documents:,} documents  loss {loss.answering:5.3f}  "
        f"tokens right {progress.right:5.1%}  matched {progress.matched:4.0%}"
    )


def _table(progress: Progress, shares: Mapping[str, float]) -> str:
    cells = "  ".join(f"{name} {share:4.0%}" for name, share in shares.items())
    return f"{progress.documents:,} documents, {progress.seconds / 60:.1f} min, held out, exact: {cells}"


def _append(path: Path, row: Mapping[str, object]) -> None:
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def _forget_after(path: Path, steps: int) -> None:
    """Take away what was noted after the checkpoint: it is about to be done again."""
    if path.exists():
        rows = path.read_text("utf-8").splitlines(keepends=True)
        path.write_text("".join(row for row in rows if json.loads(row)["steps"] <= steps), "utf-8")
