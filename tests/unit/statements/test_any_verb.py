"""What is read of clauses with any verb, of nouns that take something for granted, and of short answers."""

from datetime import datetime, timedelta, timezone

import pytest

from agentcl.statements import RuleDigester
from agentcl.statements.english.open_verbs import lemma_of
from agentcl.statements.reading import Assertion
from agentcl.store.conversations import Turn

WEDNESDAY = datetime(2025, 4, 9, 18, 0, tzinfo=timezone(timedelta(hours=2)))


def said(*texts: str) -> tuple[Assertion, ...]:
    """Return what is read of an exchange in which the user speaks last."""
    first = (len(texts) + 1) % 2
    turns = [
        Turn(
            id=str(place),
            sources=("c",),
            role="user" if (place + first) % 2 == 0 else "assistant",
            text=text,
            said_at=(WEDNESDAY + timedelta(minutes=place)).isoformat(),
            ordinal=place,
        )
        for place, text in enumerate(texts)
    ]
    return RuleDigester().digest(turns, ()).said


def read(*texts: str) -> set[tuple[str, str, str, str]]:
    return {(one.subject, one.attribute, one.value, one.since) for one in said(*texts)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We fly to Bergen on the 3rd of May.", ("user", "fly to", "Bergen", "2025-05-03")),
        ("We go to Bergen on the 3rd of May.", ("user", "go to", "Bergen", "2025-05-03")),
        ("From May I work four days a week.", ("user", "work time", "four days a week", "2025-05")),
        ("I've decided on the Corvo 3.", ("user", "decide on", "Corvo 3", "")),
        ("I got a Corvo 3.", ("user", "has", "Corvo 3", "")),
        ("Bought a Corvo 3.", ("user", "has", "Corvo 3", "")),
        ("Just started at Brackwell Tiles.", ("user", "employer", "Brackwell Tiles", "")),
        ("Jettra walks the dog.", ("Jettra", "walk", "dog", "")),
        ("My colleague Malin handles the invoices.", ("Malin", "handle", "invoices", "")),
        ("Dad's moved to Truro.", ("dad", "home", "Truro", "")),
        ("Nell's teacher is Mr Abara.", ("Nell", "teacher", "Mr Abara", "")),
        ("She has a friend, Jettra, who's allergic to egg.", ("Jettra", "allergy", "egg", "")),
        ("My wife's new lab opens on the 16th.", ("wife", "new lab", "2025-04-16", "2025-04-16")),
        ("The rent is going up to 980 in September.", ("user", "rent", "980", "2025-09")),
        ("They doubled my dose to 40 mg.", ("user", "dose", "40 mg", "")),
        ("The budget is 12,000.", ("user", "budget", "12,000", "")),
        ("My best time is 21:40 for 5k.", ("user", "best time", "21:40", "")),
        ("I'm left-handed.", ("user", "is", "left-handed", "")),
        ("I'm on a ThinkBook now.", ("user", "be on", "ThinkBook", "")),
        ("The wedding got moved to the 16th.", ("wedding", "date", "2025-04-16", "")),
        ("The 240 pages are due on 20 October.", ("240 pages", "due", "2025-10-20", "2025-10-20")),
        ("Lunch is on June 20, the 27th is the party.", ("party", "date", "2025-06-27", "")),
    ],
)
def test_any_verb_is_read(text: str, expected: tuple[str, str, str, str]) -> None:
    assert expected in read(text)


@pytest.mark.parametrize(
    "text",
    [
        "I think Bergen is nice.",
        "I said Bergen.",
        "I sleep late.",
        "I walked the dog.",
        "I could move to Bergen.",
        "I never flew to Bergen.",
        "I ended up laughing.",
        "I'm on it.",
        "I'm on my way.",
        "Don't call me Orlo.",
        "It's 32 now.",
        "I might visit my sister in Ghent.",
        "If my landlady in Pune calls, what do I say?",
    ],
)
def test_what_lasts_not_or_is_not_so_is_left_alone(text: str) -> None:
    assert read(text) == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Can you write to my landlady in Pune?", ("landlady", "place", "Pune", "")),
        ("How do I leave my gym in Gent?", ("user", "gym", "in Gent", "")),
        ("I do it in Transvale, my old tool.", ("user", "tool", "Transvale", "")),
        ("Is my clinic, Haldane Vets, open today?", ("user", "clinic", "Haldane Vets", "")),
        ("The landlord, Piet Hovarth, wants us out.", ("user", "landlord", "Piet Hovarth", "")),
    ],
)
def test_a_noun_takes_for_granted_what_it_names(
    text: str, expected: tuple[str, str, str, str]
) -> None:
    assert expected in read(text)


def test_the_only_date_of_a_sentence_is_of_the_only_thing_in_it() -> None:
    assert ("user", "job", "team lead", "2025-04-07") in read(
        "Since Monday, by the way, I'm a team lead."
    )


@pytest.mark.parametrize(
    "text",
    [
        "Ich wohne seit Mai in Kassel und arbeite bei der Firma Brandt.",
        "Wir haben am Freitag den Vertrag mit Helder unterschrieben.",
        "Die Miete ist jetzt 640 Euro.",
        "Was 1995 noch ging, geht heute nicht.",
        "Vivo en Granada desde 2019 y trabajo en Helderwerk.",
        "Mi hermana Jettra se muda a Leuven el 3 de mayo.",
        "Ik woon in Gent en werk bij Brandt.",
        "Mon fr\u00e8re habite \u00e0 Lyon depuis 2020.",
        "\u6211\u4e94\u6708\u4e09\u53f7\u642c\u5230\u4e0a\u6d77\u3002",
    ],
)
def test_nothing_is_read_of_other_languages(text: str) -> None:
    assert read(text) == set()


def test_a_verb_behind_a_noun_is_no_part_of_it() -> None:
    assert read("My sister lives in Antwerp.") == {("sister", "home", "Antwerp", "")}


def test_her_dad_is_of_whom_was_spoken_of() -> None:
    assert ("Nell", "dad", "Sixten", "") in read(
        "My daughter Nell is asleep. Her dad, Sixten, too."
    )


@pytest.mark.parametrize(
    ("asked", "answer", "expected"),
    [
        ("What is the amount?", "45,000 rupees.", ("user", "amount", "45,000 rupees", "")),
        ("Which browser do you use?", "Wickstrom 4.", ("user", "browser", "Wickstrom 4", "")),
        ("When is your exam?", "12 May.", ("user", "exam", "2025-05-12", "2025-05-12")),
        ("When does the shop open?", "On 15 August.", ("shop", "open", "2025-08-15", "2025-08-15")),
    ],
)
def test_a_short_answer_is_the_value_of_what_was_asked(
    asked: str, answer: str, expected: tuple[str, str, str, str]
) -> None:
    assert expected in read(asked, answer)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("What is the amount?", "No idea, sorry."),
        ("What is the amount?", "You said 45,000."),
        ("What would you like to add?", "Nothing. Thanks, Orla."),
        ("Shall I add the amount?", "Yes, 45,000."),
        ("When is your exam?", "Soon."),
    ],
)
def test_what_is_no_answer_states_nothing(asked: str, answer: str) -> None:
    assert read(asked, answer) == set()


@pytest.mark.parametrize(
    ("form", "lemma"),
    [
        ("went", "go"), ("flies", "fly"), ("stopped", "stop"), ("relocated", "relocate"), ("carries", "carry"),
        ("rolled", "roll"), ("kneading", "knead"), ("go", "go"), ("said", "say"), ("swapping", "swap"),
    ],
)  # fmt: skip
def test_the_lemma_of_any_form(form: str, lemma: str) -> None:
    assert lemma_of(form) == lemma
