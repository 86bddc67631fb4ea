"""The frozen models that codecs are trained for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentcl.models import open_model
from agentcl.models.local import LocalChat
from agentcl.models.named import model_path
from agentcl.models.reference.chat import ReferenceChat
from training.compressor.frames import FRAMES, Frame
from training.compressor.presets import PRESETS, REAL_PRESETS, Preset

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

REFERENCE: Final = "reference"


@dataclass(frozen=True, slots=True)
class Base:
    """What is known of a base before it is loaded.

    Attributes:
        name: as `open_model` takes it.
        folder: where it lies.
        engine: what will run its codec.
        frame: how it is asked.
        presets: by name.
    """

    name: str
    folder: Path
    engine: str
    frame: Frame
    presets: Mapping[str, Preset]

    def load(self) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
        """Return the model in bfloat16, where there is a GPU on it, and its tokenizer."""
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        model = AutoModelForCausalLM.from_pretrained(str(self.folder), dtype=torch.bfloat16)
        torch.nn.Module.to(model, "cuda" if torch.cuda.is_available() else "cpu")
        return model, AutoTokenizer.from_pretrained(str(self.folder))

    def fingerprint(self) -> str:
        """Return the fingerprint that the codec is tied to."""
        model = open_model(self.name, device=None if self.engine == "numpy" else "cpu")
        if isinstance(model, ReferenceChat | LocalChat):
            return model.fingerprint()
        return LocalChat(str(self.folder), device="cpu").fingerprint()


def find_base(name: str) -> Base:
    """Return a base: `reference`, a name of `agentcl model list`, or a folder. Raises ModelUnavailable."""
    folder = model_path(name)
    if name == REFERENCE:
        return Base(name, folder, "numpy", FRAMES["reference"], PRESETS)
    return Base(name, folder, "transformers", FRAMES["plain"], REAL_PRESETS)
