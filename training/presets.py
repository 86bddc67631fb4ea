"""How large a reference model is, and how much it is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentcl.errors import InvalidInput

if TYPE_CHECKING:
    from transformers import Qwen3ForCausalLM


@dataclass(frozen=True, slots=True)
class Preset:
    """How large a model is trained, on how much, for how long at most."""

    width: int
    layers: int
    heads: int
    head_size: int
    hidden: int  # of the feed-forward part
    vocabulary: int
    context: int  # tokens that the model can read
    longest: int  # tokens of the longest training conversation
    tokens: int  # to train on
    minutes: float  # the learning rate ends at zero then, wherever the tokens are
    batch_tokens: int
    learning_rate: float
    workers: int  # processes that make examples
    gates: int = 20  # how often held-out questions are tried
    gate_size: int = 48  # of them a set


PRESETS: Final = {
    "gpu": Preset(256, 9, 4, 64, 704, 1280, 1024, 1024, 900_000_000, 24, 65_536, 3e-3, 12),
    "cpu": Preset(192, 6, 4, 64, 512, 1280, 1024, 512, 45_000_000, 95, 8_192, 3e-3, 1),
    "smoke": Preset(64, 2, 2, 32, 128, 640, 512, 512, 60_000, 2, 2_048, 3e-3, 1, 2, 8),
}


def build_model(preset: Preset) -> Qwen3ForCausalLM:
    """Return an untrained `Qwen3ForCausalLM` in bfloat16."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=preset.vocabulary,
        hidden_size=preset.width,
        num_hidden_layers=preset.layers,
        num_attention_heads=preset.heads,
        num_key_value_heads=preset.heads,
        head_dim=preset.head_size,
        intermediate_size=preset.hidden,
        max_position_embeddings=preset.context,
        tie_word_embeddings=True,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    model = Qwen3ForCausalLM(config)
    for name, parameter in model.named_parameters():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            torch.nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * preset.layers))
    model.bfloat16()
    return model


def load_weights(model: Qwen3ForCausalLM, folder: Path) -> None:
    """Put the weights of a trained model into `model`.

    Raises:
        InvalidInput: if its shape is another, or the file is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_model

    try:
        load_model(model, str(folder / "model.safetensors"))
    except SafetensorError as error:
        raise InvalidInput(
            f"{folder / 'model.safetensors'} is damaged ({error}): take another copy of the folder"
        ) from error
    except RuntimeError as error:
        raise InvalidInput(
            f"the model in {folder} has another shape than the preset: {str(error).splitlines()[0]}"
        ) from error
