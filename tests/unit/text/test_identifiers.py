import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.text.identifiers import Identifiers


def alike(query: str, text: str) -> float:
    """Return which share of what a query asks for a text holds."""
    asked = Identifiers(query).asked_keys()
    return len(Identifiers(text).held_keys().intersection(asked)) / len(asked) if asked else 0.0


@pytest.mark.parametrize(
    "identifier",
    [
        "2024-05-03", "1.10", "v1.10", "10.0.0.1", "ERR_CONN_RESET", "getUserById", "parse_tide_table",
        "user-auth-service", "AB-1203", "550e8400-e29b-41d4-a716-446655440000", "/etc/tide/harbour.conf",
        "C:\\tide\\harbour.ini", "mara.lind@example.org", "--dry-run", "-p", "C++", "C#", ".env", "$HOME", "#12",
        "1,234.50", "std::vector", "https://example.org/a?b=1", "feature/tide-table-2", "0x1f4-ab", "größe_max",
        "10^6", "queue->drain", "DE89 3704 0044 0532 0130 00",
    ],
)  # fmt: skip
def test_an_identifier_is_one_in_a_sentence_too_whatever_punctuation_is_around_it(
    identifier: str,
) -> None:
    assert alike(f"What is known about {identifier}?", f"They saw ({identifier}), and left.") == 1


@pytest.mark.parametrize(
    ("query", "better", "worse"),
    [
        ("getUserById", "getUserById", "GetUserByID"),
        ("getUserById", "get_user_by_id", "getUserByIds"),
        ("get-user-by-id", "getUserById", "get-id-by-user"),
        ("2024-05-03", "2024/05/03", "2024-03-05"),
        ("2024-05-03", "3 May 2024", "5 March 2024"),
        ("May 3rd, 2024", "2024-05-03", "2024-03-05"),
        ("2024-05-03", "2024-5-3", "2024-5-30"),
        ("2024-05-03", "2024-05-03T10:00:00Z", "2024-05-13T10:00:00Z"),
        ("10.0.0.1", "10.0.0.1", "10.0.0.1:8080"),
        ("10.0.0.1", "10.0.0.1:8080", "10.0.0.12:8080"),
        ("1.10", "v1.10", "1.1"),
        ("1.1", "1.1", "1.1.0"),
        ("AB-1203", "AB1203", "AB-1230"),
        ("1234.50", "1,234.50", "1,234.05"),
        ("harbour.conf", "/etc/tide/harbour.conf", "/etc/harbour/tide.conf"),
        ("example.org", "mara@example.org", "mara.example@org"),
        ("+49 30 1234567", "+49 (30) 123-4567", "+49 30 1234576"),
        ("20240503", "2024-05-03", "2024-03-05"),
        ("5551234567", "555-123-4567", "555-456-1237"),
        ("AB\u20111203", "AB-1203", "AB-1302"),
        ("12%", "12%", "12"),
        ("10^6", "10^6", "6^10"),
        ("queue->drain", "queue->drain", "drain->queue"),
        ("DE89 3704 0044 0532 0130 00", "DE89370400440532013000", "DE98370400440532013000"),
        ("DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "DE98 3704 0044 0532 0130 00"),
        ("\uff11\uff0e\uff11\uff10", "1.10", "1.1"),
        ("版本1.10", "版本 1.10", "版本 11.0"),
    ],
)
def test_the_nearer_of_two_spellings_holds_more_of_what_is_asked(
    query: str, better: str, worse: str
) -> None:
    assert alike(query, f"It was {better}.") > alike(query, f"It was {worse}.")


@pytest.mark.parametrize(
    "question",
    [
        "When did the 19th-century well-known playwright of the U.S. (1564 - 1616) move in 1961?",
        "Who won the 2014\u201315 season in a 4-cylinder car, and was it O'Brien or McDonald?",
        "What is a 10 percent all-or-nothing state-of-the-art mid-1970s offer and/or deal?",
    ],
)
def test_words_of_a_question_are_no_identifiers(question: str) -> None:
    assert Identifiers(question).asked_keys() == ()
    assert Identifiers(question).compounds() == []


@pytest.mark.parametrize("alone", ["1203", "dry-run", "2014-15", "A002 B005"])
def test_what_is_asked_for_alone_is_looked_up_as_it_stands(alone: str) -> None:
    assert alike(alone, f"It was {alone} again.") == 1
    assert Identifiers(f"{alone} again?").asked_keys() == ()


@pytest.mark.parametrize(
    ("asked", "held", "other"),
    [("2-1", "2-1", "1-2"), ("9783161484100", "978-3-16-148410-0", "978-3-16-148401-0")],
)
def test_scores_and_long_numbers_are_looked_up_in_a_sentence_too(
    asked: str, held: str, other: str
) -> None:
    question = f"What do we know of {asked}, and since when?"
    assert alike(question, f"It was {held}.") > alike(question, f"It was {other}.")


def test_names_of_code_are_found_by_their_parts_and_without_their_joints() -> None:
    assert Identifiers("call getUserById(x)").part_terms() == ["get", "user", "by", "id"]
    assert Identifiers("call parse_tide_table(x)").part_terms() == ["parsetidetable"]
    assert Identifiers("Ronald McDonald sings").part_terms() == []


PART = st.text("abcxyz", min_size=3, max_size=5)


@given(st.lists(PART, min_size=2, max_size=5), st.sampled_from("_./"))
def test_no_other_order_of_the_parts_is_the_same(parts: list[str], joint: str) -> None:
    own, other = joint.join(parts), joint.join(sorted(parts))
    assert alike(f"{own}1", f"{own}1") == 1
    assert (alike(f"{own}_1", f"{other}_1") == 0) == (own != other)


@given(st.text())
def test_any_text_has_keys_that_sqlite_can_keep_and_finds_itself(text: str) -> None:
    found = Identifiers(text)
    assert all(0 <= key < 2**63 for key in found.held_keys())
    assert set(found.asked_keys()) <= found.held_keys()
