"""What adapters are tested with: a tiny base, and a memory that holds something worth learning."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agentcl import Memory

BASE = "tiny"
LONG_AGO = datetime.now(UTC) - timedelta(days=90)


@pytest.fixture(scope="module")
def base(tiny_llama: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("base") / BASE, context=4096)


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    folder = tmp_path_factory.mktemp("adapters") / "m"
    with Memory(folder, encoder="hashing", durability="normal") as memory:
        for subject in ("Orla", "Ilka"):
            said = memory.statements.add(subject, "office", f"room of {subject}", said_at=LONG_AGO)
            memory.store.credit(said.id, uses=1)
        yield memory
