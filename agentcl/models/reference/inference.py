"""The reference model's forward pass in numpy: a small Qwen3 (arXiv 2505.09388), one sequence at a time.

For a model of three million parameters a framework spends its time on everything but arithmetic, and plain numpy
needs nothing else to be installed.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Token = (
    int | bytes
)  # a token of the vocabulary, or the float32 bytes of a vector that is read in its place
_ROOM: Final = 64  # tokens more than are read at first
BLOCK: Final = 64  # tokens that are read together, and kept together
_AHEAD: Final = np.triu(np.full((BLOCK, BLOCK), -np.inf, np.float32), k=1)


@dataclass(frozen=True, slots=True)
class _Layer:
    """The weights of one layer, those that are multiplied with the same input side by side."""

    attention_norm: Floats
    queries_keys_values: Floats  # width x 3 heads
    queries_keys_norm: Floats  # 2 x 1 x 1 x head size
    output: Floats  # heads x width
    feed_norm: Floats
    gate_up: Floats  # width x 2 hidden
    down: Floats  # hidden x width


class Weights:
    """A checkpoint folder of the reference model's architecture, read into float32.

    Args:
        folder: of the checkpoint.
        changes: what is added to its matrices, by their names without `.weight`, e.g. what LoRA has learned.

    Raises:
        OSError: if a file is missing.
        ValueError: if it is another architecture, or its numbers are stored in another way.
    """

    def __init__(self, folder: Path, changes: Mapping[str, Floats] | None = None) -> None:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
        if config.get("model_type") != "qwen3" or not config.get("tie_word_embeddings"):
            raise ValueError(f"{folder} holds a {config.get('model_type')}, not a small Qwen3")
        layers: int = config["num_hidden_layers"]
        self.heads: int = config["num_attention_heads"]
        self.head_size: int = config["head_dim"]
        self.end: int = config["eos_token_id"]
        self.epsilon = np.float32(config["rms_norm_eps"])
        if config["num_key_value_heads"] != self.heads:
            raise ValueError(f"{folder} shares keys among heads, which this pass does not do")
        self.raw = read_tensors(folder / "model.safetensors")
        tensors = {
            name: _as_float32(data).reshape(shape) for name, (data, shape) in self.raw.items()
        }
        for name, change in (changes or {}).items():
            tensors[f"{name}.weight"] = tensors[f"{name}.weight"] + change
        self.embedding = tensors["model.embed_tokens.weight"]
        self.unembedding = np.ascontiguousarray(self.embedding.T)
        self.norm = tensors["model.norm.weight"]
        self.layers = [_layer(tensors, number) for number in range(layers)]
        self._base: float = config["rope_parameters"]["rope_theta"]

    def embed(self, tokens: Sequence[Token]) -> Floats:
        """Return what the first layer reads, tokens x width."""
        ids = [0 if isinstance(token, bytes) else token for token in tokens]
        x: Floats = self.embedding[np.asarray(ids, np.intp)]
        for place, token in enumerate(tokens):
            if isinstance(token, bytes):
                x[place] = np.frombuffer(token, np.float32)
        return x

    def rotations(self, length: int) -> tuple[Floats, Floats]:
        """Return the cosines and sines of positions from 0 on, `length` x half a head."""
        steps = np.arange(0, self.head_size, 2, dtype=np.float64) / self.head_size
        angles = np.outer(np.arange(length), self._base**-steps)
        return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def read_tensors(path: Path) -> dict[str, tuple[bytes, tuple[int, ...]]]:
    """Return the bytes and shape of each tensor of a safetensors file, all in bfloat16.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is no such file, or holds other numbers.
    """
    held = path.read_bytes()
    try:
        (length,) = struct.unpack_from("<Q", held)
        about: dict[str, Any] = json.loads(held[8 : 8 + length])
        found: dict[str, tuple[bytes, tuple[int, ...]]] = {}
        for name, tensor in about.items():
            if name == "__metadata__":
                continue
            if tensor["dtype"] != "BF16":
                raise ValueError(f"{name} is stored as {tensor['dtype']}, not as BF16")
            begin, end = tensor["data_offsets"]
            found[name] = held[8 + length + begin : 8 + length + end], tuple(tensor["shape"])
    except (struct.error, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no safetensors file: {error!r}") from error
    return found


class PromptReading:
    """One sequence that is read from left to right; what was read is kept as keys and values."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self.length = 0
        self._blocks: list[Token] = []  # tokens at the head that were read in whole blocks
        self._keys = self._values = np.empty(
            (len(weights.layers), weights.heads, 0, weights.head_size), np.float32
        )
        self._cosines, self._sines = weights.rotations(0)

    def begin(self, tokens: Sequence[Token]) -> Floats:
        """Read a sequence from its beginning, and return the logits of what comes next.

        Whole blocks at its head that were read just so before are not read again: from step to step of an
        episode most of a prompt stays. A block gives the same numbers whether it was kept or not, so what is
        returned depends on the tokens alone, to the last bit.
        """
        kept = 0
        last = (len(tokens) - 1) // BLOCK * BLOCK  # something is left to be read
        while kept < last and tokens[kept : kept + BLOCK] == self._blocks[kept : kept + BLOCK]:
            kept += BLOCK
        self.length = kept
        self._blocks = self._blocks[:kept]
        logits = self.read(tokens[kept:])
        self._blocks = list(tokens[:last])
        return logits

    def read(self, tokens: Sequence[Token]) -> Floats:
        """Read on, and return the logits of what comes next."""
        for start in range(0, len(tokens), BLOCK):
            x = self._advance(self._weights.embed(tokens[start : start + BLOCK]))
        logits: Floats = (
            _normed(x[-1], self._weights.norm, self._weights.epsilon) @ self._weights.unembedding
        )
        return logits

    def states(self, x: Floats, positions: NDArray[np.intp]) -> Floats:
        """Read vectors on, and return the last layer's normed state of each, tokens x width.

        Args:
            x: tokens x width; each sees those before it.
            positions: where each is said to stand, from 0 on; nobody has to stand in the order of reading.
        """
        found = [
            self._advance(x[start : start + BLOCK], positions[start : start + BLOCK])
            for start in range(0, len(x), BLOCK)
        ]
        return _normed(np.concatenate(found), self._weights.norm, self._weights.epsilon)

    def _advance(self, x: Floats, positions: NDArray[np.intp] | None = None) -> Floats:
        """Read a block on, and return what the layers make of each token."""
        weights = self._weights
        begin, end = self.length, self.length + len(x)
        self._make_room(end)
        places: slice | NDArray[np.intp] = slice(begin, end) if positions is None else positions
        for number, layer in enumerate(weights.layers):
            x = x + self._attend(number, layer, x, places)
            both = _normed(x, layer.feed_norm, weights.epsilon) @ layer.gate_up
            hidden = both.shape[-1] // 2
            gate, up = both[:, :hidden], both[:, hidden:]
            x = x + (gate / (1 + np.exp(-gate)) * up) @ layer.down
        self.length = end
        return x

    def _make_room(self, length: int) -> None:
        """Hold so many tokens at least, and room for as many again as there are."""
        held = self._keys.shape[2]
        if length <= held:
            return
        more = max(length, 2 * held) + _ROOM - held
        wider = ((0, 0), (0, 0), (0, more), (0, 0))
        self._keys, self._values = np.pad(self._keys, wider), np.pad(self._values, wider)
        self._cosines, self._sines = self._weights.rotations(held + more)

    def _attend(
        self, number: int, layer: _Layer, x: Floats, places: slice | NDArray[np.intp]
    ) -> Floats:
        weights = self._weights
        begin, end = self.length, self.length + len(x)
        projected = _normed(x, layer.attention_norm, weights.epsilon) @ layer.queries_keys_values
        split = projected.reshape(len(x), 3, weights.heads, weights.head_size)
        parts = split.transpose(1, 2, 0, 3)  # queries, keys, values: heads x tokens x head size
        normed = _normed(parts[:2], layer.queries_keys_norm, weights.epsilon)
        queries, keys = self._turned(normed, places)
        self._keys[number, :, begin:end] = keys
        self._values[number, :, begin:end] = parts[2]
        scores = queries @ self._keys[number, :, :end].transpose(0, 2, 1)
        scores *= np.float32(weights.head_size**-0.5)
        if len(x) > 1:  # nobody sees what comes after it
            scores[:, :, begin:] += _AHEAD[: len(x), : len(x)]
        scores -= np.maximum.reduce(scores, axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= np.add.reduce(scores, axis=-1, keepdims=True)
        mixed = scores @ self._values[number, :, :end]
        joined: Floats = mixed.transpose(1, 0, 2).reshape(len(x), -1) @ layer.output
        return joined

    def _turned(self, x: Floats, places: slice | NDArray[np.intp]) -> Floats:
        """Rotate by position (Su et al. 2021), the halves of a head being the two coordinates."""
        cosines, sines = self._cosines[places], self._sines[places]
        half = x.shape[-1] // 2
        first, second = x[..., :half], x[..., half:]
        return np.concatenate(
            (first * cosines - second * sines, second * cosines + first * sines), axis=-1
        )


def _normed(x: Floats, scale: Floats, epsilon: np.float32) -> Floats:
    """Divide by the root of the mean square (Zhang and Sennrich 2019)."""
    squares: Floats = np.add.reduce(x * x, axis=-1, keepdims=True, dtype=np.float32)
    squares /= np.float32(x.shape[-1])
    normed: Floats = x / np.sqrt(squares + epsilon) * scale
    return normed


def _layer(tensors: Mapping[str, Floats], number: int) -> _Layer:
    prefix = f"model.layers.{number}."
    of = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}

    def beside(*names: str) -> Floats:
        return np.ascontiguousarray(np.concatenate([of[name] for name in names]).T)

    return _Layer(
        attention_norm=of["input_layernorm.weight"],
        queries_keys_values=beside(*(f"self_attn.{part}_proj.weight" for part in "qkv")),
        queries_keys_norm=np.stack([of[f"self_attn.{part}_norm.weight"] for part in "qk"]).reshape(
            2, 1, 1, -1
        ),
        output=beside("self_attn.o_proj.weight"),
        feed_norm=of["post_attention_layernorm.weight"],
        gate_up=beside("mlp.gate_proj.weight", "mlp.up_proj.weight"),
        down=beside("mlp.down_proj.weight"),
    )


def _as_float32(data: bytes) -> Floats:
    """Return bfloat16 numbers as float32: they are its upper halves."""
    halves = np.frombuffer(data, "<u2").astype(np.uint32)
    return (halves << 16).view(np.float32)
