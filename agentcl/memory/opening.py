"""A memory's folder, opened: its settings, journal, encoder and indexes."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from agentcl.errors import EncoderMismatch, StoreUnavailable
from agentcl.memory.settings import Setting, resolve
from agentcl.retrieval.encoders import Encoder, default_encoder_name, open_encoder
from agentcl.retrieval.graph.settings import GraphSettings
from agentcl.retrieval.index import Index
from agentcl.retrieval.retriever import Retriever
from agentcl.store.opening import open_store
from agentcl.store.records import now_micros
from agentcl.store.rows import EncoderSpec, mismatch


class MemoryFolder:
    """What every verb of `Memory` stands on; `Memory` documents the arguments."""

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        encoder: str | Encoder | None = None,
        index: str | Index | None = None,
        durability: Literal["full", "normal"] | None = None,
        busy_timeout_s: float | None = None,
        passage_limit: int | None = None,
        graph: GraphSettings | None = None,
        read_only: bool = False,
        clock: Callable[[], int] = now_micros,
    ) -> None:
        self.settings: dict[str, Setting] = resolve(
            {
                "path": path,
                "encoder": encoder if isinstance(encoder, str | None) else encoder.name,
                "index": index if isinstance(index, str | None) else index.name,
                "durability": durability,
                "busy_timeout_s": busy_timeout_s,
                "passage_limit": passage_limit,
            }
        )
        self.path: Path = self.setting("path")
        self._clock = clock
        self._encoder = None if isinstance(encoder, str | None) else encoder
        self._index = None if isinstance(index, str | None) else index
        self._graph_settings = graph
        self._retriever: Retriever | None = None
        self._lock = threading.RLock()
        self._queries: OrderedDict[str, bytes] = OrderedDict()
        if not read_only:
            _make_folder(self.path)
        self.journal = open_store(
            self.path,
            busy_timeout_s=self.setting("busy_timeout_s"),
            durability=self.setting("durability"),
            read_only=read_only,
            clock=clock,
        )
        try:
            self._check_encoder()
            if not read_only and self.journal.is_erasure_due():
                self.journal.finish_erasure()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close files and indexes. Everything is stored already; calling it twice is allowed."""
        with self._lock:
            if self._retriever is not None:
                self._retriever.close()
                self._retriever = None
            if hasattr(self, "journal"):
                self.journal.close()

    @property
    def encoder(self) -> Encoder:
        """The encoder of this memory, opened on first use. Raises MissingExtra."""
        with self._lock:
            if self._encoder is None:
                self._encoder = open_encoder(self._encoder_name())
            return self._encoder

    @property
    def retriever(self) -> Retriever:
        """The indexes of this memory, opened on first use."""
        with self._lock:
            if self._retriever is None:
                self.journal.last_seq()  # raises MemoryClosed after `close`
                self._retriever = Retriever(
                    self.journal,
                    index=self.setting("index") if self._index is None else self._index,
                    is_lexical=self.encoder.is_lexical,
                    encode=partial(self.encoder.encode, role="passage"),
                    graph_settings=self._graph_settings,
                )
            return self._retriever

    @property
    def _spec(self) -> EncoderSpec:
        return EncoderSpec(self.encoder.name, self.encoder.dim)

    def setting(self, name: str) -> Any:  # noqa: ANN401  # each setting has its own type
        """Return the effective value of a setting."""
        return self.settings[name].value

    def _encoder_name(self) -> str:
        wanted = str(self.setting("encoder"))
        if wanted != "auto":
            return wanted
        held = self.journal.encoder()
        return default_encoder_name() if held is None else held.name

    def _check_encoder(self) -> None:
        """Refuse at once to mix the vectors of two encoders."""
        held = self.journal.encoder()
        wanted = self._encoder_name() if self._encoder is None else self._encoder.name
        if held is None or held.name == wanted:
            return
        dim = self.encoder.dim
        raise EncoderMismatch(mismatch(held, EncoderSpec(wanted, dim), self.path))


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise StoreUnavailable(f"{path} is a file; a memory needs a folder") from error
    except OSError as error:
        raise StoreUnavailable(f"cannot make the folder {path}: {error}") from error
