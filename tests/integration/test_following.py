"""Indexes follow what others write, and a search is right with or without that."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from agentcl import Memory
from agentcl.memory.upkeep.following import Following


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_indexes_follow_what_others_write(tmp_path: Path) -> None:
    with Memory(tmp_path, encoder="hashing:64") as one, Memory(tmp_path) as other:
        following = Following(one)
        following.begin()
        for text in ("The ferry leaves at seven.", "The mill is closed."):
            other.add(text)
            last = other.store.journal.last_seq()
            wait_for(lambda last=last: {s.watermark for s in one.store.stats().indexes} == {last})  # type: ignore[misc]
        following.end()
        other.add("The ferry is late.")
        assert len(one.search("ferry", mode="text").hits) == 2


def test_a_memory_that_is_closed_ends_who_follows_it(tmp_path: Path) -> None:
    memory = Memory(tmp_path, encoder="hashing:64")
    Following(memory).begin()
    memory.close()
    wait_for(lambda: not any(one.name == "following" for one in threading.enumerate()))


def test_who_never_began_can_be_ended(tmp_path: Path) -> None:
    with Memory(tmp_path, encoder="hashing:64") as memory:
        Following(memory).end()
