"""Which lessons speak of what an episode sees, as a whole and in what its last steps brought."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from agentcl.text.asked import read_of

if TYPE_CHECKING:
    from agentcl.guidance.evidence.belief import LifeStage
    from agentcl.guidance.state import GuidanceState
    from agentcl.memory.lessons.matching import Matches
    from agentcl.store.episodes import Episode, Guidance
    from agentcl.store.usage import Usage


def _any(made: Guidance) -> bool:
    return True


class EpisodeMatches:
    """Matches lessons with the situations of one episode, in its place and for its user."""

    def __init__(
        self,
        match: Callable[..., Matches],
        episode: Episode,
        spend: Callable[[str, Usage], None],
    ) -> None:
        view = episode.scope.view()
        self._match = partial(
            match, view=view, application=episode.application, world=episode.world
        )
        self._episode, self._view, self._spend = episode, view, spend
        # By the text of an outcome, the lessons that speak of it, with how likely each does.
        self._by_outcome: dict[str, Mapping[str, float]] = {}

    def of(
        self,
        state: GuidanceState,
        situation: str,
        *,
        actions: Sequence[str] = (),
        can_stand: Callable[[Guidance], bool] = _any,
    ) -> Matches:
        """Return which lessons speak of a situation; of those that are only tried, none that could not be shown."""

        def stage_of(id: str) -> LifeStage | None:
            stage = self.stage_of(state, id)
            return stage if stage and can_stand(state.lessons[id].guidance) else None

        matches = self._match(state, situation, actions=actions, stage_of=stage_of)
        if matches.usage.calls:
            self._spend("check", matches.usage)
        return matches

    def stage_of(self, state: GuidanceState, id: str) -> LifeStage | None:
        """Return the stage of a lesson, as this episode sees it; None of one in quarantine or retired."""
        made = self._episode
        belief = state.belief(id, cluster=made.cluster, world=made.world, view=self._view)
        return belief.stage if belief.is_in_use else None

    def look_at(self, state: GuidanceState, outcome: str, situation: str) -> None:
        """Match lessons with what the last step brought, by itself: a long situation hides what is new in it."""
        if outcome.strip() and outcome not in self._by_outcome and outcome in situation:
            self._by_outcome[outcome] = self.of(state, read_of(outcome)).by_id

    def with_outcomes(
        self, state: GuidanceState, situation: str, found: Mapping[str, float]
    ) -> dict[str, float]:
        """Return what speaks of a situation as a whole, or of an outcome that stands in it."""
        whole = dict(found)
        for outcome, by_id in self._by_outcome.items():
            for id, chance in by_id.items() if outcome in situation else ():
                if id in state.lessons:
                    whole[id] = max(chance, whole.get(id, 0.0))
        return whole
