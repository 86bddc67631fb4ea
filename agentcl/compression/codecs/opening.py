"""Opens a codec by its name or its folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from agentcl.compression.base import Codec
from agentcl.compression.codecs.folder import CodecFolder
from agentcl.compression.codecs.learned import LearnedCodec
from agentcl.errors import InvalidInput
from agentcl.models.named import model_path
from agentcl.models.reference.shipped import REFERENCE_NAME
from agentcl.text.paths import check_path

SHIPPED: Final = Path(__file__).parent / "weights"


def open_codec(
    source: str | os.PathLike[str],
    *,
    base: str | os.PathLike[str] = REFERENCE_NAME,
    device: str | None = None,
) -> Codec:
    """Return a codec, ready to compress.

    Args:
        source: "reference" for the one that comes with the package, or a folder that `training.compressor` wrote.
        base: the frozen model that it was trained for, as `open_model` takes it.
        device: where a base that transformers runs computes; default: cuda where there is one.

    Raises:
        InvalidInput: if there is no such folder, or `source` or `base` is no path.
        MissingExtra: if it needs transformers, and they are not installed.
        ModelUnavailable: if the folder holds no whole codec, or there is no such base.
        ModelChanged: if the codec was trained for another model than `base`.
    """
    check_path(base, "base")  # and no more: it may be a name
    folder = SHIPPED if source == REFERENCE_NAME else check_path(source, "source")
    if not folder.is_dir():
        raise InvalidInput(
            f"there is no codec {source}: name `{REFERENCE_NAME}`, or a folder that "
            "`python -m training.compressor` wrote"
        )
    learned = CodecFolder(folder)
    path = model_path(str(base))
    if learned.about.engine == "numpy":
        from agentcl.compression.codecs.reference import NumpyEngine

        return LearnedCodec(learned, NumpyEngine(learned, path))
    from agentcl.compression.codecs.transformers import TorchEngine

    return LearnedCodec(learned, TorchEngine(learned, str(path), device=device))
