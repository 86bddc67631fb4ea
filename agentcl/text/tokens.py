"""Counting tokens without the model's own tokenizer."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Final

TokenCounter = Callable[[str], int]

_PIECES: Final = re.compile(r"[A-Za-z]+|[0-9]|\s+|.", re.DOTALL)
# One match for each token of a text that is ASCII, which most are: three letters, two spaces, an odd one behind them, a
# break of a line, a digit or a mark.
_TOKENS: Final = re.compile(r"[A-Za-z]{1,3}|\s\s|(?<=\s)\s|[^\S ]|[^\sA-Za-z]")


def estimate_tokens(text: str) -> int:
    """Return a high estimate of the tokens that byte-pair tokenizers make of a text.

    Three letters a token inside a word, one token for each digit and mark, one for each byte of
    anything that is not ASCII; single spaces belong to the word after them.
    """
    if text.isascii():
        return len(_TOKENS.findall(text))
    total = 0
    for piece in _PIECES.findall(text):
        if not piece.isascii():
            total += len(piece.encode("utf-8", "surrogatepass"))
        elif piece.isalpha():
            total += math.ceil(len(piece) / 3)
        elif piece != " ":
            total += math.ceil(len(piece) / 2) if piece.isspace() else 1
    return total
