"""Encoders by name: what turns text into vectors, behind one protocol."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.retrieval.encoders.base import Encoder, GivenVectors, Role
    from agentcl.retrieval.encoders.hashing import HashingEncoder
    from agentcl.retrieval.encoders.opening import default_encoder_name, open_encoder

__all__ = [
    "Encoder",
    "GivenVectors",
    "HashingEncoder",
    "Role",
    "default_encoder_name",
    "open_encoder",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "base": "Encoder GivenVectors Role",
        "hashing": "HashingEncoder",
        "opening": "default_encoder_name open_encoder",
    })  # fmt: skip
