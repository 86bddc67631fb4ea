"""Soft tokens in a request: as vLLM's chat takes them, and what must not stand beside them."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from agentcl.errors import InvalidInput, MissingExtra

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Sending = Literal["torch", "numpy"]  # in which format soft tokens are sent; vLLM reads PyTorch's
KIND: Final = "prompt_embeds"  # of a content part
# What vLLM writes where soft tokens go, and reads again: in any text it would be taken for such a place.
_PLACEHOLDER: Final = "<prompt_embeds>"
_INERT: Final = "&lt;prompt_embeds>"
_DIMENSIONS: Final = 2


def part_of(vectors: NDArray[np.floating[Any]], *, sending: Sending = "torch") -> dict[str, str]:
    """Return soft tokens, of shape (tokens, width), as a content part of vLLM's chat.

    Args:
        vectors: the soft tokens.
        sending: "numpy" for a model of this process, which needs no PyTorch.

    Raises:
        MissingExtra: if PyTorch, whose format it is, is not installed.
        InvalidInput: if they have another shape, or hold what is no number: a server may end at that.
    """
    return {"type": KIND, "data": encoded(vectors, sending=sending)}


def encoded(vectors: NDArray[np.floating[Any]], *, sending: Sending = "torch") -> str:
    """Return soft tokens as a server takes them, in base64. Raises as `part_of`."""
    import numpy as np

    if vectors.ndim != _DIMENSIONS or not vectors.size or not np.isfinite(vectors).all():
        raise InvalidInput(
            f"soft tokens have the shape (tokens, width) and hold numbers; these have {vectors.shape}"
        )
    file = io.BytesIO()
    if sending == "numpy":
        np.save(file, np.ascontiguousarray(vectors, "<f2"), allow_pickle=False)
        return base64.b64encode(file.getvalue()).decode()
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("sending soft tokens, in the format of PyTorch,", "local") from error
    torch.save(torch.from_numpy(np.ascontiguousarray(vectors, np.float16)), file)
    return base64.b64encode(file.getvalue()).decode()


def parts_of(
    pieces: Sequence[str | NDArray[np.floating[Any]]], *, sending: Sending = "torch"
) -> list[dict[str, str]]:
    """Return texts and soft tokens as content parts. Raises as `part_of`."""
    return [
        {"type": "text", "text": one} if isinstance(one, str) else part_of(one, sending=sending)
        for one in pieces
    ]


def decoded(data: str) -> NDArray[np.floating[Any]]:
    """Return soft tokens that were sent as numpy's, of shape (tokens, width).

    Raises:
        InvalidInput: if they are none.
    """
    import numpy as np

    try:
        held = io.BytesIO(base64.b64decode(data, validate=True))
        vectors = np.lib.format.read_array(held, allow_pickle=False)
    except (ValueError, TypeError, EOFError) as error:
        raise InvalidInput(f"these soft tokens cannot be read: {error}") from error
    if (
        vectors.dtype.kind != "f"
        or vectors.ndim != _DIMENSIONS
        or not vectors.size
        or not np.isfinite(vectors).all()
    ):
        raise InvalidInput("these soft tokens have another shape than (tokens, width)")
    found: NDArray[np.floating[Any]] = vectors.astype(np.float32)
    return found


def in_a_row(
    pieces: Sequence[str | NDArray[np.floating[Any]]],
    embed: Callable[[str], NDArray[np.floating[Any]]],
) -> NDArray[np.floating[Any]]:
    """Return texts and soft tokens as one matrix of what a model's first layer reads, (tokens, width).

    Texts that follow each other are cut into tokens as one.

    Args:
        pieces: texts, and soft tokens of shape (tokens, width).
        embed: returns what the model reads where a text stands.

    Raises:
        InvalidInput: if something has another shape or width, or there is nothing to read.
    """
    import numpy as np

    joined: list[str | NDArray[np.floating[Any]]] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        elif not isinstance(piece, str) or piece:
            joined.append(piece)
    rows = [np.asarray(embed(one) if isinstance(one, str) else one) for one in joined]
    if not rows:
        raise InvalidInput("there is nothing to read: give texts, soft tokens, or both")
    width = rows[-1].shape[-1] if rows[-1].ndim else 0
    for number, one in enumerate(rows, start=1):
        if one.ndim != _DIMENSIONS or one.shape[1] != width or not np.isfinite(one).all():
            raise InvalidInput(
                f"piece {number} has the shape {one.shape}, and the last one a width of {width}: all are of the shape "
                "(tokens, width), of one model, and hold numbers"
            )
    found: NDArray[np.floating[Any]] = np.concatenate(rows)
    return found


def inert(value: Any) -> Any:  # noqa: ANN401  # any JSON
    """Return a message with which soft tokens may be sent: no text of it names a place for them.

    Texts that follow each other become one, since a server joins them, too.

    Raises:
        InvalidInput: if it brings soft tokens of its own.
    """
    match value:
        case str():
            return value.replace(_PLACEHOLDER, _INERT)
        case Mapping():
            if value.get("type") == KIND:
                raise InvalidInput(
                    "a message brings soft tokens of its own; a server trusts those, so only ones that this memory made "
                    "are sent"
                )
            return {name: inert(one) for name, one in value.items()}
        case list() | tuple():
            return [inert(one) for one in _joined(value)]
    return value


def _joined(parts: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for part in parts:
        own: Any = {"type": "text", "text": part} if isinstance(part, str) else part
        last: Any = found[-1] if found else None
        if _is_text(own) and _is_text(last):
            found[-1] = {**last, "text": f"{last['text']}\n{own['text']}"}
        else:
            found.append(own)
    return found


def _is_text(part: object) -> bool:
    return (
        isinstance(part, Mapping)
        and part.get("type") == "text"
        and isinstance(part.get("text"), str)
    )
