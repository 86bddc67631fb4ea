"""The encoder is loaded while the server begins to answer, and who asks meanwhile is told."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from agentcl import EncoderUnavailable, Memory
from agentcl.memory.upkeep.warming import READY, WarmUp
from agentcl.retrieval.encoders import HashingEncoder, Role
from tests.served import served
from tests.upstreams import Upstream, completion, proxied

ASKED = {"messages": [{"role": "user", "content": "When does the harbour close?"}]}


class Loading:
    """An encoder whose first question waits until it is let go; what it reads it reads at once."""

    def __init__(self) -> None:
        self._encoder = HashingEncoder()
        self.name, self.dim, self.is_lexical = self._encoder.name, self._encoder.dim, True
        self.is_loaded = threading.Event()
        self.is_broken = False

    def encode(self, texts: Sequence[str], *, role: Role) -> list[bytes]:
        if role == "query":
            assert self.is_loaded.wait(60)
            if self.is_broken:
                raise EncoderUnavailable("nothing answers there")
        return self._encoder.encode(texts, role=role)


@pytest.fixture
def encoder() -> Iterator[Loading]:
    encoder = Loading()
    yield encoder
    encoder.is_loaded.set()


@pytest.fixture
def memory(tmp_path: Path, encoder: Loading) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder=encoder) as memory:
        memory.add("The harbour closes at nine.")
        yield memory
        encoder.is_loaded.set()


def test_ready_tells_when_the_encoder_is_there(memory: Memory, encoder: Loading) -> None:
    with served(memory) as address:
        assert httpx.get(f"{address}/ready").json() == {"status": "ready", "encoder": "loading"}
        encoder.is_loaded.set()
        while httpx.get(f"{address}/ready").json()["encoder"] == "loading":
            pass
        assert httpx.get(f"{address}/ready").json() == {"status": "ready", "encoder": "ready"}


def test_an_encoder_that_cannot_be_had_is_named_and_keeps_nobody_waiting(
    memory: Memory, encoder: Loading
) -> None:
    encoder.is_broken = True
    encoder.is_loaded.set()
    with proxied(memory, Upstream([completion()])) as client:
        answer = client.post("/v1/chat/completions", json=ASKED)
        assert answer.status_code == 200
        assert "by words alone" in answer.headers["x-agentcl-warning"]
        assert answer.headers["x-agentcl-memories"]
        assert client.get("/ready").json()["encoder"] == "EncoderUnavailable"


def test_the_first_call_waits_for_the_encoder_and_finds(memory: Memory, encoder: Loading) -> None:
    upstream = Upstream([completion()])
    with proxied(memory, upstream) as client:
        threading.Timer(0.2, encoder.is_loaded.set).start()
        answer = client.post("/v1/chat/completions", json=ASKED)
    assert "closes at nine" in str(upstream.last.json)
    assert "x-agentcl-warning" not in answer.headers


def test_a_call_that_can_wait_no_longer_says_that_nothing_was_recalled(
    memory: Memory, encoder: Loading
) -> None:
    upstream = Upstream([completion()])
    with proxied(memory, upstream, recall_seconds=0.01) as client:
        answer = client.post("/v1/chat/completions", json=ASKED)
        assert answer.status_code == 200
        assert "nothing was recalled" in answer.headers["x-agentcl-warning"]
        assert upstream.last.json == ASKED
        off = client.post("/v1/chat/completions", json={**ASKED, "x-agentcl-memory": "off"})
        assert "x-agentcl-warning" not in off.headers
        encoder.is_loaded.set()


def test_what_was_ended_before_it_began_opens_nothing(memory: Memory, encoder: Loading) -> None:
    warming = WarmUp(memory)
    warming.end()
    warming.begin(after_s=60)
    assert not warming.wait(0.05)
    encoder.is_loaded.set()
    other = WarmUp(memory)
    other.begin()
    assert other.wait(60)
    assert other.state == READY


def test_a_memory_that_was_closed_meanwhile_is_no_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    memory = Memory(tmp_path / "m", encoder="hashing")
    memory.add("The ferry leaves at seven.")
    memory.close()
    warming = WarmUp(memory)
    warming.begin()
    assert warming.wait(60)
    assert warming.state == "MemoryClosed"
    assert caplog.records == []
