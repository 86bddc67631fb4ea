"""What training has learned, written as the folder that `open_codec` reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentcl.compression.codecs.folder import About, write_codec

if TYPE_CHECKING:
    from training.compressor.frames import Frame
    from training.compressor.model import Compressor

_HEADS = ("slots", "projection", "skip", "memory_code", "question_code")


def export(
    model: Compressor,
    folder: Path,
    *,
    name: str,
    base: str,
    engine: str,
    limit: int,
    frame: Frame,
    made: dict[str, Any],
) -> None:
    """Write a codec.

    Args:
        model: what was trained.
        folder: where to.
        name: how people will name it.
        base: the fingerprint of the frozen model.
        engine: what runs it: `numpy` or `transformers`.
        limit: the longest passage, in tokens.
        frame: of the base.
        made: how it was trained.
    """
    slots = len(model.slots)
    about = About(
        name=name,
        base=base,
        engine=engine,
        sizes=tuple(size for size in (4, 8, 16, 32, 64) if size <= slots),
        limit=limit,
        mark=frame.mark,
        before=frame.before.removeprefix(frame.mark),
        asked="Question: ",
        scale=model.scale,
        lora_scale=2.0,
        made=made,
    )
    tensors = {name: getattr(model, name).detach().float().cpu().numpy() for name in _HEADS}
    for key, value in model.learned():
        for kind, end in (("lora_A", "down"), ("lora_B", "up")):
            mark = f".{kind}.default.weight"
            if key.endswith(mark):
                matrix = key.removeprefix("lora.base_model.model.").removesuffix(mark)
                tensors[f"{matrix}.{end}"] = value.detach().float().cpu().numpy()
    write_codec(folder, about, tensors)
