"""Opens a codec by its name or its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agentcl.compression.base import Codec
from agentcl.compression.codecs.reference import ReferenceCodec
from agentcl.errors import InvalidInput
from agentcl.models.reference.shipped import REFERENCE_NAME, reference_folder

SHIPPED: Final = Path(__file__).parent / "reference"


def open_codec(source: str | Path, *, base: str | Path | None = None) -> Codec:
    """Return a codec, ready to compress.

    Args:
        source: "reference" for the one that comes with the package, or a folder that `training.compressor` wrote.
        base: the folder of the frozen model that it was trained for; default: the reference model.

    Raises:
        InvalidInput: if there is no such folder.
        MissingExtra: if it needs transformers, and they are not installed.
        ModelUnavailable: if the folder holds no whole codec.
        ModelChanged: if the codec was trained for another model than `base`.
    """
    folder = SHIPPED if source == REFERENCE_NAME else Path(source)
    if not folder.is_dir():
        raise InvalidInput(
            f"there is no codec {source}: name `reference`, or a folder that `python -m training.compressor` wrote"
        )
    return ReferenceCodec(folder, Path(base) if base else reference_folder())
