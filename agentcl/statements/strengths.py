"""How strong a statement is: what was said or used often rises, and what nobody came back to sinks, slowly.

The rule is the base level of ACT-R in its short form (Anderson and Lebiere 1998, p. 124): n / (1 - d) * L ** -d, with n
the times that something was met, L the time since it was met first, and d = 0.5. The constant factor is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from agentcl.store.conversations import SORTS, Statement, Turn
from agentcl.text.function_words import content_terms
from agentcl.text.terms import terms

# What of several things is told first: what somebody asks for, then what he is like.
RANK: Final[Mapping[str, int]] = {
    sort: rank
    for rank, sort in enumerate(("instruction", "preference", "fact", "relation", "plan", "event"))
}
assert set(RANK) == set(SORTS)
_DECAY: Final = 0.5
_DAY: Final = timedelta(days=1)
_TELLING: Final = 3  # characters of a value's longest word: a shorter one stands anywhere


def strength(one: Statement, uses: int, now: datetime) -> float:
    """Return how strong a statement is, above 0: its turns and its uses against the days since it was said first."""
    met = max(1, len(one.sources)) + uses
    days = max(now - one.moment, timedelta()) / _DAY
    return float(met * (1 + days) ** -_DECAY)


def uses_of(statements: Iterable[Statement], turns: Iterable[Turn]) -> dict[str, int]:
    """Return how many later turns take up what statements say, by id; those of none are missing.

    A turn takes up a statement if it has all telling words of the value, whoever speaks, and does not itself say it.
    """
    found: dict[str, int] = defaultdict(int)
    waiting: dict[str, list[tuple[Statement, frozenset[str]]]] = defaultdict(list)
    for one in statements:
        value = frozenset(content_terms(one.value))
        longest = max(value, key=lambda word: (len(word), word), default="")
        if len(longest) >= _TELLING and one.polarity == "holds":
            waiting[longest].append((one, value))
    for turn in turns:
        said = set(terms(turn.text))
        for word in said & waiting.keys():
            for one, value in waiting[word]:
                if value <= said and turn.id not in one.sources and turn.moment > one.moment:
                    found[one.id] += 1
    return dict(found)


def kept(
    statements: Sequence[Statement], strengths: Sequence[float], most: int, now: datetime
) -> set[str]:
    """Return the ids of those statements that have room where at most so many are kept in sight.

    What holds, or is to, goes before what does no longer, and the strong before the weak. What the assistant was told to do
    is always kept.
    """

    def rank(place: int) -> tuple[bool, bool, float, str]:
        one = statements[place]
        is_over = one.valid_to is not None and one.valid_to <= now
        return one.sort != "instruction" or is_over, is_over, -strengths[place], one.id

    ordered = sorted(range(len(statements)), key=rank)
    instructions = sum(not rank(place)[0] for place in ordered)
    return {statements[place].id for place in ordered[: max(most, instructions)]}
