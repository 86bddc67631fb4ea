"""Training an adapter: seeded, in small steps, and resumable to the same weights after a kill.

The order of rows and the samples of the model follow from the seed and the number of the step, so a checkpoint holds
the weights and the optimizer's state, and nothing else.
"""

from __future__ import annotations

import errno
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

from agentcl.consolidation.base import IGNORED, Encoded, encode, load_base
from agentcl.consolidation.methods.hooks import Method, Run
from agentcl.consolidation.methods.opening import open_methods
from agentcl.consolidation.recipes import Recipe
from agentcl.consolidation.rows.building import TrainingRow
from agentcl.errors import InvalidInput, StorageFull, StoreUnavailable, needs

if TYPE_CHECKING:
    from torch import Tensor

with needs("training adapters", "train"):
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
    from peft.utils import set_peft_model_state_dict
    from torch.nn import functional

WORK: Final = "work"  # in the adapter's folder, while it is trained
_CHECKPOINT: Final = "checkpoint.pt"
_CLIP: Final = 1.0  # the norm that gradients are clipped to
_SAMPLED: Final = 32  # tokens that the student says in a step of distillation
_STEP_PRIME: Final = 1_000_003  # so that no two pairs of seed and step draw alike


@dataclass(frozen=True, slots=True)
class Trained:
    """What became of a training."""

    steps: int
    losses: tuple[float, ...]  # of each step
    left_out: int  # rows that were too long
    is_cut_short: bool  # the time budget ended before the steps did
    shards: tuple[int, ...] = ()  # that were trained, of an adapter that is made of some


@dataclass(slots=True)
class _State:
    step: int = 0
    losses: list[float] = field(default_factory=list)


def train(
    base: Path,
    rows: Sequence[TrainingRow],
    folder: Path,
    recipe: Recipe,
    *,
    parent: Path | None = None,
    methods: Sequence[Method] | None = None,
    progress: Callable[[int, int, float], None] = lambda step, steps, loss: None,
) -> Trained:
    """Train an adapter, and write it as a plain PEFT folder.

    Args:
        base: the folder of the frozen model.
        rows: of which those of the split "train" are learned.
        folder: of the adapter; a checkpoint in it is gone on with.
        recipe: how.
        parent: the folder of an adapter to begin from; default: the base.
        methods: default: those of the recipe.
        progress: told after each step its number, how many there are, and the loss.

    Raises:
        InvalidInput: if there is nothing to learn, or the template cannot be used.
        StorageFull: if the disk is full; the last checkpoint is whole.
    """
    used = open_methods(recipe.methods) if methods is None else methods
    model, tokenizer = load_base(base)
    tuned = _with_adapter(model, recipe, parent)
    mixed: Sequence[TrainingRow] = [row for row in rows if row.split == "train"]
    for method in used:
        mixed = method.mix(mixed, Random(f"{recipe.seed} {method.name}"))
    loss_on = _Objective(tuned, tokenizer, recipe)
    fitting = [row for row in mixed if loss_on.fits(row)]
    if not fitting:
        raise InvalidInput(f"no row fits into {recipe.most_tokens} tokens; raise `most_tokens`")
    weights = {n: p for n, p in tuned.named_parameters() if p.requires_grad}
    run = Run(tuned, weights, loss_on, loss_on.logits_on, loss_on.states_on)
    for method in used:
        method.prepare(run)
    optimizer = torch.optim.AdamW(
        list(run.weights.values()), lr=recipe.learning_rate, weight_decay=0.0
    )
    state = _resume(folder, tuned, optimizer, used)
    ends = None if recipe.budget_s is None else time.monotonic() + recipe.budget_s
    while state.step < recipe.steps and (ends is None or time.monotonic() < ends):
        run.step = loss_on.step = state.step
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate(state.step)
        loss = _step(run, used, optimizer, _batch(fitting, recipe, state.step))
        state.losses.append(loss)
        state.step += 1
        if state.step % recipe.checkpoint_every == 0:
            _checkpoint(folder, tuned, optimizer, used, state)
        progress(state.step, recipe.steps, loss)
    for method in used:
        method.finish(run)
    write_adapter(tuned, base, folder, name=run.served)
    return Trained(
        state.step, tuple(state.losses), len(mixed) - len(fitting), state.step < recipe.steps
    )


def _with_adapter(model: Any, recipe: Recipe, parent: Path | None) -> Any:  # noqa: ANN401  # transformers'
    if parent is not None:
        return PeftModel.from_pretrained(model, str(parent), is_trainable=True)
    targets = recipe.targets if isinstance(recipe.targets, str) else list(recipe.targets)
    config = LoraConfig(
        r=recipe.rank, lora_alpha=recipe.alpha, target_modules=targets, lora_dropout=0.0, bias="none",
        task_type="CAUSAL_LM",
    )  # fmt: skip
    torch.manual_seed(recipe.seed)  # of the first weights
    return get_peft_model(model, config)


def _batch(rows: Sequence[TrainingRow], recipe: Recipe, step: int) -> list[TrainingRow]:
    """Return the rows of a step: each epoch is an order of its own."""
    found: list[TrainingRow] = []
    place = step * recipe.batch
    while len(found) < min(recipe.batch, len(rows)):
        epoch, within = divmod(place + len(found), len(rows))
        order = Random(f"{recipe.seed} {epoch}").sample(range(len(rows)), len(rows))
        found.append(rows[order[within]])
    return found


def _step(
    run: Run,
    methods: Sequence[Method],
    optimizer: torch.optim.Optimizer,
    batch: Sequence[TrainingRow],
) -> float:
    optimizer.zero_grad(set_to_none=True)
    loss = run.loss_on(batch)
    for method in methods:
        if (extra := method.loss(run)) is not None:
            loss = loss + extra
    loss.backward()  # type: ignore[no-untyped-call]  # torch's
    torch.nn.utils.clip_grad_norm_(list(run.weights.values()), _CLIP)
    for method in methods:
        method.before_step(run)
    optimizer.step()
    for method in methods:
        method.after_step(run)
    return float(loss.detach())


class _Objective:
    """The mean loss on some rows.

    "supervised": cross-entropy on the tokens of the answer. "distillation": on-policy context distillation. The
    student answers without the memory; the teacher, the same frozen model with the memory in its prompt and the
    adapter off, is asked for its distribution at each token of that answer; the loss is KL(student || teacher), mean
    over tokens (Agarwal et al. 2024; Shenfeld et al. 2026). Rows without a memory are supervised.

    General rows have KL(student || base) at each token of the base's own answer, with either.
    """

    def __init__(self, model: Any, tokenizer: Any, recipe: Recipe) -> None:  # noqa: ANN401
        self._model, self._tokenizer, self._recipe = model, tokenizer, recipe
        self._encoded: dict[TrainingRow, Encoded] = {}
        self.step = 0

    def __call__(self, rows: Sequence[TrainingRow]) -> Tensor:
        taught = [row for row in rows if row.memory and self._recipe.objective == "distillation"]
        general = [row for row in rows if row.part == "general"]
        told = [row for row in rows if row not in taught and row.part != "general"]
        is_coarse = self._recipe.precision == "bfloat16"
        with torch.autocast(self._model.device.type, torch.bfloat16, enabled=is_coarse):
            parts = [self._supervised(told) * len(told)] if told else []
            parts += [self._distilled(row) for row in taught]
            parts += [self._rehearsed(general) * len(general)] if general else []
        return torch.stack(parts).sum() / len(rows)

    def fits(self, row: TrainingRow) -> bool:
        """Return whether a row is short enough."""
        one = self._of(row)
        return len(one.prompt) + len(one.answer) <= self._recipe.most_tokens

    def logits_on(self, rows: Sequence[TrainingRow]) -> Tensor:
        """Return the logits (tokens, vocabulary) of each token of the answers of some rows."""
        logits, labels = answer_logits(self._model, self._pairs(rows))
        return logits[labels != IGNORED]

    def states_on(self, rows: Sequence[TrainingRow]) -> Tensor:
        """Return the last layer's states (tokens, width) from which the answers of some rows are read."""
        ids, mask, labels = padded(self._pairs(rows), self._model.device)
        out = self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=_positions(mask),
            output_hidden_states=True,
        )
        states: Tensor = out.hidden_states[-1]
        return states[:, :-1][labels[:, 1:] != IGNORED].float()

    def _pairs(self, rows: Sequence[TrainingRow]) -> list[tuple[Sequence[int], Sequence[int]]]:
        return [(self._of(row).prompt, self._of(row).answer) for row in rows]

    def _of(self, row: TrainingRow) -> Encoded:
        if row not in self._encoded:
            self._encoded[row] = encode(self._tokenizer, row)
        return self._encoded[row]

    def _supervised(self, rows: Sequence[TrainingRow]) -> Tensor:
        logits, labels = answer_logits(self._model, self._pairs(rows))
        flat = logits.transpose(1, 2)
        per_token = functional.cross_entropy(flat, labels, ignore_index=IGNORED, reduction="none")
        learned = labels != IGNORED
        return (per_token.sum(1) / learned.sum(1)).mean()

    def _rehearsed(self, rows: Sequence[TrainingRow]) -> Tensor:
        with torch.no_grad(), self._model.disable_adapter():
            wanted = functional.log_softmax(self.logits_on(rows), dim=-1)
        own = functional.log_softmax(self.logits_on(rows), dim=-1)
        return (own.exp() * (own - wanted)).sum(-1).mean()

    def _distilled(self, row: TrainingRow) -> Tensor:
        one = self._of(row)
        said = self._say(one.prompt)
        with torch.no_grad(), self._model.disable_adapter():
            teacher, _ = answer_logits(self._model, [(one.taught, said)])
        student, _ = answer_logits(self._model, [(one.prompt, said)])
        size = len(said)
        own = functional.log_softmax(student[0, -size:], dim=-1)
        wanted = functional.log_softmax(teacher[0, -size:], dim=-1)
        return (own.exp() * (own - wanted)).sum(-1).mean()

    def _say(self, prompt: Sequence[int]) -> tuple[int, ...]:
        ids = torch.tensor([prompt], device=self._model.device)
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(self._recipe.seed * _STEP_PRIME + self.step)
            out = self._model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=True, top_k=0, top_p=1.0,
                temperature=1.0, max_new_tokens=_SAMPLED, pad_token_id=self._tokenizer.eos_token_id,
            )  # fmt: skip
        return tuple(int(token) for token in out[0, len(prompt) :])


def answer_logits(
    model: Any,  # noqa: ANN401  # PEFT's
    pairs: Sequence[tuple[Sequence[int], Sequence[int]]],
) -> tuple[Tensor, Tensor]:
    """Return the logits that predict each next token, and these tokens where they belong to an answer.

    Args:
        model: of a causal language model.
        pairs: of the tokens of a prompt and of its answer.

    Returns:
        Logits (pairs, longest answer, vocabulary), and labels (pairs, longest answer) with `IGNORED` elsewhere. Pairs
        are padded on the left, so that the last answer's tokens are the last ones.
    """
    ids, mask, labels = padded(pairs, model.device)
    size = max(len(answer) for _, answer in pairs)
    out = model(
        input_ids=ids, attention_mask=mask, position_ids=_positions(mask), logits_to_keep=size + 1
    )
    return out.logits[:, :-1].float(), labels[:, -size:]


def padded(
    pairs: Sequence[tuple[Sequence[int], Sequence[int]]], device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Return tokens, mask and labels of prompts with their answers, each (pairs, longest), padded on the left."""
    longest = max(len(prompt) + len(answer) for prompt, answer in pairs)
    ids = torch.zeros(len(pairs), longest, dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, IGNORED)
    for place, (prompt, answer) in enumerate(pairs):
        size = len(prompt) + len(answer)
        ids[place, -size:] = torch.tensor([*prompt, *answer])
        mask[place, -size:] = 1
        labels[place, -len(answer) :] = torch.tensor(list(answer))
    return ids.to(device), mask.to(device), labels.to(device)


def _positions(mask: Tensor) -> Tensor:
    return (mask.cumsum(1) - 1).clamp(min=0)


def log_probabilities(
    model: Any,  # noqa: ANN401  # PEFT's
    prompt: Sequence[int],
    answer: Sequence[int],
) -> tuple[float, ...]:
    """Return the log-probability of each token of an answer behind its prompt, in nats."""
    with torch.inference_mode():
        logits, labels = answer_logits(model, [(prompt, answer)])
    own = functional.log_softmax(logits[0, -len(answer) :], dim=-1)
    picked = own.gather(1, labels[0, -len(answer) :].unsqueeze(1))
    return tuple(float(one) for one in picked[:, 0])


def _checkpoint(
    folder: Path,
    model: Any,  # noqa: ANN401
    optimizer: torch.optim.Optimizer,
    methods: Sequence[Method],
    state: _State,
) -> None:
    work = folder / WORK
    partial = work / f"{_CHECKPOINT}.partial"
    try:
        work.mkdir(parents=True, exist_ok=True)
        torch.save(
            {
                "weights": get_peft_model_state_dict(model),
                "optimizer": optimizer.state_dict(),
                "methods": [dict(one.state()) for one in methods],
                "state": asdict(state),
            },
            partial,
        )
        partial.replace(work / _CHECKPOINT)
    except (OSError, RuntimeError) as error:  # torch says so of a full disk
        raise StorageFull(f"cannot write a checkpoint into {work}: {error}") from error


def _resume(
    folder: Path,
    model: Any,  # noqa: ANN401
    optimizer: torch.optim.Optimizer,
    methods: Sequence[Method],
) -> _State:
    file = folder / WORK / _CHECKPOINT
    if not file.is_file():
        return _State()
    held = torch.load(file, weights_only=True)
    set_peft_model_state_dict(model, held["weights"])
    optimizer.load_state_dict(held["optimizer"])
    for method, state in zip(methods, held["methods"], strict=True):
        method.restore(state)
    return _State(**held["state"])


def write_adapter(
    model: Any,  # noqa: ANN401  # PEFT's
    base: Path,
    folder: Path,
    *,
    name: str = "default",
) -> None:
    """Write an adapter's two files; a checkpoint beside them goes.

    Args:
        model: that has the adapter.
        base: the folder of the frozen model.
        folder: where they are written.
        name: which of PEFT's adapters.

    Raises:
        StorageFull: if the disk is full.
        StoreUnavailable: if they cannot be written.
    """
    try:
        model.save_pretrained(folder, selected_adapters=[name])
        if name != "default":  # PEFT writes the others into folders of their own
            for file in (folder / name).iterdir():
                file.replace(folder / file.name)
            (folder / name).rmdir()
        (folder / "README.md").unlink(missing_ok=True)  # a form that nobody filled in
        config = folder / "adapter_config.json"
        told = json.loads(config.read_text("utf-8"))
        told |= {"base_model_name_or_path": str(base), "inference_mode": True}
        config.write_text(json.dumps(told, indent=2, sort_keys=True) + "\n", "utf-8")
        shutil.rmtree(folder / WORK, ignore_errors=True)
    except OSError as error:
        kind = StorageFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else StoreUnavailable
        raise kind(f"cannot write the adapter into {folder}: {error}") from error
