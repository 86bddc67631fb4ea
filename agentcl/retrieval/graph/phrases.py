"""Phrases: what a text names, found without a model, and the form in which two namings are one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from agentcl.text.terms import terms

LONGEST: Final = 200  # characters of a phrase; what is longer is no name
_SHORTEST_UNCASED: Final = 2  # characters
# Not after an initial or an abbreviation that stands before a name.
_SENTENCE: Final = re.compile(
    r"(?<!\b[A-Z]\.)(?<!\b(?:St|Dr|Mr|Ms|Mt|Ft|Jr|Sr)\.)(?<!\b(?:Mrs|Gen|Rev|Sgt|Col)\.)"
    r"(?<=[.!?\u2026\u3002\uff01\uff1f])\s+|\n+"
)
_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019&.-][^\W_]+)*")
_EDGES: Final = " \t\n.,;:!?\"'()[]{}<>*-/\\|\u201c\u201d\u2018\u2019\u00ab\u00bb\u2013\u2014"
_POSSESSIVES: Final = ("'s", "\u2019s")
# Inside a name between capitalised words.
_JOINTS: Final = frozenset(
    """
    of the de la le du da di del van von der den für y e al el bin ibn
    """.split()  # noqa: SIM905  # as a list it takes 20 lines
)
# Capitalised only because a sentence begins with them.
_OPENERS: Final = frozenset(
    """
    the a an of in on at to for and or by with from as is was were are be been it its he she
    his her they their this that these those who which when where what how not but after
    before during also first second then than while if since until about into over under
    between there here we our you your i my me us one two some many most all both each other
    such however although because though so do does did has have had can could may might
    must will would shall should no yes
    """.split()  # noqa: SIM905  # as a list it takes 100 lines
)


@lru_cache(maxsize=1 << 16)
def normalise(phrase: str) -> str:
    """Return the form that all spellings of a phrase share; empty when nothing is left.

    Unicode NFKC and casefold, so that letters of every script survive; spaces made one; signs
    around it and an English possessive taken off.
    """
    composed = phrase if phrase.isascii() else unicodedata.normalize("NFKC", phrase)
    folded = " ".join(composed.split()).strip(_EDGES)
    if folded.endswith(_POSSESSIVES):
        folded = folded[:-2].strip(_EDGES)
    return folded.casefold()


def title_phrases(title: str) -> list[str]:
    """Return the title as a phrase, and without what stands in brackets behind it."""
    whole = title.strip()
    name, _, qualifier = whole.rpartition("(")  # "Mercury (planet)"
    is_qualified = qualifier.endswith(")") and qualifier.count(")") == 1
    found = [whole, name.strip() if is_qualified else whole]
    return list(dict.fromkeys(phrase for phrase in found if 0 < len(phrase) <= LONGEST))


def mentions(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each sentence that names something, with the names in order, as they are written.

    A name is a run of capitalised words, joined by words such as "of". In scripts without capitals, where nothing shows what a name is, every word counts, or every pair of characters where
    words are not parted.
    """
    for sentence in _SENTENCE.split(text):
        if found := [*_names(sentence), *_uncased(sentence)]:
            yield sentence, found


def _names(sentence: str) -> Iterator[str]:
    words = list(_WORD.finditer(sentence))
    first = 0
    while first < len(words):
        if not _is_capital(words[first].group()):
            first += 1
            continue
        last = _end(sentence, words, first)
        begin = first
        while begin <= last and words[begin].group().casefold() in _OPENERS:
            begin += 1
        if begin <= last:
            name = sentence[words[begin].start() : words[last].end()]
            if 1 < len(name) <= LONGEST:
                yield name
        first = last + 1


def _end(sentence: str, words: list[re.Match[str]], first: int) -> int:
    """Return the last word of the name that begins at `first`."""
    last = first
    while last + 1 < len(words):
        gap = sentence[words[last].end() : words[last + 1].start()]
        word = words[last + 1].group()
        if gap in (" ", ". ") and (_is_capital(word) or (gap == " " and word[0].isdigit())):
            last += 1
        elif (
            gap == " "
            and word in _JOINTS
            and (end := _after_joints(sentence, words, last + 1)) is not None
        ):
            last = end
        else:
            break
    return last


def _after_joints(sentence: str, words: list[re.Match[str]], place: int) -> int | None:
    """Return the capitalised word that follows at most two joints, or None."""
    for after in range(place + 1, min(place + 3, len(words))):
        if sentence[words[after - 1].end() : words[after].start()] != " ":
            return None
        if _is_capital(words[after].group()):
            return after
        if words[after].group() not in _JOINTS:
            return None
    return None


def _is_capital(word: str) -> bool:
    return word[0].isupper() or word[0].istitle()


def _uncased(sentence: str) -> Iterator[str]:
    if sentence.isascii():
        return
    for term in terms(sentence):
        if len(term) >= _SHORTEST_UNCASED and unicodedata.category(term[0]) == "Lo":
            yield term
