"""Any causal model that transformers runs as the base of a codec."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentcl.compression.base import Vectors
from agentcl.compression.codecs.folder import CodecFolder
from agentcl.errors import ModelUnavailable
from agentcl.models.local import LocalChat


class TorchEngine:
    """An `Engine` with transformers. It holds a copy of the model of its own, since LoRA is added to its weights.

    Args:
        learned: the codec.
        base: a folder or a name that `LocalChat` opens.
        device: "cpu", "cuda" ...; default: cuda where there is one.

    Raises:
        MissingExtra: if transformers are not installed.
        ModelUnavailable: if the model cannot be loaded, or has other matrices than the codec.
        ModelChanged: if the model is another one.
    """

    def __init__(self, learned: CodecFolder, base: str, *, device: str | None = None) -> None:
        chat = LocalChat(base, device=device)
        learned.check_base(chat.fingerprint())
        self._model: Any
        self._tokenizer: Any
        self._model, self._tokenizer = chat.opened()
        self._add(learned)

    def tokens(self, text: str) -> list[int]:
        """Return the tokens of a text; what is spelled like a special token is none."""
        found: list[int] = self._tokenizer(
            text, add_special_tokens=False, split_special_tokens=True
        ).input_ids
        return found

    def special(self, mark: str) -> int:
        """Return a special token."""
        return int(self._tokenizer.convert_tokens_to_ids(mark))

    def embed(self, tokens: Sequence[int]) -> Vectors:
        """Return what the first layer reads, (tokens, width)."""
        import torch

        with torch.inference_mode():
            ids = torch.tensor(list(tokens), device=self._model.device)
            embedded: Vectors = self._model.get_input_embeddings()(ids).float().cpu().numpy()
        return embedded

    def states(self, x: Vectors, positions: NDArray[np.intp]) -> Vectors:
        """Return the last layer's normed states, (tokens, width)."""
        import torch

        device = self._model.device
        with torch.inference_mode():
            hidden = self._model.get_decoder()(
                inputs_embeds=torch.from_numpy(x).to(device, self._model.dtype)[None],
                # With positions and no mask, a row would be taken for several packed ones.
                attention_mask=torch.ones((1, len(x)), device=device),
                position_ids=torch.from_numpy(positions).to(device)[None],
                use_cache=False,
            ).last_hidden_state
        states: Vectors = hidden[0].float().cpu().numpy()
        return states

    def _add(self, learned: CodecFolder) -> None:
        import torch

        weights = dict(self._model.named_parameters())
        try:
            with torch.no_grad():
                for name, change in learned.changes().items():
                    weight = weights[f"{name}.weight"]
                    weight += torch.from_numpy(change).to(weight.device, weight.dtype)
        except (KeyError, RuntimeError) as error:
            raise ModelUnavailable(
                f"the codec {learned.about.name} changes matrices that its base does not have: {error}"
            ) from error
