"""Clauses taken apart: who, what is said of him, and of what."""

from datetime import datetime, timedelta, timezone

import pytest

from agentcl.statements.english.clauses import clauses

FRIDAY = datetime(2025, 6, 20, 21, 20, tzinfo=timezone(timedelta(hours=2)))


def read(text: str, person: str = "") -> list[tuple[str, str, str]]:
    return [(one.subject, one.attribute, one.value) for one in clauses(text, FRIDAY, person)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We teach pottery at the harbour school.", ("user", "teach", "pottery at the harbour school")),
        ("The user is moving to Orvane in August.", ("user", "home", "Orvane")),
        ("Jettra lives in Quill.", ("Jettra", "home", "Quill")),
        ("Jettra is my new apprentice.", ("Jettra", "relation", "new apprentice")),
        ("Jettra's number is 555-0199.", ("Jettra", "number", "555-0199")),
        ("The Morrow report slips from May 2 to July 14.", ("Morrow report", "date", "2025-07-14")),
        ("I no longer use Plimtrack.", ("user", "uses", "Plimtrack")),
        ("I'm not in Stell any more.", ("user", "place", "Stell")),
    ],
)  # fmt: skip
def test_a_clause_says_something_of_somebody(text: str, expected: tuple[str, str, str]) -> None:
    assert read(text)[0] == expected


def test_the_first_and_the_third_person_say_the_same() -> None:
    assert read("My oven is a Brask 4.") == read("The user's oven is a Brask 4.")


def test_what_was_so_before_a_change_held_until_then() -> None:
    new, old = clauses("We switched from Plimtrack to Orlo last Friday.", FRIDAY)
    assert (new.value, new.since, new.until) == ("Orlo", "2025-06-13", "")
    assert (old.value, old.since, old.until) == ("Plimtrack", "", "2025-06-13")


def test_what_ends_on_a_day_to_come_holds_until_then() -> None:
    (one,) = clauses("I leave Brandt on 30 July.", FRIDAY)
    assert (one.ended, one.since, one.until) == (False, "", "2025-07-30")


def test_a_pronoun_is_who_or_what_was_spoken_of() -> None:
    assert read("My sister says hello, she lives in Quill.") == [("sister", "home", "Quill")]
    assert read("I dropped my camera in the pond, so it's a Fenn 7 now.") == [
        ("user", "camera", "Fenn 7")
    ]
    assert read("She lives in Quill.") == []
    assert read("She lives in Quill.", "Jettra") == [("Jettra", "home", "Quill")]


def test_its_sentence_is_in_the_third_person_and_names_the_day() -> None:
    (one,) = clauses("I've rented my boat to Jettra since last Friday.", FRIDAY)
    assert one.text == (
        "The user has rented the user's boat to Jettra since last Friday (2025-06-13)."
    )


@pytest.mark.parametrize(
    "text",
    [
        "I took them to a noodle bar.",
        "I'm writing a toast.",
        "I have to run.",
        "I don't own a car.",
        "My knees are sore.",
        "It was lovely.",
        "I'm sure.",
    ],
)
def test_what_is_over_or_passes_says_nothing(text: str) -> None:
    assert read(text) == []
