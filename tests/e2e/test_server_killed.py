"""A server that is killed while it answers: what a client sends until it is answered is done once."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from socket import socket

import httpx
import pytest

from agentcl import Client, Memory

KILLS = 3
WRITERS = 3


def free_port() -> int:
    with socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def begun(folder: Path, port: int, home: Path) -> subprocess.Popen[bytes]:
    """Return a server that answers."""
    server = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from agentcl.cli.main import main; main()",
            "serve",
            "--path",
            str(folder),
            "--port",
            str(port),
        ],
        env={**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(600):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/ready").is_success:
                return server
        except httpx.TransportError:
            assert server.poll() is None, "the server has ended"
            time.sleep(0.1)
    server.kill()
    raise AssertionError("the server does not answer")


@pytest.mark.slow
def test_what_is_sent_until_it_is_answered_is_done_once(tmp_path: Path) -> None:
    folder, port = tmp_path / "m", free_port()
    with Memory(folder, encoder="hashing"):
        pass
    answered: list[str] = []
    stop = threading.Event()

    def write(writer: int) -> None:
        with Client(f"http://127.0.0.1:{port}", tries=200) as client:
            number = 0
            while not stop.is_set():
                number += 1
                text = f"writer {writer}, number {number}"
                added = client.add(text, duplicates="keep")
                assert added.text == text
                said = client.remember([{"role": "user", "content": text}], session=f"s{writer}")
                assert [turn.text for turn in said.turns] == [text]
                answered.append(text)

    server = begun(folder, port, tmp_path)
    writers = [threading.Thread(target=write, args=(one,)) for one in range(WRITERS)]
    chance = random.Random(7)
    try:
        for one in writers:
            one.start()
        for _ in range(KILLS):
            until = len(answered) + chance.randint(5, 15)
            while len(answered) < until:  # at work again
                assert any(one.is_alive() for one in writers)
                time.sleep(chance.uniform(0.01, 0.05))
            server.send_signal(signal.SIGKILL)
            server.wait()
            server = begun(folder, port, tmp_path)
        stop.set()
        for one in writers:
            one.join(120)
            assert not one.is_alive()
    finally:
        server.kill()
        server.wait()
    with Memory(folder) as memory:
        texts = [one.text for one in memory.list(limit=100_000)]  # type: ignore[attr-defined]
        assert len(answered) >= 5 * KILLS
        assert sorted(texts) == sorted(answered)
        for writer in range(WRITERS):
            turns = [turn.text for turn in memory.conversations.turns(session=f"s{writer}")]
            assert turns == [text for text in answered if text.startswith(f"writer {writer},")]
        assert memory.store.examine().problems == ()
