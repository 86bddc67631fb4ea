"""A prompt for a model of transformers in which soft tokens stand between texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from agentcl.errors import InvalidInput, RequestRefused
from agentcl.models.base import Message

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

_DIMENSIONS: Final = 2


def embedded_prompt(
    model: Any,  # noqa: ANN401  # transformers'
    tokenizer: Any,  # noqa: ANN401  # transformers'
    messages: Sequence[Message],
) -> dict[str, Tensor]:
    """Return a conversation as `generate` takes it: with soft tokens where messages have some, and texts around them.

    Args:
        model: a causal model.
        tokenizer: its own, with a chat template.
        messages: the conversation.

    Returns:
        `inputs_embeds` of shape (1, tokens, width), and `input_ids` and `attention_mask` of shape (1, tokens).

    Raises:
        InvalidInput: if soft tokens have another shape, or hold what is no number.
        RequestRefused: if the chat template leaves some of them out.
    """
    import torch

    embedding = model.get_input_embeddings()
    device, weight = model.device, embedding.weight
    mark = f"soft-{token_hex(16)}-"  # by chance, so that no text can name a place for soft tokens
    turns, soft = _marked(messages, mark, int(weight.shape[1]))
    text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    pieces = re.split(f"{mark}([0-9]+);", text)
    if [int(place) for place in pieces[1::2]] != [*range(len(soft))]:
        raise RequestRefused(
            "the model's chat template leaves out a message with soft tokens, or shows one twice: put them into the "
            "user's messages, or send text"
        )
    texts = [
        tokenizer(one, add_special_tokens=False).input_ids if one else [] for one in pieces[::2]
    ]
    # What counts repetitions reads the ids. At soft tokens stands one that is there anyway, so that nothing more counts.
    filler = next((ids[0] for ids in texts if ids), 0)
    ids, rows = [], []
    with torch.inference_mode():
        for number, own in enumerate(texts):
            ids += own
            rows.append(embedding(torch.tensor(own, dtype=torch.long, device=device)))
            if number < len(soft):
                ids += [filler] * len(soft[number])
                rows.append(torch.from_numpy(soft[number]).to(device, weight.dtype))
        read = torch.tensor([ids], device=device)
        return {
            "inputs_embeds": torch.cat(rows)[None],
            "input_ids": read,
            "attention_mask": torch.ones_like(read),
        }


def _marked(
    messages: Sequence[Message], mark: str, width: int
) -> tuple[list[dict[str, str]], list[NDArray[np.float32]]]:
    """Return messages with a numbered mark in the place of each run of soft tokens, and these."""
    turns: list[dict[str, str]] = []
    soft: list[NDArray[np.float32]] = []
    for message in messages:
        content = ""
        for part in message.parts or (message.content,):
            if isinstance(part, str):
                content += part
            else:
                content += f"{mark}{len(soft)};"
                soft.append(_checked(part, width))
        turns.append({"role": message.role, "content": content})
    return turns, soft


def _checked(vectors: NDArray[np.floating[Any]], width: int) -> NDArray[np.float32]:
    if vectors.ndim != _DIMENSIONS or vectors.shape[1] != width or not vectors.size:
        raise InvalidInput(
            f"soft tokens of this model have the shape (tokens, {width}), and these {vectors.shape}: encode the passage "
            "with a codec of this model"
        )
    if not np.isfinite(vectors).all():
        raise InvalidInput("soft tokens hold what is no number: encode the passage again")
    return np.ascontiguousarray(vectors, np.float32)
