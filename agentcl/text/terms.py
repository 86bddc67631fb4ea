"""From text to the terms that full-text search compares."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import filterfalse
from typing import Final

# Raise it with every change of what `terms` returns: whatever was derived from terms is derived anew then.
ANALYSIS: Final = 1

_TOKEN: Final = re.compile(r"[^\W_]+")
# Scripts written without spaces: Han, kana, Hangul, Thai, Lao, Khmer, Myanmar.
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
    "\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]+")
_MAX_TERM: Final = 64  # longer "words" are data, and are found by their beginning


def terms(text: str) -> list[str]:
    """Return the terms of a text, in order: folded words, numbers, and pairs of unspaced characters.

    Folding is NFKC, case and diacritics; plural and possessive endings of English are taken off, which
    measured better on the real corpora than no stemming.
    """
    folded = _fold(text)
    if folded.isascii():
        tokens = _TOKEN.findall(folded)
        if max(map(len, tokens), default=0) > _MAX_TERM:
            tokens = [token[:_MAX_TERM] for token in tokens]
        return list(map(_stem, tokens))
    found: list[str] = []
    for token in _TOKEN.findall(folded):
        if token.isascii():
            found.append(_stem(token[:_MAX_TERM]))
        else:
            found.extend(_split(token))
    return found


def matched_terms(query: str, text: str) -> list[str]:
    """Return the words of a query that occur in a text, as full-text search sees them."""
    present = set(terms(text))
    words: dict[str, None] = {}
    for word in _TOKEN.findall(query):
        folded = terms(word)
        if folded and all(term in present for term in folded):
            words[word] = None
    return list(words)


def _fold(text: str) -> str:
    if text.isascii():
        return text.casefold()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = _NOT_ASCII.sub(_without_marks, decomposed)
    return unicodedata.normalize("NFKC", bare)


def _without_marks(found: re.Match[str]) -> str:
    return "".join(filterfalse(unicodedata.combining, found.group()))


def _split(token: str) -> list[str]:
    found: list[str] = []
    position = 0
    for run in _UNSPACED.finditer(token):
        if run.start() > position:
            found.append(token[position : run.start()][:_MAX_TERM])
        chars = run.group()
        found.extend(chars[i : i + 2] for i in range(max(1, len(chars) - 1)))
        position = run.end()
    if position < len(token):
        found.append(token[position:][:_MAX_TERM])
    return found


@lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    """Take an English plural ending off (the S-stemmer of Harman 1991)."""
    if len(word) > 4 and word.endswith("ies") and word[-4] not in "ae":
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("es") and word[-3] not in "aeo":
        return word[:-1]
    if len(word) > 3 and word.endswith("s") and word[-2] not in "us":
        return word[:-1]
    return word
