"""What is said of a file that cannot be read: its name once, and why, in words of ours."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agentcl import AgentclError, Memory
from agentcl.models import Prices

Read = Callable[[Memory, Path], object]
DOORS: dict[str, Read] = {
    "an export": lambda memory, path: memory.store.import_(path),
    "a pamphlet": lambda memory, path: memory.lessons.import_(path, user="ada"),
    "facts": lambda memory, path: memory.facts.import_(path),
    "prices": lambda memory, path: Prices.load(path),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_file_that_cannot_be_read_is_named_once(tmp_path: Path, door: str) -> None:
    folder, bytes_ = tmp_path / "folder", tmp_path / "bytes.json"
    folder.mkdir()
    bytes_.write_bytes(b"{\xd2")
    with Memory(tmp_path / "m", encoder="hashing:16") as memory:
        for path in (folder, tmp_path / "absent.json", bytes_):
            with pytest.raises(AgentclError) as raised:
                DOORS[door](memory, path)
            told = str(raised.value)
            assert told.count(path.name) == 1, told
            assert "Errno" not in told
            assert "codec" not in told
