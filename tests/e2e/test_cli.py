import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from agentcl import Memory
from agentcl.cli.main import main
from agentcl.models import Ledger, Message, RecordedModel, ScriptedModel
from agentcl.store.backends import removing_new_folder

HARBOUR = "# Harbour\n\nThe harbour of Tessary was dredged in 1871.\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTCL_ENCODER", "hashing")

    def call(*arguments: str, input: str | bytes | None = None, code: int = 0) -> Result:
        result = CliRunner().invoke(main, arguments, input=input)
        assert result.exit_code == code, result.output
        return result

    return call


def as_json(result: Result) -> Any:
    return json.loads(result.stdout)


@pytest.mark.parametrize("place", [".agentcl-memory", "mine", "."])
def test_a_memory_is_no_document_of_the_folder_that_it_lies_in(
    run: Any, tmp_path: Path, place: str
) -> None:
    (tmp_path / "note.md").write_text(HARBOUR)
    (tmp_path / "odd.xyz").write_text("?")
    for _ in range(2):
        told = as_json(run("add", ".", "--path", place, "--json"))
        assert [one["path"] for one in told["skipped_files"]] == ["odd.xyz"]


def test_an_id_is_printed_once_where_a_hit_has_no_name(run: Any) -> None:
    (id,) = as_json(run("add", "-", "--json", input="The tide mill grinds at night."))["ids"]
    assert run("search", "mill").stdout.splitlines()[0] == f"1.  {id}"


def test_the_main_path_from_files_to_forgetting(run: Any, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "harbour.md").write_text(HARBOUR)
    (notes / "rows.csv").write_text("name,text\nMill,The tide mill grinds at night.\n")
    (notes / "picture.xyz").write_bytes(b"\x00\xff")
    first = run("add", "notes")
    assert "2 added, 1 skipped" in first.stdout
    assert "picture.xyz" in first.stderr
    assert "2 unchanged" in run("add", "notes").stdout
    (notes / "harbour.md").write_text(HARBOUR.replace("1871", "1872"))
    assert "1 updated" in run("add", "notes/harbour.md").stdout

    shown = run("search", "when was the harbour dredged?")
    assert "Harbour" in shown.stdout
    assert "by words as no. 1" in shown.stdout
    recall = as_json(run("search", "harbour dredged", "--json"))
    id = recall["hits"][0]["document_id"]
    assert "1872" in recall["hits"][0]["text"]

    assert "1872" in run("show", id).stdout
    assert len(as_json(run("history", id, "--json"))) == 2
    assert "Harbour" in run("list").stdout
    assert "documents" in run("stats").stdout
    assert run("search", "mill", "--prompt", "200").stdout.startswith("Memory of ")
    assert "ok" in run("doctor").stdout

    assert "rows written" in run("export", "copy.jsonl").stdout
    assert "rows added" in run("import", "copy.jsonl", "--path", "other").stdout
    assert "copied" in run("snapshot", "shot").stdout

    receipt = as_json(run("forget", id, "--yes", "--json"))
    assert receipt["removed"][0]["id"] == id
    assert "dredged" not in run("search", "harbour").stdout
    assert "forgotten" in run("history", id).stdout
    assert as_json(run("doctor", "--json"))["problems"] == []


def test_standard_input_and_scopes(run: Any) -> None:
    run("add", "-", "--user", "ada", input="Ada keeps the key under the mat.")
    blind = run("search", "key")
    assert "nothing found" in blind.stdout
    assert "others have 1: name whose it is with --user" in blind.stderr
    assert "others have 1" in run("list", "--user", "bo").stderr
    assert run("search", "zebra", "--user", "ada", "--mode", "text").stderr == ""
    assert "mat" in run("search", "key", "--user", "ada").stdout
    assert "user=ada" in run("search", "key", "--all-scopes").stdout
    assert run("forget", "--everything", "--user", "ada", input="n\n", code=1)
    assert "records" in run("forget", "--everything", "--user", "ada", "--yes").stdout


def test_embedding_anew_and_rebuilding(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run("add", "-", input="The ferry leaves at seven.")
    monkeypatch.setenv("AGENTCL_ENCODER", "hashing:64")
    failed = run("search", "ferry", code=1)
    assert "agentcl reembed" in failed.stderr
    assert "hashing:64" in run("reembed", "--encoder", "hashing:64").stdout
    assert "seven" in run("search", "ferry").stdout
    assert "rebuilt" in run("reindex").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "nothing"], "no record"),
        (["search", "x", "--filter", "broken"], "FIELD=VALUE"),
        (["add", "missing.txt"], "does not exist"),
        (["import", "missing.jsonl"], "does not exist"),
        (["forget", "--yes"], "name the ids"),
        (["forget"], "or a scope, and that everything in it is meant"),
        (["forget", "--everything"], "needs a tenant, user, agent or session"),
        (["forget", "--everything", "--user", "ada", "x"], "no record"),
        (
            ["add", "x.md", "--allow", "foo=1"],
            "--allow foo=1: there is no limit 'foo'; there are mega",
        ),
        (["add", "x.md", "--allow", "second=1"], "did you mean 'seconds'"),
        (["add", "x.md", "--allow", "seconds=x"], "a whole number, as in --allow seconds=1000"),
        (["import", "x", "--into", "user"], "--into user: write FIELD=NAME"),
        (["import", "x", "--into", "user="], "--into user=: write FIELD=NAME"),
        (["import", "x", "--into", "foo=a"], "one of tenant, user, agent, session"),
        (["import", "x", "--into", "user=a", "--into", "user=b"], "names user twice"),
    ],
)
def test_mistakes_are_explained(run: Any, arguments: list[str], words: str) -> None:
    run("add", "-", input="something")
    failed = run(*arguments, code=1)
    assert words in failed.stderr
    assert json.loads(run(*arguments, "--json", code=1).stderr)["message"]


@pytest.mark.parametrize(
    "command",
    [["list", "--kind", "fact"], ["episodes", "list"], ["guidance", "list"], ["jobs", "list"]],
)
def test_a_list_of_nothing_says_so(run: Any, command: list[str]) -> None:
    run("add", "-", input="something")
    assert re.fullmatch(r"there (is|are) no .*\n", run(*command).stdout)
    assert as_json(run(*command, "--json")) == []


def test_a_line_that_is_no_json_is_named_once(run: Any, tmp_path: Path) -> None:
    run("add", "-", input="something")
    run("export", "export.jsonl")
    head = (tmp_path / "export.jsonl").read_text().split("\n")[0]
    (tmp_path / "bad.jsonl").write_text(f"{head}\n{{bad\n")
    (tmp_path / "rows.jsonl").write_text('{"text": "a"}\n{bad\n')
    for command in (
        ["add", "rows.jsonl"],
        ["graph", "import", "rows.jsonl"],
        ["import", "bad.jsonl"],
    ):
        told = run(*command, code=1).stderr
        assert "line 2" in told
        assert "at column 2" in told
        assert "line 1" not in told


def test_an_import_outside_of_the_named_scope_says_whose_a_record_is(
    run: Any, tmp_path: Path
) -> None:
    run("add", "-", "--user", "ada", "--agent", "a1", input="something")
    run("export", "export.jsonl")
    told = run("import", "export.jsonl", "--user", "bob", code=1).stderr
    assert "a record of user 'ada', agent 'a1', which is not below" in told
    assert "--into user=NAME" in told


def test_a_memory_that_is_not_there_is_not_made_by_looking(run: Any, tmp_path: Path) -> None:
    failed = run("search", "x", "--path", str(tmp_path / "nowhere"), code=1)
    assert "there is no memory at" in failed.stderr
    assert "agentcl add" in failed.stderr
    run("add", "missing.md", "--path", str(tmp_path / "nowhere"), code=1)
    run("import", "missing.jsonl", "--path", str(tmp_path / "nowhere"), code=1)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    "refused", [["add", "bad.pdf"], ["import", "bad.pdf"], ["guidance", "import", "bad.pdf"]]
)
@pytest.mark.parametrize("place", ["new", "new/below", "old"])
def test_a_command_that_is_refused_leaves_no_empty_memory_behind(
    run: Any, tmp_path: Path, refused: list[str], place: str
) -> None:
    (tmp_path / "bad.pdf").write_bytes(b"%PDF-1.4 not really")
    (tmp_path / "old").mkdir()
    run(*refused, "--path", place, code=1)
    assert {path.name for path in tmp_path.iterdir()} == {"bad.pdf", "old"}


def test_a_memory_that_was_cut_off_before_its_tables_were_made_goes_again(tmp_path: Path) -> None:
    def cut_off(folder: Path) -> None:
        with removing_new_folder(folder):
            folder.mkdir()
            (folder / "journal.db").touch()
            (folder / "journal.db-journal").touch()
            raise KeyError

    with pytest.raises(KeyError):
        cut_off(tmp_path / "m")
    assert [*tmp_path.iterdir()] == []


def test_what_others_put_into_a_new_folder_stays(tmp_path: Path) -> None:
    def failing(folder: Path, text: str) -> None:
        with removing_new_folder(folder), Memory(folder, encoder="hashing") as memory:
            if text:
                memory.add(text)
            else:
                (folder / "theirs.txt").write_text("x")
            raise KeyError

    for text, kept in (("", "theirs.txt"), ("The ferry leaves at seven.", "journal.db")):
        with pytest.raises(KeyError):
            failing(tmp_path / kept, text)
        assert (tmp_path / kept / kept).exists()


def test_an_export_with_vectors_of_another_encoder_says_how_it_comes_in(
    run: Any, tmp_path: Path
) -> None:
    run("add", "-", "--path", "theirs", "--encoder", "hashing:64", input="The ferry waits.")
    run("export", "EXPORT", "--path", "theirs", "--encoder", "hashing:64")
    run("add", "-", input="Something of ours.")
    told = run("import", "EXPORT", code=1).stderr
    commands = " ".join(told.split()).partition("exports: ")[2].split("; ")
    assert len(commands) == 4
    for line in commands:
        run(*line.split()[1:])
    assert "ferry waits" in run("search", "ferry").stdout


def test_an_unknown_encoder_is_said_to_be_unknown(run: Any, tmp_path: Path) -> None:
    told = run("search", "x", "--encoder", "nope", "--path", "new", code=1).stderr
    run("add", "-", "--encoder", "nope", "--path", "new", input="x", code=1)
    assert not (tmp_path / "new").exists()
    run("add", "-", input="Something of ours.")
    told = run("search", "x", "--encoder", "nope", code=1).stderr
    assert "unknown encoder 'nope'; choose hashing" in told
    assert "did you mean 'hashing'" in run("search", "x", "--encoder", "hashin", code=1).stderr


def test_an_empty_memory_says_how_to_fill_it(run: Any, tmp_path: Path) -> None:
    Memory(tmp_path / "empty").close()
    failed = run("search", "x", "--path", str(tmp_path / "empty"), code=1)
    assert "agentcl add" in failed.stderr


def test_the_ledger_is_printed_by_any_grouping(run: Any, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    model = RecordedModel(ScriptedModel(["At seven."]), ledger, purpose="answer")
    model.chat([Message("user", "When does the ferry leave?")])
    ledger.close()
    prices = tmp_path / "prices.toml"
    prices.write_text("[scripted]\nprompt = 1000000\ncompletion = 0\n")
    shown = run("ledger", str(tmp_path / "ledger.db"), "--by", "purpose").stdout
    assert "answer" in shown
    (line,) = json.loads(
        run("ledger", str(tmp_path / "ledger.db"), "--prices", str(prices), "--json").stdout
    )
    assert line["price"] == line["usage"]["prompt_tokens"] > 0
    assert "no ledger" in run("ledger", str(tmp_path / "absent.db"), code=1).stderr
    assert not (tmp_path / "absent.db").exists()


def test_stored_text_cannot_steer_the_terminal(run: Any) -> None:
    run("add", "-", input="evil \x1b[2J[bold]markup[/bold] text")
    shown = run("search", "evil").stdout
    assert "\x1b" not in shown
    assert "[bold]markup[/bold]" in shown


def loaded(code: str) -> set[str]:
    """Return which modules a process of its own has loaded after `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stderr.split())


def called(*arguments: str) -> str:
    """Return code that calls the command line, and goes on."""
    return f"from agentcl.cli.main import main; main({list(arguments)!r}, standalone_mode=False)"


HEAVY = {"numpy", "pypdf", "justhtml", "jinja2", "multiprocessing", "asyncio"}
ROOMS = {"agentcl.bench.run", "agentcl.agents", "agentcl.envs", "agentcl.files.pdf"}


@pytest.mark.parametrize("name", ["", *main.commands])
def test_help_waits_for_nothing_heavy(name: str) -> None:
    modules = loaded(called(*name.split(), "--help"))
    assert not HEAVY & modules
    assert "agentcl.memory.memory" not in modules


def test_a_search_loads_no_other_part(tmp_path: Path) -> None:
    with Memory(tmp_path, encoder="hashing") as memory:
        memory.add("The ferry leaves at seven.")
    searching = ("search", "ferry", "--path", str(tmp_path), "--encoder", "hashing")
    modules = loaded(called(*searching, "--json"))
    assert "agentcl.memory.memory" in modules
    assert not (HEAVY - {"numpy"}) & modules
    assert not ROOMS & modules


def test_the_list_of_commands_says_what_each_says_itself() -> None:
    for name, listed in main.commands.items():
        own = main.load(name)
        assert own.name == name
        assert own.get_short_help_str(1_000) == listed.help


def test_the_list_of_commands_has_whole_sentences() -> None:
    groups = {"": main, **{name: main.load(name) for name in main.commands}}
    for name, group in groups.items():
        if not isinstance(group, click.Group):
            continue
        shown = CliRunner().invoke(main, [*name.split(), "--help"], terminal_width=80).stdout
        lines = shown.partition("Commands:\n")[2].splitlines()
        assert len(lines) == len(group.commands)
        for line in lines:
            assert line.endswith("."), line
            assert not line.endswith("..."), line


def commands() -> list[tuple[str, click.Command]]:
    def below(name: str, command: click.Command) -> list[tuple[str, click.Command]]:
        if not isinstance(command, click.Group):
            return [(name, command)]
        inner = sorted(command.commands.items())
        return [one for under, each in inner for one in below(f"{name} {under}", each)]

    return [one for name in sorted(main.commands) for one in below(name, main.load(name))]


@pytest.mark.parametrize(("name", "command"), commands())
def test_every_command_has_help_and_prints_json(
    run: Any, name: str, command: click.Command
) -> None:
    assert command.help
    assert "--json" in run(*name.split(), "--help").stdout


def test_a_list_shows_whole_ids_however_narrow_the_screen(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = json.loads(run("add", "-", "--json", input="The ferry leaves at seven. " * 9).stdout)
    for columns in ("80", "40"):
        monkeypatch.setenv("COLUMNS", columns)
        assert added["ids"][0] in run("list").stdout


@pytest.mark.parametrize(
    ("value", "found"),
    [("2026", "0126"), ("2025", "3"), ("true", "45"), ("a", "6"), ("x", ""), ("NaN", ""), ("[2025]", "")],
)  # fmt: skip
def test_a_filter_matches_texts_numbers_and_truth_values(run: Any, value: str, found: str) -> None:
    with Memory("agentcl-memory") as memory:
        for number, year in enumerate((2026, "2026", 2026.0, 2025, True, "true", ["a", 2026])):
            memory.add(f"ferry {number}", metadata={"year": year})
    hits = json.loads(
        run("search", "ferry", "-n", "9", "--filter", f"year={value}", "--json").stdout
    )
    assert "".join(sorted(hit["text"][-1] for hit in hits["hits"])) == found


def test_a_field_is_filtered_once(run: Any) -> None:
    with Memory("agentcl-memory") as memory:
        memory.add("ferry")
    assert "twice" in run("search", "x", "--filter", "a=1", "--filter", "a=2", code=1).stderr
