"""Transcripts of coding agents: what was said in a session is remembered, and again when it went on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agentcl import Memory
from agentcl.cli.main import main
from agentcl.cli.transcripts import said_in

CLAUDE: list[dict[str, Any]] = [
    {"type": "summary", "summary": "A session", "leafUuid": "u9"},
    {"type": "file-history-snapshot", "messageId": "u1", "snapshot": {}},
    {"type": "user", "isMeta": True, "uuid": "u0", "message": {"role": "user", "content": "Caveat: ..."}},
    {"type": "user", "uuid": "u1", "timestamp": "2026-11-20T10:00:00.000Z", "sessionId": "s-1", "cwd": "/home/ada",
     "message": {"role": "user", "content": "Why does the ferry test fail?"}},
    {"type": "assistant", "uuid": "u2", "timestamp": "2026-11-20T10:00:04.000Z", "message": {"role": "assistant",
     "id": "msg_1", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "I look."}]}},
    {"type": "assistant", "uuid": "u3", "timestamp": "2026-11-20T10:00:05.000Z", "message": {"role": "assistant",
     "id": "msg_1", "content": [{"type": "tool_use", "id": "t1", "name": "Read", "input": {"file": "a.py"}}]}},
    {"type": "user", "uuid": "u4", "timestamp": "2026-11-20T10:00:06.000Z", "message": {"role": "user",
     "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "a very long file"}]}},
    {"type": "assistant", "uuid": "u5", "isSidechain": True, "message": {"role": "assistant", "content": "sub"}},
    {"type": "user", "uuid": "u6", "message": {"role": "user", "content": "<command-name>/clear</command-name>"}},
    {"type": "assistant", "uuid": "u7", "timestamp": "2026-11-20T10:00:09.000Z", "message": {"role": "assistant",
     "content": [{"type": "text", "text": "The clock of the ferry is an hour late."}]}},
]  # fmt: skip
CODEX: list[dict[str, Any]] = [
    {"timestamp": "2026-11-20T10:00:00.000Z", "type": "session_meta", "payload": {"id": "s-2", "cwd": "/home/ada"}},
    {"timestamp": "2026-11-20T10:00:00.100Z", "type": "response_item", "payload": {"type": "message",
     "role": "user", "content": [{"type": "input_text", "text": "<environment_context>\n</environment_context>"}]}},
    {"timestamp": "2026-11-20T10:00:01.000Z", "type": "response_item", "payload": {"type": "message",
     "role": "user", "content": [{"type": "input_text", "text": "Paint the lighthouse."}]}},
    {"timestamp": "2026-11-20T10:00:02.000Z", "type": "response_item", "payload": {"type": "function_call",
     "name": "shell", "arguments": "{}", "call_id": "c"}},
    {"timestamp": "2026-11-20T10:00:03.000Z", "type": "response_item", "payload": {"type": "message",
     "role": "assistant", "content": [{"type": "output_text", "text": "It is red now."}]}},
]  # fmt: skip
EVENTS: list[dict[str, Any]] = [
    *CODEX,
    {"timestamp": "2026-11-20T10:00:01.000Z", "type": "event_msg",
     "payload": {"type": "user_message", "message": "Paint the lighthouse."}},
    {"timestamp": "2026-11-20T10:00:03.000Z", "type": "event_msg", "payload": {"type": "token_count"}},
    {"timestamp": "2026-11-20T10:00:03.000Z", "type": "event_msg",
     "payload": {"type": "agent_message", "message": "It is red now."}},
]  # fmt: skip


def test_of_claude_codes_log_what_was_said_is_kept() -> None:
    assert said_in(CLAUDE) == [
        {"role": "user", "content": "Why does the ferry test fail?", "id": "u1", "time": "2026-11-20T10:00:00.000Z"},
        {"role": "assistant", "content": "I look.", "id": "u2", "time": "2026-11-20T10:00:04.000Z"},
        {"role": "assistant", "content": "The clock of the ferry is an hour late.", "id": "u7",
         "time": "2026-11-20T10:00:09.000Z"},
    ]  # fmt: skip


@pytest.mark.parametrize("log", [CODEX, EVENTS], ids=["items", "events"])
def test_of_codexs_log_what_was_said_is_kept_once(log: list[dict[str, Any]]) -> None:
    assert said_in(log) == [
        {"role": "user", "content": "Paint the lighthouse.", "time": "2026-11-20T10:00:01.000Z"},
        {"role": "assistant", "content": "It is red now.", "time": "2026-11-20T10:00:03.000Z"},
    ]


@pytest.mark.parametrize(
    "lines",
    [[], [{"role": "user", "content": "x"}], ["x"], [{"type": "message", "role": "user"}], [None, 3]],
    ids=["empty", "message", "text", "item", "odd"],
)  # fmt: skip
def test_what_is_no_transcript_is_left_to_be_read_as_messages(lines: list[Any]) -> None:
    assert said_in(lines) is None


def test_odd_lines_of_a_transcript_are_passed_over() -> None:
    odd: list[Any] = [None, 3, [], {"type": "user", "message": None}, {"type": "assistant", "message": {"content": 5}},
           {"type": "user", "message": {"role": "user", "content": [None, {"type": "text", "text": 7}]}}]  # fmt: skip
    assert said_in([*odd, *CLAUDE]) == said_in(CLAUDE)
    assert said_in([{"type": "response_item", "payload": "x"}, {"type": "session_meta"}]) == []


def write(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    return path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.setenv("AGENTCL_ENCODER", "hashing")
    monkeypatch.setenv("AGENTCL_PATH", str(tmp_path / "memory"))

    def call(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(main, ["remember", *arguments, "--user", "ada"])
        assert result.exit_code == code, result.output
        return result.output

    return call


def test_a_hook_remembers_a_session_and_what_is_said_later_in_it(
    tmp_path: Path, run: Callable[..., str]
) -> None:
    transcript = write(tmp_path / "s-1.jsonl", CLAUDE[:5])
    told = write(
        tmp_path / "told.json",
        [
            {
                "session_id": "s-1",
                "transcript_path": str(transcript),
                "hook_event_name": "SessionEnd",
            }
        ],
    )
    assert "2 remembered" in run(str(told), "--hook")
    write(transcript, CLAUDE)
    assert "1 remembered, 2 known already" in run(str(told), "--hook")
    with Memory(tmp_path / "memory") as memory:
        (conversation,) = memory.conversations.list(user="ada")
        assert conversation.key == "s-1"
        assert "an hour late" in memory.search("why is the ferry late", user="ada").prompt()


def test_a_hook_that_names_no_transcript_is_told(tmp_path: Path, run: Callable[..., str]) -> None:
    for text in (
        "",
        "{",
        "[]",
        '{"session_id": "s"}',
        '{"session_id": "s", "transcript_path": null}',
    ):
        told = tmp_path / "told.json"
        told.write_text(text)
        assert "does not tell a transcript_path" in run(str(told), "--hook", code=1)
    told.write_text(
        json.dumps({"session_id": "s", "transcript_path": str(tmp_path / "gone.jsonl")})
    )
    assert "cannot read" in run(str(told), "--hook", code=1)
