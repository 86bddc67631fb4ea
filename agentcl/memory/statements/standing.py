"""What statements say at a moment: what holds, and what is over. Worked out once, until one of them ends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from agentcl.memory.statements.comparing import Compared
from agentcl.statements.slots import USER, has_several, names_somebody, subject_key
from agentcl.statements.strengths import RANK
from agentcl.store.conversations import Statement
from agentcl.store.records import EPOCH

_PAST_ASKED: Final = 50  # that ended last, and are asked of too
_FOUND_ALONE: Final = ("relation", "event", "plan")
_INSTANT: Final = timedelta(microseconds=1)  # what held no longer than this never did


class StandingStatements:
    """Some statements as they stand at a moment.

    Args:
        statements: what was told.
        now: the moment.
    """

    def __init__(self, statements: Sequence[Statement], now: datetime) -> None:
        self.holding = [one for one in statements if holds(one, now)]
        over = (one for one in statements if is_over(one, now))
        self.past = sorted(over, key=end_of, reverse=True)
        self.compared = Compared([*self.holding, *self.past[:_PAST_ASKED]])
        self.by_id = {one.id: one for one in statements}
        self.slots: Mapping[str, list[Statement]] = _by_slot(self.holding)
        self.past_slots: Mapping[str, list[Statement]] = _by_slot(self.past)
        ends = [one.valid_to for one in statements if one.valid_to is not None]
        self._since = max((end for end in ends if end <= now), default=None)
        self._until = min((end for end in ends if end > now), default=None)
        self._of_user: list[list[Statement]] | None = None
        self._always: list[list[Statement]] | None = None

    def is_at(self, now: datetime) -> bool:
        """Return whether the statements stand so at another moment, too."""
        is_begun = self._since is None or self._since <= now
        return is_begun and (self._until is None or now < self._until)

    def of_user(self) -> Sequence[Sequence[Statement]]:
        """Return what holds of the user by its sort, in their order in a profile."""
        if self._of_user is None:
            found: dict[int, list[Statement]] = {rank: [] for rank in sorted(RANK.values())}
            for one in self.holding:
                if subject_key(one.subject) == USER:
                    found[RANK[one.sort]].append(one)
            self._of_user = [*found.values()]
        return self._of_user

    def always_shown(self) -> Sequence[Sequence[Statement]]:
        """Return of this what stands in a block whatever is asked: no people, plans and things by the way."""
        if self._always is None:
            self._always = [[*filter(_is_always_shown, own)] for own in self.of_user()]
        return self._always


def holds(one: Statement, now: datetime) -> bool:
    """Return whether a statement says what is so at a moment, or will be."""
    return one.polarity == "holds" and (one.valid_to is None or one.valid_to > now)


def is_over(one: Statement, now: datetime) -> bool:
    """Return whether a statement once held, and does no longer."""
    if one.polarity != "holds" or one.valid_to is None or one.valid_to > now:
        return False
    return one.valid_from is None or one.valid_to - one.valid_from > _INSTANT


def end_of(one: Statement) -> datetime:
    """Return when a statement ended; what did not is before all others."""
    return one.valid_to or EPOCH


def _by_slot(statements: Sequence[Statement]) -> Mapping[str, list[Statement]]:
    found: dict[str, list[Statement]] = defaultdict(list)
    for one in statements:
        found[one.slot].append(one)
    return found


def _is_always_shown(one: Statement) -> bool:
    if one.sort == "fact":
        return has_several(one.attribute) is not None and not names_somebody(one.attribute)
    return one.sort not in _FOUND_ALONE
