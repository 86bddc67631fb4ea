"""What is kept of the episodes of a tenant: of which kind of task each was, whose, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from agentcl.store.episodes import Episode
from agentcl.store.records import ScopeView

_Own = tuple[str, str, str]  # user, agent, session


class Attempted(NamedTuple):
    """What is kept of an episode."""

    cluster: str = ""
    world: str = ""
    is_credited: bool = False
    is_success: bool = False
    scope: _Own | None = None  # None: it is not known


class Attempts:
    """The episodes that were folded, in their order."""

    def __init__(self) -> None:
        self._by_id: dict[str, Attempted] = {}
        # By where and how it went, and by whom: the last episode and its number.
        self._last: dict[tuple[str, bool], dict[_Own, tuple[int, str]]] = {}

    def __getitem__(self, id: str) -> Attempted:
        return self._by_id.get(id, Attempted())

    def note(self, episode: Episode, *, is_credited: bool) -> None:
        """Keep what an episode is by now."""
        self._by_id[episode.id] = Attempted(
            episode.cluster, episode.world, is_credited, bool(episode.is_success), _own(episode)
        )

    def end(self, where: str, episode: Episode, number: int) -> None:
        """Note that an episode that counts is the last one somewhere."""
        held = self._last.setdefault((where, bool(episode.is_success)), {})
        held[_own(episode)] = number, episode.id

    def last(self, where: str, *, is_success: bool, view: ScopeView) -> str | None:
        """Return the id of the last episode somewhere that ended so, of those in view."""
        held = self._last.get((where, is_success), {})
        return max((last for own, last in held.items() if _sees(view, own)), default=(0, None))[1]

    def counted(self, cluster: str, world: str, view: ScopeView) -> Iterator[str]:
        """Yield the ids of the episodes of a kind of task in a world that count, of those in view, the newest first."""
        for id in reversed(self._by_id):
            one = self._by_id[id]
            is_here = one.is_credited and (one.cluster, one.world) == (cluster, world)
            if is_here and one.scope is not None and _sees(view, one.scope):
                yield id

    def to_plain(self) -> dict[str, Any]:
        """Return all of it, as JSON."""
        return {
            "attempts": [[*kind, list(held.items())] for kind, held in self._last.items()],
            "episodes": self._by_id,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Attempts:
        """Return what `to_plain` returned."""
        made = cls()
        made._last = {
            (where, ended): {tuple(scope): (number, id) for scope, (number, id) in held}
            for where, ended, held in plain["attempts"]
        }
        made._by_id = {
            id: Attempted(cluster, world, is_credited, is_success, scope and tuple(scope))
            for id, (cluster, world, is_credited, is_success, scope) in plain["episodes"].items()
        }
        return made


def _own(episode: Episode) -> _Own:
    return episode.scope.user, episode.scope.agent, episode.scope.session


def _sees(view: ScopeView, own: Iterable[str]) -> bool:
    allowed = (view.user, view.agent, view.session)
    return all(some is None or one in some for one, some in zip(own, allowed, strict=True))
