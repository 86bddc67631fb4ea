"""Who watches what is done with a memory: spans and logs hang on here. Without a watcher it costs one more call."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, Final, Literal, ParamSpec, Protocol, TypeVar

from agentcl.store.checks import WriteScope
from agentcl.store.records import SCOPE_FIELDS


class _Held(Protocol):
    """What is asked of a memory."""

    @property
    def path(self) -> Path: ...

    @property
    def scope(self) -> WriteScope: ...


M = TypeVar("M", bound=_Held)
P = ParamSpec("P")
T = TypeVar("T")
# As OpenTelemetry's conventions for memories name them.
Operation = Literal["search_memory", "create_memory", "upsert_memory", "update_memory", "delete_memory"]  # fmt: skip
# What an act was about, ids with texts: told by its result, and by what it was asked with.
Told = Callable[[Any, Sequence[Any], Mapping[str, Any]], Sequence[tuple[str, str]]]


@dataclass(slots=True)
class Deed:
    """Something that is done with a memory, and what came of it once it is done.

    Attributes:
        operation: what is done.
        store: the memory, by an id that tells nothing of where it is.
        scope: whose memory: the fields that are bound and named.
        query: what was searched for; a stored or asked text, so not for every eye.
        records: the ids and texts that were found, stored, changed or deleted; likewise.
    """

    operation: Operation
    store: str
    scope: dict[str, str]
    query: str = ""
    records: Sequence[tuple[str, str]] = ()


Watcher = Callable[[Deed], AbstractContextManager[object]]
_watchers: Final[list[Watcher]] = []


def watch(watcher: Watcher) -> Callable[[], None]:
    """Let a watcher stand around each act of every memory of this process.

    Args:
        watcher: called with an act, returns a context that is entered before it and left after it. When it is left,
            the act tells what came of it; an error goes through it.

    Returns:
        What ends it.
    """
    _watchers.append(watcher)

    def end() -> None:
        if watcher in _watchers:
            _watchers.remove(watcher)

    return end


def watched(
    operation: Operation, told: Told
) -> Callable[[Callable[Concatenate[M, P], T]], Callable[Concatenate[M, P], T]]:
    """Return a decorator that lets watchers stand around a verb."""

    def decorate(verb: Callable[Concatenate[M, P], T]) -> Callable[Concatenate[M, P], T]:
        @wraps(verb)
        def call(memory: M, /, *args: P.args, **kwargs: P.kwargs) -> T:
            if not _watchers:
                return verb(memory, *args, **kwargs)
            act = _act(operation, memory, args, kwargs)
            with ExitStack() as stack:
                for watcher in _watchers:
                    stack.enter_context(watcher(act))
                result = verb(memory, *args, **kwargs)
                act.records = told(result, args, kwargs)
                return result

        return call

    return decorate


def of_hits(result: Any, *asked: object) -> Sequence[tuple[str, str]]:  # noqa: ANN401  # a recall
    """Tell what a search found."""
    return [(hit.document_id, hit.text) for hit in result.hits]


def of_shown(result: Any, *asked: object) -> Sequence[tuple[str, str]]:  # noqa: ANN401  # a context
    """Tell what a context shows."""
    return [(one.id, one.text) for one in result.shown]


def of_record(result: Any, *asked: object) -> Sequence[tuple[str, str]]:  # noqa: ANN401  # a record
    """Tell what was stored."""
    return [(result.id, getattr(result, "text", ""))]


def of_records(result: Any, *asked: object) -> Sequence[tuple[str, str]]:  # noqa: ANN401  # records
    """Tell all that was stored, of documents or of a conversation."""
    return [(one.id, one.text) for one in getattr(result, "turns", result)]


def of_deleted(
    result: object, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Sequence[tuple[str, str]]:
    """Tell what was deleted, by what it was called."""
    return [(str(args[0] if args else kwargs.get("id") or kwargs.get("uri", "")), "")]


def of_receipt(result: Any, *asked: object) -> Sequence[tuple[str, str]]:  # noqa: ANN401  # a receipt
    """Tell what was forgotten."""
    return [(one.id, "") for one in result.removed]


def _act(
    operation: Operation, memory: _Held, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Deed:
    named = {name: kwargs[name] for name in SCOPE_FIELDS if isinstance(kwargs.get(name), str)}
    if operation == "create_memory" and kwargs.get("uri"):
        operation = "upsert_memory"  # a text with this uri may be there already
    asked = kwargs.get("query", args[0] if args else "") if operation == "search_memory" else ""
    path = os.path.realpath(memory.path)
    return Deed(
        operation,
        hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:16],
        {**memory.scope, **named},  # type: ignore[dict-item]  # its fields are texts
        asked if isinstance(asked, str) else "",
    )
