"""Identifiers: what is looked up as it stands, like versions, dates, addresses, paths and names of code.

Words are compared one by one, in any order. In `10.0.0.1` and `ERR_CONN_RESET` the order matters, and so does
where they end. So an identifier is compared whole, in several forms, from the strictest to the loosest: as it
is written, without regard to case, and by its parts alone, which are the same in `getUserById`,
`get_user_by_id` and `get-user-by-id`. The more of these forms two identifiers share, the more they are alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from hashlib import blake2b
from typing import Final

from agentcl.text.function_words import FUNCTION_WORDS
from agentcl.text.terms import UNSPACED, terms

# Raise it with every change of what is returned here, as `ANALYSIS` of terms.
FORMS: Final = 2

_SIGNS: Final = r"\-_+./\\:@#~%=&*,$\^"
# Letters and digits, less those of scripts without spaces, in which a run would be a sentence.
_RUN: Final = re.compile(rf"(?:[^\W{UNSPACED}]|[{_SIGNS}]|(?<=[-=])>(?=\w))+")
_EDGES: Final = ".,:;!?\"'()[]{}<>\u201c\u201d\u2018\u2019"
_OPENERS: Final = "\"'([{<\u201c\u2018"
_LOOSE: Final = ".,:/\\-=&*~@$%^"  # what no identifier ends with; only a percentage does
_HYPHENS: Final = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"))
_MARK: Final = re.compile(
    rf"[\d{_SIGNS}]|[a-z][A-Z]"
)  # a word without one of these is no identifier
_HUMP: Final = re.compile(r"[a-z][A-Z]")
_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\dA-Za-z_]+")
# Where an identifier ends within a longer one: a file in a path, a host in an address, a date before a time.
_SEAM: Final = re.compile(r"[/\\:@=&#*~%$+]|,(?!\d{3})|(?<=\d)T(?=\d)")
_THOUSANDS: Final = re.compile(r"\d{1,3}(?:,\d{3})+(?![\d,])")
_DATE: Final = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_MONTHS: Final = "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905
_DAY: Final = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?")
# Groups of digits, as of a telephone number.
_GROUPED: Final = re.compile(r"(?<![\w.])\+?\(?\d[\d ()\-\u2010-\u2013]{5,18}\d(?![\w.]\d)")
_ACCOUNT: Final = re.compile(  # an IBAN in groups
    r"(?<!\w)[A-Z]{2}\d{2}(?: [A-Z\d]{4}){2,7}(?: [A-Z\d]{1,3})?(?!\w)"
)
_LEAST_DIGITS: Final = 7  # of a telephone number, or of what is looked up without its signs ...

_MOST_DIGITS: Final = 15  # ... the most by E.164

# What tells an identifier among words, since words are not written so.
_TELLING: Final = re.compile(
    r"[^\W_]_+[^\W_]|[^\W_]@[^\W_]|::|->|\\|/[^/]*/|[^\W_]=[^\W_]"  # a_b, a@b, a::b, a->b, a\b, a/b/c, a=b
    r"|[^\W\d_]{2}\.[^\W\d_]{2}"  # file.txt, but not U.S.
    r"|^(?:--?[^\W\d_]|[/~.@#]\w|\$[^\W\d])"  # --flag, /path, .env, @name, #12, $HOME
    r"|^\w{1,2}[+#]+$"  # C++, C#
    r"|^[a-z]+[A-Z]|^(?:[A-Z][a-z]+){3}|^[A-Z]{2,}[a-z]+[A-Z]"  # camelCase, CamelCaseName, XMLFileName
)
_DIGIT: Final = re.compile(r"\d")
_SIGN_BEFORE: Final = re.compile(rf"[{_SIGNS}][^\W_]")
_SIGN_AFTER: Final = re.compile(rf"[^\W_][{_SIGNS}]")
_KEBAB: Final = re.compile(r"[a-z]+(?:-[a-z]+){2,}")
# Words all the same: 4-cylinder, 19th-century, mid-1970s, 2014-15. A score, as 2-1, is none.
_NUMBERED_WORD: Final = re.compile(
    r"\d+[a-z]*-[A-Za-z][a-z]+|[A-Za-z][a-z]+-\d{4}s?|\d{4}-(?:\d\d|\d{4})"
)


class Identifiers:
    """The identifiers of a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._runs = list(_runs(text))

    def held_keys(self) -> set[int]:
        """Return the keys of all identifiers in all their forms, of 63 bits each."""
        forms = {form for run in self._runs for form in (*_forms(run), *_forms_within(run))}
        return {_key(form) for form in forms.union(_numbers(self._text))}

    def asked_keys(self) -> tuple[int, ...]:
        """Return the keys that the text asks for as a query; none if it asks in words.

        Plain numbers and hyphenated words count where there is nothing else: in a sentence they are words.
        """
        numbers = list(_numbers(self._text))
        forms = [*(form for run in self._telling() for form in _forms(run)), *numbers]
        return tuple(map(_key, dict.fromkeys(forms)))

    def _telling(self) -> list[str]:
        """Return the runs that are identifiers even in a sentence; all of them where there is no sentence."""
        is_alone = len(self._text.split()) == len(self._runs)
        return [run for run in self._runs if is_alone or _is_telling(run)]

    def compounds(self) -> list[str]:
        """Return the terms of each identifier that has several, joined by spaces: they stand side by side."""
        found = map(terms, self._telling())
        return [" ".join(some) for some in found if len(some) > 1]

    def part_terms(self) -> list[str]:
        """Return what names of code are found by besides their terms: `getId` by its parts, `get_id` as `getid`."""
        found: list[str] = []
        for run in self._runs:
            if "_" in run.strip("_"):
                found += terms(run.replace("_", ""))
            if _HUMP.search(run) and _is_telling(run):
                found += (term for part in _PARTS.findall(run) for term in terms(part))
        return found


def _runs(text: str) -> Iterator[str]:
    """Yield what may be an identifier, without the punctuation around it."""
    for word in text.split():
        bare = word.rstrip(_EDGES).lstrip(_OPENERS)
        if bare.isalpha() and bare[1:].islower():  # most words by far
            continue
        for run in _RUN.findall(_plain(word)):
            kept = run.rstrip(_LOOSE)
            if kept[-1:].isdigit() and run[len(kept) :].startswith("%"):
                kept += "%"
            kept = kept.lstrip(",:=&*%^")
            kept = kept.lstrip(".") if kept.startswith("..") else kept
            if _MARK.search(kept):
                yield kept


def _plain(word: str) -> str:
    """Return a word with one kind of digits and of hyphens, and without characters that are not seen."""
    if word.isascii():
        return word
    composed = unicodedata.normalize("NFKC", word).translate(_HYPHENS)
    if composed.isprintable():
        return composed
    return "".join(char for char in composed if unicodedata.category(char) != "Cf")


def _is_telling(run: str) -> bool:
    if len(run) >= _LEAST_DIGITS and run.isdigit():
        return True
    if _TELLING.search(run) or _has_signs_and_digits(run):
        return _NUMBERED_WORD.fullmatch(run) is None
    return bool(_KEBAB.fullmatch(run)) and FUNCTION_WORDS.isdisjoint(run.split("-"))


def _has_signs_and_digits(run: str) -> bool:
    """Return whether a digit stands before a sign within a word, or after one."""
    digit, sign = _DIGIT.search(run), _SIGN_AFTER.search(run)
    return (digit is not None and _SIGN_BEFORE.search(run, digit.end()) is not None) or (
        sign is not None and _DIGIT.search(run, sign.end()) is not None
    )


def _forms(run: str) -> Iterator[str]:
    yield f"={run}"
    yield from _free_forms(run)
    if len(run) >= _LEAST_DIGITS and run.isalnum() and not run.isalpha():
        yield _joined(run)  # 20240503 for 2024-05-03


def _free_forms(run: str) -> Iterator[str]:
    """Yield the forms of an identifier without regard to case, and by its parts."""
    if run.isdigit():
        return
    yield f"~{run.casefold()}"
    if date := _DATE.fullmatch(run):
        yield _by_parts(date[1], date[2].zfill(2), date[3].zfill(2))
        return
    parts = [part.casefold() for part in _PARTS.findall(run)]
    if len(parts) > 2 and parts[0] == "v" and parts[1].isdigit():
        parts = parts[1:]  # v1.10
    if len(parts) > 1:
        yield _by_parts(*parts)


def _forms_within(run: str) -> Iterator[str]:
    """Yield the forms of the identifiers that a longer one is made of, and of one written without its signs."""
    if (
        len(run) >= _LEAST_DIGITS and "." not in run
    ):  # in versions and addresses it tells the numbers apart
        yield _joined(run)
    if "," in run:
        yield from _free_forms(_THOUSANDS.sub(lambda number: number[0].replace(",", ""), run))
    pieces = _SEAM.split(run)
    for piece in pieces if len(pieces) > 1 else ():
        if _MARK.search(piece := piece.strip(".,-")):
            yield from _free_forms(piece)


def _numbers(text: str) -> Iterator[str]:
    """Yield numbers that are written with spaces: dates with a month's name, of telephones, of accounts."""
    words = text.split()
    for place, word in enumerate(words):
        if place > 1 and word[:4].isdecimal() and len(year := word.rstrip(_EDGES)) == 4:
            yield from _written_date(
                [word.strip(_EDGES) for word in words[place - 2 : place]], year
            )
    yield from map(_joined, _ACCOUNT.findall(text))
    for group in map(_plain, _GROUPED.findall(text)):
        if _NUMBERED_WORD.fullmatch(re.sub("[ ()]", "", group)):  # two years
            continue
        digits = "".join(filter(str.isdecimal, group))
        if len(digits) < len(group) and _LEAST_DIGITS <= len(digits) <= _MOST_DIGITS:
            yield _joined(digits)


def _written_date(before: list[str], year: str) -> Iterator[str]:
    """Yield the date that ends with a year, if a day and the name of a month stand before it."""
    for day, month in (before, before[::-1]):
        if (number := _DAY.fullmatch(day)) and month[:3].casefold() in _MONTHS:
            yield _by_parts(
                year, f"{1 + _MONTHS.index(month[:3].casefold()):02}", number[1].zfill(2)
            )


def _joined(run: str) -> str:
    return "#" + "".join(filter(str.isalnum, run.casefold()))


def _by_parts(*parts: str) -> str:
    return " ".join(["", *parts])


def _key(form: str) -> int:
    """Return a form as an integer that SQLite can keep; no two forms of a memory are expected to share one."""
    return (
        int.from_bytes(blake2b(form.encode("utf-8", "surrogatepass"), digest_size=8).digest()) >> 1
    )
