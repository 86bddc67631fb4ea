"""The frozen models that codecs are trained for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentcl.models import REFERENCE_FOLDER

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_base(name: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Return a base in bfloat16 and its tokenizer. `reference` is the package's own; else a folder."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = str(REFERENCE_FOLDER) if name == "reference" else name
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return model.to(device), AutoTokenizer.from_pretrained(folder)
