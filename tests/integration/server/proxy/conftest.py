from collections.abc import Iterator
from pathlib import Path

import pytest

from agentcl import Memory
from agentcl.server import Keys


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        yield memory


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "m", file=tmp_path / "keys.db")
