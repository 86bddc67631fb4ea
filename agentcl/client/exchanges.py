"""The exchanges of a server's proxy: what the memory did in one, and how it turned out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from agentcl.client.asking import Remote
from agentcl.errors import InvalidInput
from agentcl.store.checks import check_score, check_unicode

Thumb = Literal["up", "down"]
_THUMBS: Final = ("up", "down")
_ID: Final = re.compile(r"[\w-]+", re.ASCII)  # what else is in a path would lead elsewhere


class RemoteExchanges(Remote):
    """Exchanges with the model behind a server, by the ids in the header `x-agentcl-exchange`."""

    room = "exchanges"

    def get(self, id: str, *, wait_s: float = 0.0) -> Mapping[str, Any]:
        """Return what the memory did in an exchange: what was shown and why, and what was stored.

        Args:
            id: of the exchange.
            wait_s: for its end, at the most 60 seconds.

        Raises:
            NotFound: if it is not among the latest of yours.
        """
        query = {"wait": wait_s} if wait_s else None
        found: Mapping[str, Any] = self.connection.request(
            "GET", _path(id), query=query, headers=self._whose()
        )
        return found

    def report(
        self, id: str, *, score: float | None = None, thumb: Thumb | None = None
    ) -> Mapping[str, Any]:
        """Report how an exchange turned out, so that the memories and lessons that it was shown are credited.

        To report the same again changes nothing. What nobody reports stays unknown.

        Args:
            id: of the exchange.
            score: from 0, failed, to 1, solved.
            thumb: in place of a score.

        Returns:
            The score, the episode, and the ids of the memories and lessons that were credited.

        Raises:
            NotFound: if it is not among the latest of yours.
            InvalidInput: unless either a score or a thumb is told, or if another outcome was reported before.
        """
        if (score is None) == (thumb is None):
            raise InvalidInput("say either score= from 0 to 1 or thumb= 'up' or 'down'")
        if thumb is not None and thumb not in _THUMBS:
            raise InvalidInput(f"a thumb is 'up' or 'down', and not {thumb!r}")
        told = {"thumb": thumb} if thumb else {"score": check_score(score)}
        answer: Mapping[str, Any] = self.connection.request(
            "POST", f"{_path(id)}/outcome", told, headers=self._whose()
        )
        return answer

    def _whose(self) -> Mapping[str, str]:
        return {f"x-agentcl-{name}": str(value) for name, value in self.bound.fields.items()}


def _path(id: str) -> str:
    if not _ID.fullmatch(check_unicode(id, "id")):
        raise InvalidInput(f"{id!r} is no exchange: its id is in the header x-agentcl-exchange")
    return f"/v1/exchanges/{id}"
