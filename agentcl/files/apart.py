"""Parsing documents in a child process: one that is a bomb costs what is allowed, and no more.

The parsers of PDF, HTML, mail and Office files are other people's, and so are the files. No list of tricks that they fall for is
complete, so the system bounds their time and memory.
"""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Literal, Self

from agentcl.errors import LoadError
from agentcl.files.limits import ReadLimits
from agentcl.files.source import Parsed
from agentcl.process import ChildProcess

Parser = Literal["epub", "html", "mail", "pdf", "slides", "word", "workbook"]
# Not `-m`: the working folder must not be on the child's path, and we must, wherever this process found us.
_PROGRAM: Final = (
    f"import sys; sys.path.append({str(Path(__file__).resolve().parents[2])!r}); "
    "from agentcl.files.child import main; main()"
)


class Apart:
    """A child process that parses one document after the other; it starts with the first."""

    def __init__(self, limits: ReadLimits) -> None:
        self._limits = limits
        self._child: ChildProcess | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def parse(self, parser: Parser, raw: bytes, where: str) -> Parsed:
        """Return what a parser finds in a document.

        Raises:
            LoadError: if it cannot be read, or takes more than is allowed.
        """
        seconds = self._limits.seconds_for(len(raw))
        request = {"parser": parser, "where": where, "size": len(raw), "seconds": seconds}
        answer, is_late = self._ask({**request, "limits": asdict(self._limits)}, raw, seconds)
        if "parsed" in answer:
            return Parsed(**{**answer["parsed"], "left_out": tuple(answer["parsed"]["left_out"])})
        if "error" in answer:
            raise LoadError(answer["error"])
        if is_late:
            fault = f"took more than {seconds:.0f} seconds to read"
            self._limits.refuse(where, "seconds", fault)
        if "memory" in answer:
            self._end()
            fault = f"took more than {self._limits.memory:,} megabytes of memory to read"
            self._limits.refuse(where, "memory", fault)
        raise LoadError(
            f"{where} broke the program that read it: {answer['fate']}; it may be damaged"
        )

    def _ask(
        self, request: dict[str, Any], raw: bytes, seconds: float
    ) -> tuple[dict[str, Any], bool]:
        """Return the child's answer, and whether its time was over; a child that gives none is ended."""
        if self._child is None:
            self._child = ChildProcess([sys.executable, "-P", "-c", _PROGRAM], is_piped=True)
        child, over = self._child, threading.Event()

        def end() -> None:
            over.set()
            child.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        assert child.stdin is not None
        assert child.stdout is not None
        timer.start()
        try:
            child.stdin.write(json.dumps(request).encode() + b"\n" + raw)
            child.stdin.flush()
            line = child.stdout.readline()
        except OSError:  # it ended while it was written to
            line = b""
        finally:
            timer.cancel()
        if line.endswith(b"\n"):
            return json.loads(line), False
        child.wait(1.0)
        fate = ", ".join([child.fate(), *child.tail().splitlines()[-1:]])
        self._end()
        return {"fate": fate}, over.is_set()

    def _end(self) -> None:
        if self._child is None:
            return
        child, self._child = self._child, None
        child.kill()
        for pipe in (child.stdin, child.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except OSError:  # what was left to write has nobody to read it
                continue
