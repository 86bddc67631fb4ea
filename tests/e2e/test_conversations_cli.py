"""Conversations by the command line: remembered, read for what they state, and told by the day where it was said."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agentcl import Memory
from agentcl.cli.main import main

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("AGENTCL_ENCODER", "hashing")
    monkeypatch.setenv("AGENTCL_PATH", str(tmp_path / "memory"))
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, [*arguments, "--user", "ada"])
        assert result.exit_code == code, result.output
        return result

    return call


@pytest.fixture
def chat(tmp_path: Path) -> str:
    turns = [
        {"role": "user", "content": "I live in Oslo.", "time": "2026-11-01T10:00:00+01:00"},
        {"role": "assistant", "content": "Noted.", "time": "2026-11-01T10:00:05+01:00"},
        {
            "role": "user",
            "content": "I moved to Bergen yesterday.",
            "time": "2026-11-20T10:00:00+01:00",
        },
    ]
    path = tmp_path / "chat.jsonl"
    path.write_text("".join(f"{json.dumps(turn)}\n" for turn in turns), "utf-8")
    return str(path)


def test_what_holds_is_told_by_the_day_where_it_was_said(run: Run, chat: str) -> None:
    assert "3 remembered" in run("remember", chat, "--session", "s").stdout
    assert "3 known already" in run("remember", chat, "--session", "s").stdout
    assert "2 statements" in run("digest").stdout
    (now,) = run("statements", "list").stdout.splitlines()
    assert "2026-11-19 …" in now
    assert "Bergen" in now
    ever = run("statements", "list", "--ever").stdout
    assert "… 2026-11-19" in ever
    assert "Oslo" in ever


def test_standard_input_is_called_so(tmp_path: Path) -> None:
    for given, told in ((b"words\n", b"line 1 of standard input is no"), (b"\xff", b"standard input is not UTF-8")):  # fmt: skip
        command = [
            sys.executable,
            "-c",
            "from agentcl.cli.main import main; main()",
            "remember",
            "-",
        ]
        done = subprocess.run(
            [*command, "--path", str(tmp_path / "m"), "--encoder", "hashing"], input=given, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert told in done.stderr


def test_a_line_that_is_no_message_is_named_and_nothing_is_stored(
    run: Run, chat: str, tmp_path: Path
) -> None:
    run("remember", chat)
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"role": "user", "content": "kept out"}\n{"role": "user"\n', "utf-8")
    assert "line 2" in run("remember", str(bad), code=1).stderr
    assert "kept out" not in run("list", "--kind", "turn").stdout


def test_where_a_list_of_messages_breaks_is_told(run: Run, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('[\n  {"role": "user", "content": "a"},\n  {"role": "user" "b"}\n]\n', "utf-8")
    told = run("remember", str(bad), code=1).stderr
    assert "line 3" in told
    assert "column 19" in told
    bad.write_text("\n[{]\n", "utf-8")
    assert "line 2" in run("remember", str(bad), code=1).stderr


def test_a_file_without_an_end_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentcl.cli.remember._MOST_BYTES", 1_000_000)
    told = run("remember", "/dev/zero", code=1).output
    assert "/dev/zero has more than 1,000,000 bytes; give it in parts" in told


def test_a_memory_is_not_copied_into_its_own_folder(run: Run, chat: str, tmp_path: Path) -> None:
    run("remember", chat)
    before = sorted((tmp_path / "memory").rglob("*"))
    inside = CliRunner().invoke(main, ["copy", "memory", "memory/copy"])
    assert inside.exit_code == 1
    assert "lies in the memory's own folder" in inside.output
    assert sorted((tmp_path / "memory").rglob("*")) == before


def test_tidying_shows_the_diff_first_and_is_taken_back(run: Run, chat: str) -> None:
    run("remember", chat, "--session", "s")
    run("digest")
    shown = run("tidy", "--dry-run", "--keep", "1").stdout
    assert "into the archive: The user lives in Oslo." in shown
    assert "2 summaries" in shown
    assert "nothing is summed up" in run("statements", "summaries").stdout
    report = json.loads(run("tidy", "--keep", "1", "--json").stdout)
    assert [one["what"] for one in report["edits"]] == ["archived", "summary", "profile"]
    assert "user 'ada', s: The user lives in Oslo." in run("statements", "summaries").stdout
    assert "Oslo" not in run("statements", "list", "--ever").stdout
    assert "Oslo" in run("statements", "list", "--ever", "--archived").stdout
    assert "all is in order" in run("tidy", "--keep", "1").stdout
    assert "taken back" in run("tidy", "undo", report["job"]).stdout
    assert "Oslo" in run("statements", "list", "--ever").stdout
    assert "undone already" in run("tidy", "undo", report["job"], code=1).output


def test_an_empty_list_says_which_kinds_there_are(run: Run, chat: str) -> None:
    run("remember", chat, "--user", "ada", "--session", "chat-7")
    listed = run("list", "--user", "ada")
    assert "there are no such records" in listed.stdout
    assert "--kind: conversation (1), passage (" in listed.stderr
    assert "chat-7" in run("list", "--user", "ada", "--kind", "conversation").stdout


def test_a_file_may_be_one_list_or_an_object_with_messages(run: Run, tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": "I moved to Oslo."},
        {"role": "assistant", "content": "Nice."},
    ]
    whole, lines = tmp_path / "whole.json", tmp_path / "lines.jsonl"
    whole.write_text(json.dumps({"model": "m", "messages": messages}, indent=2))
    lines.write_text("\n".join(json.dumps({"messages": [one]}) for one in messages))
    assert "2 remembered" in run("remember", str(whole), "--user", "ada").stdout
    assert "2 known already" in run("remember", str(lines), "--user", "ada").stdout
    whole.write_text(json.dumps(messages, indent=2))
    assert "2 known already" in run("remember", str(whole), "--user", "ada").stdout


def test_a_conversation_is_named_by_its_session(run: Run, chat: str) -> None:
    run("remember", chat, "--session", "chat-7", "--title", "Moving")
    assert "chat-7" in run("list", "--kind", "conversation").stdout
    shown = run("show", "chat-7").stdout
    assert "title: Moving" in shown
    assert shown.index("I live in Oslo.") < shown.index("Noted.") < shown.index("Bergen")
    assert run("show", "--session", "chat-7").stdout == shown
    assert run("show", "chat-7", "--session", "chat-7").stdout == shown
    told = json.loads(run("show", "chat-7", "--json").stdout)
    assert [turn["text"] for turn in told["turns"]][:2] == ["I live in Oslo.", "Noted."]
    assert json.loads(run("history", "chat-7", "--json").stdout)[0]["record"]["title"] == "Moving"
    assert "no conversation of that session" in run("show", "chat-8", code=1).stderr
    assert "--session NAME" in run("show", code=1).stderr

    run("delete", "chat-7")
    assert "no conversation" in run("show", "chat-7", code=1).stderr
    assert run("forget", "chat-7", "--yes").exit_code == 0
    assert json.loads(run("list", "--kind", "conversation", "--json").stdout) == []


def test_a_session_of_nobody_is_named_too_and_one_of_several_is_told(
    run: Run, chat: str, tmp_path: Path
) -> None:
    def bare(*arguments: str) -> Result:
        return CliRunner().invoke(main, [*arguments])

    assert bare("remember", chat, "--session", "s").exit_code == 0
    assert "Noted." in bare("show", "s").stdout
    run("remember", chat, "--session", "s")
    bare("remember", chat, "--session", "s", "--user", "bo")
    told = bare("show", "s", "--all-scopes")
    assert told.exit_code == 1
    assert "3 conversations" in told.stderr
    assert "user=bo" in told.stderr
    own = json.loads(run("show", "s", "--session", "s", "--json").stdout)["record"]
    assert own["scope"]["user"] == "ada"


def test_a_profile_says_what_holds_and_what_had_no_room(run: Run, chat: str) -> None:
    run("remember", chat, "--session", "s")
    assert "`agentcl digest`" in run("profile").stdout
    run("digest")
    said = run("profile").stdout
    assert "Bergen" in said
    assert "Oslo" not in said
    told = json.loads(run("profile", "--json").stdout)
    assert told["text"] == said
    assert (len(told["shown"]), told["left_out"]) == (1, 0)
    none = run("profile", "--budget", "5")
    assert none.stdout == "nothing of what was found has room\n"
    assert "raise --budget" in none.stderr


def test_a_context_is_the_block_that_a_model_is_shown(run: Run, chat: str) -> None:
    run("remember", chat, "--session", "s")
    run("digest")
    of_bo = CliRunner().invoke(main, ["context", "Where do I live?", "--user", "bo"])
    assert "--user" in of_bo.stdout
    said = run("context", "Where do I live?").stdout
    with Memory(encoder="hashing") as memory:
        block = memory.context("Where do I live?", user="ada")
    assert said == block.text
    told = json.loads(run("context", "Where do I live?", "--json").stdout)
    assert (told["text"], told["tokens"]) == (said, block.tokens)
    assert [one["id"] for one in told["shown"]] == [one.id for one in block.shown]
    stated = json.loads(run("context", "Oslo?", "--form", "statements", "--json").stdout)
    assert {one["kind"] for one in stated["shown"]} == {"statement"}
    assert "had no room" in run("context", "Where do I live?", "--budget", "5").stderr


def test_a_wish_is_shown_before_it_is_done_and_a_wrong_id_is_not_asked_about(
    run: Run, tmp_path: Path
) -> None:
    said = tmp_path / "wish.json"
    wish = "Forget that I live in Oslo."
    said.write_text(
        json.dumps([{"role": "user", "content": one} for one in ("I live in Oslo.", wish)])
    )
    run("remember", str(said))
    run("digest")
    wrong = run("statements", "accept", "nope", "--json", code=1)
    told = json.loads(wrong.stderr)
    assert told["error"] == "NotFound"
    assert "`agentcl statements proposals`" in told["message"]
    (proposal,) = json.loads(run("statements", "proposals", "--json").stdout)
    asked = run("statements", "accept", proposal["id"], "--json", code=1)  # nobody answers
    assert asked.stdout == ""
    assert wish in asked.stderr
    assert "--yes" in json.loads(asked.stderr.splitlines()[-1])["message"]
    assert "1 statement ended" in run("statements", "accept", proposal["id"], "--yes").stdout


def test_a_wish_that_means_nothing_and_kinds_of_records_are_told_in_words(
    run: Run, tmp_path: Path
) -> None:
    said = tmp_path / "wish.json"
    said.write_text(json.dumps(["I live in Oslo.", "Forget my phone number."]))
    run("remember", str(said))
    run("digest")
    assert "no statement is meant" in run("statements", "proposals").stdout
    run("tidy")
    run("graph", "alias", "IBM", "International Business Machines")
    kinds = [line.split()[0] for line in run("stats").stdout.splitlines() if line.strip()]
    assert {"aliases", "synopses"} <= set(kinds)
    assert not any(kind.endswith("ss") for kind in kinds)
