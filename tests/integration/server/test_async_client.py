"""`AsyncClient`: what it has beside the verbs, which one contract tests for all (`test_same_verbs`)."""

import asyncio
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentcl import AsyncClient, InvalidInput, Memory, MemoryClosed
from tests.served import served


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with Memory(tmp_path / "m", encoder="hashing") as memory, served(memory) as address:
        yield address


def test_many_requests_are_under_way_at_once_and_all_are_answered(address: str) -> None:
    async def run() -> int:
        async with AsyncClient(address) as memory:
            ada = memory.scoped(user="ada")
            await asyncio.gather(*(ada.add(f"Note {number}.") for number in range(50)))
            return len(await ada.list(limit=100))

    assert asyncio.run(run()) == 50


def test_what_needs_the_disk_of_the_server_says_so(address: str, tmp_path: Path) -> None:
    async def run() -> None:
        async with AsyncClient(address) as memory:
            with pytest.raises(InvalidInput, match="sync does not go over HTTP"):
                await memory.sync(tmp_path)
            with pytest.raises(InvalidInput, match="snapshot does not go over HTTP"):
                await memory.store.snapshot(tmp_path / "copy")

    asyncio.run(run())


def test_a_closed_client_says_so_and_is_not_pickled(address: str) -> None:
    async def run() -> AsyncClient:
        async with AsyncClient(address) as memory:
            pass
        with pytest.raises(MemoryClosed, match="closed"):
            await memory.list()
        return memory

    with pytest.raises(TypeError, match="make Client"):
        pickle.dumps(asyncio.run(run()))
