"""Keys: only their hash is kept, outside the memory's folder, and they hold at once for every process."""

import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agentcl import ConfigError, InvalidInput, NotFound
from agentcl.server.keys import Keys


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "memory", file=tmp_path / "config" / "keys.db")


def test_a_key_is_found_by_itself_and_kept_by_its_hash(keys: Keys) -> None:
    assert not keys
    secret, made = keys.add(name="laptop", rights=["learn", "read"], scope={"user": "ada"})
    assert keys
    assert keys.of(secret) == made
    assert made.scope == {"user": "ada"}
    assert made.rights == ("read", "learn")
    assert keys.of(secret[:-1]) is None
    assert keys.of("") is None
    written = keys.file.read_bytes()
    assert secret.encode() not in written
    assert stat.S_IMODE(keys.file.stat().st_mode) == 0o600


def test_a_removed_key_opens_nothing_in_any_process(keys: Keys, tmp_path: Path) -> None:
    secret, made = keys.add()
    other = Keys(tmp_path / "memory", file=keys.file)
    assert other.of(secret) == made
    assert keys.remove(made.id) == made
    assert other.of(secret) is None
    assert not other
    with pytest.raises(NotFound, match="agentcl key list"):
        keys.remove(made.id)


def test_a_key_of_one_memory_opens_no_other(keys: Keys, tmp_path: Path) -> None:
    secret, _ = keys.add()
    other = Keys(tmp_path / "other", file=keys.file)
    assert other.of(secret) is None
    assert not other
    (tmp_path / "link").symlink_to(tmp_path / "memory")
    assert Keys(tmp_path / "link", file=keys.file).of(secret) is not None


def test_what_is_no_right_and_no_scope_is_refused(keys: Keys) -> None:
    with pytest.raises(InvalidInput, match="read, write, learn; not admin"):
        keys.add(rights=["read", "admin"])
    with pytest.raises(InvalidInput, match="not none"):
        keys.add(rights=[])
    with pytest.raises(InvalidInput, match="user"):
        keys.add(scope={"user": None})  # type: ignore[arg-type]
    assert not keys


def test_many_threads_and_processes_make_keys_at_once(keys: Keys, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from agentcl.server.keys import Keys\n"
        "keys = Keys(Path(sys.argv[1]), file=Path(sys.argv[2]))\n"
        "for _ in range(10): keys.add()"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path / "memory", keys.file])
        for _ in range(2)
    ]
    threads = [threading.Thread(target=keys.add) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait() for process in running] == [0, 0]
    assert len({key.id for key in keys.all()}) == 30


def test_a_damaged_file_lets_nobody_in(keys: Keys) -> None:
    keys.file.parent.mkdir()
    keys.file.write_bytes(b"not a database, and longer than a header of one hundred bytes" * 10)
    for use in (keys.all, lambda: keys.of("agentcl-x"), lambda: bool(keys)):
        with pytest.raises(ConfigError, match="Nobody gets in"):
            use()


def test_a_file_that_is_not_there_gets_a_key_and_later_starts_take_it(
    keys: Keys, tmp_path: Path
) -> None:
    file = tmp_path / "volume" / "key"
    made = keys.of_file(file)
    assert made.rights == ("read", "write", "learn")
    assert made.scope == {}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert keys.of(file.read_text().strip()) == made
    assert keys.of_file(file) == made
    assert [key.id for key in keys.all()] == [made.id]


def test_a_secret_that_is_handed_over_is_taken_as_a_key(keys: Keys, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("agentcl-" + "s" * 40 + "\n")
    assert keys.of("agentcl-" + "s" * 40) is None
    taken = keys.of_file(file)
    assert keys.of("agentcl-" + "s" * 40) == taken


@pytest.mark.parametrize("text", ["", "hunter2", "agentcl-short", "x" * 60])
def test_a_file_that_holds_no_key_is_refused_and_left_alone(
    keys: Keys, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "secret"
    file.write_text(text)
    with pytest.raises(InvalidInput, match="holds no key"):
        keys.of_file(file)
    assert file.read_text() == text
    assert not keys


def test_a_key_file_that_cannot_be_read_is_told(keys: Keys, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be used"):
        keys.of_file(tmp_path)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be used"):
        keys.of_file(tmp_path / "bytes")
