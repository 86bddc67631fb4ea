"""GGUF files: what one says of itself, and unpacking one for transformers and vLLM.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, version 2 and 3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, Final

from agentcl.errors import MissingExtra, ModelUnavailable
from agentcl.text.bars import without_bars
from agentcl.text.paths import unread

_MAGIC: Final = b"GGUF"
_SCALARS: Final = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_STRING: Final = 8
_LIST: Final = 9
# Of a list that is passed over; a vocabulary has more, and ends what is read
_MOST_ITEMS: Final = 1_000
_MOST_KEYS: Final = 1_000  # looked through; a file has some thirty before its vocabulary
_MOST_BYTES: Final = 1 << 16  # of a value


def about_gguf(file: Path) -> dict[str, str]:
    """Return the texts of a GGUF's head before its vocabulary, such as `general.architecture` and `general.license`.

    Raises:
        ModelUnavailable: if the file is no GGUF, is cut off, or cannot be read.
    """
    try:
        with file.open("rb") as opened:
            return _head(opened, file)
    except (struct.error, UnicodeDecodeError) as error:
        raise ModelUnavailable(f"{file} is a damaged GGUF: its head cannot be read") from error
    except OSError as error:
        raise ModelUnavailable(f"cannot read {file}: {unread(error)}") from error


def check_unpacks(file: Path) -> None:
    """Raise MissingExtra if a package that unpacks a GGUF is not installed."""
    if any(find_spec(package) is None for package in ("transformers", "torch", "gguf")):
        raise MissingExtra(f"the model {str(file)!r}", "gguf")


def unpack(file: Path, folder: Path) -> None:
    """Write a GGUF's weights as safetensors in bfloat16, with its tokenizer, into a new folder.

    Raises:
        MissingExtra: if transformers or gguf is not installed.
        ModelUnavailable: if transformers does not know its architecture, or cannot read it.
    """
    model, tokenizer = load(file, "bfloat16")
    with without_bars():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def load(file: Path, dtype: str) -> tuple[Any, Any]:
    """Return the model and the tokenizer of a GGUF, as transformers loads them; see `unpack`."""
    check_unpacks(file)
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    named = about_gguf(file).get("general.architecture", "")
    place: dict[str, Any] = {
        "pretrained_model_name_or_path": str(file.parent),
        "gguf_file": file.name,
        "trust_remote_code": False,
    }
    try:
        with without_bars(), _without_its_bar():
            tokenizer = AutoTokenizer.from_pretrained(**place)
            # Else the weights stay packed: such a model cannot be saved, and each call unpacks them again.
            whole: Any = GgufConfig(dequantize=True)
            model = AutoModelForCausalLM.from_pretrained(
                **place, dtype=dtype, quantization_config=whole
            )
    except Exception as error:  # the reader of vocabularies raises nothing narrower
        raise ModelUnavailable(
            f"cannot unpack {file} (architecture {named!r}): {error}; llama.cpp may serve it: "
            f"`llama-server -m {file}`, then name its endpoint"
        ) from error
    return model, tokenizer


@contextmanager
def _without_its_bar() -> Iterator[None]:
    """Unpack without the bar that transformers draws for that; it has no switch."""
    from transformers import modeling_gguf_pytorch_utils as untyped

    unpacking: Any = untyped
    drawn = getattr(unpacking, "tqdm", None)
    unpacking.tqdm = lambda tensors, **_: tensors
    try:
        yield
    finally:
        unpacking.tqdm = drawn


def _head(opened: BinaryIO, file: Path) -> dict[str, str]:
    if opened.read(4) != _MAGIC:
        raise ModelUnavailable(f"{file} is no GGUF: it does not begin with {_MAGIC.decode()}")
    version, _, count = struct.unpack("<IQQ", opened.read(20))
    if version not in (2, 3):
        raise ModelUnavailable(
            f"{file} is a GGUF of version {version}; versions 2 and 3 can be read"
        )
    found = {}
    for _ in range(min(count, _MOST_KEYS)):
        key = _text(opened)
        (kind,) = struct.unpack("<I", opened.read(4))
        if kind == _STRING:
            found[key] = _text(opened)
        elif not _is_passed(opened, kind):
            break
    return found


def _is_passed(opened: BinaryIO, kind: int) -> bool:
    """Read past a value that is no text; return False at a list that is too long for that."""
    if kind in _SCALARS:
        opened.read(struct.calcsize(_SCALARS[kind]))
        return True
    if kind != _LIST:
        raise struct.error(f"there is no kind {kind} of value")
    of, length = struct.unpack("<IQ", opened.read(12))
    if length > _MOST_ITEMS or of == _LIST:
        return False
    for _ in range(length):
        if of == _STRING:
            _text(opened)
        else:
            _is_passed(opened, of)
    return True


def _text(opened: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", opened.read(8))
    if length > _MOST_BYTES:
        raise struct.error("a text of the head is too long")
    data = opened.read(length)
    if len(data) < length:
        raise struct.error("the head is cut off")
    return data.decode()
