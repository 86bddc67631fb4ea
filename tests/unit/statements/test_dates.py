"""Dates as people say them, resolved from when they say them."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcl.statements.dates.days import Tense
from agentcl.statements.dates.periods import period
from agentcl.statements.dates.resolving import Mention, mentions, resolve

# Said on a Friday evening.
FRIDAY = datetime(2025, 6, 20, 21, 20, tzinfo=timezone(timedelta(hours=2)))
EXPRESSIONS = """
today | 2025-06-20
tonight | 2025-06-20
this morning | 2025-06-20
now | 2025-06-20
as of today | 2025-06-20
yesterday | 2025-06-19
yesterday evening | 2025-06-19
yesterday morning | 2025-06-19
last night | 2025-06-19
the day before yesterday | 2025-06-18
day before yesterday | 2025-06-18
tomorrow | 2025-06-21
tomorrow morning | 2025-06-21
tomorrow night | 2025-06-21
the day after tomorrow | 2025-06-22
last Friday | 2025-06-13
last Monday | 2025-06-16
last Sunday | 2025-06-15
last Thursday evening | 2025-06-19
next Tuesday | 2025-06-24
next Friday | 2025-06-27
next Saturday | 2025-06-28
this Saturday | 2025-06-21
this Sunday | 2025-06-22
this coming Wednesday | 2025-06-25
the coming Monday | 2025-06-23
on Thursday | 2025-06-26
on Monday morning | 2025-06-23
Sunday | 2025-06-22
by Wednesday | 2025-06-25
until Tuesday | 2025-06-24
the Tuesday after next | 2025-07-01
Monday after next | 2025-06-30
the Friday before last | 2025-06-06
the Wednesday before last | 2025-06-11
Monday week | 2025-06-30
a week on Tuesday | 2025-07-01
a week from Monday | 2025-06-30
two weeks from Wednesday | 2025-07-09
a week from today | 2025-06-27
a week from tomorrow | 2025-06-28
this past Wednesday | 2025-06-18
two days ago | 2025-06-18
3 days ago | 2025-06-17
ten days ago | 2025-06-10
a week ago | 2025-06-13
two weeks ago | 2025-06-06
about three weeks ago | 2025-05-30
a fortnight ago | 2025-06-06
a couple of days ago | 2025-06-18
a couple of weeks ago | 2025-06-06
two weeks back | 2025-06-06
a month ago | 2025-05
three months ago | 2025-03
six months ago | 2024-12
nearly eight months ago | 2024-10
a year ago | 2024
two years ago | 2023
over ten years ago | 2015
20 years ago | 2005
half a year ago | 2024-12
a year and a half ago | REJECT
two and a half years ago | 2022-12
five minutes ago | 2025-06-20
an hour ago | 2025-06-20
a year ago today | 2024-06-20
in two days | 2025-06-22
in 3 days | 2025-06-23
in a week | 2025-06-27
in two weeks | 2025-07-04
in two weeks' time | 2025-07-04
in about two weeks | 2025-07-04
in a fortnight | 2025-07-04
in a couple of weeks | 2025-07-04
in a month | 2025-07
in three months | 2025-09
in eight months | 2026-02
in a year | 2026
in a year's time | 2026
in two years | 2027
in half a year | 2025-12
in eighteen months | 2026-12
thirteen days ago | 2025-06-07
in 48 hours | 2025-06-22
a week today | 2025-06-27
two weeks today | 2025-07-04
at Easter | 2026-04-05
last Easter | 2025-04-20
on Easter Monday 2024 | 2024-04-01
on Good Friday 2027 | 2027-03-26
on Whit Monday 2025 | 2025-06-09
in an hour | 2025-06-20
three weeks from now | 2025-07-11
six months from now | 2025-12
last week | 2025-06
this week | 2025-06
next week | 2025-06
the week after next | 2025-07
the week before last | 2025-06
last weekend | 2025-06-14
this weekend | 2025-06-21
next weekend | 2025-06-28
at the weekend | 2025-06-21
last month | 2025-05
this month | 2025-06
next month | 2025-07
the month before last | 2025-04
the month after next | 2025-08
last year | 2024
this year | 2025
next year | 2026
the year before last | 2023
the year after next | 2027
this time last year | 2024-06
end of the month | 2025-06-30
at the end of the month | 2025-06-30
by the end of this month | 2025-06-30
at the end of next month | 2025-07-31
at the beginning of next month | 2025-07-01
the end of last month | 2025-05-31
the start of the month | 2025-06-01
the middle of next month | 2025-07
the last day of this month | 2025-06-30
end of July | 2025-07-31
at the end of March 2024 | 2024-03-31
the beginning of September | 2025-09-01
mid-August | 2025-08
mid August 2026 | 2026-08
the end of the year | 2025-12
by the end of the year | 2025-12
the start of next year | 2026-01
since March | 2025-03
since last March | 2025-03
since September | 2024-09
since June | 2025-06
since Monday | 2025-06-16
since 2019 | 2019
since May 2021 | 2021-05
since yesterday | 2025-06-19
since last week | 2025-06
since last year | 2024
since the 3rd of February | 2025-02-03
since New Year | 2025-01-01
since Christmas | 2024-12-25
ever since 2012 | 2012
in 2019 | 2019
from 2020 | 2020
until 2030 | 2030
in May | 2025-05
in August | 2025-08
in January 2024 | 2024-01
in early March | 2025-03
last March | 2025-03
last October | 2024-10
next March | 2026-03
next July | 2025-07
this September | 2025-09
March last year | 2024-03
October next year | 2026-10
March 2025 | 2025-03
Sept. 2023 | 2023-09
in Dec 2022 | 2022-12
on the 29th | 2025-06-29
the 3rd | 2025-07-03
by the 1st | 2025-07-01
on Monday the 23rd | 2025-06-23
the 5th of next month | 2025-07-05
the 30th of last month | 2025-05-30
the 25th of this month | 2025-06-25
the 3rd of March | 2025-03-03
on the 29th of March | 2025-03-29
on 5 May | 2025-05-05
5 May 2021 | 2021-05-05
on May 5 | 2025-05-05
May 5th | 2025-05-05
May 5th, 2021 | 2021-05-05
March 14, 2023 | 2023-03-14
on the 1st of September | 2025-09-01
on Tuesday, 24 June | 2025-06-24
on Tuesday the 24th | 2025-06-24
24th June | 2025-06-24
14 Feb | 2025-02-14
29 February 2024 | 2024-02-29
2025-03-29 | 2025-03-29
on 2025-03-29 | 2025-03-29
2024-11 | 2024-11
31.12.2024 | 2024-12-31
25/12/2024 | 2024-12-25
12/25/2024 | 2024-12-25
03/04/2025 | REJECT
at Christmas | 2025-12-25
on Christmas Eve | 2025-12-24
last Christmas | 2024-12-25
next Halloween | 2025-10-31
New Year's Eve | 2025-12-31
New Year's Eve 2023 | 2023-12-31
on Boxing Day | 2025-12-26
Valentine's Day | 2026-02-14
last summer | 2024
this spring | 2025
next autumn | 2025
in the summer of 2022 | 2022
in winter 2021 | 2021
31 February | REJECT
30 February 2024 | REJECT
soon | REJECT
one day | REJECT
some time | REJECT
in the morning | REJECT
in a while | REJECT
once a week | REJECT
a million years ago | REJECT
999 years ago | 1026
"""
LABELLED = [
    tuple(part.strip() for part in line.split("|")) for line in EXPRESSIONS.strip().splitlines()
]


def test_there_are_many_expressions() -> None:
    assert len(LABELLED) >= 150
    assert len({said for said, _ in LABELLED}) == len(LABELLED)


@pytest.mark.parametrize(("said", "expected"), LABELLED, ids=[said for said, _ in LABELLED])
def test_an_expression_names_its_date(said: str, expected: str) -> None:
    assert (resolve(said, FRIDAY) or "REJECT") == expected


@pytest.mark.parametrize(
    ("said", "tense", "expected"),
    [
        ("on Thursday", "past", "2025-06-19"),
        ("on Thursday", "future", "2025-06-26"),
        ("on Friday", "past", "2025-06-13"),
        ("on the 3rd", "past", "2025-06-03"),
        ("on the 3rd", "future", "2025-07-03"),
        ("on the 31st", "past", "2025-05-31"),
        ("in March", "past", "2025-03"),
        ("in March", "future", "2026-03"),
        ("on 5 May", "past", "2025-05-05"),
        ("on 5 May", "future", "2026-05-05"),
        ("on the 1st of September", "past", "2024-09-01"),
        ("on 29 February", "past", "2024-02-29"),
        ("on 29 February", "future", "2028-02-29"),
        ("at Christmas", "past", "2024-12-25"),
        ("this Monday", "past", "2025-06-16"),
    ],
)
def test_the_tense_tells_which_of_two_dates_is_meant(
    said: str, tense: Tense, expected: str
) -> None:
    assert resolve(said, FRIDAY, tense) == expected


def test_a_day_is_the_speakers_own() -> None:
    late = datetime(2025, 6, 20, 23, 50, tzinfo=timezone(timedelta(hours=-8)))
    assert resolve("today", late) == "2025-06-20"
    assert resolve("tomorrow", late) == "2025-06-21"


def test_next_weekday_is_next_weeks_on_every_day_of_the_week() -> None:
    monday = datetime(2025, 6, 16, 8, tzinfo=FRIDAY.tzinfo)
    for day in range(7):
        assert resolve("next Tuesday", monday + timedelta(days=day)) == "2025-06-24"
        assert resolve("the Tuesday after next", monday + timedelta(days=day)) == "2025-07-01"


def test_dates_stand_where_they_stand_with_what_begins_or_ends() -> None:
    text = "I have lived there since March 2021, and the lease runs until the 30th."
    found = mentions(text, FRIDAY)
    assert [(one.date, one.role) for one in found] == [
        ("2021-03", "since"),
        ("2025-06-30", "until"),
    ]
    assert [text[one.start : one.end] for one in found] == ["since March 2021", "until the 30th"]


@pytest.mark.parametrize(
    ("text", "dates"),
    [
        (
            "I finish at Brandt on the 30th of April, and start on 5 May.",
            ["2025-04-30", "2025-05-05"],
        ),
        ("It was confirmed last Friday.", ["2025-06-13"]),
        ("They start the Tuesday after next", ["2025-07-01"]),
        ("He moved out two weeks ago, so it's just me", ["2025-06-06"]),
        ("from now on", ["2025-06-20"]),
        ("I\u2019m back on Monday", ["2025-06-23"]),
        ("I may march on", []),
        ("The cat sat in the sun", []),
        ("There were 2019 of them", []),
        ("Version 3.4.25 and 10/10 points", []),
        ("Build 4.1.7", []),
        ("She rang 518-555-0142", []),
        ("My May is busy", []),
        ("In May we rest", ["2025-05"]),
    ],
)
def test_only_dates_are_taken_for_dates(text: str, dates: list[str]) -> None:
    assert [one.date for one in mentions(text, FRIDAY)] == dates


WORDS = st.sampled_from(
    [
        "last",
        "next",
        "this",
        "on",
        "the",
        "in",
        "since",
        "until",
        "end",
        "of",
        "month",
        "week",
        "year",
        "March",
        "May",
        "3rd",
        "31st",
        "29th",
        "two",
        "a",
        "half",
        "ago",
        "days",
        "years",
        "Friday",
        "before",
        "after",
        "Monday",
        "2024",
        "2025-02-30",
        "31.02.2024",
        "99",
        "999",
        "and",
        "from",
        "now",
        "today",
    ]
)


@given(st.lists(WORDS, max_size=7), st.datetimes(min_value=datetime(3, 1, 1)))  # noqa: DTZ001  # hypothesis wants it naive
@settings(max_examples=200, deadline=None)
def test_whatever_is_said_a_date_can_be_kept_or_there_is_none(
    words: list[str], naive: datetime
) -> None:
    at = naive.replace(tzinfo=FRIDAY.tzinfo)
    text = " ".join(words)
    for one in mentions(text, at):
        assert isinstance(one, Mention)
        assert period(one.date, at.tzinfo)
        assert 0 <= one.start < one.end <= len(text)
    said = resolve(text, at)
    assert said is None or period(said, at.tzinfo)
