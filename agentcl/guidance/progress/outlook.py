"""What a scope may know, before it acts, of how things go: its own record, and the lessons that it sees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import get_args

from agentcl.guidance.evidence.belief import Belief
from agentcl.guidance.progress.expectation import ExpectedScore
from agentcl.guidance.progress.lanes import LaneRecord
from agentcl.guidance.state import GuidanceState
from agentcl.store.episodes import Ended, Episode
from agentcl.store.records import Scope


class Outlook:
    """The state of guidance as one scope sees it. Made by `Lessons.outlook`."""

    def __init__(
        self,
        state: GuidanceState,
        scope: Scope,
        speaking: Callable[[str, str | None, str], Iterable[str]],
    ) -> None:
        self._state, self._scope, self._speaking = state, scope, speaking
        self._view = scope.view()

    @property
    def lanes(self) -> LaneRecord:
        """What each lane gained and cost."""
        return self._state.lanes_of(self._scope)

    def expected(self, cluster: str, world: str) -> ExpectedScore:
        """Return what is expected of the next episode of a kind of task in a world."""
        return self._state.expected(cluster, world, self._scope)

    def trusted(
        self, text: str, cluster: str, world: str, *, application: str | None = None
    ) -> Iterator[float]:
        """Yield how far each lesson that speaks of a situation is trusted, for a kind of task in a world.

        Args:
            text: the situation.
            cluster: the kind of task.
            world: where the same rules hold.
            application: where the agent works; None: anywhere.
        """
        state, view = self._state, self._view
        for id in self._speaking(text, application, world):
            if view.sees(state.lessons[id].guidance.scope):
                yield state.belief(id, cluster=cluster, world=world, view=view).trust

    def demonstrations(self) -> list[tuple[str, Ended, Belief]]:
        """Return what showing past stretches is worth: by kind of task and how they ended, where a coin was thrown."""
        state, scope = self._state, self._scope
        return [
            (cluster, ended, state.belief_of_stretches(ended, cluster=cluster, scope=scope))
            for ended in get_args(Ended)
            for cluster in state.clusters_of_stretches(ended, scope)
        ]

    def counts(self, episode: Episode) -> bool:
        """Return whether what an episode showed is evidence: it was neither rolled back nor set aside."""
        return self._state.counts(episode)

    def last_attempt(self, cluster: str, world: str, *, is_success: bool) -> str | None:
        """Return the id of the last episode of a kind of task in a world that ended so; None if there is none."""
        return self._state.last_attempt(cluster, world, is_success=is_success, view=self._view)

    def attempts(self, cluster: str, world: str, *, most: int) -> list[str]:
        """Return the ids of the last scored episodes of a kind of task in a world, the newest first."""
        return list(islice(self._state.attempts(cluster, world, self._view), most))
