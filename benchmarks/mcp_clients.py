"""What the door for editors costs, and whether many clients at once lose anything.

    python benchmarks/mcp_clients.py

1. Seconds from the start of `agentcl mcp` to its first answer, by the official client: the list of tools, and a recall.
2. A recall through standard streams and through HTTP, less the same recall in this process. The three take turns.
3. Twenty clients, half of them with a server of their own and half over one HTTP server, write into one folder; servers
   are killed (`kill -9`) in the middle of calls. What was acknowledged must be there, once, and nothing damaged.

The encoder is "hashing": no model is loaded.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "e2e"))
sys.path.insert(0, str(Path(__file__).parent))
from crowd import by_streams, check, served, work
from mcp import Client
from parts.results import machine, save

from agentcl import Memory
from agentcl.mcp import Tools

DOCUMENTS = 1_000
STARTS = 9
PORT = 8_399


async def cold(folder: Path) -> dict[str, float]:
    """Return the median seconds from a start to the list of tools, and to a first recall; of that the least too."""
    listed: list[float] = []
    recalled: list[float] = []
    for _ in range(STARTS):
        began = time.perf_counter()
        async with Client(by_streams(folder, folder / "pid")) as client:
            await client.list_tools()
            listed.append(time.perf_counter() - began)
            await client.call_tool("recall", {"query": "the ferry to Tessary"})
            recalled.append(time.perf_counter() - began)
    return {
        "tools_s": statistics.median(listed),
        "recall_s": statistics.median(recalled),
        "fastest_recall_s": min(recalled),
    }


async def recalls(folder: Path, queries: int) -> dict[str, dict[str, float]]:
    """Return what a recall takes in this process, through standard streams, and through HTTP."""
    took: dict[str, list[float]] = {"in process": [], "standard streams": [], "HTTP": []}
    server = await served(folder, PORT)
    try:
        with Memory(folder / "m", encoder="hashing:64") as memory:
            tools = Tools(memory)
            async with (
                Client(by_streams(folder, folder / "pid")) as streams,
                Client(f"http://127.0.0.1:{PORT}/mcp") as http,
            ):
                for number in range(-20, queries):
                    given = {"query": f"what was noted about ferry {number % DOCUMENTS}"}
                    marks = [time.perf_counter()]
                    tools.recall(given["query"])
                    marks.append(time.perf_counter())
                    await streams.call_tool("recall", given)
                    marks.append(time.perf_counter())
                    await http.call_tool("recall", given)
                    marks.append(time.perf_counter())
                    for at, name in enumerate(took):
                        if number >= 0:  # after some that warm up
                            took[name].append(1_000 * (marks[at + 1] - marks[at]))
    finally:
        server.terminate()
        server.wait()
    return {name: spread(times) for name, times in took.items()}


def spread(times: list[float]) -> dict[str, float]:
    """Return what half of the recalls took at the most, and the fastest and slowest twentieth of them."""
    cuts = statistics.quantiles(times, n=20)
    return {"p5_ms": cuts[0], "p50_ms": cuts[9], "p95_ms": cuts[18]}


def crowd(arguments: argparse.Namespace) -> dict[str, Any]:
    """Let clients write while servers are killed, and check what is left."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        done = asyncio.run(
            work(
                Path(folder),
                streams=arguments.clients // 2,
                http=arguments.clients - arguments.clients // 2,
                kills=arguments.kills,
                notes=arguments.notes,
                seed=1,
            )
        )
        return {
            "clients": arguments.clients,
            "kills": done.kills,
            "acknowledged": len(done.acknowledged),
            "stored": check(Path(folder), done),
            "refused": len(done.refused),
            "lost": 0,
            "seconds": time.perf_counter() - began,
        }


def main() -> None:
    """Measure all three and keep the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--kills", type=int, default=5, help="of servers that one client has alone")
    parser.add_argument("--notes", type=int, default=20, help="of each client")
    parser.add_argument("--queries", type=int, default=200)
    arguments = parser.parse_args()
    result: dict[str, Any] = {"machine": machine("mcp"), "load": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Memory(folder / "m", encoder="hashing:64") as memory:
            memory.add_many(
                f"Ferry {number} leaves at {number % 24} o'clock." for number in range(DOCUMENTS)
            )
        result["cold"] = asyncio.run(cold(folder))
        print(result["cold"], flush=True)
        result["recall"] = asyncio.run(recalls(folder, arguments.queries))
        print(result["recall"], flush=True)
    result["crowd"] = crowd(arguments)
    print(result["crowd"])
    save("mcp_clients", result)


if __name__ == "__main__":
    main()
