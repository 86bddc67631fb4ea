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

ODD = "Łódź → 漢字 🍕 … „é“"

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
    with Memory(tmp_path / "agentcl-memory", encoder="hashing") as memory:
        note = memory.add(
            f"{ODD} is steered by Ilka Renn.", title=ODD, uri="a", metadata={ODD: ODD}
        )
        gone = memory.add(f"{ODD} sleeps in Tessary.", uri="b")
        memory.facts.add(note.id, [("Ilka Renn", ODD, "Tessary")])
        told = memory.lessons.add(f"When {ODD} is slow, drain it.")
        with memory.episode(f"clear {ODD}", application=ODD, first=ODD) as episode:
            episode.step(ODD, ODD, ODD)
            played = episode.finish(1.0)
        job = memory.jobs.enqueue("reembed", {"encoder": "hashing:64"})
        memory.lessons.export("lessons.md", name=ODD, with_candidates=True)
        memory.store.export("copy.jsonl")
    model = ScriptedModel([ODD], name=ODD)
    ledger = Ledger(tmp_path / "ledger.db")
    RecordedModel(model, ledger).chat([Message("user", ODD)])
    ledger.close()
    (tmp_path / f"{ODD[:4]}.txt").write_text(ODD, "utf-8")
    (tmp_path / f"{ODD[:4]}.xyz").touch()
    facts = {"text": f"{ODD}\n{ODD} is steered by Ilka Renn.", "facts": [["a", ODD, "b"]]}
    (tmp_path / "facts.jsonl").write_text(json.dumps(facts), "utf-8")
    run = [
        "bench", "run", "--domain", "incidents", "--family", "remedy", "--agent", "responder", "-n", "1",
        "--baseline", "none", "--encoder", "hashing", "--seeds", "1", "--out",
    ]  # fmt: skip
    return [
        ["add", "."], ["add", f"/no/{ODD}"], ["list"], ["list", "--kind", "passage"],
        ["search", ODD], ["search", ODD, "--json"], ["search", ODD, "--prompt", "200"],
        ["search", ODD, "--mode", "graph", "--explain"],
        ["show", note.id], ["show", ODD], ["show", ODD, "--json"], ["history", note.id],
        ["stats"], ["doctor"], ["export", f"{ODD[:4]}.jsonl"], ["import", "copy.jsonl", "--path", ODD],
        ["snapshot", f"{ODD[:4]}-copy"], ["reindex"],
        ["graph", "stats"], ["graph", "neighbors", "Ilka Renn"], ["graph", "neighbors", ODD],
        ["graph", "path", "Ilka Renn", "Tessary"], ["graph", "export", f"{ODD[:4]}.json"],
        ["graph", "draw", f"{ODD[:4]}.svg", "--phrase", "Ilka Renn"], ["graph", "import", "facts.jsonl"],
        ["extract", "--model", ODD, "--dry-run"], ["extract", "--model", ODD],
        ["episodes", "list"], ["episodes", "show", played.id], ["episodes", "replay", played.id],
        ["episodes", "search", ODD],
        ["guidance", "list"], ["guidance", "show", told.id], ["guidance", "why", told.id],
        ["guidance", "diff", "--since", "2020-01-01"], ["guidance", "add", f"When {ODD} is, do {ODD}."],
        ["guidance", "add", ODD], ["guidance", "export", f"{ODD[:4]}.md", "--candidates"],
        ["guidance", "import", "lessons.md"], ["guidance", "retire", told.id, "--reason", ODD],
        ["guidance", "restore", told.id], ["guidance", "rollback", "--since", "2999-01-01", "--yes"],
        ["jobs", "list"], ["jobs", "show", job.id], ["jobs", "cancel", job.id], ["jobs", "retry", job.id],
        ["jobs", "run", job.id], ["jobs", "show", ODD],
        ["envs", "list"], ["envs", "check", "incidents", "--tasks", "1"], ["envs", "check", ODD],
        ["envs", "play", "incidents", "-n", "1"],
        ["bench", "list"], ["bench", "list", "."],
        [*run, f"run {ODD[:4]}", "--set", f"name={ODD[:4]}"], [*run, "other", "--limit", "1"],
        ["bench", "resume", f"run {ODD[:4]}"], ["bench", "report", f"run {ODD[:4]}"],
        ["bench", "compare", f"run {ODD[:4]}", "other"],
        ["ledger", "ledger.db", "--by", "model"], ["ledger", ODD],
        ["model", "check", "http://127.0.0.1:9/v1", "--model", ODD],
        ["model", "serve", ODD, "--python", f"/no/{ODD}"],
        ["reembed", "--encoder", ODD], ["delete", gone.id], ["delete", ODD],
        ["forget", note.id, "--yes"], ["--help"], ["add", "--help"], ["nonsense", ODD],
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
    assert all(ODD in one or "/no/" in one for one in fails), fails


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
