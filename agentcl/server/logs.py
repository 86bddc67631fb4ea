"""What the server writes down: a JSON object a line, of each request and of each act on the memory.

Ids, counts and times, and whom it was for by a hash. No text that is stored or asked, and no message of an error,
which may quote one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from agentcl.memory.watching import Deed, watch
from agentcl.text.homes import secret

REQUEST: Final[ContextVar[str]] = ContextVar("agentcl.request", default="")  # its id
_MOST_IDS: Final = 50
_SALT: Final = 32  # bytes
_ours: Final = logging.getLogger("agentcl")
_acts: Final = logging.getLogger("agentcl.memory.acts")


@contextmanager
def logging_to(stream: TextIO) -> Iterator[None]:
    """Write what happens to a stream while the block lasts; what libraries warn of comes as lines too."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Lines())
    root, before = logging.getLogger(), _ours.level
    root.addHandler(handler)
    _ours.setLevel(logging.INFO)
    end = watch(_told(_salt()))
    try:
        yield
    finally:
        end()
        _ours.setLevel(before)
        root.removeHandler(handler)


class _Lines(logging.Formatter):
    """Makes a line of a record: what `fields` it brings, and of an error its class and place."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "what": record.getMessage() if _is_ours(record) else f"{record.name}: {record.msg}",
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            told["error"] = record.exc_info[0].__name__
            told["at"] = _place(record.exc_info[2])
        return json.dumps(told, ensure_ascii=False, default=str)


def _is_ours(record: logging.LogRecord) -> bool:
    """Return whether its arguments are told: what libraries put there nobody knows."""
    return record.name == _ours.name or record.name.startswith(f"{_ours.name}.")


def _place(traceback: Any) -> str:  # noqa: ANN401  # of an exception
    """Return where an error was raised."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return ""
    return f"{traceback.tb_frame.f_globals.get('__name__', '')}:{traceback.tb_lineno}"


def _told(salt: bytes) -> Callable[[Deed], Any]:
    @contextmanager
    def around(act: Deed) -> Iterator[None]:
        began, fields = time.perf_counter(), dict[str, Any]()
        try:
            yield
            ids = [id for id, _ in act.records]
            fields = {"count": len(ids), "ids": ids[:_MOST_IDS]}
        except Exception as error:
            fields = {"error": type(error).__name__}
            raise
        finally:
            fields |= {
                "store": act.store,
                "for": hashed(act.scope, salt),
                "ms": round(1_000 * (time.perf_counter() - began), 2),
            }
            if request := REQUEST.get():
                fields["request"] = request
            _acts.info(act.operation, extra={"fields": fields})

    return around


def hashed(scope: Mapping[str, str], salt: bytes) -> dict[str, str]:
    """Return the fields of a scope by hashes that cannot be guessed without the salt, and stay the same with it."""
    return {
        name: hmac.new(salt, f"{name}={value}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:16]
        for name, value in scope.items()
        if value
    }  # fmt: skip


def _salt() -> bytes:
    """Return what hashes are made with, kept in the user's own configuration; of this run only if it cannot be."""
    return secret("log-salt", _SALT) or secrets.token_bytes(_SALT)
