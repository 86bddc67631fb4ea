"""The pairs of condition and text that the reader is trained on.

Each text is paired with the lesson that it was written for, with that lesson in other words, with one that looks alike
and is another, and with other lessons of all domains that look alike to the unchanged model.

Most texts that repeat the words of a condition were written to look alike, and long ones are few. So some short texts,
and some conditions as plain statements, are set among sentences of another text as well: what decides is then a small
part of a long text, and words of a condition stand in texts in which it holds as often as in others.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from agentcl.guidance.meaning.features import sentences
from training.matching.situations import Situations, Text, Told

LIKE: Final = 8  # nearest other lessons, of which most pairs are drawn ...
FARTHER: Final = 30  # ... and the others
SHORT: Final = 40  # words, of a text that is set among others
LONG: Final = 60  # words, of a text whose sentences are set around it
AROUND: Final = (2, 6)  # sentences around it, at the least and at the most


class Example(NamedTuple):
    """One pair, and whether the condition holds."""

    when: str
    text: str
    holds: float
    weight: float = 1.0


def examples_of(
    found: Situations, near: Sequence[Sequence[Told]], rng: random.Random, others: int = 3
) -> Iterator[Example]:
    """Yield the pairs of one epoch; of each text with so many other lessons."""
    by_id = {one.id: one for one in found.lessons}
    for text, like in zip(found.texts, near, strict=True):
        own = by_id[text.lesson]
        holds = float(own.id in text.right)
        yield Example(own.when, text.text, holds)
        if own.alike and rng.random() < 0.4:
            yield Example(rng.choice(own.alike), text.text, holds, 0.8)
        if holds and own.near and rng.random() < 0.5:
            yield Example(own.near, text.text, 0.0, 0.7)
        for id in sorted(text.right - {own.id}):
            yield Example(by_id[id].when, text.text, 1.0)
        far = [rng.choice(like[LIKE:])] if others > 2 else []
        for other in (*rng.sample(like[:LIKE], others - len(far)), *far):
            yield Example(other.when, text.text, 0.0)


def set_among_others(found: Situations, rng: random.Random) -> list[Text]:
    """Return short texts and statements among sentences of other texts: for each lesson two.

    In one of them it holds, in the other mostly not.
    """
    domain_of = {one.id: one.id.partition(":")[0] for one in found.lessons}
    beside = [one for one in found.texts if len(one.text.split()) >= LONG and not one.right]
    by_domain: dict[str, list[Text]] = {}
    for one in beside:
        by_domain.setdefault(domain_of[one.lesson], []).append(one)
    short: dict[str, list[Text]] = {one.id: [] for one in found.lessons}
    for one in found.texts:
        if len(one.text.split()) <= SHORT:
            short[one.lesson].append(one)
    made = []
    for lesson in found.lessons:
        right = [one for one in short[lesson.id] if lesson.id in one.right]
        wrong = [one for one in short[lesson.id] if lesson.id not in one.right]
        stated = [_stated(lesson.alike[0], lesson.id, holds=True)] if lesson.alike else []
        stated += [_stated(lesson.near, lesson.id, holds=False)] if lesson.near else []
        for some in (right, [*wrong[:2], *stated]):
            if not some:
                continue
            one = rng.choice(some)
            among = by_domain.get(domain_of[lesson.id], []) if rng.random() < 0.5 else beside
            among = [other for other in among if other.lesson != lesson.id]
            if among:
                made.append(_set_among(one, rng.choice(among), rng))
    return made


def _stated(when: str, id: str, *, holds: bool) -> Text:
    """Return a condition as a text that says it."""
    return Text(f"{when[:1].upper()}{when[1:]}.", id, frozenset({id} if holds else ()))


def _set_among(one: Text, other: Text, rng: random.Random) -> Text:
    """Return a text with sentences of another before and after it."""
    told = sentences(other.text)
    count = min(len(told), rng.randint(*AROUND))
    start = rng.randint(0, len(told) - count)
    around = told[start : start + count]
    at = rng.randint(0, count)
    joined = " ".join((*around[:at], _ended(one.text), *around[at:]))
    return Text(joined, one.lesson, one.right, frozenset({other.lesson}))


def _ended(text: str) -> str:
    return text if text[-1:] in ".!?" else f"{text}."
