"""The episodes that a page holds, as text to unfold: a choice of each baseline, within a size."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from agentcl.bench.folder import RunFolder
from agentcl.bench.report.scores import evenly, is_failed
from agentcl.bench.report.templates import fill
from agentcl.bench.report.words import clean, number
from agentcl.bench.rows import ResultRow, StepRow

MOST_EPISODES: Final = 200  # of each baseline
MOST_BYTES: Final = 2_000_000  # of all baselines together
_LONGEST: Final = 2_000  # characters of one text
# Of what was shown and learned, and of steps at the beginning and at the end
_MOST_ITEMS: Final = 20

Key = tuple[int, int]  # seed and number


@dataclass(frozen=True, slots=True)
class Told:
    """One episode, ready to be put into a page."""

    baseline: str
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

    At most `most` of each baseline: those that failed, and of the rest an even choice over the run. If they
    are larger than `most_bytes`, fewer, and last of all fewer of those that failed.

    Raises:
        InvalidInput: if a row is damaged.
    """
    baselines = folder.settings.memory.baselines
    told: list[Told] = []
    total = 0
    for baseline in baselines:
        keys = [((row.seed, row.number), is_failed(row)) for row in folder.rows(baseline)]
        total += len(keys)
        wanted = set(_choice(keys, most))
        its = [_told(row) for row in folder.rows(baseline) if (row.seed, row.number) in wanted]
        told += _fitting(its, most_bytes // len(baselines))
    return Chosen(tuple(told), total)


def means(episodes: Iterable[Told]) -> str:
    """Return the mean score of each baseline over episodes of one task."""
    scores: dict[str, list[float]] = {}
    for one in episodes:
        if one.score is not None:
            scores.setdefault(one.baseline, []).append(one.score)
    return ", ".join(
        f"{baseline} {number(statistics.fmean(its))}" for baseline, its in scores.items()
    )


def _told(row: ResultRow) -> Told:
    markup = fill(
        "episode.html.j2",
        row=row,
        has_failed=is_failed(row),
        steps=_steps(row.steps),
        measures=[f"{key} {number(value)}" for key, value in row.measures.items()],
        most=2 * _MOST_ITEMS + 1,
    )
    key = (row.seed, row.number)
    return Told(row.baseline, key, row.task, row.family, is_failed(row), row.score, markup)


def _steps(steps: Sequence[StepRow]) -> list[str]:
    """Return steps as texts; of many, those at the beginning and at the end."""
    texts = []
    for step in (*steps[:_MOST_ITEMS], *steps[_MOST_ITEMS:][-_MOST_ITEMS:]):
        thought = step.thought if step.thought != step.action else ""
        parts = [f"(thought) {clean(thought, _LONGEST)}"] if thought else []
        parts += [f"> {clean(step.action, _LONGEST)}", clean(step.seen, _LONGEST)]
        texts.append("\n".join(filter(None, parts)))
    if len(steps) > 2 * _MOST_ITEMS:
        left_out = len(steps) - 2 * _MOST_ITEMS
        texts.insert(_MOST_ITEMS, f"… {left_out:,} steps are left out …")
    return texts


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
