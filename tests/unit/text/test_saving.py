"""What a user names is written as what it is: links, pipes, devices, private files stay so."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agentcl.text.saving import is_stdout, is_stream, opened, save_text, saving

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links and pipes as POSIX has them")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_link_stays_and_what_it_points_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    real = tmp_path / "far" / "real.txt"
    real.write_text("old")
    (tmp_path / "second").symlink_to(real)
    (tmp_path / "first").symlink_to("second")
    save_text(tmp_path / "first", "new")
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "second").is_symlink()
    assert real.read_text() == "new"
    assert [path.name for path in real.parent.iterdir()] == ["real.txt"]


def test_a_link_to_nothing_yet_makes_its_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("later.txt")
    save_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "later.txt").read_text() == "new"


def test_a_named_pipe_is_written_into(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    save_text(pipe, "through the pipe")
    reader.join()
    assert got == ["through the pipe"]
    assert stat.S_ISFIFO(pipe.lstat().st_mode)


def test_a_device_is_written_into() -> None:
    save_text("/dev/null", "gone")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "linked"])
def test_standard_output_is_printed_to_after_what_was_printed(tmp_path: Path, name: str) -> None:
    (tmp_path / "linked").symlink_to("/dev/stdout")
    code = (
        "from agentcl.text.saving import save_text; print('before');"
        f"save_text({name!r}, 'saved\\n'); print('after')"
    )
    with (tmp_path / "out").open("wb") as out:
        subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, stdout=out)
    assert (tmp_path / "out").read_text() == "before\nsaved\nafter\n"
    assert (tmp_path / "linked").is_symlink()


def test_a_private_file_stays_private_also_while_it_is_written(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.write_text("old")
    private.chmod(0o600)
    with saving(private) as file:
        file.write(b"new")
        assert {mode(path) for path in tmp_path.iterdir()} == {0o600}
        assert private.read_text() == "old"
    assert mode(private) == 0o600
    assert private.read_text() == "new"


def test_a_mode_that_the_umask_forbids_is_kept(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.write_text("old")
    shared.chmod(0o666)
    save_text(shared, "new")
    assert mode(shared) == 0o666


@pytest.mark.parametrize(("umask", "expected"), [(0o022, 0o644), (0o077, 0o600)])
def test_a_new_file_has_what_the_umask_leaves(tmp_path: Path, umask: int, expected: int) -> None:
    before = os.umask(umask)
    try:
        save_text(tmp_path / "new", "x")
    finally:
        os.umask(before)
    assert mode(tmp_path / "new") == expected


def test_all_names_of_a_file_keep_its_content(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("old")
    os.link(tmp_path / "one", tmp_path / "other")
    save_text(tmp_path / "one", "new")
    assert (tmp_path / "other").read_text() == "new"


def test_somebodys_own_files_beside_it_are_left_alone(tmp_path: Path) -> None:
    for name in ("x.partial", ".x.partial", "x.tmp", "x~"):
        (tmp_path / name).write_text("mine")
    save_text(tmp_path / "x", "new")
    assert {path.read_text() for path in tmp_path.iterdir() if path.name != "x"} == {"mine"}


def test_what_failed_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old")

    def interrupted() -> None:
        with saving(tmp_path / "x") as file:
            file.write(b"half of it")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_text() == "old"


def test_a_folder_a_missing_folder_and_a_circle_of_links_are_refused(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    for path in (tmp_path, tmp_path / "no" / "x", tmp_path / "circle", "/dev/fd/987"):
        with pytest.raises(OSError):  # noqa: PT011  # which one the system says
            save_text(path, "x")
    assert [path.name for path in tmp_path.iterdir()] == ["circle"]


def test_a_long_name_leaves_room_for_the_one_beside_it(tmp_path: Path) -> None:
    save_text(tmp_path / ("x" * 255), "new")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["new"]


def test_it_is_told_what_goes_on_to_somebody_else(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert is_stream("/dev/stdout")
    assert is_stream("/dev/null")
    assert is_stream(tmp_path / "pipe")
    assert not is_stream(tmp_path)
    assert not is_stream(tmp_path / "new")
    assert is_stdout("/dev/stdout")
    assert not is_stdout("/dev/stderr")
    assert not is_stdout(f"/proc/{os.getppid()}/fd/1")


def test_standard_input_is_read_by_its_name(tmp_path: Path) -> None:
    code = (
        "from agentcl.text.saving import opened\n"
        "with opened('/dev/stdin') as file: print(file.read().decode().upper())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], input="said", capture_output=True, text=True, check=True
    )
    assert run.stdout == "SAID\n"
    (tmp_path / "x").write_text("held")
    with opened(tmp_path / "x") as file:
        assert file.read() == b"held"
