"""The pipe to a peer: what is said on it, and what becomes of a peer that ends, hangs or raises."""

import os
import select
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from agentcl.bench.baselines.base import Item
from agentcl.bench.peers.remote import RemoteBaseline
from agentcl.errors import BaselineFailed, MissingPeer, StoreUnavailable
from agentcl.retrieval.encoders import Encoder, HashingEncoder, Role

SERVER = Path(__file__).with_name("fake_server.py")
ITEMS = [Item("ferry", "The ferry leaves at seven."), Item("bread", "Rye bread is baked here.")]
Start = Callable[..., RemoteBaseline]


class Recording(HashingEncoder):
    """Notes what it is asked to encode, and as what."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, Role]] = []

    def encode(self, texts: Sequence[str], *, role: Role) -> list[bytes]:
        self.asked += [(text, role) for text in texts]
        return super().encode(texts, role=role)


class Unreachable(HashingEncoder):
    """Stands for an endpoint that does not answer."""

    def encode(self, texts: Sequence[str], *, role: Role) -> list[bytes]:
        raise StoreUnavailable("the encoder's endpoint does not answer")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    baselines: list[RemoteBaseline] = []

    def starter(
        manner: str, *, timeout_s: float = 60.0, encoder: Encoder | None = None
    ) -> RemoteBaseline:
        baselines.append(
            RemoteBaseline(
                "fake",
                peer=manner,
                python=sys.executable,
                encoder=encoder or HashingEncoder(),
                folder=tmp_path / "peer",
                install="`pip install fake`",
                timeout_s=timeout_s,
                server=SERVER,
            )
        )
        return baselines[-1]

    yield starter
    for baseline in baselines:
        baseline.close()


def test_a_peer_encodes_with_our_encoder_and_may_print(start: Start) -> None:
    encoder = Recording()
    baseline = start("behaves", encoder=encoder)
    baseline.add([*ITEMS, Item("tide", "High water at noon.", title="Harbour")])
    assert baseline.recall("When does the ferry leave?", limit=1) == ITEMS[:1]
    assert encoder.asked == [
        ("The ferry leaves at seven.", "passage"),
        ("Rye bread is baked here.", "passage"),
        ("Harbour\nHigh water at noon.", "passage"),
        ("When does the ferry leave?", "query"),
    ]
    assert baseline.settings() == {"encoder": "hashing", "fake": True, "reads": ""}


def test_more_than_fits_a_pipe_goes_both_ways(start: Start) -> None:
    baseline = start("behaves")
    many = [Item(str(number), f"note {number} " + "of the harbour " * 500) for number in range(600)]
    baseline.add(many)
    found = baseline.recall("note 77", limit=600)
    assert len(found) == 600


def test_what_comes_again_is_removed_first(start: Start) -> None:
    baseline = start("behaves")
    baseline.add(ITEMS)
    baseline.add([Item("ferry", "No ferry today.")])
    assert [item.text for item in baseline.recall("the ferry", limit=5)] == [
        "No ferry today.", "Rye bread is baked here."
    ]  # fmt: skip


def test_a_peer_that_raises_says_why_and_goes_on(start: Start) -> None:
    baseline = start("raises")
    baseline.add(ITEMS)
    for _ in range(2):
        with pytest.raises(BaselineFailed, match="failed in recall: ValueError: no such shard"):
            baseline.recall("ferry", limit=1)


def test_a_peer_that_ends_says_its_code_and_last_words_and_stays_dead(start: Start) -> None:
    baseline = start("ends")
    baseline.add(ITEMS)
    for _ in range(2):
        with pytest.raises(
            BaselineFailed, match=r"ended with code 3 in recall; .*the store is on fire"
        ):
            baseline.recall("ferry", limit=1)
    baseline.close()


def test_a_peer_that_hangs_is_ended(start: Start) -> None:
    with pytest.raises(BaselineFailed, match=r"said nothing for 0\.5 s in start and was ended"):
        start("hangs", timeout_s=0.5)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_the_children_of_a_peer_end_with_it(start: Start, tmp_path: Path) -> None:
    held = tmp_path / "peer" / "held"
    held.parent.mkdir()
    os.mkfifo(held)
    end = os.open(held, os.O_RDONLY | os.O_NONBLOCK)
    try:
        baseline = start(
            "ends and has a child"
        )  # the child holds the pipe open as long as it lives
        baseline.add(ITEMS)
        assert select.select([end], [], [], 0) == ([], [], [])
        with pytest.raises(BaselineFailed, match="ended with code 3"):
            baseline.recall("ferry", limit=1)
        assert select.select([end], [], [], 60) == ([end], [], [])
        assert os.read(end, 1) == b""
    finally:
        os.close(end)


def test_a_peer_that_talks_nonsense_is_ended(start: Start) -> None:
    with pytest.raises(BaselineFailed, match="sent no message in start, but b'Welcome!"):
        start("talks nonsense")


def test_a_peer_that_is_missing_says_how_to_install_it(start: Start) -> None:
    with pytest.raises(MissingPeer, match=r"No module named 'fake'; .*`pip install fake`"):
        start("is missing")


def test_when_our_encoder_fails_the_peer_is_not_left_waiting(start: Start) -> None:
    baseline = start("behaves", encoder=Unreachable())
    with pytest.raises(StoreUnavailable, match="endpoint"):
        baseline.add(ITEMS)
    with pytest.raises(BaselineFailed, match="ended"):
        baseline.add(ITEMS)
