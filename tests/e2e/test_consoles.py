"""A console that lacks a character ends no command: it is replaced, in JSON escaped."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from agentcl import Memory
from agentcl.cli.main import main
from agentcl.models import Ledger, Message, RecordedModel, ScriptedModel
from agentcl.text.unseen import is_steering

ODD = "Łódź → 漢字 🍕 … „é“"
# What a terminal would obey: controls, their C1 forms, directions, what nobody sees, and our own mark-up.
STEERING = (
    "Ł\x1b[31m\x9b31m\x9d52;c;ZXZpbA==\x9c\x7f\x07\r\u202e\u2066\u200b\u061c\u2028\xad\ufeff\U000e0041"
    "[bold red]MARK[/] :bomb: [link=http://evil]x[/link] \\"
)

# Runs commands one after another as a shell would, and notes how each ended.
DRIVER = """
import json, sys, traceback
from agentcl.cli.main import main
ended = {}
for arguments in json.load(open("commands.json", encoding="utf-8")):
    try:
        main(arguments)
    except SystemExit as end:
        ended[" ".join(arguments)] = end.code
    except BaseException:
        ended[" ".join(arguments)] = traceback.format_exc()
json.dump(ended, open("ended.json", "w", encoding="utf-8"))
"""


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A memory full of characters that few consoles have, and every command once, to look at it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTCL_MODELS", str(tmp_path / "models"))
    return commands_about(ODD, tmp_path)


def commands_about(odd: str, folder: Path, *, admitted: str = ODD) -> list[list[str]]:
    """Make a memory full of a text in the working folder, and return every command once, to look at it."""
    file = odd[:4]
    with Memory(folder / "agentcl-memory", encoder="hashing") as memory:
        note = memory.add(
            f"{odd} is steered by Ilka Renn.", title=odd, uri="a", metadata={odd: odd}
        )
        gone = memory.add(f"{odd} sleeps in Tessary.", uri="b")
        memory.facts.add(note.id, [("Ilka Renn", odd, "Tessary")])
        told = memory.lessons.add(f"When {admitted} is slow, drain it.")
        with memory.episode(f"clear {odd}", application=odd, first=odd) as episode:
            episode.step(odd, odd, odd)
            played = episode.finish(1.0)
        said = memory.statements.add("user", odd[:9], odd[:9], text=odd, user="ada")
        job = memory.jobs.enqueue("reembed", {"encoder": "hashing:64"})
        memory.lessons.export("lessons.md", name=odd, with_candidates=True)
        memory.store.export("copy.jsonl")
    model = ScriptedModel([odd], name=odd)
    ledger = Ledger(folder / "ledger.db")
    RecordedModel(model, ledger).chat([Message("user", odd)])
    ledger.close()
    (folder / f"{file}.txt").write_text(odd, "utf-8")
    (folder / f"{file}.xyz").touch()
    spoken = {"role": odd if odd.isprintable() else "user", "content": odd, "name": odd}
    (folder / "talk.jsonl").write_text(json.dumps(spoken), "utf-8")
    facts = {"text": f"{odd}\n{odd} is steered by Ilka Renn.", "facts": [["a", odd, "b"]]}
    (folder / "facts.jsonl").write_text(json.dumps(facts), "utf-8")
    played_by = {
        "conversation": [
            {"role": "user", "content": odd},
            {"role": "assistant", "content": odd, "tool_calls": [{"name": odd}]},
        ]
    }
    for name in ("cases", "runs/run1"):
        (folder / name).mkdir(parents=True)
        scored = {"task_id": odd, "task_completion_pass": True, **played_by}
        (folder / name / "1-odd.json").write_text(json.dumps(scored), "utf-8")
    run = [
        "bench", "run", "--domain", "incidents", "--family", "remedy", "--agent", "responder", "-n", "1",
        "--baseline", "none", "--encoder", "hashing", "--seeds", "1", "--out",
    ]  # fmt: skip
    return [
        ["add", "."], ["add", f"/no/{odd}"], ["add", ".", "--sync"], ["add", ".", "--sync", "--dry-run"], ["list"], ["list", "--kind", "passage"],
        ["search", odd], ["search", odd, "--json"], ["search", odd, "--prompt", "200"],
        ["search", odd, "--mode", "graph", "--explain"],
        ["show", note.id], ["show", odd], ["show", odd, "--json"], ["history", note.id],
        ["remember", "talk.jsonl", "--session", odd, "--title", odd], ["search", odd, "--session", odd],
        ["stats"], ["doctor"], ["export", f"{file}.jsonl"], ["import", "copy.jsonl", "--path", odd],
        ["snapshot", f"{file}-copy"], ["copy", "agentcl-memory", f"{file}-twin"], ["reindex"],
        ["graph", "stats"], ["graph", "neighbors", "Ilka Renn"], ["graph", "neighbors", odd],
        ["graph", "alias", "Ilka Renn", odd], ["graph", "aliases"], ["graph", "unalias", "Ilka Renn", odd],
        ["graph", "path", "Ilka Renn", "Tessary"], ["graph", "export", f"{file}.json"],
        ["graph", "draw", f"{file}.svg", "--phrase", "Ilka Renn"], ["graph", "import", "facts.jsonl"],
        ["extract", "--model", odd, "--dry-run"], ["extract", "--model", odd],
        ["compress"], ["compress", "--base", odd, "--dry-run"],
        ["digest"], ["digest", "--model", odd, "--dry-run"], ["digest", "--model", odd],
        ["statements", "list", "--user", "ada"], ["statements", "list", "--ever", "--user", "ada"],
        ["statements", "history", said.id, "--user", "ada"], ["statements", "history", f"user / {odd}"],
        ["context", odd, "--user", "ada"], ["context", odd, "--json"],
        ["profile", "--user", "ada"], ["profile", "--user", odd, "--json"],
        ["statements", "why", said.id, "--user", "ada"], ["statements", "proposals"],
        ["statements", "accept", odd, "--yes"], ["statements", "refuse", odd],
        ["tidy", "--user", "ada", "--dry-run", "--keep", "0"], ["tidy", "--user", "ada", "--keep", "0", "--near", "0.9"],
        ["tidy", "undo", odd], ["tidy", "--model", odd, "--dry-run"], ["tidy", "--model", odd],
        ["statements", "list", "--user", "ada", "--archived"], ["statements", "summaries", "--user", "ada"],
        ["statements", "undo", said.id, "--user", "ada"],
        ["episodes", "list"], ["episodes", "show", played.id], ["episodes", "replay", played.id],
        ["episodes", "search", odd], ["episodes", "demonstrations"], ["episodes", "skills"],
        ["episodes", "export", "--format", "sft"], ["episodes", "export", "--format", "dpo", "--out", f"{file}.dpo"],
        ["practise", odd], ["practise", "incidents", "-n", "1", "--student", "responder"],
        ["guidance", "list"], ["guidance", "show", told.id], ["guidance", "why", told.id],
        ["guidance", "match", odd], ["guidance", "report", told.id, odd, "--not", "--reason", odd],
        ["guidance", "why", told.id, "--situation", odd],
        ["guidance", "diff", "--since", "2020-01-01"], ["guidance", "add", f"When {odd} is, do {odd}."],
        ["guidance", "add", odd], ["guidance", "export", f"{file}.md", "--candidates"],
        ["guidance", "import", "lessons.md"], ["guidance", "retire", told.id, "--reason", odd],
        ["guidance", "restore", told.id], ["guidance", "rollback", "--since", "2999-01-01", "--yes"],
        ["adapters", "list"], ["adapters", "show", odd], ["adapters", "why", odd], ["adapters", "diff", odd, odd],
        ["adapters", "route", odd, "--to", "off"], ["adapters", "rollback"], ["adapters", "answering", "--asked", odd], ["adapters", "settle"], ["adapters", "load", odd, "--url", "http://127.0.0.1:1/v1"],
        ["adapters", "check", odd, "--url", "http://127.0.0.1:1/v1"], ["adapters", "wake", "--url", "http://127.0.0.1:1/v1", "--model", odd], ["adapters", "unload", odd, "--url", "http://127.0.0.1:1/v1"], ["adapters", "revoke", odd, "--reason", odd],
        ["consolidate"], ["consolidate", "--base", odd], ["consolidate", "--dry-run"], ["consolidate", "--dry-run", "--user", "ada", "--personal"],
        ["jobs", "list"], ["jobs", "show", job.id], ["jobs", "cancel", job.id], ["jobs", "retry", job.id],
        ["jobs", "run", job.id], ["jobs", "show", odd],
        ["envs", "list"], ["envs", "check", "incidents", "--tasks", "1"], ["envs", "check", odd],
        ["envs", "play", "incidents", "-n", "1"],
        ["bench", "list"], ["bench", "list", "."],
        [*run, f"run {file}", "--set", f"name={file}"], [*run, "other", "--limit", "1"],
        ["bench", "resume", f"run {file}"], ["bench", "report", f"run {file}"],
        ["bench", "compare", f"run {file}", "other"],
        ["bench", "state-bench", "learn", "cases"], ["bench", "state-bench", "learn", odd],
        ["bench", "state-bench", "ask", odd, "--domain", "cases"],
        ["bench", "state-bench", "agent", "--domain", odd],
        ["bench", "state-bench", "compare", "runs", "runs"],
        ["ledger", "ledger.db", "--by", "model"], ["ledger", odd],
        ["model", "check", "http://127.0.0.1:9/v1", "--model", odd],
        ["model", "tune", "http://127.0.0.1:9/v1", "--model", odd],
        ["model", "serve", odd, "--python", f"/no/{odd}"],
        ["model", "get", odd], ["model", "list"], ["model", "path", odd], ["model", "remove", odd],
        ["mcp", "--port", odd], ["serve", "--port", odd], ["serve", "--upstream", odd],
        ["chat", "--url", odd], ["chat", "--model", odd],
        ["key", "add", "--name", odd, "--user", odd], ["key", "list"], ["key", "remove", odd], ["trust", odd, "--yes"], ["guidance", "changes"],
        ["reembed", "--encoder", odd], ["delete", gone.id], ["delete", odd],
        ["forget", note.id, "--yes"], ["--help"], ["add", "--help"], ["nonsense", odd],
    ]  # fmt: skip


def names_of(group: click.Command, *above: str) -> set[tuple[str, ...]]:
    """Return the names of every command."""
    if not isinstance(group, click.Group):
        return {above}
    found: set[tuple[str, ...]] = set()
    for name in group.commands:
        loaded = group.load(name) if group is main else group.commands[name]
        found |= names_of(loaded, *above, name)
    return found


@pytest.mark.parametrize("encoding", ["cp437:strict", "ascii", "cp1252"])
def test_no_command_ends_for_a_character_that_the_console_lacks(
    tmp_path: Path, commands: list[list[str]], encoding: str
) -> None:
    assert {tuple(one[: len(name)]) for name in names_of(main) for one in commands} >= names_of(
        main
    )
    (tmp_path / "commands.json").write_text(json.dumps(commands), "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        capture_output=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    said = done.stderr.decode("ascii", "replace")
    ended = json.loads((tmp_path / "ended.json").read_text("utf-8"))
    assert [one for one in ended.items() if one[1] not in (0, 1, 2)] == []
    assert "Traceback" not in said
    assert "codec can't encode" not in said
    assert done.stdout.decode(encoding.partition(":")[0])
    fails = [one for one, code in ended.items() if code]
    wrong = {one for one in fails if ODD not in one and "/no/" not in one}
    assert wrong <= {"adapters rollback", "consolidate"}  # there is no adapter, and no base


@pytest.mark.parametrize("is_json", [False, True], ids=["text", "json"])
def test_no_command_prints_what_steers_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_json: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = commands_about(STEERING, tmp_path)
    commands += [
        ["list", "--limit", STEERING], [STEERING], ["list", f"--{STEERING}"], ["list", STEERING],
        ["search", "x", "--mode", STEERING], ["search", "x", "--as-of", STEERING],
        ["search", "Ilka", "--user", STEERING], ["search", "Ilka", "--filter", STEERING],
        ["list", "--encoder", STEERING], ["list", "--index", STEERING], ["list", "--path", STEERING],
        ["export", "-"], ["guidance", "export", "-", "--candidates"], ["graph", "export", "-"],
        ["graph", "draw", "-"], ["bench", "list", STEERING],
    ]  # fmt: skip
    # Before the end, where what there is to look at is forgotten.
    commands.sort(key=lambda one: one[0] in ("delete", "forget"))
    if is_json:
        commands = [[*one, "--json"] for one in commands]
    (tmp_path / "commands.json").write_text(json.dumps(commands), "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "TERM": "xterm-256color"},
        capture_output=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    ended = json.loads((tmp_path / "ended.json").read_text("utf-8"))
    assert [one for one in ended.items() if one[1] not in (0, 1, 2)] == []
    said = (done.stdout + done.stderr).decode("utf-8")
    lines = [ascii(line) for line in said.split("\n") if any(map(is_steering, line))]
    assert lines == []
    assert "MARK" in said
    assert ":bomb:" in said


def test_json_is_whole_on_every_console(tmp_path: Path, commands: list[list[str]]) -> None:
    command = [sys.executable, "-c", "from agentcl.cli.main import main; main()"]
    for encoding in ("cp437", "ascii", "utf-8"):
        done = subprocess.run(
            [*command, "list", "--json"],
            env={**os.environ, "PYTHONIOENCODING": encoding},
            capture_output=True, cwd=tmp_path, check=True,
        )  # fmt: skip
        assert json.loads(done.stdout.decode(encoding))[0]["title"] == ODD
        failed = subprocess.run(
            [*command, "show", ODD, "--json"],
            env={**os.environ, "PYTHONIOENCODING": encoding},
            capture_output=True, cwd=tmp_path, check=False,
        )  # fmt: skip
        assert ODD in json.loads(failed.stderr.decode(encoding))["message"]
