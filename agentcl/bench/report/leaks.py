"""What speaks against a result: leaks, tests that were learned from, a model that changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from agentcl.bench.report.estimates import Clusters, estimate
from agentcl.bench.report.pairs import NO_MEMORY
from agentcl.bench.report.records import AboveLine, BoundLine, Leakage, LeakLine
from agentcl.bench.report.scores import score_of, scored
from agentcl.bench.rows import ResultRow
from agentcl.envs.streams.stream import READ_ONLY

_EXAMPLES: Final = 3
# Several families are looked at, and a false alarm casts doubt on a whole run.
_LEVEL: Final = 0.99


def bound_lines(about: Mapping[str, Any], rows: Sequence[ResultRow]) -> list[BoundLine]:
    """Return the bounds that the domain knows, and how many rows of one baseline they are for."""
    return [
        BoundLine(
            family,
            sum(row.family == family for row in rows),
            float(found["without memory"]),
            float(found["with knowledge"]),
        )
        for family, found in about.get("bounds", {}).items()
    ]


def leakage(
    rows: Mapping[str, Sequence[ResultRow]], bounds: Sequence[BoundLine], about: Mapping[str, Any]
) -> Leakage:
    """Return all checks of a run."""
    return Leakage(
        baselines=tuple(_leak_line(baseline, its) for baseline, its in rows.items()),
        above=tuple(
            _above(rows.get(NO_MEMORY, ()), bound) for bound in bounds if NO_MEMORY in rows
        ),
        frozen=_frozen(about),
        fingerprints=(about.get("fingerprint before"), about.get("fingerprint after")),
    )


def _leak_line(baseline: str, rows: Sequence[ResultRow]) -> LeakLine:
    leaking = [row for row in rows if row.leaks]
    examples = list(dict.fromkeys(leak for row in leaking for leak in row.leaks))[:_EXAMPLES]
    learned: set[tuple[int, str, int]] = set()
    tests = seen = 0
    for row in sorted(rows, key=lambda row: (row.seed, row.number)):
        episode = (row.seed, row.task, row.episode_seed)
        if row.phase in READ_ONLY:
            tests += 1
            seen += episode in learned
        else:
            learned.add(episode)
    return LeakLine(baseline, len(leaking), tuple(examples), tests, seen)


def _above(rows: Sequence[ResultRow], bound: BoundLine) -> AboveLine:
    its = [row for row in scored(rows) if row.family == bound.family]
    # Without memory episodes do not depend on each other, but those of one task share its rules.
    clusters = Clusters("situations", tuple((row.seed, row.task) for row in its))
    score = estimate([score_of(row) for row in its], clusters, level=_LEVEL)
    is_leak = score is not None and score.low is not None and score.low > bound.without_memory
    return AboveLine(bound.family, score, bound.without_memory, is_leak)


def _frozen(about: Mapping[str, Any]) -> Literal["same", "changed", "not checked", "no model"]:
    before, after = about.get("fingerprint before"), about.get("fingerprint after")
    if before is None:
        return "no model"
    if after is None:
        return "not checked"
    return "same" if before == after else "changed"
