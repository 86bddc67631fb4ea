"""Chroma over HTTP: a real `chroma run` in a process of its own."""

import gc
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from agentcl import Memory, StoreUnavailable

pytest.importorskip("chromadb")


@pytest.fixture(autouse=True)
def sockets() -> Iterator[None]:
    """Collect the sockets that Chroma's HTTP client leaves open even when it is closed."""
    yield
    from chromadb.api.shared_system_client import SharedSystemClient

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        SharedSystemClient.clear_system_cache()
        gc.collect()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("chroma")
    command = [
        sys.executable,
        "-c",
        "from chromadb.cli.cli import app; app()",
        *("run", "--path", str(folder), "--host", "127.0.0.1", "--port", str(port)),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        for _ in range(300):
            try:
                urlopen(f"http://127.0.0.1:{port}/api/v2/heartbeat", timeout=1).close()
                break
            except (URLError, OSError):
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
        yield f"chroma:http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def test_a_memory_lives_on_a_chroma_server(tmp_path: Path, server: str) -> None:
    with Memory(tmp_path, encoder="hashing", index=server) as memory:
        ferry = memory.add("The ferry leaves at seven.", user="ada", metadata={"n": 1})
        memory.add("Rye bread is baked on Saturdays.", user="bo")
        recall = memory.search("ferry", mode="dense", user="ada")
        assert [hit.text for hit in recall] == ["The ferry leaves at seven."]
        assert recall.indexes == ("chroma",)
        assert len(memory.search("ferry", mode="dense", user="ada", filters={"n": 2})) == 0
        with Memory(tmp_path, index=server) as other:  # as another process would
            other.update(ferry.id, text="The ferry leaves at eight.", user="ada")
        assert memory.search("ferry", mode="dense", user="ada").hits[0].text.endswith("eight.")
        memory.forget(ferry.id, user="ada")
        assert len(memory.search("ferry", mode="dense", user="ada")) == 0
        assert memory.store.examine().problems == ()


def test_two_memories_on_one_server_never_meet(tmp_path: Path, server: str) -> None:
    with (
        Memory(tmp_path / "a", encoder="hashing", index=server) as a,
        Memory(tmp_path / "b", encoder="hashing", index=server) as b,
    ):
        a.add("only in a")
        b.add("only in b")
        assert [hit.text for hit in a.search("only in", mode="dense")] == ["only in a"]
        assert [hit.text for hit in b.search("only in", mode="dense")] == ["only in b"]


def test_a_server_that_is_gone_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    with Memory(tmp_path, encoder="hashing", index="chroma:http://127.0.0.1:9") as memory:
        note = memory.add("stored although the index is away")
        with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:9"):
            memory.search("stored")
        assert memory.get(note.id).id == note.id
    with Memory(tmp_path) as memory:
        assert len(memory.search("stored")) == 1
