"""all-MiniLM-L6-v2 in numpy: what a few texts need, without the seconds that loading a framework takes.

BERT (arXiv 1810.04805) with the mean of its last layer as the vector, one text at a time. Its numbers differ from those of
PyTorch in the last digits of float32.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

Floats = NDArray[np.float32]
# Abramowitz and Stegun 7.1.26: erf to 1.5e-7, which is what float32 holds.
_ERF: Final = np.array([1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592])
_ERF_STEP: Final = 0.3275911


class Bert:
    """A folder of sentence-transformers with a BERT of a few layers.

    Args:
        folder: with `config.json`, `model.safetensors`, `tokenizer.json` and `sentence_bert_config.json`.

    Raises:
        OSError: if a file is missing.
        ValueError: if it is another architecture.
    """

    def __init__(self, folder: Path) -> None:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
        if (config.get("model_type"), config.get("hidden_act")) != ("bert", "gelu"):
            raise ValueError(f"{folder} holds a {config.get('model_type')}, not a BERT with gelu")
        about = json.loads((folder / "sentence_bert_config.json").read_text("utf-8"))
        self.window: int = about["max_seq_length"]
        self._heads: int = config["num_attention_heads"]
        self._layers: int = config["num_hidden_layers"]
        self._epsilon = np.float32(config["layer_norm_eps"])
        self._tensors: dict[str, Floats] = load_file(folder / "model.safetensors")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def count(self, text: str) -> int:
        """Return the tokens of a text, the two around it included."""
        return len(self._tokenizer.encode(text).ids)

    def encode(self, texts: Sequence[str]) -> list[Floats]:
        """Return a vector of length 1 for each text; of a long one the first tokens count, as many as the window has."""
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> Floats:
        ids = self._tokenizer.encode(text).ids
        if len(ids) > self.window:
            ids = [*ids[: self.window - 1], ids[-1]]  # the last one ends a text
        words = self._tensors["embeddings.word_embeddings.weight"][ids]
        places = self._tensors["embeddings.position_embeddings.weight"][: len(ids)]
        kind = self._tensors["embeddings.token_type_embeddings.weight"][0]
        x = self._normed(words + places + kind, "embeddings.LayerNorm")
        for number in range(self._layers):
            x = self._layer(x, f"encoder.layer.{number}")
        mean: Floats = x.mean(axis=0)
        return mean / np.linalg.norm(mean)

    def _layer(self, x: Floats, name: str) -> Floats:
        seen = self._attended(x, f"{name}.attention.self")
        x = self._normed(
            x + self._times(seen, f"{name}.attention.output.dense"),
            f"{name}.attention.output.LayerNorm",
        )
        fed = _gelu(self._times(x, f"{name}.intermediate.dense"))
        return self._normed(
            x + self._times(fed, f"{name}.output.dense"), f"{name}.output.LayerNorm"
        )

    def _attended(self, x: Floats, name: str) -> Floats:
        length, width = x.shape
        parts = (length, self._heads, width // self._heads)
        queries, keys, values = (
            self._times(x, f"{name}.{part}").reshape(parts).swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        scores = queries @ keys.swapaxes(1, 2) / np.float32(parts[2] ** 0.5)
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        seen: Floats = (shares @ values).swapaxes(0, 1).reshape(length, width)
        return seen

    def _times(self, x: Floats, name: str) -> Floats:
        product: Floats = x @ self._tensors[f"{name}.weight"].T + self._tensors[f"{name}.bias"]
        return product

    def _normed(self, x: Floats, name: str) -> Floats:
        centred = x - x.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + self._epsilon)
        normed: Floats = (
            centred / spread * self._tensors[f"{name}.weight"] + self._tensors[f"{name}.bias"]
        )
        return normed


def _gelu(x: Floats) -> Floats:
    """Return x times the share of a normal distribution that is below x."""
    size = np.abs(x) * np.float32(0.5**0.5)
    step = 1 / (1 + np.float32(_ERF_STEP) * size)
    erf = 1 - np.polyval(_ERF.astype(np.float32), step) * step * np.exp(-size * size)
    share: Floats = np.float32(0.5) * (1 + np.copysign(erf, x))
    return x * share
