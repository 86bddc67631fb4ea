"""What chat programs have, read as what is remembered."""

import base64
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from agentcl import InvalidInput
from agentcl.memory.conversations.messages import Said, read_messages

NAIVE = datetime.fromisoformat("2026-03-29T10:00:00")
PICTURE = base64.b64encode(bytes(3_000)).decode()


def one(message: Any) -> Said:
    (said,) = read_messages(message)
    return said


def test_a_text_is_said_by_the_user() -> None:
    assert one("Good morning.") == Said(role="user", text="Good morning.")


def test_a_message_is_kept_as_it_came() -> None:
    said = one({"role": "assistant", "content": "好的明天见。", "name": "Ilka", "id": "m-1"})
    assert said == Said(role="assistant", text="好的明天见。", name="Ilka", message="m-1")


def test_a_thought_before_an_answer_is_kept_and_not_read_out() -> None:
    whole = "<think>She may mean Oslo.</think>\n\nDrain it."
    said = one({"role": "assistant", "content": whole})
    assert said == Said(role="assistant", text="Drain it.", content=whole)
    parts = [{"type": "text", "text": whole}]
    said = one({"role": "assistant", "content": parts})
    assert said == Said(role="assistant", text="Drain it.", content=parts)
    assert one({"role": "assistant", "content": "<think>cut o"}).text == ""
    assert one({"role": "user", "content": whole}) == Said(role="user", text=whole)


def test_calls_of_tools_and_their_results_stay_what_they_are() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "seek", "arguments": '{"a": 1}'}}
    asked, told = read_messages([
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": '{"found": 3}'},
    ])  # fmt: skip
    assert asked.more == {"tool_calls": [call]}
    assert asked.text == 'calls seek {"a": 1}'
    assert (told.text, told.more) == ('{"found": 3}', {"tool_call_id": "c1"})


def test_parts_of_anthropic_are_read() -> None:
    parts = [
        {"type": "thinking", "thinking": "hm", "signature": "x"},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "t", "name": "seek", "input": {"a": 1}},
    ]
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "3"}]}
    asked, told = read_messages([
        {"role": "assistant", "content": parts}, {"role": "user", "content": [result]},
    ])  # fmt: skip
    assert asked.text == 'I look.\ncalls seek {"a":1}'
    assert asked.content == parts
    assert (told.text, told.content) == ("3", [result])


def test_items_of_responses_are_read() -> None:
    items: list[dict[str, Any]] = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"type": "reasoning", "id": "r", "summary": []},
        {"type": "function_call", "id": "f", "call_id": "c", "name": "seek", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "3"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "Three."}]},
    ]
    said = read_messages(items)
    assert [each.role for each in said] == ["user", "assistant", "assistant", "tool", "assistant"]
    assert [each.text for each in said] == ["Hi", "", "calls seek {}", "3", "Three."]
    assert said[2].more is not None
    assert said[2].more["call_id"] == "c"


@pytest.mark.parametrize("part", [
    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}},
    {"type": "input_image", "image_url": f"data:image/png;base64,{PICTURE}"},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}},
], ids=["chat", "responses", "anthropic"])  # fmt: skip
def test_of_an_image_type_and_size_are_kept(part: Any) -> None:
    said = one({"role": "user", "content": [{"type": "text", "text": "Look:"}, part]})
    assert said.text == "Look:\n[image image/png, 3,000 bytes]"
    assert PICTURE not in repr(said)
    assert "3,000 bytes" in repr(said.content)


def test_of_audio_and_files_type_and_size_are_kept() -> None:
    speech = {"type": "input_audio", "input_audio": {"data": PICTURE, "format": "wav"}}
    file = {"type": "file", "file": {"file_data": PICTURE, "filename": "a.pdf"}}
    said = one({"role": "user", "content": [speech, file]})
    assert said.text == "[audio wav, 3,000 bytes]\n[file a.pdf 3,000 bytes]"
    answered = one({"role": "assistant", "audio": {"data": PICTURE, "transcript": "Yes."}})
    assert answered.text == "Yes."
    assert PICTURE not in repr((said, answered))


def test_what_a_tool_is_given_is_kept_whole() -> None:
    given = {"document": {"data": "a text, with spaces " * 20}, "data": PICTURE}
    said = one(
        {"role": "assistant", "content": [{"type": "tool_use", "name": "save", "input": given}]}
    )
    assert said.content[0]["input"] == given


def test_an_image_elsewhere_keeps_its_address() -> None:
    part = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    said = one({"role": "user", "content": [part]})
    assert (said.text, said.content) == ("[image https://example.org/a.png]", [part])


def test_a_result_of_json_is_kept_and_can_be_read() -> None:
    said = one({"role": "tool", "content": {"kelvin": [3, None]}})
    assert (said.text, said.content) == ('{"kelvin":[3,null]}', {"kelvin": [3, None]})


def test_objects_of_libraries_are_read() -> None:
    class Reply:
        def model_dump(self, **_: Any) -> dict[str, Any]:
            return {"role": "assistant", "content": "Yes."}

    assert one(Reply()) == one([Reply()]) == Said(role="assistant", text="Yes.")


@pytest.mark.parametrize("time", [
    "2026-03-29T10:00:00+02:00", "2026-03-29T08:00:00Z", 1774771200, 1774771200.0, 1774771200000,
    datetime(2026, 3, 29, 8, tzinfo=UTC), datetime(2026, 3, 29, 10, tzinfo=timezone(timedelta(hours=2))),
], ids=["offset", "zulu", "seconds", "float", "milliseconds", "utc", "zone"])  # fmt: skip
@pytest.mark.parametrize("name", ["time", "timestamp", "created_at"])
def test_times_are_moments(name: str, time: Any) -> None:
    said = one({"role": "user", "content": "x", name: time})
    assert said.moment == datetime(2026, 3, 29, 8, tzinfo=UTC)
    assert said.more is None


def test_the_offset_of_a_speaker_is_kept() -> None:
    said = one({"role": "user", "content": "x", "time": "2026-03-29T10:00:00+02:00"})
    assert said.moment is not None
    assert said.moment.isoformat() == "2026-03-29T10:00:00+02:00"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"role": "user", "content": "x", "time": "2026-03-29T10:00:00"}, r"no zone.*10:00:00Z"),
        ({"role": "user", "content": "x", "time": NAIVE}, "no zone"),
        ({"role": "user", "content": "x", "time": "yesterday"}, "no time"),
        ({"role": "user", "content": "x", "time": True}, "no time"),
        ({"role": "user", "content": "x", "time": 1e300}, "years 1 to 9999"),
        ({"role": "user", "content": "x", "time": float("nan")}, "no time"),
        ({"content": "x"}, "no role"),
        ({"role": "", "content": "x"}, "is no role"),
        ({"role": "a\nb", "content": "x"}, "is no role"),
        ({"role": 3, "content": "x"}, "role must be a string"),
        ({"role": "user"}, "no content"),
        ({"role": "user", "content": "\ud800"}, "surrogate"),
        ({"role": "user", "content": [{"type": "text", "text": {1, 2}}]}, "set"),
        ({"role": "user", "content": [{"type": "text", "text": float("inf")}]}, "inf"),
        ({"role": "user", "content": "x", "name": "a\0b"}, "NUL"),
        (3, "int 3 is no message"),
        (None, "None is no message"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_number(message: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=rf"(?s)message 2: .*{words}.*Nothing was stored"):
        read_messages(["first", message])


@pytest.mark.parametrize("messages", [b"bytes", 3, None], ids=["bytes", "number", "none"])
def test_what_holds_no_messages_is_refused(messages: Any) -> None:
    with pytest.raises(InvalidInput, match="must be a list"):
        read_messages(messages)


def test_nothing_said_is_a_message_too() -> None:
    assert one({"role": "assistant", "content": ""}).text == ""
    assert one({"role": "assistant", "content": None, "refusal": "No."}).text == "No."
    assert read_messages([]) == []


@pytest.mark.parametrize("calls", [3, "text", {"a": 1}, [3, None, {"function": 5}]])
def test_calls_of_an_odd_form_are_kept_and_not_read_out(calls: object) -> None:
    (said,) = read_messages({"role": "assistant", "content": "Hm.", "tool_calls": calls})
    assert said.text == "Hm."
    assert said.more == {"tool_calls": calls}
