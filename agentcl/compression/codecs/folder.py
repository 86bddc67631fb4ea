"""A codec on disk: `codec.json` says what it is for, `codec.npz` holds what was learned, in float16."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from agentcl.errors import InvalidInput, ModelChanged, ModelUnavailable
from agentcl.text.parsing import parsed_json

Floats = NDArray[np.float32]
VERSION: Final = 1  # of what is computed from the files
CODE_SLOTS: Final = 4  # the first of a memory, which say what it is found by
_WHOLE: Final = 8  # slots whose parts are the whole passage


@dataclass(frozen=True, slots=True)
class About:
    """What a codec is for.

    Attributes:
        name: how people name it.
        base: the fingerprint of the frozen model that it was trained for.
        engine: what runs that model: `numpy` or `transformers`.
        sizes: how many soft tokens a passage may become, ascending.
        limit: the longest passage, in tokens of the base.
        mark: the special token that stands before everything, if one does.
        before: what the compressor reads before a passage.
        asked: what it reads before a question.
        scale: the root mean square of the base's embeddings.
        lora_scale: what LoRA's product is multiplied by.
        made: how it was trained.
    """

    name: str
    base: str
    engine: str
    sizes: tuple[int, ...]
    limit: int
    mark: str
    before: str
    asked: str
    scale: float
    lora_scale: float
    made: Mapping[str, Any] = field(default_factory=dict)


class CodecFolder:
    """A codec's folder, read.

    Raises:
        ModelUnavailable: if the folder holds no whole codec.
    """

    def __init__(self, folder: Path) -> None:
        try:
            held = parsed_json((folder / "codec.json").read_text("utf-8"))
            if held.pop("version") != VERSION:
                raise ValueError("another version of agentcl wrote it")
            self.about = About(**{**held, "sizes": tuple(held["sizes"])})
            with (folder / "codec.npz").open("rb") as file:
                held_tensors = np.load(file, allow_pickle=False)
                self._tensors = {name: held_tensors[name] for name in held_tensors.files}
            self.slots = self._matrix("slots")
            self.projection = self._matrix("projection")
            self.skip = self._matrix("skip")
            self.memory_code = self._matrix("memory_code")
            self.question_code = self._matrix("question_code")
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            zipfile.BadZipFile,
        ) as error:
            raise ModelUnavailable(
                f"{folder} holds no whole codec: {error}; train one with `python -m training.compressor`"
            ) from error

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the base's fingerprint and of all that is computed with."""
        digest = hashlib.blake2b(digest_size=16)
        about = asdict(self.about)
        del about["made"], about["name"]  # they change nothing
        digest.update(json.dumps([VERSION, about], sort_keys=True).encode())
        for name, tensor in sorted(self._tensors.items()):
            digest.update(f"{name}{tensor.shape}".encode())
            digest.update(tensor.tobytes())
        return digest.hexdigest()

    def changes(self) -> dict[str, Floats]:
        """Return what LoRA adds to each of the base's matrices (arXiv 2106.09685), by the matrix's name."""
        names = {name.removesuffix(".down") for name in self._tensors if name.endswith(".down")}
        scale = np.float32(self.about.lora_scale)
        return {
            name: scale * (self._matrix(f"{name}.up") @ self._matrix(f"{name}.down"))
            for name in sorted(names)
        }

    def parts(self, length: int, slots: int) -> NDArray[np.intp]:
        """Return for each slot which tokens of `length` are its part, from and to: (slots, 2)."""
        shares = np.array(slot_parts(slots), np.float32)
        bounds: NDArray[np.intp] = np.ceil(np.float32(length) * shares).astype(np.intp)
        return bounds

    def codes(self, memories: Floats) -> Floats:
        """Return what memories are found by, rows of length 1."""
        return self._directed(memories, self.memory_code)

    def question_codes(self, memories: Floats) -> Floats:
        """Return what compressed questions look with, rows of length 1."""
        return self._directed(memories, self.question_code)

    def check_base(self, found: str) -> None:
        """Raise ModelChanged if a model is not the one that this codec was trained for."""
        if found != self.about.base:
            raise ModelChanged(
                f"the codec {self.about.name} was trained for the model {self.about.base}, and this is {found}: what it "
                "writes would say something else to it. Use the model that it was trained for, or train a codec for "
                "this one with `python -m training.compressor --base FOLDER`"
            )

    def _directed(self, memories: Floats, head: Floats) -> Floats:
        joined = memories[:, :CODE_SLOTS].reshape(len(memories), head.shape[1]) / np.float32(
            self.about.scale
        )
        codes: Floats = joined.astype(np.float32) @ head.T
        lengths = np.linalg.norm(codes, axis=1, keepdims=True)
        directed: Floats = codes / np.maximum(lengths, np.float32(1e-12))
        return directed

    def _matrix(self, name: str) -> Floats:
        matrix: Floats = self._tensors[name].astype(np.float32)
        return matrix


def write_codec(
    folder: Path, about: About, tensors: Mapping[str, NDArray[np.floating[Any]]]
) -> None:
    """Write a codec's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(
        folder / "codec.npz",
        allow_pickle=False,
        **{name: tensor.astype(np.float16) for name, tensor in tensors.items()},
    )
    said = {"version": VERSION, **asdict(about)}
    (folder / "codec.json").write_text(json.dumps(said, indent=1) + "\n", "utf-8")


def slot_parts(slots: int) -> list[tuple[float, float]]:
    """Return for each slot which part of the passage it stands behind, as shares from and to.

    The first four stand behind the quarters of the passage, the next four in the middle between them, and so on:
    the first k of any memory are spread over the whole of it. Slots that stand near what they compress learn far
    sooner than slots that all stand at the end (cf. the position layout of arXiv 2409.14364).
    """
    places = [(number + 1) / CODE_SLOTS for number in range(CODE_SLOTS)]
    while len(places) < slots:
        parts = 2 * len(places)
        places += [(2 * number + 1) / parts for number in range(len(places))]
    # Eight parts are the whole passage; what is finer says again what a part holds.
    widths = [1 / max(_WHOLE, 1 << number.bit_length()) for number in range(slots)]
    return [(place - width, place) for place, width in zip(places, widths, strict=False)]


def checked(tokens: int, text: str, limit: int) -> None:
    """Raise InvalidInput if a passage of so many tokens cannot be compressed."""
    if not text.strip():
        raise InvalidInput("a passage is empty: there is nothing to compress")
    if tokens > limit:
        raise InvalidInput(
            f"a passage has {tokens:,} tokens, and this codec compresses {limit:,} at the most: split it"
        )


def chosen(slots: int | None, sizes: tuple[int, ...]) -> int:
    """Return how many slots are asked for; by default all. Raises InvalidInput."""
    if slots is None:
        return sizes[-1]
    if slots not in sizes:
        raise InvalidInput(
            f"a passage becomes {', '.join(map(str, sizes))} soft tokens, not {slots}"
        )
    return slots
