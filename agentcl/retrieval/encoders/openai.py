"""Encoders behind an OpenAI-compatible `/v1/embeddings`: vLLM, llama.cpp, hosted services."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from agentcl.errors import StoreUnavailable, needs
from agentcl.retrieval.encoders.base import Role
from agentcl.store.vectors import pack

if TYPE_CHECKING:
    from openai import OpenAI

_BATCH: Final = 64
_NO_KEY: Final = "none"  # local servers ask for no key, the client insists on one


class OpenAIEncoder:
    """Asks an endpoint for vectors; the client retries with back-off.

    Args:
        model: the model's name there.
        base_url: e.g. "http://localhost:8000/v1".
        api_key: default: the variable OPENAI_API_KEY, if set.
        dim: the length of its vectors; asked once when not given.
        timeout_s: of one request.
        retries: after the first attempt.

    Raises:
        MissingExtra: if the `openai` client is not installed.
    """

    is_lexical = False

    def __init__(
        self,
        model: str,
        *,
        base_url: str,
        api_key: str | None = None,
        dim: int | None = None,
        timeout_s: float = 60.0,
        retries: int = 3,
    ) -> None:
        with needs(f"the encoder openai:{model}", "openai"):
            from openai import OpenAI
        self.name = f"openai:{model}@{base_url}"
        self._model = model
        self._base_url = base_url
        self._dim = dim
        self._lock = threading.Lock()
        self._client: OpenAI = OpenAI(
            base_url=base_url,
            api_key=api_key or os.environ.get("OPENAI_API_KEY") or _NO_KEY,
            timeout=timeout_s,
            max_retries=retries,
        )

    @property
    def dim(self) -> int:
        """The length of its vectors. Raises StoreUnavailable when it must ask and cannot."""
        with self._lock:
            if self._dim is None:
                self._dim = len(self._ask(["dimension"])[0])
            return self._dim

    def encode(self, texts: Sequence[str], *, role: Role) -> list[bytes]:
        """Return one vector for each text.

        Raises:
            StoreUnavailable: if the endpoint fails, or answers with something else than asked.
        """
        dim = self.dim
        packed: list[bytes] = []
        for start in range(0, len(texts), _BATCH):
            packed.extend(pack(row, dim=dim) for row in self._ask(texts[start : start + _BATCH]))
        return packed

    def _ask(self, texts: Sequence[str]) -> list[list[float]]:
        from openai import OpenAIError

        try:
            answer = self._client.embeddings.create(
                model=self._model, input=list(texts), encoding_format="float"
            )
        except OpenAIError as error:
            raise StoreUnavailable(
                f"{self._base_url} gave no embeddings of {self._model!r}: {error}. Check that the "
                "server runs, serves this model for embeddings, and that OPENAI_API_KEY fits"
            ) from error
        rows = [item.embedding for item in sorted(answer.data, key=lambda item: item.index)]
        if len(rows) != len(texts):
            raise StoreUnavailable(
                f"{self._base_url} returned {len(rows)} embeddings for {len(texts)} texts; nothing was stored"
            )
        return rows
