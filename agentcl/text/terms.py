"""From text to the terms that full-text search compares."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

# Raise it with every change of what is returned here: whatever was derived from terms is derived anew then.
ANALYSIS: Final = 3

_ASCII_TOKEN: Final = re.compile(r"[^\W_]+")
# Of folded text, of which no character beyond ASCII is left that separates words.
_TOKEN: Final = re.compile(r"[0-9a-z\x80-\U0010ffff]+")
_SPELLED: Final = re.compile(r"(?:[0-9A-Za-z]|[^\x00-\x7f\s])+")
# Scripts written without spaces: Han, kana, Hangul, Thai, Lao, Khmer, Myanmar; and flags, two letters each.
UNSPACED: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3100-\u312f\u3400-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U0001f1e6-\U0001f1ff\U00020000-\U0003ffff"
)
_UNSPACED: Final = re.compile(f"[{UNSPACED}]+")
_DIGITS: Final = re.compile("[0-9]+")
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]+")
_MAX_TERM: Final = 64  # longer "words" are data, and are found by their beginning
# Letters that Unicode does not decompose, as they are typed where a keyboard lacks them.
_LETTERS: Final = dict(
    zip("łøđðıħŧŋɨʉƀɓɗƙȼɍɏƶǥƚɫ", "loddihtniubbdkcryzgll", strict=True),
    þ="th", æ="ae", œ="oe",
    # One letter of Arabic in its spellings of Persian and Urdu, and at the end of a word.
    **dict(zip("ٱیىکةہھە", "اييكهههه", strict=True)),
)  # fmt: skip
_SYMBOLS: Final = frozenset({"So", "Sc"})  # emoji, currencies: each is a term of its own
_SECTIONS: Final = frozenset("§¶‰")  # and so are these, though they are punctuation to Unicode
_TATWEEL: Final = "\u0640"  # stretches a word of Arabic, and is no letter of it
# A break within a word that has no width. Some write the parts apart instead, and some write them together.
_JOINT: Final = "\u200b"
_JOINTS: Final = frozenset({_JOINT, "\u200c"})
# Articles of Arabic and Hebrew, which are written together with their word, and "and", "in" and "for" before them.
_ARTICLE: Final = re.compile("(?:[وفبك]?ال|لل|\u05d5?\u05d4)(?=...)")
_WORD: Final = re.compile(r"[^\W_]+")
# Letters that are typed as two where a keyboard lacks them. Folded they are one: "Grosse" is found, too.
_AS_TWO: Final = {ord("ä"): "ae", ord("ö"): "oe", ord("ü"): "ue", ord("å"): "aa", ord("ø"): "oe"}
_MEANING_SIGNS: Final = frozenset("%$#&@+=<>*/\\^~|")


def terms(text: str) -> list[str]:
    """Return the terms of a text, in order: folded words, numbers, symbols, and pairs of unspaced characters.

    Folding is NFKC, case, diacritics, and spellings of one letter; digits of every script are the same.
    Plural and possessive endings of English are taken off, which measured better on the real corpora
    than no stemming.
    """
    folded = _fold(text)
    if folded.isascii():
        tokens = _ASCII_TOKEN.findall(folded)
        if max(map(len, tokens), default=0) > _MAX_TERM:
            tokens = [token[:_MAX_TERM] for token in tokens]
        return list(map(_stem, tokens))
    found: list[str] = []
    for token in _TOKEN.findall(folded):
        found.extend(_of_token(token))
    return found


def indexed_terms(text: str) -> list[str]:
    """Return the terms to index a text by: its terms, as others write them, and the last of unspaced characters.

    So every one of these characters begins an indexed term, and one alone is found by `is_beginning`.
    """
    found = [*terms(text), *written_otherwise(text)]
    if not text.isascii():
        found += (run[-1] for run in _UNSPACED.findall(_fold(text)) if len(run) > 1)
    return found


def written_otherwise(text: str) -> list[str]:
    """Return terms of words as others write them.

    That is without an article that is written together with its word, as in Arabic and Hebrew, or in letters
    that every keyboard has: "Groesse" for "Größe".
    """
    if text.isascii():
        return []
    found = [
        word[article.end() :][:_MAX_TERM]
        for word in _WORD.findall(_fold(text))
        if (article := _ARTICLE.match(word))
    ]
    for word in _WORD.findall(unicodedata.normalize("NFC", text.casefold())):
        typed = word.translate(_AS_TWO)
        if typed != word:
            found += terms(typed)
    return found


def is_beginning(term: str) -> bool:
    """Return whether a term of a query is one unspaced character, which terms of a text begin with."""
    return len(term) == 1 and _UNSPACED.match(term) is not None


def signs(text: str) -> str:
    """Return the ASCII signs of a text that mean something by themselves, sorted, each once."""
    return "".join(sorted(_MEANING_SIGNS.intersection(text)))


def matched_terms(query: str, text: str) -> list[str]:
    """Return the words of a query that occur in a text, as full-text search sees them."""
    present = {*terms(text), *written_otherwise(text)}
    folded_text = "" if query.isascii() else _fold(text)
    words: dict[str, None] = {}
    for word in map(_without_quotes, _SPELLED.findall(query)):
        folded = terms(word)
        if not present.isdisjoint(written_otherwise(word)) or (
            folded
            and all(
                term in present or (is_beginning(term) and term in folded_text) for term in folded
            )
        ):
            words[word] = None
    return list(words)


def _without_quotes(word: str) -> str:
    """Return a word without the punctuation around it; there is none but beyond ASCII."""
    kept = [i for i, char in enumerate(word) if unicodedata.category(char)[0] != "P"]
    return word[kept[0] : kept[-1] + 1] if kept else word


def _fold(text: str) -> str:
    if text.isascii():
        return text.casefold()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = _NOT_ASCII.sub(lambda run: run.group().translate(_FOLDED), decomposed).casefold()
    return unicodedata.normalize("NFKC", bare)


class _Folded(dict[int, str]):
    """What each character beyond ASCII folds to, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        folded = self[code] = self._folded(char, unicodedata.category(char))
        return folded

    def _folded(self, char: str, category: str) -> str:
        if char in _JOINTS:
            return _JOINT
        if char in _LETTERS:
            return _LETTERS[char]
        if category == "Nd":
            return str(unicodedata.decimal(char))
        if category in _SYMBOLS or char in _SECTIONS:
            return char if _UNSPACED.match(char) else f" {char} "
        is_invisible = category in ("Cf", "Sk", "Me") or char == _TATWEEL
        if is_invisible or unicodedata.combining(char) or _is_variation(char):
            return ""
        return char if char.isalnum() or category in ("Mn", "Mc") else " "


def _is_variation(char: str) -> bool:
    """Return whether a character only chooses how the one before it is drawn."""
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef" or char == "\u034f"


_FOLDED: Final = _Folded()


def _of_token(token: str) -> list[str]:
    if token.isascii():
        return [_stem(token[:_MAX_TERM])]
    if _JOINT not in token:
        return _split(token)
    parts = [part for part in token.split(_JOINT) if part]
    whole = "".join(parts)
    found = _of_token(whole) if whole else []
    if len(parts) > 1 and not _UNSPACED.search(whole):
        for part in parts:
            found += _of_token(part)
    return found


def _split(token: str) -> list[str]:
    found: list[str] = []
    position = 0
    for run in _UNSPACED.finditer(token):
        if run.start() > position:
            found += _of_word(token[position : run.start()])
        chars = run.group()
        found.extend(chars[i : i + 2] for i in range(max(1, len(chars) - 1)))
        position = run.end()
    if position < len(token):
        found += _of_word(token[position:])
    return found


def _of_word(word: str) -> list[str]:
    """Return a word, and the numbers in one that is not ASCII: they are often written without a space."""
    return [word[:_MAX_TERM], *([] if word.isascii() else _DIGITS.findall(word[:_MAX_TERM]))]


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
