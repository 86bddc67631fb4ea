"""What the tests of stores begin with: a store, and records to put into it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Final

import pytest
from hypothesis import HealthCheck, settings

from agentcl.store.base import Store
from agentcl.store.records import Document, Passage, Record, Scope, ScopeView, now_micros
from agentcl.store.rows import EncoderSpec, content_hash
from agentcl.store.vectors import pack

EVERYBODY: Final = ScopeView(None, None, None, None)
ADA: Final = Scope(user="ada")
ACME: Final = Scope(tenant="acme")
SCOPES: Final = (Scope(), ADA, Scope(user="bob"), ACME, Scope(tenant="acme", user="ada"))
SPEC: Final = EncoderSpec("letters", 3)
OTHER: Final = EncoderSpec("others", 2)
VECTOR: Final = pack([1.0, 2.0, 3.0])


def document(text: str, *, scope: Scope = Scope(), key: str | None = None) -> Document:  # noqa: B008  # immutable
    """Return a document to be created; nothing searches for it."""
    return Document(id="", text=text, scope=scope, key=key)


def passage(text: str, of: Record) -> Passage:
    """Return a passage to be created; it is searched for, so it needs a vector."""
    return Passage(id="", text=text, scope=of.scope, sources=(of.id,))


def hash_of(text: str) -> bytes:
    """Return the hash of a passage's searchable text."""
    return content_hash(text)


class StoreCase(ABC):
    """How a store is opened, for all parts of the contract."""

    examples: ClassVar[int] = 25  # how many histories each property draws

    @abstractmethod
    def open(
        self, folder: Path, *, read_only: bool = False, clock: Callable[[], int] = now_micros
    ) -> Store:
        """Open the store of a folder, which exists; a second call opens the same one again."""

    @contextmanager
    def opened(
        self, folder: Path, *, read_only: bool = False, clock: Callable[[], int] = now_micros
    ) -> Iterator[Store]:
        """Open a store and close it again."""
        store = self.open(folder, read_only=read_only, clock=clock)
        try:
            yield store
        finally:
            store.close()

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        """An empty store."""
        with self.opened(tmp_path) as store:
            yield store

    def add(self, store: Store, *records: Record, vector: bytes | None = None) -> list[Record]:
        """Create records in one transaction."""
        with store.writing() as writing:
            if vector is not None:
                writing.claim_encoder(SPEC)
            return [writing.create(record, vector=vector) for record in records]

    def texts(self, store: Store, view: ScopeView = EVERYBODY, **chosen: int | str) -> list[str]:
        """Return the texts of the live documents."""
        rows = store.live(view=view, kinds=("document",), **chosen)  # type: ignore[arg-type]  # any of `live`
        return [record.text for row in rows if isinstance(record := row.record(), Document)]

    def drawn(self, check: Callable[..., None]) -> Callable[..., None]:
        """Return a property that is checked with as many histories as this contract draws."""
        return settings(
            max_examples=self.examples,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )(check)
