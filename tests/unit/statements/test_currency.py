"""What holds follows from what was said, whatever order it came in."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcl.errors import InvalidInput
from agentcl.statements.currency import Span, contradictions, settle
from agentcl.statements.dates.periods import check_period, period
from agentcl.statements.slots import attribute_key, has_several, slot_of, subject_key, value_key
from agentcl.store.conversations import Statement

JANUARY = datetime(2025, 1, 1, 12, tzinfo=UTC)


def said(
    value: str,
    day: int,
    *,
    id: str = "",
    sort: str = "fact",
    ended: bool = False,
    member: bool = False,
    since: str = "",
    until: str = "",
) -> Statement:
    """Return a statement said on a day, counted from 1 January 2025."""
    return Statement(
        id=id or f"{value}-{day}{'-ended' * ended}",
        text=f"It is {value}.",
        subject="user",
        attribute="home",
        value=value,
        slot="user / home",
        said_at=(JANUARY + timedelta(days=day - 1)).isoformat(),
        sort=sort,  # type: ignore[arg-type]
        polarity="ended" if ended else "holds",
        is_member=member,
        since=since,
        until=until,
    )


def at(day: int, hour: int = 12) -> datetime:
    return JANUARY + timedelta(days=day - 1, hours=hour - 12)


def holding(statements: list[Statement], moment: datetime) -> set[str]:
    spans = settle(statements)
    return {
        one.value for one in statements if one.polarity == "holds" and spans[one.id].covers(moment)
    }


def test_the_newest_value_holds_from_when_it_was_said_and_the_older_one_before() -> None:
    gent, leuven = said("Gent", 1), said("Leuven", 40)
    assert settle([gent, leuven]) == {
        gent.id: Span(None, at(40), leuven.id),
        leuven.id: Span(at(40), None),
    }


def test_what_was_said_to_begin_earlier_holds_from_then() -> None:
    statements = [said("Gent", 1), said("Leuven", 40, since="2025-01-20")]
    assert holding(statements, at(19)) == {"Gent"}
    assert holding(statements, at(21)) == {"Leuven"}


def test_a_move_in_the_future_takes_effect_at_its_date() -> None:
    statements = [said("Gent", 1), said("Leuven", 10, sort="plan", since="2025-03-31")]
    assert holding(statements, at(89)) == {"Gent"}
    assert holding(statements, at(90, 0)) == {"Leuven"}


def test_what_holds_said_again_does_not_undo_what_is_to_come() -> None:
    statements = [said("Gent", 1), said("Leuven", 10, since="2025-03-31"), said("Gent", 20)]
    assert holding(statements, at(50)) == {"Gent"}
    assert holding(statements, at(100)) == {"Leuven"}


def test_a_first_value_said_after_a_coming_one_holds_until_then() -> None:
    statements = [said("Leuven", 10, since="2025-03-31"), said("Gent", 20)]
    assert holding(statements, at(50)) == {"Gent"}
    assert holding(statements, at(100)) == {"Leuven"}


def test_a_statement_about_the_past_does_not_replace_what_holds() -> None:
    statements = [said("Gent", 1), said("Paris", 10, since="2015", until="2019")]
    assert holding(statements, at(20)) == {"Gent"}
    assert holding(statements, datetime(2017, 5, 1, tzinfo=UTC)) >= {"Paris"}
    spans = settle(statements)
    assert spans["Gent-1"].replaced_by == ""


def test_an_open_beginning_is_bounded_by_a_past_value_said_before() -> None:
    statements = [said("Paris", 1, until="2019"), said("Gent", 10)]
    assert holding(statements, datetime(2017, 5, 1, tzinfo=UTC)) == {"Paris"}
    assert holding(statements, at(20)) == {"Gent"}


def test_ended_closes_the_value_that_it_names_and_no_other() -> None:
    fish, meat = said("fish", 1, member=True), said("meat", 1, member=True)
    statements = [fish, meat, said("meat", 20, ended=True, member=True)]
    assert holding(statements, at(10)) == {"fish", "meat"}
    assert holding(statements, at(30)) == {"fish"}
    assert settle(statements)[meat.id].replaced_by == "meat-20-ended"


def test_ended_without_a_value_closes_all_values() -> None:
    for member in (False, True):
        statements = [said("tea", 1, member=member), said("", 20, ended=True, member=member)]
        assert holding(statements, at(10)) == {"tea"}
        assert holding(statements, at(30)) == set()


def test_all_ended_lasts_until_one_of_them_begins_again() -> None:
    over = said("", 20, ended=True, member=True)
    statements = [
        said("tea", 1, member=True),
        over,
        said("coffee", 30, member=True),
        said("tea", 40, member=True),
    ]
    assert settle(statements)[over.id] == Span(at(20), at(30), "coffee-30")
    assert [holding(statements, at(day)) for day in (10, 25, 35, 45)] == [
        {"tea"}, set(), {"coffee"}, {"coffee", "tea"},
    ]  # fmt: skip


def test_ended_at_a_date_to_come_closes_at_the_end_of_that_day() -> None:
    statements = [said("Brandt", 1), said("Brandt", 10, ended=True, until="2025-04-30")]
    assert holding(statements, at(120)) == {"Brandt"}
    assert holding(statements, at(121)) == set()


def test_a_member_may_come_back_and_holds_from_then() -> None:
    statements = [
        said("fish", 1, member=True),
        said("fish", 20, ended=True, member=True),
        said("fish", 40, member=True),
    ]
    assert [holding(statements, at(day)) for day in (10, 30, 50)] == [{"fish"}, set(), {"fish"}]
    assert settle(statements)["fish-20-ended"].replaced_by == "fish-40"


def test_a_value_may_come_back_after_another_one() -> None:
    statements = [said("Mardle", 1), said("Twinhalf", 10), said("Mardle", 20)]
    assert [holding(statements, at(day)) for day in (5, 15, 25)] == [
        {"Mardle"}, {"Twinhalf"}, {"Mardle"},
    ]  # fmt: skip
    spans = settle(statements)
    assert spans["Mardle-1"] == Span(None, at(10), "Twinhalf-10")
    assert not any(span.is_again for span in spans.values())


def test_the_same_value_again_is_said_again_and_changes_nothing() -> None:
    first, again = said("Gent", 1), said("gent", 20)
    spans = settle([again, first])
    assert spans[first.id] == Span(None, None)
    assert spans[again.id].is_again
    assert spans[again.id].replaced_by == first.id


def test_the_same_value_again_at_the_end_of_all_times_ends_in_no_error() -> None:
    last = datetime.max.replace(tzinfo=UTC).isoformat()
    twice = [replace(said("Gent", 1, id=name), said_at=last) for name in ("one", "two")]
    assert sum(span.is_again for span in settle(twice).values()) == 1


def test_the_same_value_with_another_date_takes_the_place_of_the_first() -> None:
    planned = said("Leuven", 10, sort="plan", since="2025-03-31")
    statements = [said("Gent", 1), planned, said("Leuven", 20, sort="plan", since="2025-04-05")]
    assert holding(statements, at(92)) == {"Gent"}
    assert holding(statements, at(95)) == {"Leuven"}
    assert settle(statements)[planned.id].is_again


def test_what_was_to_come_and_is_said_to_hold_has_come() -> None:
    statements = [said("Gent", 1), said("Leuven", 10, since="2025-03-31"), said("Leuven", 60)]
    assert holding(statements, at(61)) == {"Leuven"}


def test_a_plan_without_a_date_replaces_nothing_until_it_comes_true() -> None:
    gent, plan = said("Gent", 1), said("Lisbon", 10, sort="plan")
    assert holding([gent, plan], at(20)) == {"Gent", "Lisbon"}
    assert contradictions([gent, plan], at(20)) == []
    moved = said("Lisbon", 30)
    assert settle([gent, plan, moved]) == {
        gent.id: Span(None, at(30), moved.id),
        plan.id: Span(at(10), at(30), moved.id),
        moved.id: Span(at(30), None),
    }


def test_a_plan_that_was_cancelled_never_holds() -> None:
    plan = said("Leuven", 10, since="2025-03-31")
    statements = [said("Gent", 1), plan, said("Leuven", 20, ended=True)]
    assert holding(statements, at(100)) == {"Gent"}
    span = settle(statements)[plan.id]
    assert span.valid_from is not None
    assert span.valid_to == span.valid_from + timedelta(microseconds=1)


def test_two_values_said_at_once_are_a_contradiction() -> None:
    statements = [said("Gent", 1), said("Leuven", 20), said("Antwerp", 20)]
    assert holding(statements, at(30)) == {"Leuven", "Antwerp"}
    found = contradictions(statements, at(30))
    assert {one.value for one in found} == {"Leuven", "Antwerp"}
    assert contradictions(statements, at(10)) == []
    later = [*statements, said("Gent", 40)]
    assert contradictions(later, at(50)) == []


def test_what_holds_and_what_is_to_come_may_be_said_at_once() -> None:
    for first, second in (("Gent", "Leuven"), ("Leuven", "Gent")):
        statements = [said(first, 10), said(second, 10, sort="plan", since="2025-03-31")]
        assert holding(statements, at(20)) == {first}
        assert holding(statements, at(100)) == {second}


def test_an_event_is_known_from_when_it_was_said() -> None:
    interview = said("in Burlington", 10, sort="event", since="2025-05-08")
    assert holding([interview], at(20)) == {"in Burlington"}
    past = said("41 miles", 200, sort="event", since="2025-05-04")
    assert holding([past], at(130)) == {"41 miles"}


def test_one_member_makes_a_set() -> None:
    statements = [said("tea", 1), said("coffee", 10, member=True)]
    assert holding(statements, at(20)) == {"tea", "coffee"}


DATES = st.sampled_from(["", "", "", "2024", "2025-01", "2025-01-05", "2025-02", "2025-02-10"])
SAID = st.builds(
    said,
    st.sampled_from(["a", "b", "c"]),
    st.integers(1, 60),
    sort=st.sampled_from(["fact", "plan", "event"]),
    ended=st.sampled_from([False, False, False, True]),
    since=DATES,
    until=st.sampled_from(["", "", "", "2024-06", "2025-02-20"]),
)


def told(many: list[Statement]) -> list[Statement]:
    return [replace(one, id=f"s{place}") for place, one in enumerate(many)]


@given(st.lists(SAID, max_size=7), st.booleans(), st.randoms())
@settings(max_examples=100, deadline=None)
def test_what_holds_does_not_depend_on_the_order_of_arrival(
    many: list[Statement], member: bool, rng: random.Random
) -> None:
    statements = told([replace(one, is_member=member) for one in many])
    expected = settle(statements)
    rng.shuffle(statements)
    assert settle(statements) == expected


@given(st.lists(SAID, max_size=6), st.randoms())
@settings(max_examples=100, deadline=None)
def test_ids_have_no_part_in_what_holds(many: list[Statement], rng: random.Random) -> None:
    renamed = told(many)
    rng.shuffle(renamed)
    renamed = told(renamed)
    for day in (1, 20, 40, 61, 400):
        assert holding(told(many), at(day)) == holding(renamed, at(day))


@given(st.lists(SAID, max_size=7))
@settings(max_examples=100, deadline=None)
def test_every_statement_has_a_span_that_a_record_can_have(many: list[Statement]) -> None:
    statements = told(many)
    spans = settle(statements)
    assert spans.keys() == {one.id for one in statements}
    for span in spans.values():
        if span.valid_from and span.valid_to:
            assert span.valid_from < span.valid_to
        assert span.replaced_by in ("", *spans)


@given(st.lists(SAID, min_size=1, max_size=6))
@settings(max_examples=100, deadline=None)
def test_nothing_is_ended_without_a_statement_that_ends_it(many: list[Statement]) -> None:
    statements = told(many)
    for one in statements:
        span = settle(statements)[one.id]
        if span.valid_to is not None and not one.until and one.polarity == "holds":
            assert span.replaced_by


def test_all_orders_of_a_few_statements_give_the_same() -> None:
    statements = [
        said("Gent", 1), said("Leuven", 10, since="2025-03-31"), said("Gent", 20, ended=True),
        said("Antwerp", 30), said("Gent", 30),
    ]  # fmt: skip
    expected = settle(statements)
    assert all(settle(order) == expected for order in permutations(statements))


def test_a_date_is_a_year_a_month_a_day_or_a_moment() -> None:
    assert period("2024", UTC).end == datetime(2025, 1, 1, tzinfo=UTC)
    assert period("2024-02", UTC).end == datetime(2024, 3, 1, tzinfo=UTC)
    assert period("2024-02-29", UTC).end == datetime(2024, 3, 1, tzinfo=UTC)
    moment = datetime(2024, 2, 29, 8, tzinfo=UTC)
    assert period("2024-02-29T08:00:00", UTC) == (moment, moment)
    for wrong in ("", "yesterday", "2024-13", "2024-02-30", "24", "2024-02-29T", "0000"):
        with pytest.raises(InvalidInput, match="is no date"):
            period(wrong, UTC)
    assert check_period("") == ""
    for extreme in ("0001", "9999", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"):
        assert period(extreme, UTC).start.astimezone(UTC).year in (1, 9999)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("lives in", "home city"),
        ("City", "home"),
        ("works at", "employer"),
        ("occupation", "job"),
        ("e-mail address", "email"),
        ("speaks", "languages"),
        ("allergic to", "allergies"),
        ("favourite colour", "Favourite colours"),
    ],
)
def test_attributes_are_the_same_by_their_words_or_by_the_list(one: str, other: str) -> None:
    assert attribute_key(one) == attribute_key(other)


def test_attributes_that_only_look_alike_are_not_the_same() -> None:
    different = ["home", "origin", "phone", "phone number", "job", "employer", "favourite colour"]
    assert len({attribute_key(one) for one in different}) == len(different)


def test_the_user_is_one_whatever_he_is_called() -> None:
    for name in ("user", "the user", "I", "me", "User"):
        assert subject_key(name) == "user"
    assert subject_key("my sister") == subject_key("the user's sister") == "sister"
    assert slot_of("user", "lives in") == slot_of("me", "home") == "user / home"


def test_values_are_the_same_but_for_case_articles_and_punctuation() -> None:
    assert value_key("the Corva X2.") == value_key("corva x2")
    assert value_key("C++") != value_key("C")
    assert value_key("!?") == "!?"


def test_whether_values_hold_beside_each_other_is_known_of_everyday_attributes() -> None:
    assert has_several("speaks")
    assert has_several("lives in") is False
    assert has_several("favourite fountain pen") is None
