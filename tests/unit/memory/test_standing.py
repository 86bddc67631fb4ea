"""What holds and what is over at a moment."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from agentcl.memory.statements.standing import StandingStatements
from agentcl.store import Statement
from agentcl.store.records import Scope

MAY = datetime(2025, 5, 1, tzinfo=UTC)


def stated(value: str, *, until: datetime | None = None, attribute: str = "home") -> Statement:
    return Statement(
        id=value, version=1, scope=Scope(user="ada"), created_at=MAY, slot=f"user / {attribute}", subject="user",
        attribute=attribute, value=value, text=f"The user's {attribute} is {value}.", said_at=MAY.isoformat(),
        valid_from=MAY - timedelta(days=30), valid_to=until,
    )  # fmt: skip


def ids(statements: Sequence[Statement]) -> list[str]:
    return [one.id for one in statements]


def test_what_stands_changes_where_something_ends_and_nowhere_else() -> None:
    ends = [MAY + timedelta(days=day) for day in (1, 3, 5)]
    told = [stated(str(end.day), until=end) for end in ends] + [stated("ever")]
    moments = [MAY + timedelta(hours=12 * n) for n in range(12)]
    for before, after in pairwise(moments):
        first, second = StandingStatements(told, before), StandingStatements(told, after)
        assert first.is_at(before)
        is_same = ids(first.holding) == ids(second.holding)
        assert first.is_at(after) is second.is_at(before) is is_same


def test_what_ended_last_is_the_first_of_the_past() -> None:
    told = [stated(str(day), until=MAY - timedelta(days=day)) for day in (3, 1, 2)]
    assert ids(StandingStatements(told, MAY).past) == ["1", "2", "3"]


def test_only_what_is_always_asked_of_somebody_is_always_shown() -> None:
    told = [stated("Gent"), stated("blue", attribute="colour of the neighbour's door")]
    told.append(stated("Orlo", attribute="husband"))  # whom he knows is found where it is asked for
    standing = StandingStatements(told, MAY)
    assert [ids(own) for own in standing.of_user() if own] == [["Gent", "blue", "Orlo"]]
    assert [ids(own) for own in standing.always_shown() if own] == [["Gent"]]
