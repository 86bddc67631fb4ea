"""What rules and the small trained model read out of chat."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from agentcl.retrieval.conditions import is_installed
from agentcl.statements import LearnedDigester
from agentcl.statements.digesters.tagging import (
    BEGIN,
    INSIDE,
    OUTSIDE,
    Span,
    StatementTagger,
    Tagged,
    spans_of,
    tags_of,
)
from agentcl.statements.reading import Assertion
from agentcl.store.conversations import Turn

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)  # a Wednesday


def turns(*said: str) -> list[Turn]:
    """The user speaks first, and the assistant answers."""
    roles = ("user", "assistant")
    return [
        Turn(id=str(n), role=roles[n % 2], text=text, ordinal=n, said_at=AT.isoformat())
        for n, text in enumerate(said)
    ]


class Scripted(StatementTagger):
    """A tagger that says what it is told, and notes what it was given."""

    def __init__(self, *says: Tagged) -> None:
        self.says, self.given = says, list[tuple[str, str]]()

    def read(
        self, sentences: Sequence[tuple[str, str]], *, sure: float = 0.5
    ) -> list[list[Tagged]]:
        self.given += sentences
        return [
            [one for one in self.says if one.value in text and one.sure >= sure]
            for _, text in sentences
        ]


def read(said: Sequence[Turn], *says: Tagged, sure: float = 0.5) -> Sequence[Assertion]:
    return LearnedDigester(Scripted(*says), sure=sure).digest(said, ()).said


def test_what_the_model_reads_becomes_an_assertion_with_its_date_and_owner() -> None:
    said = turns("Our Corva died last Friday, my aunt drives it to the scrapyard.")
    stated = Tagged("possession", "Corva", "my aunt", "our thing", "last Friday", ended=True)
    made = next(one for one in read(said, stated) if one.value == "Corva")
    assert (made.subject, made.attribute, made.value) == ("aunt", "thing", "Corva")
    assert (made.polarity, made.since, made.turns) == ("ended", "2026-02-27", (0,))


def test_a_slot_without_words_for_it_has_a_plain_name() -> None:
    said = turns("At seven for Zurvane and at nine for Pollix, on QX-77.")
    made = read(
        said,
        Tagged("work_time", "seven"),
        Tagged("other", "Pollix"),
        Tagged("identifier", "QX-77"),
    )
    assert [one.attribute for one in made] == ["work time", "fact", "number"]


def test_two_things_of_which_nothing_says_what_they_are_hold_beside_each_other() -> None:
    said = turns("Zurvane is open, Pollix is shut, and the date for Grell is 9 May.")
    made = read(said, Tagged("other", "open", "Zurvane"), Tagged("date", "9 May", "Grell"))
    held = {
        one.value: (one.is_member, one.since) for one in made if one.subject in ("Zurvane", "Grell")
    }
    assert (held["open"], held["9 May"]) == ((True, ""), (False, "2026-05-09"))


def test_a_pronoun_means_whom_something_was_said_of_before() -> None:
    said = turns("Grell has a kiln.", "Where?", "Her shop is called Pollix, mine is Zurvane.")
    stated = [
        Tagged("possession", "kiln", "Grell"),
        Tagged("employer", "Pollix", "Her"),
        Tagged("employer", "Zurvane", "mine"),
    ]
    made = {one.value: one.subject for one in read(said, *stated)}
    assert (made["Pollix"], made["Zurvane"]) == ("Grell", "user")
    assert not read(turns("Her shop, the Pollix."), stated[1])


def test_what_rules_have_read_is_not_read_twice() -> None:
    made = read(turns("I live in Tarvo."), Tagged("home", "Tarvo"), Tagged("likes", "Tarvo"))
    assert [(one.attribute, one.value) for one in made] == [("home", "Tarvo")]


def test_what_the_words_do_not_bear_out_is_left_out_and_counted() -> None:
    digester = LearnedDigester(Scripted(Tagged("home", "Tarvo", who="Grell")))
    found = digester.digest(turns("The trams of Tarvo are late."), ())
    assert (found.said, found.dropped) == ((), 1)


def test_only_what_is_sure_enough_counts() -> None:
    said = turns("Tarvo again, as ever.")
    assert not read(said, Tagged("home", "Tarvo", sure=0.6), sure=0.7)
    assert read(said, Tagged("home", "Tarvo", sure=0.6), sure=0.5)[0].confidence == 0.6


def test_a_turn_is_read_behind_what_was_said_before_and_nothing_that_is_quoted_is_read() -> None:
    tagger = Scripted()
    LearnedDigester(tagger).digest(
        turns(
            'Nice. Translate "I live in Rome for ever and ever": please.',
            "Which size?",
            "42, and thanks.",
        ),
        (),
    )
    before, text = tagger.given[-1]
    assert text == "42, and thanks."
    assert before.endswith("Which size?")
    assert not any("Rome" in text for _, text in tagger.given)


def test_spans_do_not_go_over_from_one_sentence_to_the_next() -> None:
    begin, inside = 1, 2
    tags = [begin, inside, inside, OUTSIDE, inside, begin]
    assert spans_of(tags, [0, 0, 1, 1, 1, None]) == [Span(0, 2), Span(2, 3), Span(4, 5)]


def test_a_word_is_told_whole_and_stops_between_words_go_with_them() -> None:
    torch = pytest.importorskip("torch")
    # "KV - 204 , thanks": of the three pieces of the first word one is in doubt.
    chances = [
        [0.1, 0.8, 0.1],
        [0.9, 0.05, 0.05],
        [0.1, 0.1, 0.8],
        [0.9, 0.0, 0.1],
        [0.2, 0.1, 0.7],
    ]
    tags, inside = tags_of(torch.tensor(chances).log(), [Span(0, 3), Span(4, 5)], 0.5)
    assert tags == [BEGIN, INSIDE, INSIDE, INSIDE, INSIDE]
    assert inside[0] == inside[2] == pytest.approx(1 - 1.1 / 3, abs=1e-6)


needs_model = pytest.mark.skipif(not is_installed(), reason="the model needs agentcl[local]")


@needs_model
def test_what_is_said_by_the_way_is_read() -> None:
    found = LearnedDigester().digest(
        turns(
            "How do I get wax out of a coat? My sister Ilka works as a baker in Oudra, she asked me.",
            "With an iron and brown paper.",
            "Thanks! Since we moved to Tessary in January everything is dusty.",
        ),
        (),
    )
    values = {one.value for one in found.said}
    assert any("baker" in value for value in values)
    assert any("Tessary" in value for value in values)
    assert not any("wax" in value or "paper" in value for value in values)


@needs_model
@pytest.mark.parametrize(
    "text",
    [
        "How warm is lava?",
        "Thanks, that will do.",
        "\u200b",
        "?" * 5_000,
        "word " * 30_000,
        "漢字 🍕 \x00",
    ],
)
def test_what_states_nothing_is_read_without_harm(text: str) -> None:
    assert not LearnedDigester().digest(turns(text), ()).said


@needs_model
def test_the_same_is_read_each_time_in_any_company() -> None:
    tagger = StatementTagger()
    one = ("", "We live in Tessary and our dog is called Bru.")
    others = [
        ("", "Ok."),
        ("Which size?", "42, and send it to the office in Oudra, not to my flat."),
    ]
    alone, among = tagger.read([one])[0], tagger.read([*others, one])[-1]
    assert [(s.slot, s.value, s.who, s.ended) for s in alone] == [
        (s.slot, s.value, s.who, s.ended) for s in among
    ]
