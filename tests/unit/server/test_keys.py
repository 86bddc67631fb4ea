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
