"""Forgetting: whatever was done before, no byte is left, others go on, and what is cut off is finished."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcl import Draft, Memory, NotFound
from agentcl.store.records import now_micros
from agentcl.store.sqlite.store import FILE

_USERS = ("ada", "bob")
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "many", "update", "delete", "forget", "search", "graph", "open"]),
        st.integers(0, 99),
        st.sampled_from([1, 8, 60, 700, 5_000]),
    ),
    min_size=4, max_size=20,
)  # fmt: skip


def _content(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file()).lower()


class _Told:
    """A memory, what was said to it, and what it must not know any more."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.memory = Memory(folder, encoder="hashing:32", durability="normal", passage_limit=900)
        self.held: dict[str, tuple[str, list[str]]] = {}  # by id: whose, and its secrets
        self.gone: list[str] = []
        self._numbers = count()

    def text(self, length: int) -> tuple[str, str]:
        secret = f"zq{next(self._numbers):05}secret"
        return secret, " ".join([secret, *(f"{secret}{n}" for n in range(length))])

    def act(self, verb: str, number: int, length: int) -> None:
        memory, ids = self.memory, list(self.held)
        id = ids[number % len(ids)] if ids else ""
        secret, text = self.text(length)
        user = self.held[id][0] if id else _USERS[number % 2]
        if verb == "add" or (verb != "open" and not ids):
            title, key = f"Title {secret}", f"file:/{secret}" if number % 3 else ""
            added = memory.add(text, user=user, title=title, uri=key, metadata={"m": secret})
            self.held[added.id] = (user, [secret])
        elif verb == "many":
            given = [self.text(length // 10) for _ in range(number)]
            stored = memory.add_many([Draft(text=text) for _, text in given], user=user)
            for (secret, _), added in zip(given, stored, strict=True):
                self.held[added.id] = (user, [secret])
        elif verb == "update":
            with suppress(NotFound):  # it was deleted
                memory.update(id, text=text, user=user)
                self.held[id][1].append(secret)
        elif verb == "delete":
            with suppress(NotFound):
                memory.delete(id, user=user)
        elif verb == "forget":
            receipt = memory.forget(id, user=user)
            assert receipt.cleared_at >= receipt.at
            self.gone += self.held.pop(id)[1]
            self.check()
        elif verb == "open":
            memory.close()
            self.memory = Memory(self.folder, durability="normal", passage_limit=900)
        else:
            memory.search(secret, user=user, mode="graph" if verb == "graph" else "hybrid")

    def check(self) -> None:
        content = _content(self.folder)
        assert [secret for secret in self.gone if secret.encode() in content] == []


@settings(max_examples=8)
@given(_STEPS)
def test_after_any_history_no_byte_of_what_was_forgotten_is_left(
    steps: list[tuple[str, int, int]],
) -> None:
    with TemporaryDirectory() as folder:
        told = _Told(Path(folder) / "m")
        for verb, number, length in steps:
            told.act(verb, number, length)
        for user in _USERS:
            told.gone += [s for own, some in told.held.values() if own == user for s in some]
            with suppress(NotFound):
                told.memory.forget(everything=True, user=user)
            told.held = {id: one for id, one in told.held.items() if one[0] != user}
            told.check()
            assert user.encode() + b'"' not in _content(told.folder)
            assert told.memory.list(user=user, limit=10_000) == []
        assert told.memory.store.examine().problems == ()
        told.memory.close()
        told.check()


def test_the_vectors_of_what_was_forgotten_are_in_no_file(tmp_path: Path) -> None:
    with Memory(tmp_path, encoder="hashing:32") as memory:
        ids = [memory.add(f"note {n} of zyzzyva {n * n}").id for n in range(60)]
        rows = {id: [p.id for p in memory.store.passages(id)] for id in ids}
        journal = memory.store.journal
        seqs = {id: journal.seq_of(memory.get(rows[id][0])) for id in ids}
        vectors = {id: journal.vectors([seq])[seq] for id, seq in seqs.items()}
        for id in ids[::3]:
            memory.forget(id)
            content = b"".join(file.read_bytes() for file in tmp_path.glob("*.db*"))
            assert vectors[id] not in content
        assert vectors[ids[1]] in content


def test_a_folder_that_an_older_program_wrote_is_cleared_as_well(tmp_path: Path) -> None:
    """Without `secure_delete` rows stay in free pages and blocks, which no erasure has seen."""
    with Memory(tmp_path, encoder="hashing:32") as memory:
        for n in range(80):
            memory.add(f"zyzzyva{n} " * (1 + n * 20))
        last = memory.add("the last")
    with closing(sqlite3.connect(tmp_path / FILE)) as file, file:
        file.execute("PRAGMA secure_delete = OFF")
        file.execute("DELETE FROM vector")
        file.execute("DELETE FROM record WHERE body LIKE '%zyzzyva%'")
    assert b"zyzzyva" in (tmp_path / FILE).read_bytes()
    with Memory(tmp_path) as memory:
        memory.forget(last.id)
        assert b"zyzzyva" not in (tmp_path / FILE).read_bytes()


class _CutOffError(Exception):
    """What stops a memory, as a crash does, when it begins a certain turn."""


@pytest.mark.parametrize("turn", [1, 2, 3, 4, 6])
def test_what_was_cut_off_is_owed_and_finished_by_the_next_opening(
    tmp_path: Path, turn: int
) -> None:
    turns: Iterator[int] | None = None

    def clock() -> int:
        if turns is not None and next(turns) == turn:
            raise _CutOffError
        return now_micros()

    memory = Memory(tmp_path, encoder="hashing:32", durability="normal", clock=clock)
    memory.add_many([f"zyzzyva {n}" for n in range(1_500)], user="ada")
    kept = memory.add("kept", user="bob")
    turns = count(1)
    with suppress(_CutOffError):
        memory.forget(everything=True, user="ada")
    memory.close()
    turns = None
    with Memory(tmp_path, encoder="hashing:32", read_only=True) as memory:
        is_owed = memory.store.journal.is_erasure_due()
        told = [one.message for one in memory.store.examine().problems]
        assert is_owed == any("bytes of forgotten records" in message for message in told)
        is_begun = turn > 1
        assert is_owed or not is_begun or b"zyzzyva" not in _content(tmp_path)
    with Memory(tmp_path, encoder="hashing:32") as memory:
        assert not memory.store.journal.is_erasure_due()
        assert (memory.list(user="ada") == []) is is_begun
        assert (b"zyzzyva" in _content(tmp_path)) is not is_begun
        assert memory.get(kept.id, user="bob").id == kept.id
        assert memory.store.examine().problems == ()


def test_killed_at_any_moment_it_is_finished_by_the_next_opening(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom agentcl import Memory\n"
        "memory = Memory(sys.argv[1]); memory.search('zyzzyva', user='ada'); print('ready', flush=True)\n"
        "memory.forget(everything=True, user='ada'); print('done', flush=True)"
    )
    for number in range(4):
        folder = tmp_path / str(number)
        with Memory(folder, encoder="hashing:32", durability="normal") as memory:
            memory.add_many([f"zyzzyva {n} of {number}" for n in range(1_000)], user="ada")
        command = [sys.executable, "-c", code, str(folder)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        lag = memory_rows(folder)
        while memory_rows(folder) > lag - 150 * number:
            if process.poll() is not None:
                break
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        with Memory(folder) as memory:
            assert not memory.store.journal.is_erasure_due()
            live = memory.list(user="ada", limit=10_000)
            assert len(live) in (0, 1_000)
            assert (b"zyzzyva" in _content(folder)) is bool(live)
            assert memory.store.examine().problems == ()


def memory_rows(folder: Path) -> int:
    """Return how many rows another process has left of what it forgets."""
    with closing(sqlite3.connect(folder / FILE, timeout=10)) as file:
        (rows,) = file.execute("SELECT count(*) FROM record WHERE op = 'put'").fetchone()
        return int(rows)


def test_another_process_adds_and_finds_while_much_is_forgotten(tmp_path: Path) -> None:
    code = (
        "import json, sys\nfrom agentcl import Memory\n"
        "with Memory(sys.argv[1]) as memory:\n"
        "    print('ready', flush=True)\n"
        "    texts = [memory.add(f'heron {n}', user='bob').text for n in range(60)]\n"
        "    found = [memory.search(text, user='bob', limit=1).hits[0].text for text in texts]\n"
        "    print(json.dumps([texts, found]))"
    )
    with Memory(tmp_path, encoder="hashing:32", durability="normal") as memory:
        memory.add_many([f"zyzzyva {n}" for n in range(1_500)], user="ada")
        command = [sys.executable, "-c", code, str(tmp_path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        memory.forget(everything=True, user="ada")
        told, _ = process.communicate()
        texts, found = json.loads(told)
        assert found == texts
        assert memory.search("heron 7", user="bob", limit=1).hits[0].text == "heron 7"
        assert memory.store.examine().problems == ()
        assert b"zyzzyva" not in _content(tmp_path)


def test_two_memories_of_one_process_keep_what_they_write_when_another_closes(
    tmp_path: Path,
) -> None:
    """POSIX drops a process's locks on a file when it closes any descriptor of it."""
    code = "import sys\nfrom agentcl import Memory\nwith Memory(sys.argv[1]) as m: m.add('other')"
    with Memory(tmp_path, encoder="hashing:32") as one:
        gone = one.add("gone")
        with Memory(tmp_path) as two:
            two.forget(gone.id)
        with Memory(tmp_path) as two:
            subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
            assert (tmp_path / f"{FILE}-wal").exists()
            one.add("one")
            two.add("two")
    with Memory(tmp_path) as memory:
        assert {record.text for record in memory.list()} == {"one", "two", "other"}  # type: ignore[attr-defined]
