"""Passages as a few vectors that a frozen model reads in place of their text."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.compression.base import Codec

__all__ = ["Codec"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "base": "Codec",
    })  # fmt: skip
