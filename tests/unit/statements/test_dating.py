"""The dates that texts name, in each clause's tense and in other languages than English."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcl.statements.dates.dating import dated, tense_of

# Said on a Friday evening.
FRIDAY = datetime(2025, 6, 20, 21, 20, tzinfo=timezone(timedelta(hours=2)))
SAID = """
We moved in on Saturday. | 2025-06-14
The concert is on Saturday. | 2025-06-21
I've got an exam on Thursday. | 2025-06-26
It starts on the 3rd of February. | 2026-02-03
She left on the 5th. | 2025-06-05
I finish on the 30th of July, and she left on the 2nd of May. | 2025-07-30 2025-05-02
They moved it, but now it is on January 3. | 2026-01-03
The club meets the second Wednesday in August. | 2025-08-13
Full time since the first of March. | 2025-03-01
The gig is 19 July, Saturday, in town. | 2025-07-19
It begins on the twenty-first of July. | 2025-07-21
The exam is on the fourteenth, at noon. | 2025-07-14
We rent it since '21. | 2021
Das war letzten Montag. | 2025-06-16
Seit dem 5. Mai ist es kalt, und vor zwei Wochen war es warm. | 2025-05-05 2025-06-06
Am Dienstag fahre ich, ab August bleibe ich. | 2025-06-24 2025-08
\u00dcbermorgen oder in drei Wochen. | 2025-06-22 2025-07-11
El s\u00e1bado que viene es la fiesta. | 2025-06-21
Hace dos semanas, el 12 de mayo, me mud\u00e9. | 2025-06-06 2025-05-12
Lo dej\u00e9 el lunes pasado, vuelvo pasado ma\u00f1ana. | 2025-06-16 2025-06-22
Je suis ici depuis le 5 mai, et le mariage est le 29 septembre. | 2025-05-05 2025-09-29
Elle est partie hier, je pars demain. | 2025-06-19 2025-06-21
Il y a deux semaines ; on se voit jeudi prochain. | 2025-06-06 2025-06-26
Depuis janvier, \u00e0 partir du 1er juillet. | 2025-01 2025-07-01
\u5b9a\u5728 7 \u6708 15 \u53f7\u3002 | 2025-07-15
\u4e0a\u5468\u65e5\u6211\u642c\u5bb6\u4e86\u3002 | 2025-06-15
\u5b9a\u5728\u660e\u5e74\u4e94\u6708\u4e8c\u65e5\u3002 | 2026-05-02
\u4e24\u5468\u524d\u5f00\u59cb\u7684\u3002 | 2025-06-06
\u540e\u5929\u89c1\u3002 | 2025-06-22
"""
NONE = """
I pay today, and right now.
Ich wohne hier in der Stadt.
We waited for the second, not for the first.
The lift stops on the first and the second floor.
We swim every Saturday, and on a good Thursday twice.
Tuesday evenings are for pottery.
He works last shift this week.
Guten Morgen!
Por la ma\u00f1ana bebo t\u00e9.
I have 12 apples and may eat one.
"""


@pytest.mark.parametrize("case", SAID.strip().splitlines())
def test_each_date_is_resolved_in_the_tense_of_its_clause(case: str) -> None:
    said, expected = case.split(" | ")
    assert [one.date for one in dated(said, FRIDAY)] == expected.split()


@pytest.mark.parametrize("said", NONE.strip().splitlines())
def test_what_says_no_more_than_the_day_it_was_said_is_left_out(said: str) -> None:
    assert dated(said, FRIDAY) == []


def test_a_date_stands_where_it_was_said() -> None:
    text = "All fine. Hace dos semanas I came, and I leave next Friday."
    first, second = dated(text, FRIDAY)
    assert text[first.start : first.end] == "Hace dos semanas"
    assert text[second.start : second.end].endswith("next Friday")


@pytest.mark.parametrize(
    ("text", "role"), [("Since '24 I row.", "since"), ("I have the flat till '26.", "until")]
)
def test_a_short_year_tells_what_begins_or_ends_then(text: str, role: str) -> None:
    assert [one.role for one in dated(text, FRIDAY)] == [role]


def test_a_verb_of_the_past_does_not_carry_a_near_date_back_a_year() -> None:
    assert tense_of("the exam was moved") == "past"
    (found,) = dated("The exam was moved to the 26th of July.", FRIDAY)
    assert found.date == "2025-07-26"


def test_the_same_moment_elsewhere_is_another_day() -> None:
    (here,) = dated("I left yesterday.", FRIDAY)
    (there,) = dated("I left yesterday.", FRIDAY.astimezone(timezone(timedelta(hours=9))))
    assert (here.date, there.date) == ("2025-06-19", "2025-06-20")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80), st.datetimes(timezones=st.just(FRIDAY.tzinfo)))
def test_any_text_is_read(text: str, at: datetime) -> None:
    for one in dated(text, at):
        assert 0 <= one.start < one.end <= len(text)
