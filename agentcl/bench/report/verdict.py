"""What a report says first: its title, and one sentence on whether memory helped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agentcl.bench.report.estimates import Estimate
from agentcl.bench.report.summary import FEW_SEEDS, Summary
from agentcl.bench.report.words import interval, name
from agentcl.bench.settings import UNNAMED

_MOST_NAMED: Final = 4  # memories that a title names


def title_of(summary: Summary) -> str:
    """Return what was compared on what, behind the name of the run if it was given one."""
    memories = [name(line.baseline) for line in summary.baselines]
    compared = f"{len(memories)} memories" if len(memories) > _MOST_NAMED else _listed(memories)
    where = summary.about.get("domain") or ", ".join(summary.about.get("streams", ())[:3])
    title = f"{compared} on {where}" if where else compared
    return title if summary.name == UNNAMED else f"{summary.name}: {title}"


def verdict(summary: Summary) -> str:
    """Return in one sentence whether a memory is better than what it is compared with, and how sure that is."""
    known = [(line.baseline, line.score) for line in summary.differences if line.score]
    if not known:
        scores = [(name(line.baseline), line.score) for line in summary.baselines if line.score]
        if not scores:
            return "Nothing has a score yet."
        told = ", ".join(f"{one} scores {interval(score)}" for one, score in scores)
        return f"{told}{_over(scores[0][1])}; there is nothing to compare it with."
    baseline, gain = max(known, key=lambda one: one[1].mean)
    against, which = name(summary.against), f", the best of {len(known)}," if len(known) > 1 else ""
    so_far = "So far, " if summary.state != "complete" else ""
    told = f"{interval(gain, is_signed=True)} in score{_over(gain)}"
    if gain.low is None or gain.high is None:
        return f"{so_far}{name(baseline)}{which} differs from {against} by {told}; one unit does not tell whether by chance."
    if gain.low > 0:
        return f"{so_far}{name(baseline)}{which} is better than {against}: {told}."
    if gain.high < 0:
        return f"{so_far}{name(baseline)}{which} is worse than {against}: {told}."
    return f"{so_far}it is not shown that {name(baseline)}{which} is better or worse than {against}: {told}."


def _over(found: Estimate) -> str:
    if found.low is None:
        return ""
    few = found.unit == "seeds" and found.units < FEW_SEEDS
    doubt = ", which are too few to be sure" if few else ""
    return f" (95% interval over {found.units:,} {found.unit}{doubt})"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
