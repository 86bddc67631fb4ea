"""The other end of `agentcl.files.apart`: parses documents in a process of its own.

A request is a line of JSON (parser, where, size, seconds, limits), and then so many bytes. An answer is a line of JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import asdict
from importlib import import_module
from typing import Any, BinaryIO, Final, cast

from agentcl.errors import LoadError
from agentcl.files.limits import MEGABYTE, ReadLimits
from agentcl.files.source import Parsed
from agentcl.store.checks import MAX_TEXT

# The module and the function of each; a parser is imported when a document needs it.
_PARSERS: Final = {
    "epub": ("epub", "parse_epub"),
    "html": ("html", "parse_html"),
    "mail": ("mail", "parse_mail"),
    "pdf": ("pdf", "parse_pdf"),
    "slides": ("office", "parse_slides"),
    "word": ("office", "parse_word"),
    "workbook": ("office", "parse_workbook"),
}
_GRACE_S: Final = 5  # after which it ends itself, should nobody be left to end it


def main() -> None:
    """Answer until the other side is gone."""
    # A parser that prints must not disturb the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests = sys.stdin.buffer
    while line := requests.readline():
        request = json.loads(line)
        answers.write(json.dumps(_answer(request, requests)).encode() + b"\n")
        answers.flush()


def _answer(request: dict[str, Any], requests: BinaryIO) -> dict[str, Any]:
    where, limits = request["where"], ReadLimits(**request["limits"])
    _bound(limits, request["seconds"])
    try:
        parsed = _parse(request["parser"], requests.read(request["size"]), where, limits)
        if len(parsed.text) > MAX_TEXT:
            return {
                "error": f"{where} has {len(parsed.text):,} characters; {MAX_TEXT:,} fit, so split it"
            }
        return {"parsed": asdict(parsed)}
    except LoadError as error:
        return {"error": str(error)}
    except MemoryError:
        return {"memory": True}


def _parse(parser: str, raw: bytes, where: str, limits: ReadLimits) -> Parsed:
    module, name = _PARSERS[parser]
    parse = getattr(import_module(f"agentcl.files.{module}"), name)
    return cast(Parsed, parse(raw, where, limits))


def _bound(limits: ReadLimits, seconds: float) -> None:
    """Bound the memory of this process, and the time that it has for a document."""
    with suppress(ImportError, OSError, ValueError):  # not every system can
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = limits.memory * MEGABYTE
        resource.setrlimit(resource.RLIMIT_AS, (most if hard < 0 else min(most, hard), hard))
    with suppress(AttributeError):
        signal.alarm(int(seconds) + _GRACE_S)
