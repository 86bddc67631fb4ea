"""The episodes that a page holds, as text to unfold: a choice of each arm, within a size."""

from __future__ import annotations

import html
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from agentcl.bench.folder import RunFolder
from agentcl.bench.report.scores import evenly, is_failed
from agentcl.bench.report.words import clean, milliseconds, name, number
from agentcl.bench.rows import Row

MOST_EPISODES: Final = 200  # of each arm
MOST_BYTES: Final = 2_000_000  # of all arms together
_LONGEST: Final = 2_000  # characters of one text
_MOST_ITEMS: Final = (
    20  # of what was shown and learned, and of turns at the beginning and at the end
)

Key = tuple[int, int]  # seed and number


@dataclass(frozen=True, slots=True)
class Told:
    """One episode, ready to be put into a page."""

    arm: str
    key: Key
    task: str
    family: str
    has_failed: bool
    score: float | None
    markup: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """The episodes that a page holds, and how many there are."""

    episodes: tuple[Told, ...]
    of: int


def choose_episodes(
    folder: RunFolder, *, most: int = MOST_EPISODES, most_bytes: int = MOST_BYTES
) -> Chosen:
    """Return the episodes that a page holds.

    At most `most` of each arm: those that failed, and of the rest an even choice over the run. If they
    are larger than `most_bytes`, fewer, and last of all fewer of those that failed.

    Raises:
        InvalidInput: if a row is damaged.
    """
    arms = folder.settings.memory.arms
    told: list[Told] = []
    total = 0
    for arm in arms:
        keys = [((row.seed, row.number), is_failed(row)) for row in folder.rows(arm)]
        total += len(keys)
        wanted = set(_choice(keys, most))
        its = [_told(row) for row in folder.rows(arm) if (row.seed, row.number) in wanted]
        told += _fitting(its, most_bytes // len(arms))
    return Chosen(tuple(told), total)


def drill_down(chosen: Chosen) -> str:
    """Return the episodes by family and task, each to unfold."""
    ordered = sorted(chosen.episodes, key=lambda one: (one.family, one.task, one.key))
    parts = []
    for family, its in groupby(ordered, key=lambda one: one.family):
        tasks = [_task(task, list(them)) for task, them in groupby(its, key=lambda one: one.task)]
        title = f"{_text(name(family) or 'no family')} <small>{len(tasks):,} tasks</small>"
        parts.append(_folded(title, "".join(tasks)))
    return "".join(parts)


def _task(task: str, episodes: Sequence[Told]) -> str:
    scores: dict[str, list[float]] = {}
    for one in episodes:
        if one.score is not None:
            scores.setdefault(one.arm, []).append(one.score)
    means = ", ".join(f"{arm} {number(statistics.fmean(its))}" for arm, its in scores.items())
    title = f"{_text(name(task))} <small>{_text(means)}</small>"
    return _folded(title, "".join(one.markup for one in episodes))


def _told(row: Row) -> Told:
    """Return an episode as text. Nothing of it is trusted: it comes from worlds, models and data."""
    score = "failed" if is_failed(row) else f"score {number(row.score)}"
    steps = f"{len(row.turns):,} steps, " if row.episode_seed or len(row.turns) > 1 else ""
    title = (
        f"<b>{_text(name(row.arm))}</b> seed {row.seed}, number {row.number} "
        f"<small>{score}, {steps}{milliseconds(row.wall_s)} ms</small>"
    )
    parts = [
        _part("goal", [row.goal]),
        _part("seen first", [row.first]),
        _part("memory showed", row.shown),
        _turns(row),
        _part("learned", [one.text for one in row.learned]),
        _part("end", [row.end]),
        _part("measures", [f"{key} {number(value)}" for key, value in row.measures.items()]),
        _part("LEAK", row.leaks),
        _part("error", [row.error]),
    ]
    markup = _folded(title, f"<dl>{''.join(parts)}</dl>")
    return Told(
        row.arm, (row.seed, row.number), row.task, row.family, is_failed(row), row.score, markup
    )


def _turns(row: Row) -> str:
    texts = [
        "\n".join(
            part
            for part in (
                f"(thought) {clean(turn.thought, _LONGEST)}" if turn.thought != turn.action else "",
                f"> {clean(turn.action, _LONGEST)}",
                clean(turn.seen, _LONGEST),
            )
            if part and part != "(thought) "
        )
        for turn in (*row.turns[:_MOST_ITEMS], *row.turns[_MOST_ITEMS:][-_MOST_ITEMS:])
    ]
    if len(row.turns) > 2 * _MOST_ITEMS:
        left_out = len(row.turns) - 2 * _MOST_ITEMS
        texts.insert(_MOST_ITEMS, f"… {left_out:,} turns are left out …")
    return _part("turns", texts, longest=4 * _LONGEST)


def _part(label: str, texts: Sequence[str], *, longest: int = _LONGEST) -> str:
    """Return a labelled list of texts; nothing if there is none."""
    present = [text for text in texts if text]
    if not present:
        return ""
    most = 2 * _MOST_ITEMS + 1
    shown = "".join(f"<dd>{_text(clean(text, longest))}</dd>" for text in present[:most])
    more = f"<dd>… and {len(present) - most:,} more</dd>" if len(present) > most else ""
    return f"<dt>{label}</dt>{shown}{more}"


def _folded(title: str, inner: str) -> str:
    return f"<details><summary>{title}</summary>{inner}</details>"


def _text(text: str) -> str:
    return html.escape(text)


def _choice(keys: Sequence[tuple[Key, bool]], most: int) -> list[Key]:
    failed = [key for key, has_failed in keys if has_failed]
    rest = [key for key, has_failed in keys if not has_failed]
    kept = [failed[place] for place in evenly(len(failed), most)]
    return kept + [rest[place] for place in evenly(len(rest), most - len(kept))]


def _fitting(told: Sequence[Told], most_bytes: int) -> list[Told]:
    """Return an even choice that is not larger, of failures as many as can be."""
    failed = [one for one in told if one.has_failed]
    rest = [one for one in told if not one.has_failed]
    while sum(len(one.markup.encode()) for one in (*failed, *rest)) > most_bytes:
        smaller = rest or failed
        smaller[:] = [smaller[place] for place in evenly(len(smaller), len(smaller) // 2)]
    return failed + rest
