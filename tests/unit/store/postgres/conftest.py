"""A memory's place in the server of the session."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from agentcl.store.postgres.store import PostgresStore
    from tests.postgres import Cluster


@pytest.fixture
def schema(tmp_path: Path) -> str:
    """The name of a schema that no other test uses."""
    return "t" + hashlib.md5(str(tmp_path).encode()).hexdigest()


@pytest.fixture
def opened(
    cluster: "Cluster", schema: str, tmp_path: Path
) -> Iterator[Callable[..., "PostgresStore"]]:
    """Opens the store of a test; closed again when the test ends."""
    from agentcl.store.postgres.address import parse
    from agentcl.store.postgres.store import PostgresStore

    with ExitStack() as stack:

        def make(user: str = "owner", **options: object) -> PostgresStore:
            address = parse(cluster.url(user, schema=schema))
            store = PostgresStore(address, tmp_path, **options)  # type: ignore[arg-type]  # any of its options
            stack.callback(store.close)
            return store

        yield make
