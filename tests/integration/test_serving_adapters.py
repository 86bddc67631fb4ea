"""Loading adapters into a server that says what vLLM says: what is refused, and that what is served is compared."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agentcl import InvalidInput, Memory, ModelUnavailable, NotFound, StoreCorrupt
from agentcl.consolidation import AdapterServer
from agentcl.errors import LoadError, ModelChanged
from agentcl.store import Adapter
from tests.integration.test_adapters import said, train
from tests.served import listening
from tests.upstreams import Asked, Upstream, document

PROBE = {"prompt": [1, 2], "answer": [3, 4], "adapter": [-0.1, -0.2], "base": [-3.0, -2.0]}
SMOKE = json.dumps({"probes": [PROBE]})


class Vllm:
    """Answers as vLLM 0.32 does, where it matters here."""

    def __init__(self, **told: Any) -> None:
        self.loaded: dict[str, str] = {}
        self.base, self.adapter = PROBE["base"], PROBE["adapter"]
        self.wakes, self.is_lost = True, False  # lost: what sleep may do to the weights of adapters
        self.refusal: tuple[int, str] | None = None
        self.root = "/models/tiny"
        self.asked: list[str] = []
        for name, value in told.items():
            setattr(self, name, value)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await Upstream([self.play])(scope, receive, send)

    async def play(self, asked: Asked, send: Any, receive: Any) -> None:
        path = asked.path.removeprefix("/v1")
        self.asked.append(path)
        status, body = self.answer(path, asked.json if asked.body else {})
        await document(body, status=status)(asked, send, receive)

    def answer(self, path: str, body: Any) -> tuple[int, Any]:
        if path == "/models":
            models = [{"id": "tiny", "root": self.root, "parent": None}]
            models += [{"id": n, "root": at, "parent": "tiny"} for n, at in self.loaded.items()]
            return 200, {"object": "list", "data": models}
        if path == "/wake_up":
            return (200, None) if self.wakes else (404, {"detail": "Not Found"})
        if path == "/load_lora_adapter":
            self.is_lost = False
            if self.refusal:
                status, message = self.refusal
                return status, {"error": {"message": message, "code": status}}
            self.loaded[body["lora_name"]] = body["lora_path"]
            return 200, "Success"
        if path == "/unload_lora_adapter":
            del self.loaded[body["lora_name"]]
            return 200, "Success"
        is_adapted = body["model"] in self.loaded and not self.is_lost
        scores: Any = self.adapter if is_adapted else self.base
        place = len(body["prompt"]) - 2
        assert [*body["prompt"], *body["allowed_token_ids"]] == [1, 2, 3, 4][: place + 3]
        return 200, {"choices": [{"text": "", "logprobs": {"token_logprobs": [scores[place]]}}]}


@contextmanager
def opened(vllm: Vllm) -> Iterator[AdapterServer]:
    with listening(vllm) as address, AdapterServer(f"{address}/v1", api_key="none") as server:
        yield server


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing", durability="normal") as memory:
        yield memory


@pytest.fixture
def held(memory: Memory) -> Adapter:
    return train(memory, said(memory), smoke=SMOKE)


def test_an_adapter_is_loaded_compared_and_unloaded(memory: Memory, held: Adapter) -> None:
    vllm = Vllm()
    with opened(vllm) as server:
        assert server.names() == []
        found = server.load(memory, held.name)
        assert (found.name, found.base, found.error) == (held.name, "tiny", 0.0)
        assert found.change == found.trained_change == pytest.approx(2.35)
        assert vllm.loaded == {held.name: str(memory.adapters.folder(held.name).resolve())}
        assert server.load(memory, held.name) == found  # it is there already
        assert vllm.asked.count("/load_lora_adapter") == 1
        assert server.check(memory, held.name) == found
        server.unload(held.name)
        assert server.names() == []
        with pytest.raises(NotFound, match="not loaded"):
            server.unload(held.name)
        with pytest.raises(NotFound, match="adapters load"):
            server.check(memory, held.name)
    assert memory.adapters.get(held.name).state == "passed"  # who answers is decided elsewhere


def test_what_a_server_lost_in_its_sleep_is_loaded_anew(memory: Memory, held: Adapter) -> None:
    vllm = Vllm()
    with opened(vllm) as server:
        assert server.wake(memory) == []
        before = server.load(memory, held.name)
        vllm.loaded["somebody-elses"] = "/elsewhere"
        assert server.wake(memory) == [before]
        assert vllm.asked.count("/load_lora_adapter") == 1
        vllm.is_lost = True
        assert server.wake(memory) == [before]
        assert vllm.asked.count("/load_lora_adapter") == 2
        assert set(server.names()) == {held.name, "somebody-elses"}


def test_a_server_that_cannot_sleep_or_wakes_otherwise_is_told(
    memory: Memory, held: Adapter
) -> None:
    with (
        opened(Vllm(wakes=False)) as server,
        pytest.raises(ModelUnavailable, match="--enable-sleep-mode"),
    ):
        server.wake(memory)
    vllm = Vllm()
    with opened(vllm) as server:
        server.load(memory, held.name)
        vllm.adapter = [-1.5, -0.1]  # neither what was trained nor the base
        with pytest.raises(ModelChanged, match="otherwise than it was trained"):
            server.wake(memory)
        assert server.names() == []


@pytest.mark.parametrize(
    ("refusal", "error", "match"),
    [
        ((404, "Not Found"), ModelUnavailable, "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1"),
        ((500, "Call to add_lora method failed: LoRA is not enabled."), ModelUnavailable, "--enable-lora"),
        ((500, "LoRA rank 32 is greater than max_lora_rank 16."), InvalidInput, "--max-lora-rank"),
        ((404, "Loading lora failed: No adapter found for /x"), InvalidInput, "by its own path"),
        ((400, "something else"), InvalidInput, "something else"),
    ],
)  # fmt: skip
def test_why_a_server_loads_nothing_is_told_with_what_to_do(
    memory: Memory, held: Adapter, refusal: tuple[int, str], error: type[Exception], match: str
) -> None:
    with opened(Vllm(refusal=refusal)) as server, pytest.raises(error, match=match):
        server.load(memory, held.name)


@pytest.mark.parametrize(
    ("told", "match", "is_asked"),
    [
        ({"base": [-3.0, -9.0]}, "is not the model", False),
        ({"adapter": PROBE["base"]}, "as the bare model does", True),
        ({"adapter": [-9.0, -9.0]}, "otherwise than it was trained", True),
    ],
)
def test_what_is_not_what_was_trained_is_unloaded_again(
    memory: Memory, held: Adapter, told: dict[str, Any], match: str, is_asked: bool
) -> None:
    vllm = Vllm(**told)
    with opened(vllm) as server, pytest.raises(ModelChanged, match=match):
        server.load(memory, held.name)
    assert vllm.loaded == {}
    assert ("/load_lora_adapter" in vllm.asked) == is_asked


def test_a_base_of_other_weights_is_refused_by_its_files(
    memory: Memory, held: Adapter, tmp_path: Path
) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text("{}")
    (tmp_path / "base" / "model.safetensors").write_bytes(b"other weights")
    vllm = Vllm(root=str(tmp_path / "base"))
    with opened(vllm) as server, pytest.raises(ModelChanged, match="another weights"):
        server.load(memory, held.name)
    assert vllm.asked == ["/models"]


def test_what_cannot_be_served_is_refused_before_a_server_is_asked(memory: Memory) -> None:
    one = said(memory)
    failed = train(memory, one, is_passed=False, smoke=SMOKE)
    old = train(memory, one)
    changed = train(memory, one, smoke=SMOKE)
    (memory.adapters.folder(changed.name) / "adapter_model.safetensors").write_bytes(b"x")
    same = {**PROBE, "adapter": PROBE["base"]}
    weak = train(memory, one, smoke=json.dumps({"probes": [same]}))
    gone = train(memory, one, smoke=SMOKE)
    memory.adapters.revoke(gone.name)
    vllm = Vllm()
    with opened(vllm) as server:
        for name, error, match in (
            ("unknown", NotFound, "adapters list"),
            (failed.name, InvalidInput, "not passed its gate"),
            (gone.name, InvalidInput, "was revoked"),
            (old.name, LoadError, "train anew"),
            (changed.name, StoreCorrupt, "never changed"),
            (weak.name, InvalidInput, "more steps"),
        ):
            with pytest.raises(error, match=match):
                server.load(memory, name)
    assert vllm.asked == []


def test_a_server_that_is_not_there_or_serves_several_models_is_named(
    memory: Memory, held: Adapter
) -> None:
    with (
        AdapterServer("http://127.0.0.1:1/v1", api_key="none") as nobody,
        pytest.raises(ModelUnavailable, match="/v1"),
    ):
        nobody.load(memory, held.name)
    vllm = Vllm()
    vllm.loaded["x"] = "/elsewhere"
    with listening(vllm) as address:
        url = f"{address}/v1"
        with (
            AdapterServer(url, model="other", api_key="none") as server,
            pytest.raises(InvalidInput, match="tiny"),
        ):
            server.load(memory, held.name)
        vllm.loaded[held.name] = "/elsewhere"
        with (
            AdapterServer(url, api_key="none") as server,
            pytest.raises(InvalidInput, match="unload that first"),
        ):
            server.load(memory, held.name)
