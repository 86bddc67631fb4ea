"""Whether a text asks only: then it is no evidence for what is asked again."""

import pytest

from agentcl.statements.english.hearing import asked_in


@pytest.mark.parametrize(
    "text",
    [
        "Where does my sister live?",
        "where does my sister live",
        "Hi! Where does my sister live?",
        "Tell me where my sister lives.",
        "what colour is my car",
        "how many bees does Mira keep",
        "is my car red",
        "Wo wohnt meine Schwester?",
        "姐姐住在哪里\uff1f",
    ],
)
def test_a_question_asks_with_a_question_mark_or_without(text: str) -> None:
    assert asked_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hello!",
        "When I was in Rome I met Ana.",
        "What I did was fun",
        "What a nice day.",
        "I moved. Where is my passport?",
        "What should I cook for Ida? She must not eat nuts.",
    ],
)
def test_what_states_something_does_not_only_ask(text: str) -> None:
    assert asked_in(text) == ""


def test_a_greeting_is_not_asked() -> None:
    assert asked_in("Hi there! Good morning.\nWhere is it?") == "Where is it?"
