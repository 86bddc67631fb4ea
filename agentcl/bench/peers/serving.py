"""Runs one peer and speaks JSON lines over standard input and output with `RemoteBaseline`.

    python serving.py PEER

PEER is a module beside this one, with `start(folder, dim, encode, options)` that returns a `PeerStore`. Whatever
the peer prints goes to standard error. Needs nothing but the standard library and the peer.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import sys
import traceback
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO, Protocol

Encode = Callable[[Sequence[str], str], list[list[float]]]  # texts, and "passage" or "query"


class PeerStore(Protocol):
    """A store of texts by key."""

    def add(self, texts: Mapping[str, str]) -> None:
        """Keep texts; searchable when it returns. No key is given twice."""
        ...

    def remove(self, keys: Sequence[str]) -> None:
        """Let texts go."""
        ...

    def recall(self, query: str, limit: int) -> list[str]:
        """Return the keys of at most `limit` texts, best first."""
        ...

    def settings(self) -> Mapping[str, str | int | float | bool]:
        """Return what a result must say of it."""
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...


class Lines:
    """The two ends of the pipe."""

    def __init__(self, reads: BinaryIO, writes: BinaryIO) -> None:
        self._reads, self._writes = reads, writes

    def read(self) -> dict[str, Any]:
        """Return the next message. Raises EOFError when the other side is gone."""
        line = self._reads.readline()
        if not line:
            raise EOFError
        message: dict[str, Any] = json.loads(line)
        return message

    def write(self, message: Mapping[str, Any]) -> None:
        """Send a message."""
        self._writes.write(json.dumps(message).encode() + b"\n")
        self._writes.flush()

    def encode(self, texts: Sequence[str], role: str) -> list[list[float]]:
        """Return vectors from the encoder of the other side."""
        if not texts:
            return []
        self.write({"encode": list(texts), "role": role})
        return [_numbers(base64.b64decode(vector)) for vector in self.read()["vectors"]]


def _numbers(packed: bytes) -> list[float]:
    values = array("f")
    values.frombytes(packed)
    if sys.byteorder == "big":
        values.byteswap()
    return values.tolist()


def serve(start: Callable[..., PeerStore], lines: Lines) -> None:
    """Answer calls until the other side closes."""
    peer: PeerStore | None = None
    while True:
        try:
            message = lines.read()
        except EOFError:
            return
        call, arguments = message["call"], message["arguments"]
        try:
            if call == "start":
                peer = start(encode=lines.encode, **arguments)
                result: Any = dict(peer.settings())
            else:
                result = getattr(peer, call)(**arguments)
        except EOFError:
            return
        except Exception as error:  # noqa: BLE001  # whatever a peer raises is told to the other side
            traceback.print_exc()
            kind = "missing" if isinstance(error, ImportError) else "failed"
            lines.write({"error": f"{type(error).__name__}: {error}", "kind": kind})
            continue
        lines.write({"result": result})
        if call == "close":
            return


def serve_pipe(start: Callable[..., PeerStore]) -> None:
    """Serve on standard input and output, and keep these for messages alone."""
    reads, writes = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull) as nothing:  # noqa: PTH123  # a descriptor is wanted
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)  # what a peer prints must not look like a message
    serve(start, Lines(reads, writes))


def main() -> None:
    """Serve the peer that the command line names."""

    def start(**arguments: Any) -> PeerStore:  # noqa: ANN401  # they come from JSON
        peer: PeerStore = importlib.import_module(sys.argv[1]).start(**arguments)
        return peer

    serve_pipe(start)


if __name__ == "__main__":
    main()
