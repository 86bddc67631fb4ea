"""The reference model's tokenizer read without the library that trained it, so that numpy is enough to run it.

Gives the same tokens as `tokenizers` does for the same file; a test holds them against each other.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

_SPACE: Final = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_ASCII: Final = {"L": "A-Za-z", "Lu": "A-Z", "Ll": "a-z", "N": "0-9"}
_MOST_PIECES: Final = 20_000  # whose tokens are remembered


class BytePairs:
    """Byte-level byte-pair encoding (Sennrich et al. 2016) from a folder's `tokenizer.json`.

    Raises:
        OSError: if there is no such file.
        ValueError: if it is not one of ours.
    """

    def __init__(self, folder: Path) -> None:
        held: dict[str, Any] = json.loads((folder / "tokenizer.json").read_text("utf-8"))
        try:
            self.vocabulary: dict[str, int] = held["model"]["vocab"]
            pairs: list[list[str]] = held["model"]["merges"]
            self._pattern: str = held["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
            self.special: dict[str, int] = {
                token["content"]: token["id"] for token in held["added_tokens"]
            }
        except (KeyError, IndexError, TypeError) as error:
            raise ValueError(f"{folder} holds another kind of tokenizer: {error!r}") from error
        self._ranks = {(left, right): rank for rank, (left, right) in enumerate(pairs)}
        self._texts = {id: text for text, id in self.vocabulary.items()}
        self._marks = re.compile(f"({'|'.join(map(re.escape, self.special))})")
        self._held: dict[str, list[int]] = {}

    def encode(self, text: str, *, is_plain: bool = False) -> list[int]:
        """Return the tokens of a text; what is spelled like a special token is one, unless the text `is_plain`."""
        found: list[int] = []
        for part in [text] if is_plain else self._marks.split(text):
            if part in self.special and not is_plain:
                found.append(self.special[part])
            elif part:
                for piece in self._pieces(part):
                    found += self._tokens(piece)
        return found

    def decode(self, tokens: Iterable[int]) -> str:
        """Return the text of tokens; special ones, and numbers that no token has, say nothing."""
        special = set(self.special.values())
        written = "".join(self._texts.get(token, "") for token in tokens if token not in special)
        return bytes(_BYTES[char] for char in written).decode("utf-8", "replace")

    def _pieces(self, text: str) -> list[str]:
        """Return what is tokenised by itself; what the pattern does not match is a piece too."""
        pattern = self._ascii if text.isascii() else self._unicode
        pieces: list[str] = []
        position = 0
        for match in pattern.finditer(text):
            if match.start() > position:
                pieces.append(text[position : match.start()])
            pieces.append(match.group())
            position = match.end()
        return [*pieces, text[position:]] if position < len(text) else pieces

    @cached_property
    def _ascii(self) -> re.Pattern[str]:
        return re.compile(_translated(self._pattern, _ASCII), re.ASCII)

    @cached_property
    def _unicode(self) -> re.Pattern[str]:
        classes = {name: _characters(name) for name in _ASCII}
        return re.compile(_translated(self._pattern, classes))

    def _tokens(self, piece: str) -> list[int]:
        held = self._held.get(piece)
        if held is None:
            parts = [_CHARACTERS[byte] for byte in piece.encode()]
            held = [self.vocabulary[part] for part in self._merged(parts)]
            if len(self._held) < _MOST_PIECES:
                self._held[piece] = held
        return held

    def _merged(self, parts: list[str]) -> Sequence[str]:
        """Join neighbours, the pair that was learned first before all others, until none is known."""
        while len(parts) > 1:
            rank, place = min(
                (self._ranks.get(pair, sys.maxsize), place)
                for place, pair in enumerate(pairwise(parts))
            )
            if rank == sys.maxsize:
                break
            first, second = parts[place], parts[place + 1]
            joined: list[str] = []
            position = 0
            while position < len(parts):
                if parts[position : position + 2] == [first, second]:
                    joined.append(first + second)
                    position += 2
                else:
                    joined.append(parts[position])
                    position += 1
            parts = joined
        return parts


def _translated(pattern: str, classes: dict[str, str]) -> str:
    """Return a pattern of the tokenizer's dialect in Python's: it has no names for kinds of characters."""
    for name, characters in classes.items():
        bracketed = f"\\p{{{name}}}"
        # Within a set the characters alone, elsewhere a set of them.
        within = re.compile(rf"(\[\^[^\]]*){re.escape(bracketed)}")
        while found := within.search(pattern):
            pattern = f"{pattern[: found.end(1)]}{characters}{pattern[found.end() :]}"
        pattern = pattern.replace(bracketed, f"[{characters}]")
    pattern = pattern.replace("[^\\s", f"[^{_SPACE}").replace("\\S", f"[^{_SPACE}]")
    return pattern.replace("\\s", f"[{_SPACE}]")


@cache
def _characters(category: str) -> str:
    """Return all characters of a Unicode category, or of a group of them, as ranges of a set."""
    ranges: list[list[int]] = []
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)).startswith(category):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


def _byte_characters() -> list[str]:
    """Return the printable character that stands for each byte in a byte-level vocabulary."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


_CHARACTERS: Final = _byte_characters()
_BYTES: Final = {character: byte for byte, character in enumerate(_CHARACTERS)}
