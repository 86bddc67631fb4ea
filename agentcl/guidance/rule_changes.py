"""Changes of the rules that were noticed: when, in which kind of task and world, and by which episode."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from agentcl.guidance.change import Direction
from agentcl.guidance.overview import begin
from agentcl.guidance.rules import GuidanceRules
from agentcl.store.episodes import Episode
from agentcl.store.records import ScopeView, from_micros
from agentcl.store.rows import Row


@dataclass(frozen=True, slots=True)
class RuleChange:
    """That the scores of a kind of task left what was expected of them, for good."""

    at: datetime  # when the episode ended that made it certain
    direction: Direction  # "down": what was learned there is believed less since
    application: str
    family: str
    world: str
    episode: str  # its id
    task: str
    score: float
    expected: float  # of that episode, by those before it

    def lines(self) -> Iterator[str]:
        """Yield what happened, in words."""
        kind = self.family or self.task
        where = f"{kind} of {self.application}" if self.application else kind
        world = f" in {self.world}" if self.world else ""
        fell = self.direction == "down"
        yield (
            f"{self.at:%Y-%m-%d %H:%M:%S}  scores of {where}{world} {'fell' if fell else 'rose'}: "
            f"{'the rules seem to have changed' if fell else 'it became easier, or something was learned'}"
        )
        yield (
            f"  noticed in episode {self.episode} ({self.task}): score {self.score:.2f}, and "
            f"{self.expected:.2f} was expected"
        )
        if fell:
            yield "  what was learned there before counts less since; lessons that still hold earn it back"


def rule_changes(
    rows: Iterable[Row], view: ScopeView, *, tenant: str = "", rules: GuidanceRules | None = None
) -> list[RuleChange]:
    """Return the changes that were noticed, the oldest first; of a time that was rolled back none.

    Args:
        rows: of experience, all of them, in order.
        view: whose episodes are told of.
        tenant: the one whose state it is.
        rules: those of the memory.
    """
    state, held = begin(rows, tenant=tenant, rules=rules)
    found = []
    for row in held:
        record = row.record() if row.op == "put" and row.kind == Episode.kind else None
        if not isinstance(record, Episode):
            state.apply(row)
            continue
        expected, known = (
            state.expected(record.cluster, record.world, record.scope).mean,
            len(state.changes),
        )
        state.apply(row)
        for _, _, direction in state.changes[known:]:
            if view.sees(row.scope) and record.score is not None:
                found.append(_change(record, direction, row.created_at, expected))
    return found


def _change(episode: Episode, direction: Direction, at: int, expected: float) -> RuleChange:
    assert episode.score is not None
    return RuleChange(
        from_micros(at), direction, episode.application, episode.family, episode.world, episode.id,
        episode.task, episode.score, expected,
    )  # fmt: skip
