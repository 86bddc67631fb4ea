"""What commands write goes to where a path leads, and is printed with `-`; each run as a user runs it."""

import gzip
import json
import os
import shlex
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from agentcl import Memory

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links and pipes as POSIX has them")

Ended = subprocess.CompletedProcess[str]
COMMAND = [sys.executable, "-c", "from agentcl.cli.main import main; main()"]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Ended]:
    """A folder with a memory in it, and the command line as a program of its own."""
    with Memory(tmp_path / "agentcl-memory", encoder="hashing") as memory:
        memory.add("The ferry to Tessary leaves at seven.", title="Ferry")
        memory.add("Tessary has a harbour.", title="Harbour")
        memory.lessons.add("When a queue is slow, drain it.")

    def call(*arguments: str | Path, input: str | None = None) -> Ended:
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            input=input, capture_output=True, text=True, cwd=tmp_path, check=False,
        )  # fmt: skip

    return call


WRITERS = [
    pytest.param(("export",), "", id="export"),
    pytest.param(("graph", "export"), ".json", id="graph-export"),
    pytest.param(("graph", "draw", "--phrase", "Tessary"), ".svg", id="graph-draw"),
    pytest.param(
        ("guidance", "export", "--candidates", "--name", "mine"), "", id="guidance-export"
    ),
]


@pytest.mark.parametrize(("command", "suffix"), WRITERS)
def test_every_writer_follows_links_keeps_modes_and_prints(
    run: Callable[..., Ended], tmp_path: Path, command: tuple[str, ...], suffix: str
) -> None:
    real, link = tmp_path / f"real{suffix}", tmp_path / f"link{suffix}"
    real.write_text("old")
    real.chmod(0o600)
    link.symlink_to(real)
    assert run(*command, link).returncode == 0
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    written = real.read_text()
    assert written != "old"

    printed = run(*command, "-")
    assert printed.returncode == 0, printed.stderr
    assert not (tmp_path / "-").exists()
    assert printed.stdout[:12] == written[:12]
    assert printed.stderr  # what was written is said beside it

    assert run(*command, "/dev/stdout").stdout[:12] == written[:12]
    assert "Traceback" not in run(*command, tmp_path).stderr


def test_rows_arrive_in_a_named_pipe_and_in_another_program(
    run: Callable[..., Ended], tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    assert run("export", pipe).returncode == 0
    reader.join()
    assert "ferry" in got[0]
    assert stat.S_ISFIFO(pipe.lstat().st_mode)

    shell = (
        f"{sys.executable} -c 'from agentcl.cli.main import main; main()' export >(gzip > out.gz)"
    )
    done = subprocess.run(
        ["bash", "-c", f"{shell}; wait $!"],
        capture_output=True, text=True, cwd=tmp_path, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    assert b"ferry" in gzip.decompress((tmp_path / "out.gz").read_bytes())


def test_a_reader_that_had_enough_hears_nothing(tmp_path: Path, run: Callable[..., Ended]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*COMMAND, "export", "-"], stdout=write, stderr=subprocess.PIPE, cwd=tmp_path, check=False
    )
    os.close(write)
    assert done.returncode == 1
    assert done.stderr == b""


@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", ">&- 2>&- <&-"])
@pytest.mark.parametrize("command", ["list --json", "search ferry", "stats", "export there.jsonl"])
def test_a_stream_that_the_caller_closed_ends_nothing(
    tmp_path: Path, run: Callable[..., Ended], command: str, closed: str
) -> None:
    program = " ".join(map(shlex.quote, COMMAND))
    done = subprocess.run(
        ["bash", "-c", f"{program} {command} {closed}"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert run("doctor").returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
@pytest.mark.parametrize(
    "command", ["list", "list --json", "search ferry", "search ferry --json", "stats", "history {}"]
)
def test_output_that_a_full_disk_does_not_take_is_told(
    tmp_path: Path, run: Callable[..., Ended], command: str
) -> None:
    id = json.loads(run("list", "--json").stdout)[0]["id"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *command.format(id).split()],
            stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    (told,) = done.stderr.splitlines()
    assert "No space left on device" in told


def test_an_export_is_piped_into_an_import(run: Callable[..., Ended], tmp_path: Path) -> None:
    exported = run("export", "-").stdout
    assert '"ferry' in exported or "ferry" in exported
    done = run("import", "-", "--path", "second", "--json", input=exported)
    assert json.loads(done.stdout)["added"] > 0
    again = run("import", "/dev/stdin", "--path", "second", "--json", input=exported)
    assert json.loads(again.stdout)["added"] == 0

    pamphlet = run("guidance", "export", "-", "--candidates").stdout
    done = run("guidance", "import", "-", "--path", "third", input=pamphlet)
    assert "1 new" in done.stdout, done.stderr

    facts = (
        '{"text": "Harbour\\nTessary has a harbour.", "facts": [["Tessary", "has", "a harbour"]]}\n'
    )
    assert "1 fact" in run("graph", "import", "-", "--extractor", "me", input=facts).stdout


def test_an_export_into_the_memory_itself_is_refused(
    run: Callable[..., Ended], tmp_path: Path
) -> None:
    done = run("export", "agentcl-memory/journal.db")
    assert done.returncode == 1
    assert "own folder" in done.stderr
    assert run("doctor").returncode == 0


def test_a_snapshot_of_a_private_memory_is_private(
    run: Callable[..., Ended], tmp_path: Path
) -> None:
    folder, far = tmp_path / "agentcl-memory", tmp_path / "far"
    folder.chmod(0o700)
    (folder / "journal.db").chmod(0o600)
    (tmp_path / "link").symlink_to(far)
    assert run("snapshot", "link").returncode == 0
    assert (tmp_path / "link").is_symlink()
    assert stat.S_IMODE(far.stat().st_mode) == 0o700
    assert [path.name for path in far.iterdir()] == ["journal.db"]
    assert stat.S_IMODE((far / "journal.db").stat().st_mode) == 0o600

    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "journal.db.partial").write_text("mine")
    assert run("snapshot", mine).returncode == 0
    assert (mine / "journal.db.partial").read_text() == "mine"
    assert run("snapshot", "-").returncode == 2
    assert not (tmp_path / "-").exists()


def test_a_dry_import_makes_no_folder(run: Callable[..., Ended], tmp_path: Path) -> None:
    run("export", "notes.jsonl")
    target = tmp_path / "target" / "memory"
    dry = run("import", "notes.jsonl", "--dry-run", "--path", str(target)).stdout
    assert "nothing was changed" in dry
    assert not target.parent.exists()
    wet = run("import", "notes.jsonl", "--path", str(target)).stdout
    assert wet.splitlines()[0] == dry.splitlines()[0]
    again = run("import", "notes.jsonl", "--dry-run", "--path", str(target)).stdout
    assert again.startswith("0 rows added")
