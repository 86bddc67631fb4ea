"""The store in one SQLite file keeps the contract, and what only a file can be asked."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from agentcl.errors import StoreCorrupt
from agentcl.store.base import Store
from agentcl.store.records import now_micros
from agentcl.store.sqlite.store import FILE, SqliteStore
from agentcl.testing import StoreContract
from agentcl.testing.store import VECTOR, document, passage


class TestSqliteStore(StoreContract):
    def open(
        self, folder: Path, *, read_only: bool = False, clock: Callable[[], int] = now_micros
    ) -> Store:
        return SqliteStore(folder, read_only=read_only, clock=clock)

    def test_a_changed_byte_of_a_vector_is_noticed(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            (one,) = self.add(store, document("one"))
            (part,) = self.add(store, passage("part", one), vector=VECTOR)
            seq = store.seq_of(part)
        with closing(sqlite3.connect(tmp_path / FILE)) as file, file:
            file.execute("UPDATE vector SET data = zeroblob(12)")
        with self.opened(tmp_path) as store, pytest.raises(StoreCorrupt, match="checksum"):
            store.vectors([seq])

    def test_erased_bytes_are_in_no_file(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            (one,) = self.add(store, document("zyzzyva"))
            store.erase([one.id], view=one.scope.view())
            store.finish_erasure()
            for file in tmp_path.rglob("*"):
                assert file.is_dir() or b"zyzzyva" not in file.read_bytes()
