"""LangMem's tools over LangGraph's store in memory: what its guide begins with, no model asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

_NAMESPACE: Final = ("bench",)
_CREATED: Final = "created memory "


class LangMem:
    """`create_manage_memory_tool` and `create_search_memory_tool`."""

    def __init__(self, dim: int, encode: Callable[[Sequence[str], str], list[list[float]]]) -> None:
        from langchain_core.embeddings import Embeddings
        from langgraph.store.memory import InMemoryStore
        from langmem import create_manage_memory_tool, create_search_memory_tool

        class Ours(Embeddings):  # type: ignore[misc]  # the package may be absent
            def embed_documents(self, texts: list[str]) -> list[list[float]]:
                return encode(texts, "passage")

            def embed_query(self, text: str) -> list[float]:
                return encode([text], "query")[0]

        store = InMemoryStore(index={"dims": dim, "embed": Ours(), "fields": ["content"]})
        self._manage: Any = create_manage_memory_tool(_NAMESPACE, store=store)
        self._search: Any = create_search_memory_tool(
            _NAMESPACE, store=store, response_format="content_and_artifact"
        )
        self._ids: dict[str, str] = {}  # its own, by key
        self._keys: dict[str, str] = {}  # and back

    def add(self, texts: Mapping[str, str]) -> None:
        """Keep each text as one memory."""
        for key, text in texts.items():
            said = str(self._manage.invoke({"content": text, "action": "create"}))
            id = said.removeprefix(_CREATED)
            self._ids[key] = id
            self._keys[id] = key

    def remove(self, keys: Sequence[str]) -> None:
        """Delete memories."""
        for key in keys:
            id = self._ids.pop(key)
            self._manage.invoke({"id": id, "action": "delete"})
            del self._keys[id]

    def recall(self, query: str, limit: int) -> list[str]:
        """Search as its tool does."""
        call = {"type": "tool_call", "id": "1", "name": self._search.name}
        message = self._search.invoke({**call, "args": {"query": query, "limit": limit}})
        return [self._keys[found.key] for found in message.artifact]

    def settings(self) -> Mapping[str, str | int | float | bool]:
        """Return the versions."""
        return {"langmem": version("langmem"), "langgraph": version("langgraph")}

    def close(self) -> None:
        """Do nothing: its store ends with the process."""


def start(
    folder: str,
    dim: int,
    encode: Callable[[Sequence[str], str], list[list[float]]],
    options: Mapping[str, Any],
) -> LangMem:
    """Return the store; it keeps nothing in the folder."""
    return LangMem(dim, encode, **options)
