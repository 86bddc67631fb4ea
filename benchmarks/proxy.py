"""What does the proxy cost in front of a model that answers at once, and does it hold under load?

    python benchmarks/proxy.py

The server is `agentcl serve --upstream` with a memory of 500 sentences and the hashing encoder, a process of its own. So is the
upstream, which answers at once. Asked is what a chat program asks: a conversation of five messages. Three things are measured:

- overhead: the same request straight to the upstream and through the proxy, by turns. Told are the median and the 95th
  percentile of the whole answer, and of the first chunk of a stream; the proxy's without the time that its recall took, too.
- streams: 200 at once, of 40 chunks each, one every 50 ms. What arrives is compared byte by byte.
- memory: 50,000 requests of 50 users, eight at once, which all recall and store. Told is the resident memory of the server on
  the way. Each user sends the same again and again, so that the memory itself does not grow.

Others may use the machine meanwhile: compare the columns of one run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from parts.results import FOLDER, machine, save, table

from agentcl import Memory

PARTS: Final = ["overhead", "streams", "memory"]
CHUNKS: Final = 40
EVERY_S: Final = 0.05
TALK: Final = [
    {"role": "system", "content": "You are a guide to the islands. Be short."},
    {"role": "user", "content": "I moved to Tessary last week, and work at the harbour."},
    {"role": "assistant", "content": "How do you like it there?"},
    {"role": "user", "content": "Well. The ferry is late now and then."},
    {"role": "assistant", "content": "That happens in autumn."},
    {"role": "user", "content": "When does ferry 17 leave from Tessary?"},
]


def main() -> None:
    """Measure, show and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=400, help="of each kind, for the overhead")
    parser.add_argument("--streams", type=int, default=200, help="at once")
    parser.add_argument("--many", type=int, default=50_000, help="requests for the memory")
    parser.add_argument(
        "--parts", nargs="+", choices=PARTS, default=PARTS, help="to be measured; others stay"
    )
    parser.add_argument("--play-upstream", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.play_upstream:
        play_upstream()
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        fill(folder / "memory")
        _, upstream = stack.enter_context(running([sys.executable, __file__, "--play-upstream"]))
        command = "from agentcl.cli.main import main; main()"
        server, proxy = stack.enter_context(
            running(
                [sys.executable, "-c", command, "serve", "--port", "0", "--upstream", f"{upstream}/v1",
                 "--path", str(folder / "memory"), "--encoder", "hashing"]
            )
        )  # fmt: skip
        result = earlier() if asked.parts != PARTS else {}
        result |= {"machine": machine("httpx", "uvicorn")}
        if "overhead" in asked.parts:
            result |= {
                "requests": asked.requests,
                "overhead": overhead(upstream, proxy, asked.requests),
            }
        if "streams" in asked.parts:
            result["streams"] = asyncio.run(streams(upstream, proxy, asked.streams))
        if "memory" in asked.parts:
            result["memory"] = asyncio.run(memory(proxy, server.pid, asked.many))
    save("proxy", result)


def earlier() -> dict[str, Any]:
    """Return the result of an earlier run."""
    found: dict[str, Any] = json.loads((FOLDER / "proxy.json").read_text("utf-8"))
    return found


def fill(folder: Path) -> None:
    """Store 500 sentences that are alike."""
    with Memory(folder, encoder="hashing") as memory:
        memory.add_many(
            [
                f"Ferry {n} leaves Tessary from pier {n % 9} at {n % 24}:{n % 60:02}."
                for n in range(500)
            ]
        )


@contextmanager
def running(command: Sequence[str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Yield a process that tells its address, and the address."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout
        for line in process.stdout:
            if found := re.search(r"http://[\d.:]+", line):
                yield process, found[0]
                break
        else:
            sys.exit("a server did not start")
    finally:
        process.terminate()
        process.wait()


def overhead(upstream: str, proxy: str, requests: int) -> dict[str, Any]:
    """Ask by turns straight and through the proxy; return milliseconds."""
    taken: dict[str, list[float]] = {}
    with httpx.Client(timeout=60) as client:
        for number in range(requests + 20):
            for name, address in (("direct", upstream), ("proxy", proxy)):
                for kind, ask in (("whole", whole), ("first", first)):
                    answer, ms = ask(client, address, number)
                    if number < 20:  # until all is warm
                        continue
                    taken.setdefault(f"{name}, {kind}", []).append(ms)
                    if name == "proxy":
                        recall = 1_000 * recall_of(client, proxy, answer)
                        taken.setdefault(f"recall, {kind}", []).append(recall)
                        taken.setdefault(f"proxy without recall, {kind}", []).append(ms - recall)
    rows = {
        name: {
            "p50_ms": round(statistics.median(ms), 2),
            "p95_ms": round(sorted(ms)[int(0.95 * len(ms))], 2),
        }
        for name, ms in taken.items()
    }
    table(
        ["", "p50 ms", "p95 ms"],
        [[name, f"{row['p50_ms']:.2f}", f"{row['p95_ms']:.2f}"] for name, row in rows.items()],
    )
    for kind in ("whole", "first"):
        over = rows[f"proxy without recall, {kind}"]["p50_ms"] - rows[f"direct, {kind}"]["p50_ms"]
        print(f"overhead of the proxy, {kind}: {over:.2f} ms at the median, without its recall")
    return rows


def body(number: int, *, is_stream: bool, user: str = "") -> dict[str, Any]:
    """Return a request of a conversation."""
    return {
        "model": "m", "messages": TALK, "stream": is_stream, "user": user or f"user-{number % 50}",
    }  # fmt: skip


def whole(client: httpx.Client, address: str, number: int) -> tuple[httpx.Response, float]:
    """Ask for an answer at once; return it, and the milliseconds that it took."""
    began = time.perf_counter()
    answer = client.post(f"{address}/v1/chat/completions", json=body(number, is_stream=False))
    answer.raise_for_status()
    return answer, 1_000 * (time.perf_counter() - began)


def first(client: httpx.Client, address: str, number: int) -> tuple[httpx.Response, float]:
    """Read a stream to its end; return the milliseconds that its first chunk took."""
    ask = body(number, is_stream=True)
    began = time.perf_counter()
    with client.stream("POST", f"{address}/v1/chat/completions", json=ask) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        ms = 1_000 * (time.perf_counter() - began)
        for _ in pieces:
            pass
    return answer, ms


def recall_of(client: httpx.Client, proxy: str, answer: httpx.Response) -> float:
    """Return the seconds that a recall took; the exchange is over then."""
    id = answer.headers["x-agentcl-exchange"]
    told = client.get(f"{proxy}/v1/exchanges/{id}", params={"wait": 10}).json()
    return float(told["seconds"]["recall"])


async def streams(upstream: str, proxy: str, count: int) -> dict[str, Any]:
    """Hold many streams at once; return how many came whole, and when their first chunks came."""
    expected = b"".join(map(chunk, range(CHUNKS)))
    rows: dict[str, Any] = {}
    for name, address in (("direct", upstream), ("proxy", proxy)):
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(timeout=120, limits=limits) as client:

            async def one(
                number: int, client: httpx.AsyncClient = client, address: str = address
            ) -> tuple[bool, float]:
                began = time.perf_counter()
                came, after = b"", 0.0
                ask = body(number, is_stream=True, user=f"streamer-{number}") | {"slow": True}
                async with client.stream(
                    "POST", f"{address}/v1/chat/completions", json=ask
                ) as answer:
                    async for piece in answer.aiter_raw():
                        after = after or time.perf_counter() - began
                        came += piece
                return came == expected, after

            came = await asyncio.gather(*(one(number) for number in range(count)))
        rows[name] = {
            "streams": count,
            "whole": sum(is_whole for is_whole, _ in came),
            "first_p50_s": round(statistics.median(after for _, after in came), 3),
        }
    table(
        ["", "streams at once", "whole", "first chunk p50 s"],
        [
            [name, str(count), str(row["whole"]), f"{row['first_p50_s']:.3f}"]
            for name, row in rows.items()
        ],
    )
    return rows


async def memory(proxy: str, pid: int, count: int) -> dict[str, Any]:
    """Send many requests; return the resident memory of the server in MiB after each tenth of them."""
    told: dict[str, float] = {}
    tenth = max(1, count // 10)
    began = time.perf_counter()
    numbers = iter(range(1, count + 1))
    async with httpx.AsyncClient(timeout=60) as client:

        async def worker() -> None:
            for number in numbers:
                ask = body(number, is_stream=number % 2 == 0, user=f"many-{number % 50}")
                answer = await client.post(f"{proxy}/v1/chat/completions", json=ask)
                answer.raise_for_status()
                if number % tenth == 0 or number == 500:
                    told[str(number)] = round(resident(pid), 1)
                    print(f"{number:>7,} requests: {told[str(number)]} MiB", flush=True)

        await asyncio.gather(*(worker() for _ in range(8)))
    seconds = time.perf_counter() - began
    print(f"{count / seconds:.0f} requests a second")
    return {"requests": count, "resident_mib": told, "requests_a_second": round(count / seconds, 1)}


def resident(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def chunk(number: int) -> bytes:
    """Return one chunk of the upstream's stream."""
    choice = {"index": 0, "delta": {"content": f" {number}"}, "finish_reason": None}
    if number == CHUNKS - 1:
        choice["finish_reason"] = "stop"
    return b"data: " + json.dumps({"id": "c", "choices": [choice]}).encode() + b"\n\n"


def play_upstream() -> None:
    """Serve answers that come at once."""
    import socket

    import uvicorn

    message = {"role": "assistant", "content": "It leaves at noon."}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    answer = json.dumps({"id": "c", "choices": [choice]}).encode()

    async def app(
        scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Any]
    ) -> None:
        if scope["type"] != "http":
            return
        said = b""
        while True:
            message = await receive()
            said += message.get("body", b"")
            if not message.get("more_body"):
                break
        asked = json.loads(said)
        kind, whole = (
            (b"text/event-stream", b"") if asked["stream"] else (b"application/json", answer)
        )
        headers = [(b"content-type", kind)] + [
            (b"content-length", str(len(whole)).encode())
        ] * bool(whole)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number in range(0 if whole else CHUNKS):
            await send({"type": "http.response.body", "body": chunk(number), "more_body": True})
            if asked.get("slow"):
                await asyncio.sleep(EVERY_S)
        await send({"type": "http.response.body", "body": whole})

    with socket.create_server(("127.0.0.1", 0), backlog=2_048) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off")).run(sockets=[listener])


if __name__ == "__main__":
    main()
