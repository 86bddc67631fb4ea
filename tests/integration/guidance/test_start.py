"""A start reads what was believed from a file, which says the same as the whole history or nothing."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentcl import Memory
from agentcl.guidance.rules import GuidanceRules
from agentcl.guidance.state import KINDS, GuidanceState
from agentcl.lessons import Lesson

SLOW = "The queue Tavon is slow."
DRAIN = Lesson("a queue is slow", "do", "drain the zebrafish")
AGAINST = Lesson("a queue is slow", "useless", "drain the zebrafish")


def play(memory: Memory, number: int, **scope: Any) -> str:
    with memory.episode("clear it", application="ops", seed=number, **scope) as episode:
        episode.recall(SLOW)
        played = episode.finish(float(number % 3 > 0))
    memory.lessons.reflect([AGAINST if number % 4 else DRAIN], episode=played, author="teacher")
    return played.id


def reopened(folder: Path, **given: Any) -> Memory:
    return Memory(folder, encoder="hashing", durability="normal", **given)


def folded(memory: Memory, tenant: str = "", rules: GuidanceRules | None = None) -> str:
    rows = memory.store.journal.since(0, kinds=KINDS)
    return GuidanceState.of(rows, tenant=tenant, rules=rules).digest()


def kept(folder: Path) -> list[Path]:
    return sorted((folder / "indexes" / "guidance").glob("*.json"))


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lived") / "m"
    with reopened(folder) as memory:
        for number in range(90):
            play(memory, number)
        assert memory.lessons.state().digest() == folded(memory)
    return folder


@pytest.fixture
def folder(lived: Path, tmp_path: Path) -> Path:
    return shutil.copytree(lived, tmp_path / "m")


def change(folder: Path, how: Callable[[dict[str, Any]], None]) -> None:
    """Change what the file says, with a checksum that is right."""
    (file,) = kept(folder)
    held = json.loads(file.read_bytes().split(b"\n", 1)[1])
    how(held)
    body = json.dumps(held).encode()
    file.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def mistake(held: dict[str, Any]) -> None:
    for course in held["state"]["courses"].values():
        course["class_means"] = {"a mistake": 7.0}


def test_a_start_goes_on_from_the_file_and_ends_where_the_history_does(folder: Path) -> None:
    assert len(kept(folder)) == 1
    with reopened(folder) as memory:
        play(memory, 1)
        assert memory.lessons.state().digest() == folded(memory)
    change(folder, mistake)
    with reopened(folder) as memory:
        assert memory.lessons.state().digest() != folded(memory)  # it was the file that was read


def test_the_file_holds_no_text_of_lessons_or_episodes(folder: Path) -> None:
    text = kept(folder)[0].read_bytes()
    for word in (b"zebrafish", b"drain", b"queue", b"Tavon", b"clear it"):
        assert word not in text


@pytest.mark.parametrize(
    "spoil",
    [
        lambda held: held["head"].update(format=0),
        lambda held: held["head"].update(analysis=0),
        lambda held: held["head"].update(memory="another"),
        lambda held: held["head"].update(last="00"),
        lambda held: held["head"]["rules"].update(credit=False),
        lambda held: held["state"].update(watermark=10**9),
        lambda held: held["state"]["lessons"].append([10**9, 10**9, 0, 0, 0, [], {}, ""]),
        lambda held: held.pop("state"),
        lambda held: held["state"].pop("courses"),
    ],
)
def test_a_file_of_other_making_is_passed_over(
    folder: Path, spoil: Callable[[dict[str, Any]], None]
) -> None:
    change(folder, mistake)
    change(folder, spoil)
    with reopened(folder) as memory:
        assert memory.lessons.state().digest() == folded(memory)


@pytest.mark.parametrize("damage", [b"", b"\0", b"{}", None])
def test_a_damaged_file_is_passed_over_and_written_anew(folder: Path, damage: bytes | None) -> None:
    (file,) = kept(folder)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    with reopened(folder) as memory:
        assert memory.lessons.state().digest() == folded(memory)
    assert len(file.read_bytes()) > len(whole) // 2
    assert kept(folder) == [file]


def test_other_rules_are_folded_by_themselves(folder: Path) -> None:
    with reopened(folder) as memory:
        before = memory.lessons.state().digest()
        memory.lessons.rules = GuidanceRules(tests=False)
        assert (
            memory.lessons.state().digest() == folded(memory, rules=memory.lessons.rules) != before
        )
        memory.lessons.rules = GuidanceRules()
        assert memory.lessons.state().digest() == before


def test_a_memory_that_is_only_read_writes_no_file(folder: Path) -> None:
    shutil.rmtree(folder / "indexes")
    with reopened(folder, read_only=True) as memory:
        assert memory.lessons.state().digest() == folded(memory)
    assert kept(folder) == []


def test_what_is_taken_back_is_taken_back_in_the_file(folder: Path) -> None:
    with reopened(folder) as memory:
        since = next(iter(memory.episodes.list())).created_at
        undone = memory.lessons.rollback(since)
        assert memory.lessons.state().digest() == folded(memory)
    with reopened(folder) as memory:
        assert memory.lessons.state().digest() == folded(memory)
        memory.delete(undone.id)
    with reopened(folder) as memory:
        assert memory.lessons.state().digest() == folded(memory)


def bytes_with(folder: Path, word: str) -> list[str]:
    return [
        str(file)
        for file in folder.rglob("*")
        if file.is_file() and word.encode() in file.read_bytes()
    ]


def test_forgetting_leaves_nothing_of_an_episode_though_others_have_it_open(folder: Path) -> None:
    with reopened(folder) as memory, reopened(folder) as other:
        gone = next(iter(memory.episodes.list())).id
        other.lessons.state()
        assert any("guidance" in file for file in bytes_with(folder, gone))
        memory.forget(gone)
        assert not any("guidance" in file for file in bytes_with(folder, gone))
        assert other.lessons.state().digest() == folded(memory) == memory.lessons.state().digest()
        assert not any("guidance" in file for file in bytes_with(folder, gone))


def test_each_tenant_has_a_file_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    with reopened(folder) as memory:
        for number in range(80):
            play(memory, number, tenant=f"../{number % 2}")
            memory.lessons.state(f"../{number % 2}")
    assert len(kept(folder)) == 2
    with reopened(folder) as memory:
        digests = {memory.lessons.state(f"../{n}").digest() for n in range(2)}
        assert digests == {folded(memory, f"../{n}") for n in range(2)}
        assert len(digests) == 2
