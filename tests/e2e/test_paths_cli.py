"""A file is one document however its path is spelled, and is named by id, uri or path."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agentcl.cli.main import main

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line in a folder of two projects, each with a README.md."""
    monkeypatch.setenv("AGENTCL_ENCODER", "hashing")
    monkeypatch.setenv("AGENTCL_PATH", str(tmp_path / "memory"))
    monkeypatch.setenv("COLUMNS", "300")
    for name, text in (("a", "It is about ferries."), ("b", "It is about bread.")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "README.md").write_text(f"# Read me\n\n{text}\n")

    def call(*arguments: str | Path, at: str = "", code: int = 0) -> Result:
        monkeypatch.chdir(tmp_path / at)
        result = CliRunner().invoke(main, [str(one) for one in arguments])
        assert result.exit_code == code, result.output
        return result

    return call


def documents(run: Run, *arguments: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(run("list", "--json", *arguments).stdout)
    return listed


def test_files_of_one_name_in_two_folders_are_two_documents(run: Run) -> None:
    assert "1 added" in run("add", "README.md", at="a").stdout
    assert "1 added" in run("add", "README.md", at="b").stdout
    assert ["ferries" in one["text"] for one in documents(run)] == [True, False]


def test_a_file_is_one_document_however_its_path_is_spelled(run: Run, tmp_path: Path) -> None:
    if os.name == "posix":
        (tmp_path / "b" / "link.md").symlink_to(tmp_path / "a" / "README.md")
        (tmp_path / "c").symlink_to("a")
    else:
        shutil.copytree(tmp_path / "a", tmp_path / "c")
    run("add", "a/README.md")
    file = tmp_path / "a" / "README.md"
    for spelling, at in (
        (file, ""), ("README.md", "a"), (".", "a"), ("../a/./README.md", "b"),
        ("b/../a/README.md", ""), ("b/link.md", ""), ("c/README.md", ""), ("c", ""),
    ):  # fmt: skip
        assert run("add", spelling, at=at).stdout.startswith("1 unchanged"), spelling
    assert [one["uri"] for one in documents(run)] == [file.resolve().as_posix()]
    assert "1 unchanged" in run("add", "a", "a/README.md", "c", "a").stdout


def test_rows_belong_to_the_file_that_they_are_in(run: Run, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "t.csv").write_text(f"id,text\n1,row of {name}\n2,other row of {name}\n")
        assert "2 added" in run("add", "t.csv", at=name).stdout
    uris = [one["uri"] for one in documents(run)]
    assert uris[0] == (tmp_path / "a" / "t.csv").resolve().as_posix() + "#1"
    assert len(set(uris)) == 4

    assert "row of b" in run("show", "t.csv#1", at="b").stdout
    told = run("show", "t.csv", at="b", code=1).stderr
    assert "2 documents" in told
    assert "t.csv#1" in told
    assert len(json.loads(run("delete", "b/t.csv", "--json").stdout)["deleted"]) == 2
    assert len(json.loads(run("forget", "a/t.csv", "--yes", "--json").stdout)["removed"]) > 1
    assert documents(run) == []


def test_paths_are_shown_short_and_kept_whole(run: Run, tmp_path: Path) -> None:
    run("add", "a", "b")
    here, there = run("list").stdout, run("list", at="a").stdout
    assert "a/README.md" in here
    assert str(tmp_path) not in here
    assert " README.md" in there
    assert (tmp_path / "b" / "README.md").resolve().as_posix() in there
    found = run("search", "ferries", "-n", "1").stdout
    assert "a/README.md" in found
    assert str(tmp_path) not in found
    assert str(tmp_path) not in run("search", "ferries", "--prompt", "200").stdout
    assert str(tmp_path) in run("search", "ferries", "--json").stdout
    (tmp_path / "a" / "empty.txt").touch()
    assert "skipped a/empty.txt" in run("add", "a").stderr


def test_records_are_named_by_id_uri_or_path(run: Run, tmp_path: Path) -> None:
    run("add", "a", "b")
    (id,) = [one["id"] for one in documents(run) if "ferries" in one["text"]]
    uri = (tmp_path / "a" / "README.md").resolve().as_posix()
    for name, at in ((id, ""), (uri, "b"), ("a/README.md", ""), ("README.md", "a")):
        assert "ferries" in run("show", name, at=at).stdout
        assert len(json.loads(run("history", name, "--json", at=at).stdout)) == 1
    assert json.loads(run("delete", "a/README.md", "--json").stdout) == {"deleted": [id]}
    assert "README.md" in run("show", "a/README.md", code=1).stderr
    then = documents(run)[0]["created_at"]
    assert "ferries" in run("show", "a/README.md", "--as-of", then).stdout
    assert "deleted" in run("history", "a/README.md").stdout


def test_the_history_of_a_renamed_file_says_where_it_was(run: Run, tmp_path: Path) -> None:
    run("add", "a")
    assert "moved" not in run("history", "a/README.md").stdout
    (tmp_path / "a" / "README.md").rename(tmp_path / "a" / "boats.md")
    run("add", "a")
    assert "(moved from a/README.md to a/boats.md)" in run("history", "a/boats.md").stdout


def test_a_forgotten_file_is_forgotten_with_what_was_deleted_of_it(
    run: Run, tmp_path: Path
) -> None:
    run("add", "a/README.md")
    run("delete", "a/README.md")
    run("add", "a/README.md", "b/README.md")
    receipt = json.loads(run("forget", "a/README.md", "--yes", "--json").stdout)
    assert len([one for one in receipt["removed"] if one["kind"] == "document"]) == 2
    assert ["bread" in one["text"] for one in documents(run)] == [True]
    assert b"ferries" not in (tmp_path / "memory" / "journal.db").read_bytes()


def test_a_name_means_nothing_outside_its_scope(run: Run) -> None:
    run("add", "a/README.md", "--user", "ada")
    assert "ferries" in run("show", "a/README.md", "--user", "ada").stdout
    assert "ferries" in run("show", "a/README.md", "--all-scopes").stdout
    for verb in (("show",), ("history",), ("delete",), ("forget", "--yes")):
        told = run(*verb, "a/README.md", code=1).stderr
        assert "id, uri or path" in told
    run("add", "b/README.md")
    assert "bread" in run("show", "b/README.md", "--user", "ada").stdout  # shared with her
    for verb in (("delete",), ("forget", "--yes")):
        run(*verb, "b/README.md", "--user", "ada", code=1)
    assert len(documents(run, "--all-scopes")) == 2


@pytest.mark.skipif(os.name != "posix", reason="pipes as POSIX has them")
def test_what_comes_through_a_pipe_has_no_name(run: Run, tmp_path: Path) -> None:
    for text in ("first", "second"):
        read, write = os.pipe()
        os.write(write, text.encode())
        os.close(write)
        assert "1 added" in run("add", f"/dev/fd/{read}").stdout
        os.close(read)
    assert [(one["uri"], one["title"]) for one in documents(run)] == [("", "")] * 2


def test_a_folder_is_followed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a" / ".gitignore").write_text("draft*\n")
    (tmp_path / "a" / "draft.txt").write_text("not yet")
    (tmp_path / "a" / "old.txt").write_text("an old page")
    assert run("add", "a", "--sync").stdout.strip() == "2 added, 1 ignored, 1 hidden"
    (tmp_path / "a" / "old.txt").rename(tmp_path / "a" / "new.txt")
    (tmp_path / "a" / "README.md").unlink()
    said = run("add", "a", "--sync", "--dry-run")
    assert said.stdout.splitlines()[:2] == ["moved a/old.txt to a/new.txt", "removed a/README.md"]
    assert "nothing was changed" in said.stderr
    assert len(documents(run)) == 2
    told = json.loads(run("add", ".", "--sync", "--json", at="a").stdout)
    assert [len(told[name]) for name in ("added", "updated", "moved", "removed")] == [0, 0, 1, 1]
    assert [Path(one["uri"]).name for one in documents(run)] == ["new.txt"]


def test_what_cannot_be_followed_is_said(run: Run) -> None:
    assert "is no folder" in run("add", "a/README.md", "--sync", code=1).stderr
    assert "does not exist" in run("add", "nowhere", "--sync", code=1).stderr
    assert "goes with --sync" in run("add", "a", "--dry-run", code=1).stderr
    told = run("add", "a", "--sync", "--valid-to", "2030-01-01", code=1).stderr
    assert "--valid-from" in told


def test_a_file_is_named_by_its_address_too(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "a" / "Łódź é#1.md"
    file.write_text("The ferry.")
    run("add", "a")
    assert "The ferry." in run("show", file.as_uri()).stdout
    assert (
        "The ferry."
        in run("show", f"file://localhost{file.as_uri().removeprefix('file://')}").stdout
    )
    run("delete", file.as_uri())
    run("forget", file.as_uri(), "--yes")
    assert "no record with" in run("show", file.as_uri(), code=1).stderr
