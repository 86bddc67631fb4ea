"""Words and objects from models that think aloud, wrap what they say, and are cut off."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from agentcl import ModelUnavailable, NoAnswer, RequestRefused, SchemaViolation
from agentcl.models import GREEDY, Message, Reply, Sampling, Usage, ask_object, ask_text
from agentcl.models.base import Finish, Schema

ASK = [Message("system", "Be brief."), Message("user", "When does the ferry leave?")]
SCHEMA = {"type": "object", "properties": {"hour": {"type": "integer"}}, "required": ["hour"]}
LISTS = {
    "type": "object",
    "properties": {
        "hours": {"type": "array", "items": {"type": "integer"}},
        "names": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["hours"],
    "additionalProperties": False,
}


def reply(text: str, finish: Finish = "stop", thought: str = "") -> Reply:
    return Reply(text, Usage(1, 5, 3), "thinker", finish, thought=thought)


class Thinker:
    """Gives its replies in their order; a number is the most tokens that it can be asked for."""

    name = "thinker"

    def __init__(self, *replies: Reply, most_tokens: int = 100_000) -> None:
        self.asked: list[tuple[Sequence[Message], Sampling]] = []
        self._replies = iter(replies)
        self._most_tokens = most_tokens

    def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling = GREEDY,
        schema: Schema | None = None,
    ) -> Reply:
        if sampling.max_tokens > self._most_tokens:
            raise RequestRefused(f"at most {self._most_tokens} tokens")
        self.asked.append((messages, sampling))
        return next(self._replies)

    def stream(self, messages: Sequence[Message], *, sampling: Sampling = GREEDY) -> Iterator[str]:
        raise ModelUnavailable("it does not stream")

    def fingerprint(self) -> str:
        return "thinker"


def test_an_answer_in_words_comes_without_its_thoughts() -> None:
    model = Thinker(reply("<think>Six? No.</think>\n\nAt seven."))
    heard = ask_text(model, ASK)
    assert heard.text.strip() == "At seven."
    assert "Six? No." in heard.thought
    plain = reply(" At seven.\n")
    assert ask_text(Thinker(plain), ASK) == plain


@pytest.mark.parametrize(
    "cut",
    [
        reply("<think>I could say six", "length"),
        reply("I could say six", "length"),  # the template opened the thought
        reply('I have to end with "Answer: " and a time. Answer: si', "length"),
        reply("", "length", "I could say six"),
    ],
)
def test_who_was_cut_off_while_thinking_is_asked_again_with_room(cut: Reply) -> None:
    model = Thinker(cut, reply("<think>Six? No.</think>At seven."))
    heard = ask_text(model, ASK, sampling=Sampling(max_tokens=128))
    assert (heard.text, heard.usage.calls) == ("At seven.", 2)
    (first, few), (second, more) = model.asked
    assert first == second
    assert (few.max_tokens, more.max_tokens) == (128, 8192)


def test_the_room_to_think_is_as_large_as_the_endpoint_allows() -> None:
    model = Thinker(reply("", "length"), reply("At seven."), most_tokens=3_000)
    assert ask_text(model, ASK).text == "At seven."
    assert model.asked[1][1].max_tokens == 2048
    model = Thinker(reply("<think>", "length"), most_tokens=512)
    with pytest.raises(NoAnswer, match="max_tokens"):
        ask_text(model, ASK)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (reply("<think>Six?</think>"), "only thought"),
        (reply("", thought="Six?"), "reasoning_content: 'Six"),
        (reply(""), "said nothing"),
        (reply("<think>Six", "length"), "raise that"),
    ],
)
def test_a_thought_is_never_an_answer(said: Reply, words: str) -> None:
    model = Thinker(said, said)
    with pytest.raises(NoAnswer, match=words):
        ask_text(model, ASK)
    assert len(model.asked) == 2
    assert ask_text(Thinker(said, reply("At seven.")), ASK).text == "At seven."


def test_an_answer_that_a_server_takes_for_reasoning_is_one_where_it_is_marked() -> None:
    said = reply("", thought="It leaves early.\nAnswer: at seven")
    assert ask_text(Thinker(said), ASK).text == "It leaves early.\nAnswer: at seven"
    assert ask_object(Thinker(reply("", thought='{"hour": 7}')), ASK, schema=SCHEMA).value == {
        "hour": 7
    }


@pytest.mark.parametrize(
    "text",
    [
        'The schema {hour} asks for an hour. First {"hour": 6}, no: {"hour": 7}',
        '```JSON\n{"hour": 7}\n``` as you wished',
        '```json {"hour": 7} ```',
        '\ufeff{"hour": 7}',
        '<think>{"hour": 6}</think>{"hour": 7}',
        'maybe {"hour": 6}</think>\n```json\n{"hour": 7}\n```',
        '{"hour": 7} {"note": "that is all"}',
        '{"hour": 7, "why": "<think>"}',
        '[{"hour": 7}]',
        '{"answer": {"hour": 7}}',
        '{"name": "answer", "arguments": {"hour": 7}}',
        '<tool_call>\n{"name": "answer", "arguments": "{\\"hour\\": 7}"}\n</tool_call>',
        '"{\\"hour\\": 7}"',
        '{"hour": 7, "why": ["it is early",],}',
        '{"why": "a, }", "hour": 7,\n}',
    ],
)
def test_the_last_value_that_fits_is_found_in_one_call(text: str) -> None:
    pytest.importorskip("jsonschema")
    model = Thinker(reply(text))
    assert ask_object(model, ASK, schema=SCHEMA).value["hour"] == 7
    assert len(model.asked) == 1


@pytest.mark.parametrize(
    "cut",
    [
        reply('<think>It may be {"hour": 6}, but', "length"),
        reply('It may be {"hour": 6}, but', "length"),
        reply("", "length", 'It may be {"hour": 6}'),
    ],
)
def test_what_was_only_thought_of_when_it_was_cut_off_is_no_object(cut: Reply) -> None:
    pytest.importorskip("jsonschema")
    model = Thinker(cut, reply('{"hour": 7}'))
    found = ask_object(model, ASK, schema=SCHEMA)
    assert (found.value, found.usage.calls) == ({"hour": 7}, 2)
    assert model.asked[1][0] == ASK
    assert model.asked[1][1].max_tokens == 8192
    with pytest.raises(SchemaViolation, match="max_tokens"):
        ask_object(Thinker(cut, cut), ASK, schema=SCHEMA)


@pytest.mark.parametrize(
    "text", ['{"hour": "seven"}', '{"day": {"of": {"it": {"hour": 7}}}}', "[7]"]
)
def test_a_value_far_within_another_is_no_answer(text: str) -> None:
    pytest.importorskip("jsonschema")
    model = Thinker(reply(text), reply('{"hour": 8}'))
    assert ask_object(model, ASK, schema=SCHEMA).value == {"hour": 8}


def test_where_nothing_is_required_no_part_is_taken_for_the_whole() -> None:
    pytest.importorskip("jsonschema")
    schema = {"type": "object", "properties": {"hour": {"type": "integer"}}}
    model = Thinker(reply('{"hour": {"early": 7}}'), reply('{"hour": 8}'))
    assert ask_object(model, ASK, schema=schema).value == {"hour": 8}


def test_a_part_of_an_object_that_was_cut_off_is_no_object() -> None:
    pytest.importorskip("jsonschema")
    cut = reply('{"a": {"hour": 6}, "b": "tr', "length")
    model = Thinker(cut, reply('{"hour": 7}'))
    assert ask_object(model, ASK, schema={"type": "object"}).value == {"hour": 7}


@pytest.mark.parametrize(
    ("value", "kept", "dropped"),
    [
        ('{"hours": [7, "eight", 9, null]}', {"hours": [7, 9]}, 2),
        ('{"hours": [], "names": []}', {"hours": [], "names": []}, 0),
        ('{"hours": [7], "names": ["a", 1]}', {"hours": [7], "names": ["a"]}, 1),
        ('{"hours": [7], "why": "it is early"}', {"hours": [7], "why": "it is early"}, 0),
    ],
)
def test_what_fits_of_a_list_is_kept_and_the_rest_counted(
    value: str, kept: dict[str, Any], dropped: int
) -> None:
    pytest.importorskip("jsonschema")
    found = ask_object(Thinker(reply(value)), ASK, schema=LISTS, is_partial=True)
    assert (found.value, found.dropped) == (kept, dropped)


@pytest.mark.parametrize("value", ['{"hours": ["seven"]}', '{"hours": 7}', "[7]", "{}"])
def test_where_nothing_fits_it_is_asked_again(value: str) -> None:
    pytest.importorskip("jsonschema")
    model = Thinker(reply(value), reply('{"hours": [7]}'))
    assert ask_object(model, ASK, schema=LISTS, is_partial=True).value == {"hours": [7]}
    assert len(model.asked) == 2
    with pytest.raises(SchemaViolation):
        ask_object(Thinker(reply(value), reply(value)), ASK, schema=LISTS)


def test_what_is_accepted_may_be_less_than_what_is_asked_for() -> None:
    pytest.importorskip("jsonschema")
    asked = {**LISTS, "required": ["hours", "names"]}
    found = ask_object(Thinker(reply('{"hours": [7]}')), ASK, schema=asked, accept=LISTS)
    assert found.value == {"hours": [7]}
