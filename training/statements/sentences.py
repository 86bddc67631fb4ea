"""The labelled sentences: reading them, and what a tagger is to make of each."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agentcl.statements.digesters.tagging import (
    BEGIN,
    INSIDE,
    OUTSIDE,
    SLOTS,
    TYPES,
    Pairs,
    Span,
    Tagged,
)

FOLDER: Final = Path(__file__).parent / "sentences"
_LOWER: Final = 0.15  # of the sentences are read without capitals, as many people type
_ALONE: Final = 0.2  # of those that need none are read without the sentence before


@dataclass(frozen=True, slots=True)
class Labelled:
    """A sentence, the one before it, and what it states."""

    before: str
    text: str
    says: tuple[Tagged, ...]


def load(files: Iterable[Path] | None = None) -> list[Labelled]:
    """Return the sentences of files; of all here, if none are named.

    Raises:
        ValueError: if a label is not in the words, naming file and line.
    """
    found = []
    for file in sorted(FOLDER.glob("*.jsonl")) if files is None else files:
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            held = json.loads(line)
            says = tuple(Tagged(**one) for one in held["says"])
            for one in says:
                both = f"{held['text']}\n{held['before']}"
                is_there = (
                    one.value in held["text"] and one.when in held["text"] and one.attr in both
                )
                if (
                    one.slot not in SLOTS
                    or not is_there
                    or (one.who != "user" and one.who not in both)
                ):
                    raise ValueError(f"{file.name}, line {number}: {one} is not in its words")
            found.append(Labelled(held["before"], held["text"], says))
    return found


def varied(one: Labelled, rng: random.Random) -> Labelled:
    """Return a sentence as somebody else might have typed it."""
    needs_before = any(
        word and word != "user" and word not in one.text
        for said in one.says
        for word in (said.who, said.attr)
    )
    before = "" if not needs_before and rng.random() < _ALONE else one.before
    if rng.random() >= _LOWER:
        return Labelled(before, one.text, one.says)
    says = tuple(
        Tagged(
            said.slot,
            said.value.lower(),
            said.who.lower(),
            said.attr.lower(),
            said.when.lower(),
            said.ended,
        )
        for said in one.says
    )
    return Labelled(before.lower(), one.text.lower(), says)


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a sentence: where it stands, and what it goes with."""

    span: Span
    slot: int
    ended: bool
    goes_with: dict[
        str, int
    ]  # by type: the place among its spans, from 1; 0: none; without what is cut off


@dataclass(frozen=True, slots=True)
class Target:
    """What a tagger is to make of one sentence."""

    tags: list[list[int]]  # by type, of each token
    spans: dict[str, list[Span]]
    values: list[Value]


def target(one: Labelled, pairs: Pairs, at: int) -> Target:
    """Return what is to be made of a sentence that stands at a place of some pairs."""
    spans: dict[str, list[Span]] = {kind: [] for kind in TYPES}
    values = list[Value]()
    for said in one.says:
        value = _find(one, said.value, pairs, at)
        if value is None or any(held.span == value for held in values):
            continue  # it is cut off; or two have the same value
        goes_with = {}
        for kind, words in (("who", said.who), ("attr", said.attr), ("when", said.when)):
            if words in ("", "user"):
                goes_with[kind] = 0
            elif found := _find(one, words, pairs, at):
                if found not in spans[kind]:
                    spans[kind].append(found)
                goes_with[kind] = 1 + spans[kind].index(found)
        spans["value"].append(value)
        values.append(Value(value, SLOTS.index(said.slot), said.ended, goes_with))
    size = len(pairs.parts[at])
    return Target([_tags(spans[kind], size) for kind in TYPES], spans, values)


def _tags(spans: Sequence[Span], size: int) -> list[int]:
    tags = [OUTSIDE] * size
    for span in spans:
        tags[span.start : span.end] = [BEGIN, *[INSIDE] * (span.end - span.start - 1)]
    return tags


def _find(one: Labelled, words: str, pairs: Pairs, at: int) -> Span | None:
    """Return where words stand: in the sentence, or else last in the one before."""
    for part, text in ((1, one.text), (0, one.before)):
        places = [begin for begin in range(len(text)) if text.startswith(words, begin)]
        whole = [begin for begin in places if _is_whole(text, begin, begin + len(words))] or places
        if whole:
            begin = whole[0] if part else whole[-1]
            return pairs.span(at, part, begin, begin + len(words))
    return None


def _is_whole(text: str, begin: int, end: int) -> bool:
    return not (text[begin - 1 : begin].isalnum() or text[end : end + 1].isalnum())
