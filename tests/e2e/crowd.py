"""A crowd: clients of the Model Context Protocol write into one folder at once, and some servers are killed.

Some clients have a server of their own by standard streams, the others share one over HTTP. Run by the suite
(`test_crowd.py`), and with twenty clients by `benchmarks/mcp_clients.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters

from agentcl import Memory

PATIENCE_S = 120.0  # with a machine that is busy with something else
_NOTING = "import os, sys; open(sys.argv.pop(1), 'w').write(str(os.getpid())); "
_MAIN = "from agentcl.cli.main import main; main()"


@dataclass
class Crowd:
    """What a crowd did."""

    acknowledged: dict[str, str] = field(
        default_factory=dict
    )  # texts, by the ids that were returned
    begun: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)  # answers that were errors
    kills: int = 0


def environment(folder: Path) -> dict[str, str]:
    """Return what a server is started with; its keys are its own."""
    return {
        **os.environ,
        "AGENTCL_ENCODER": "hashing:64",
        "XDG_CONFIG_HOME": str(folder / "config"),
    }


def by_streams(folder: Path, pid: Path) -> StdioServerParameters:
    """Return how a server for one client is started; it notes its process."""
    arguments = ["-c", _NOTING + _MAIN, str(pid), "mcp", "--path", str(folder / "m")]
    return StdioServerParameters(command=sys.executable, args=arguments, env=environment(folder))


async def work(
    folder: Path, *, streams: int, http: int, kills: int, notes: int, seed: int
) -> Crowd:
    """Let clients write notes; kill so many servers, the shared one among them.

    Args:
        folder: an empty one.
        streams: clients with a server of their own.
        http: clients of the shared server.
        kills: servers of their own that are killed, each in the middle of a call, and not started again.
        notes: of each client.
        seed: of when who is killed.
    """
    crowd, rng = Crowd(), random.Random(seed)
    half = asyncio.Semaphore(0)  # released once for each note over HTTP
    alone = [
        _alone(folder, crowd, f"streams-{number}", notes, rng.randrange(1, notes) if number < kills else None)
        for number in range(streams)
    ]  # fmt: skip
    async with _shared(folder, crowd, half, notes=http * notes // 2 if kills else None) as address:
        shared = [
            _together(address, crowd, half, f"http-{number}", notes) for number in range(http)
        ]
        await asyncio.gather(*alone, *shared)
    return crowd


def check(folder: Path, crowd: Crowd) -> int:
    """Return how many notes are stored; what was acknowledged is there, nothing else is, and nothing is damaged."""
    with Memory(folder / "m", encoder="hashing:64") as memory:
        assert crowd.refused == []
        for id, text in crowd.acknowledged.items():
            assert memory.get(id).text == text  # type: ignore[attr-defined]
        stored = [one.text for one in memory.list(limit=100_000)]  # type: ignore[attr-defined]
        assert set(stored) <= crowd.begun
        assert len(stored) == len(set(stored))
        assert memory.store.examine().is_healthy
        return len(stored)


async def _alone(folder: Path, crowd: Crowd, name: str, notes: int, killed_at: int | None) -> None:
    """Write notes through a server of one's own, until it is killed in the middle of one."""
    pid = folder / f"{name}.pid"
    try:
        async with Client(by_streams(folder, pid)) as client:
            for number in range(notes):
                asked = asyncio.ensure_future(_write(client, crowd, f"{name}-{number}"))
                if number == killed_at:
                    await asyncio.sleep(random.Random(name).uniform(0, 0.03))
                    os.kill(int(pid.read_text()), signal.SIGKILL)
                    crowd.kills += 1
                await asyncio.wait_for(asked, PATIENCE_S)
    except Exception:  # whatever a client says of a server that was killed
        if killed_at is None:
            raise


async def _together(
    address: str, crowd: Crowd, half: asyncio.Semaphore, name: str, notes: int
) -> None:
    """Write notes through the shared server; what it did not acknowledge is sent again, as editors do."""
    left = [f"{name}-{number}" for number in range(notes)]
    for _ in range(int(PATIENCE_S)):
        try:
            async with Client(f"{address}/mcp") as client:
                while left:
                    await asyncio.wait_for(_write(client, crowd, left[0]), PATIENCE_S)
                    left.pop(0)
                    half.release()
                return
        except Exception:  # noqa: BLE001  # it was killed, and another one is on its way
            await asyncio.sleep(1)
    raise TimeoutError(f"{name} could not write {len(left)} notes")


async def _write(client: Client, crowd: Crowd, text: str) -> None:
    crowd.begun.add(text)
    result: Any = await client.call_tool("remember", {"text": text})
    if result.is_error:
        crowd.refused.append(result.content[0].text)
    else:
        crowd.acknowledged[json.loads(result.content[0].text)["id"]] = text


@asynccontextmanager
async def _shared(
    folder: Path, crowd: Crowd, half: asyncio.Semaphore, *, notes: int | None
) -> AsyncIterator[str]:
    """Serve the folder over HTTP; after so many notes the server is killed, and another one started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = [await served(folder, port)]

    async def kill() -> None:
        for _ in range(notes or 0):
            await half.acquire()
        running[-1].kill()
        running[-1].wait()
        crowd.kills += 1
        running.append(await served(folder, port))

    killing = asyncio.create_task(kill()) if notes else None
    try:
        yield f"http://127.0.0.1:{port}"
        if killing is not None:
            await killing
    finally:
        if killing is not None:
            killing.cancel()
        running[-1].send_signal(signal.SIGTERM)
        await asyncio.to_thread(running[-1].wait, PATIENCE_S)


async def served(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start the shared server, and return it once it answers."""
    arguments = [
        sys.executable,
        "-c",
        _MAIN,
        "serve",
        "--path",
        str(folder / "m"),
        "--port",
        str(port),
    ]
    with (folder / "serve.log").open("ab") as log:
        process = subprocess.Popen(arguments, env=environment(folder), stderr=log, stdout=log)
    for _ in range(int(10 * PATIENCE_S)):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        if process.poll() is not None:
            break
        await asyncio.sleep(0.1)
    raise TimeoutError((folder / "serve.log").read_text())
