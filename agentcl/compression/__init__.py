"""Passages as a few vectors that a frozen model reads in place of their text."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.compression.base import Codec
    from agentcl.compression.codecs.opening import open_codec

__all__ = ["Codec", "open_codec"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "base": "Codec",
        "codecs.opening": "open_codec",
    })  # fmt: skip
