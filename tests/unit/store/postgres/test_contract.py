"""The store in PostgreSQL keeps the contract."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentcl.store.backends import holds_store, open_store
from agentcl.store.base import Store
from agentcl.store.records import now_micros
from agentcl.testing import StoreContract

if TYPE_CHECKING:
    from tests.postgres import Cluster


class TestPostgresStore(StoreContract):
    examples = 8

    @pytest.fixture(autouse=True)
    def server(self, cluster: "Cluster") -> None:
        self.cluster = cluster

    def open(
        self, folder: Path, *, read_only: bool = False, clock: Callable[[], int] = now_micros
    ) -> Store:
        from agentcl.store.postgres.address import parse
        from agentcl.store.postgres.store import PostgresStore

        if holds_store(folder):  # a snapshot is a folder of its own
            return open_store(folder, read_only=read_only, clock=clock)
        name = "t" + hashlib.md5(str(folder).encode()).hexdigest()
        address = parse(self.cluster.url(schema=name))
        return PostgresStore(address, folder, read_only=read_only, clock=clock)
