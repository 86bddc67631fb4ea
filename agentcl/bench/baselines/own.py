"""agentcl's own memory as a baseline, in each of its modes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from agentcl.bench.baselines.base import Item
from agentcl.bench.baselines.items import ItemsById
from agentcl.memory.documents.writing import Draft
from agentcl.memory.memory import Memory
from agentcl.retrieval.encoders import Encoder
from agentcl.retrieval.modes import Mode


class OwnMemory:
    """A `Memory` in a folder of its own. A search finds passages; the baseline returns the items they are of.

    Every setting is the baseline's: neither environment nor `agentcl.toml` changes a run.

    Args:
        name: of the baseline.
        folder: of the memory.
        encoder: makes its vectors.
        mode: as `Memory.search` has it.
        index: the dense index.
        durability: "normal" survives a crash of the process; a benchmark needs no more.
        passage_limit: the longest passage in characters.

    Raises:
        ConfigError: if a setting cannot be used.
        MissingExtra: if a mode needs a part that is not installed.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        encoder: Encoder,
        mode: Mode = "hybrid",
        index: str = "exact",
        durability: Literal["full", "normal"] = "normal",
        passage_limit: int = 1_000,
    ) -> None:
        self.name = name
        self._mode = mode
        self._items = ItemsById()
        self._documents: dict[str, str] = {}  # by the item's id
        self._ids: dict[str, str] = {}  # and back
        self._memory = Memory(
            folder,
            encoder=encoder,
            index=index,
            durability=durability,
            busy_timeout_s=30.0,
            passage_limit=passage_limit,
        )
        try:
            self._memory.store.retriever.catch_up(mode=mode)
        except BaseException:
            self._memory.close()
            raise

    def add(self, items: Sequence[Item]) -> None:
        """Remember; the indexes of its mode have it when this returns."""
        fresh = self._items.check(items)
        new = [item for item in fresh if item.id not in self._documents]
        for item in fresh:
            if item.id in self._documents:
                self._memory.update(self._documents[item.id], text=item.text, title=item.title)
        drafts = (Draft(text=item.text, title=item.title) for item in new)
        # Two items that say the same are two: each has an id that a question may ask for.
        stored = self._memory.add_many(drafts, duplicates="keep")
        for item, document in zip(new, stored, strict=True):
            self._documents[item.id] = document.id
            self._ids[document.id] = item.id
        self._memory.store.retriever.catch_up(mode=self._mode)
        self._items.keep(fresh)

    def recall(self, query: str, *, limit: int) -> list[Item]:
        """Return the items of the best passages, each item once."""
        most = self._items.ask(query, limit)
        wanted = most
        while wanted:
            recall = self._memory.search(query, limit=wanted, mode=self._mode, distinct=False)
            hits = recall.hits
            found = list(dict.fromkeys(self._ids[hit.document_id] for hit in hits))
            if len(found) >= most or len(hits) < wanted:
                return [self._items[id] for id in found[:most]]
            wanted *= 2
        return []

    def settings(self) -> Mapping[str, str | int | float | bool]:
        """Return mode, encoder, and what the memory was opened with."""
        return {
            "mode": self._mode,
            "encoder": self._memory.store.encoder.name,
            "index": str(self._memory.store.settings["index"].value),
            "durability": str(self._memory.store.settings["durability"].value),
            "passage_limit": int(self._memory.store.settings["passage_limit"].value),
            "agentcl": version("agentcl"),
        }

    def close(self) -> None:
        """Close the memory; calling it twice is allowed."""
        self._items.close()
        self._memory.close()
