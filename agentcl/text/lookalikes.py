"""Text as it looks: letters that are drawn alike are one letter, and what is drawn as nothing is nothing."""

# ruff: noqa: RUF001  # that they look alike is what it is about

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

from agentcl.text.unseen import is_ignorable

# Letters of other alphabets that are drawn like Latin ones, each beside those; capitals where only they are.
_DRAWN: Final = {
    char: latin
    for latin, chars in {
        "a": "аαɑ", "b": "ВвΒЬьβ", "c": "сϲ", "d": "ԁժ", "e": "еєεε℮", "f": "ғϝ", "g": "ɡցԍ",
        "h": "һНнΗհ", "i": "іιɩӏ", "j": "јϳ", "k": "кκΚ", "l": "Ӏ", "m": "МмΜ", "n": "пηΝոռ", "o": "оοσօ",
        "p": "рρΡ", "q": "ԛգ", "r": "гⲅ", "s": "ѕՏ", "t": "ТтτΤ", "u": "υսц", "v": "ѵνѴ", "w": "ԝωա",
        "x": "хχΧ", "y": "уγΥү", "z": "ΖζᏃ", "/": "⁄∕", ".": "․", ":": "։∶",
    }.items()
    for char in chars
}  # fmt: skip
_QUOTES: Final = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")


def looks(text: str) -> str:
    """Return a text as patterns read it: in small Latin letters wherever it looks like them.

    Folded are compatibility forms and case (NFKC), marks upon letters, letters of other alphabets that are drawn
    alike (after Unicode's confusables), and quotes; left out is what is drawn as nothing.
    """
    if text.isascii():
        return text.casefold()
    drawn = "".join(_drawn(char) for char in unicodedata.normalize("NFKC", text))
    parts = unicodedata.normalize("NFD", drawn.casefold())
    return unicodedata.normalize("NFC", "".join(map(_unmarked, parts))).translate(_QUOTES)


@lru_cache(maxsize=4_096)
def _drawn(char: str) -> str:
    """Return the Latin letter that a character looks like, nothing for one that is not drawn, else itself."""
    if char.isascii():
        return char
    if is_ignorable(char):
        return ""
    if latin := _DRAWN.get(char) or _DRAWN.get(char.casefold()):
        return latin
    # As in "LATIN SMALL LETTER O WITH STROKE", "LATIN LETTER SMALL CAPITAL R", "REGIONAL INDICATOR SYMBOL LETTER I".
    words = unicodedata.name(char, "").partition(" WITH ")[0].split()
    is_latin = "LATIN" in words or "REGIONAL" in words
    return words[-1].lower() if is_latin and len(words[-1]) == 1 else char


@lru_cache(maxsize=4_096)
def _unmarked(char: str) -> str:
    is_mark = unicodedata.combining(char) or unicodedata.category(char) == "Me"
    return "" if is_mark else char
