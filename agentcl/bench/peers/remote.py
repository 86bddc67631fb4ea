"""Peers, each in an environment and a process of its own, as baselines like any other."""

from __future__ import annotations

import base64
import contextlib
import json
import queue
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, Literal, cast

from agentcl.bench.baselines.base import Item
from agentcl.bench.baselines.items import ItemsById, searched
from agentcl.errors import BaselineFailed, MissingPeer, ProcessFailed
from agentcl.process import ChildProcess
from agentcl.retrieval.encoders import Encoder
from agentcl.text.parsing import parsed_json

SERVING: Final = Path(__file__).parent / "serving.py"
TIMEOUT_S: Final = 600.0  # some peers import for a minute, and index for minutes
_LEAVE_S: Final = 10.0  # to end by itself
_TAIL: Final = 600  # characters of what a dead server said last
_BATCH: Final = 256  # items in one message

Value = str | int | float | bool


class RemoteBaseline:
    """A peer behind a pipe; its texts and its questions are encoded here, by our encoder.

    Args:
        name: of the baseline.
        peer: the module of `agentcl.bench.peers` that runs it.
        python: the Python of the environment that it is installed in.
        encoder: makes its vectors.
        folder: the peer's; what it prints goes to `server.log` there.
        options: of the peer's module.
        install: what makes such an environment; for the error's message.
        timeout_s: how long to wait for its next word, before it counts as hanging and is killed.
        server: the program that speaks for it.

    Raises:
        MissingPeer: if there is no such Python, or the peer cannot be imported by it.
        BaselineFailed: from every method, if the peer raises, ends or hangs. After the latter two it stays dead.
    """

    def __init__(
        self,
        name: str,
        *,
        peer: str,
        python: str | Path,
        encoder: Encoder,
        folder: Path,
        options: Mapping[str, Value] | None = None,
        install: str = "",
        timeout_s: float = TIMEOUT_S,
        server: Path = SERVING,
    ) -> None:
        self.name = name
        self._items = ItemsById()
        self._encoder = encoder
        self._keys: dict[str, str] = {}  # by the item's id
        self._ids: dict[str, str] = {}  # and back
        self._count = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._remedy = (
            f"; make an environment with {install} and name its Python" if install else ""
        )
        self._pipe = _Pipe(
            name, [str(python), "-E", str(server), peer], folder, timeout_s, self._remedy
        )
        try:
            self._settings: dict[str, Value] = self._call(
                "start", folder=str(folder.resolve()), dim=encoder.dim, options=dict(options or {})
            )
        except BaseException:
            self._pipe.kill()
            raise

    def add(self, items: Sequence[Item]) -> None:
        """Remember; what comes again is removed and added anew."""
        fresh = self._items.check(items)
        replaced = [self._keys.pop(item.id) for item in fresh if item.id in self._keys]
        if replaced:
            self._call("remove", keys=replaced)
        for begin in range(0, len(fresh), _BATCH):
            batch = fresh[begin : begin + _BATCH]
            keys = {item.id: f"item-{self._count + n}" for n, item in enumerate(batch, start=1)}
            self._count += len(batch)
            self._call("add", texts={keys[item.id]: searched(item) for item in batch})
            self._keys.update(keys)
            self._ids.update({key: id for id, key in keys.items()})
            self._items.keep(batch)

    def recall(self, query: str, *, limit: int) -> list[Item]:
        """Return what the peer finds."""
        most = self._items.ask(query, limit)
        if not most:
            return []
        found: list[str] = self._call("recall", query=query, limit=most)
        return [self._items[self._ids[key]] for key in dict.fromkeys(found)][:most]

    def settings(self) -> Mapping[str, Value]:
        """Return what the peer says of itself, and the encoder."""
        return {"encoder": self._encoder.name, **self._settings}

    def close(self) -> None:
        """End the peer, by force where it does not leave; calling it twice is allowed."""
        self._items.close()
        self._pipe.close()

    def _call(self, call: str, **arguments: Any) -> Any:  # noqa: ANN401  # each call has its own answer
        """Ask the server; meanwhile encode what it wants encoded."""
        self._pipe.send({"call": call, "arguments": arguments})
        while True:
            message = self._pipe.receive(call)
            if "encode" in message:
                role = cast(Literal["query", "passage"], message["role"])
                try:
                    vectors = self._encoder.encode(message["encode"], role=role)
                except BaseException:
                    self._pipe.kill()  # it waits for vectors, and would take the next call for them
                    raise
                self._pipe.send({"vectors": [base64.b64encode(one).decode() for one in vectors]})
            elif "error" in message:
                if message["kind"] == "missing" and call == "start":
                    raise MissingPeer(f"baseline {self.name!r}: {message['error']}{self._remedy}")
                raise BaselineFailed(f"baseline {self.name!r} failed in {call}: {message['error']}")
            else:
                return message["result"]


class _Pipe:
    """A process that messages go to and come from, as lines of JSON."""

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, timeout_s: float, remedy: str
    ) -> None:
        self._name = name
        self._timeout_s = timeout_s
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._incoming: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        try:
            self._process = ChildProcess(command, log=folder / "server.log", is_piped=True)
        except ProcessFailed as error:
            raise MissingPeer(f"baseline {name!r}: {error}{remedy}") from error
        # Threads of their own, so that neither side waits for the other while a pipe is full.
        ends = ((self._write, self._process.stdin), (self._read, self._process.stdout))
        self._threads = [
            threading.Thread(target=act, args=(end,), daemon=True) for act, end in ends
        ]
        for thread in self._threads:
            thread.start()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message, sooner or later."""
        self._outgoing.put(json.dumps(message).encode() + b"\n")

    def receive(self, call: str) -> dict[str, Any]:
        """Return the next message. Raises BaselineFailed if the process ended, hangs or talks nonsense."""
        try:
            line = self._incoming.get(timeout=self._timeout_s)
        except queue.Empty:
            self.kill()
            raise BaselineFailed(
                f"baseline {self._name!r} said nothing for {self._timeout_s:g} s in {call} and was ended"
                f"{self._last_words()}"
            ) from None
        if not line:
            self._incoming.put(b"")  # whoever asks again is told again
            self.kill()
            code = self._process.wait(0.0)
            raise BaselineFailed(
                f"baseline {self._name!r} ended with code {code} in {call}{self._last_words()}"
            )
        try:
            message = parsed_json(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            self.kill()
            raise BaselineFailed(
                f"baseline {self._name!r} sent no message in {call}, but {line[:80]!r}"
            )
        return message

    def close(self) -> None:
        """Let the process leave, or end it; calling it twice is allowed."""
        if self._process.is_running():
            self.send({"call": "close", "arguments": {}})
            self._process.close(patience_s=_LEAVE_S)
        self.kill()

    def kill(self) -> None:
        """End the process and its children, and wait until it is gone."""
        self._process.kill()
        self._outgoing.put(None)
        for thread in self._threads:
            thread.join(_LEAVE_S)  # a grandchild that got away may hold the pipe open

    def _write(self, end: IO[bytes]) -> None:
        with contextlib.suppress(OSError), end:  # the reader tells that the process is gone
            while (line := self._outgoing.get()) is not None:
                end.write(line)
                end.flush()

    def _read(self, end: IO[bytes]) -> None:
        with end:
            for line in end:
                self._incoming.put(line)
        self._incoming.put(b"")

    def _last_words(self) -> str:
        said = self._process.tail(_TAIL)
        return f"; it said last: {said}" if said else "; it said nothing"
