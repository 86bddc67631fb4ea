"""An answer cache: the same request to the same model is asked once, so that a run can be resumed."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final, cast

from agentcl.models.base import (
    GREEDY,
    ChatModel,
    Message,
    Reply,
    Sampling,
    Schema,
    TokenLogprob,
    ToolCall,
)
from agentcl.models.metered import AskingModel
from agentcl.store.checks import canonical_json
from agentcl.store.sqlite.database import Database
from agentcl.store.usage import Usage
from agentcl.text.paths import check_path

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SCHEMA: Final = "CREATE TABLE answer (request BLOB PRIMARY KEY, reply TEXT NOT NULL) WITHOUT ROWID"


# Answers once had their duration beside a usage that did not count calls.
_MOVED: Final = """
UPDATE answer SET reply = json_remove(
    json_set(reply, '$.usage.calls', 1, '$.usage.duration_s', json_extract(reply, '$.duration_s')),
    '$.duration_s'
)
"""


def _create(connection: sqlite3.Connection) -> None:
    connection.execute(_SCHEMA)


def _move_durations(connection: sqlite3.Connection) -> None:
    connection.execute(_MOVED)


class CachedModel(AskingModel):
    """A model whose answers are kept in a file, by everything that was asked.

    The key is the model's name, messages, sampling, schema and tools. A sampled answer (temperature above 0)
    is kept too: drawing again takes another seed. Streams pass through.

    Args:
        model: who is asked what is not in the file.
        path: the file; made if absent; several processes may share it.

    Raises:
        InvalidInput: if `path` is no path.
    """

    def __init__(self, model: ChatModel, path: str | os.PathLike[str]) -> None:
        super().__init__(model)
        path = check_path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = Database(
            path,
            durability="normal",
            migrations=(_create, _move_durations),
            remedy="Delete it: it is a cache, and answers are asked for again",
        )

    def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling = GREEDY,
        schema: Schema | None = None,
    ) -> Reply:
        """Return the answer kept for this request, or ask and keep it. Raises ModelUnavailable."""
        return self._kept(
            self._key(messages, sampling, schema),
            lambda: self._model.chat(messages, sampling=sampling, schema=schema),
        )

    def chat_with_tools(
        self, messages: Sequence[Message], tools: Sequence[Schema], *, sampling: Sampling = GREEDY
    ) -> Reply:
        """Return the answer kept for this request, or ask and keep it. Raises ModelUnavailable."""
        return self._kept(
            self._key(messages, sampling, None, tools),
            lambda: self._call(messages, tools, sampling),
        )

    def _kept(self, key: bytes, ask: Callable[[], Reply]) -> Reply:
        kept = self._database.read("SELECT reply FROM answer WHERE request = ?", (key,))
        if kept:
            return replace(_reply(json.loads(cast(str, kept[0][0]))), is_cached=True)
        reply = ask()
        with self._database.write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO answer VALUES (?, ?)", (key, canonical_json(asdict(reply)))
            )
        return reply

    def close(self) -> None:
        """Close the file; calling it twice is allowed."""
        self._database.close()

    def _key(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        schema: Schema | None,
        tools: Sequence[Schema] = (),
    ) -> bytes:
        drawn = {**asdict(sampling), "stop": list(sampling.stop)}
        if not sampling.top_logprobs:  # answers kept before there was such a field are still found
            del drawn["top_logprobs"]
        asked: dict[str, Any] = {
            "model": self.name,
            "messages": [message.plain() for message in messages],
            "sampling": drawn,
            "schema": None if schema is None else dict(schema),
        }
        if soft := [_digest(one) for message in messages for one in message.parts]:
            asked["parts"] = soft
        if tools:
            asked["tools"] = [dict(tool) for tool in tools]
        return hashlib.blake2b(canonical_json(asked).encode(), digest_size=32).digest()


def _reply(kept: dict[str, Any]) -> Reply:
    logprobs = kept.pop("logprobs")
    usage = Usage(**kept.pop("usage"))
    found = None if logprobs is None else tuple(map(_token, logprobs))
    calls = tuple(ToolCall(**call) for call in kept.pop("calls", ()))
    return Reply(usage=usage, logprobs=found, calls=calls, **kept)


def _token(kept: dict[str, Any]) -> TokenLogprob:
    others = tuple((str(token), float(logprob)) for token, logprob in kept.get("others", ()))
    return TokenLogprob(kept["token"], kept["logprob"], others)


def _digest(part: str | NDArray[np.floating[Any]]) -> str:
    """Return a text, or what tells soft tokens from others."""
    return part if isinstance(part, str) else hashlib.blake2b(part.tobytes()).hexdigest()
