"""A GGUF through llama.cpp: with a stand-in for the package, and with the package itself where it is installed."""

import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from agentcl.errors import InvalidInput, MissingExtra, ModelUnavailable, RequestRefused
from agentcl.models import ChatModel, LlamaCppChat, Message, Sampling, open_model
from agentcl.models.local import LocalChat

ASK = [Message("system", "Be brief."), Message("user", "When does the ferry leave?")]
SCHEMA = {"type": "object", "properties": {"hour": {"type": "integer"}}}


class Llama:
    """Says the same in pieces or at once, and keeps what it was asked."""

    asked: dict[str, Any]

    def __init__(self, path: str, **options: Any) -> None:
        if "broken" in path:
            raise ValueError("Failed to load model from file")
        self.options = options
        self.metadata = {} if "mute" in path else {"tokenizer.chat_template": "{{ messages }}"}

    def create_chat_completion(self, **asked: Any) -> Any:
        Llama.asked = asked
        if len(asked["messages"][-1]["content"]) > 1000:
            raise ValueError("Requested tokens (1020) exceed context window of 8192")
        said = ["At ", "seven", ". Or later."]
        if asked["stream"]:
            return ({"choices": [{"delta": {"content": one}}]} for one in said)
        return {
            "choices": [{"message": {"content": "".join(said)}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 12, "completion_tokens": 6},
        }


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    package: Any = ModuleType("llama_cpp")
    package.Llama, package.__spec__ = Llama, ModuleSpec("llama_cpp", None)
    monkeypatch.setitem(sys.modules, "llama_cpp", package)


@pytest.fixture
def without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "agentcl.models.llamacpp.find_spec", lambda name: None if name == "llama_cpp" else find(name)
    )  # fmt: skip


def gguf(folder: Path, name: str = "m.gguf") -> Path:
    file = folder / name
    file.write_bytes(b"GGUF" + (3).to_bytes(4, "little") + bytes(16))
    return file


@pytest.mark.usefixtures("stand_in")
def test_what_is_asked_and_answered(tmp_path: Path) -> None:
    model = LlamaCppChat(gguf(tmp_path))
    assert isinstance(model, ChatModel)
    reply = model.chat(ASK, sampling=Sampling(max_tokens=9, seed=3), schema=SCHEMA)
    assert (reply.text, reply.finish) == ("At seven. Or later.", "stop")
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (12, 6)
    assert Llama.asked["messages"] == [one.plain() for one in ASK]
    assert (Llama.asked["temperature"], Llama.asked["seed"]) == (0.0, 3)
    assert Llama.asked["response_format"] == {"type": "json_object", "schema": SCHEMA}


@pytest.mark.usefixtures("stand_in")
def test_an_answer_and_a_stream_end_before_a_stop_string(tmp_path: Path) -> None:
    model, sampling = LlamaCppChat(gguf(tmp_path)), Sampling(stop=(". Or",))
    assert model.chat(ASK, sampling=sampling).text == "At seven"
    assert "".join(model.stream(ASK, sampling=sampling)) == "At seven"
    assert "".join(model.stream(ASK)) == "At seven. Or later."


@pytest.mark.usefixtures("stand_in")
def test_what_is_too_long_is_refused_and_what_cannot_be_spoken_to_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestRefused, match="context window"):
        LlamaCppChat(gguf(tmp_path)).chat([Message("user", "x" * 1001)])
    with pytest.raises(ModelUnavailable, match="no chat template"):
        LlamaCppChat(gguf(tmp_path, "mute.gguf")).chat(ASK)
    with pytest.raises(ModelUnavailable, match="Failed to load"):
        LlamaCppChat(gguf(tmp_path, "broken.gguf")).chat(ASK)
    with pytest.raises(ModelUnavailable, match="cannot read"):
        LlamaCppChat(tmp_path / "nowhere.gguf").chat(ASK)


@pytest.mark.usefixtures("stand_in")
def test_other_weights_have_another_fingerprint(tmp_path: Path) -> None:
    one, same, other = (gguf(tmp_path, f"{name}.gguf") for name in "abc")
    other.write_bytes(other.read_bytes() + b"\0")
    prints = [LlamaCppChat(file).fingerprint() for file in (one, same, other)]
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.usefixtures("stand_in")
def test_a_gguf_is_run_by_llama_cpp_where_it_is_installed_unless_the_user_says_otherwise(
    tmp_path: Path,
) -> None:
    pytest.importorskip("transformers")
    file = str(gguf(tmp_path))
    assert isinstance(open_model(file), LlamaCppChat)
    assert isinstance(open_model(file, engine="transformers"), LocalChat)
    assert isinstance(open_model(str(tmp_path)), LocalChat)
    with pytest.raises(InvalidInput, match="runs GGUF files"):
        open_model(str(tmp_path), engine="llamacpp")


@pytest.mark.usefixtures("without_it")
def test_without_llama_cpp_a_gguf_is_run_by_transformers(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    file = str(gguf(tmp_path))
    assert isinstance(open_model(file), LocalChat)
    with pytest.raises(MissingExtra, match=r"agentcl\[llamacpp\]"):
        open_model(file, engine="llamacpp")


@pytest.fixture
def real(tmp_path: Path, tiny_gguf: Callable[[Path], Path]) -> LlamaCppChat:
    pytest.importorskip("llama_cpp")
    return LlamaCppChat(tiny_gguf(tmp_path / "tiny.gguf"), context=512)


def test_a_real_one_repeats_itself_is_counted_and_streams_the_same(
    real: LlamaCppChat, capfd: pytest.CaptureFixture[str]
) -> None:
    sampling = Sampling(max_tokens=12)
    one, two = real.chat(ASK, sampling=sampling), real.chat(ASK, sampling=sampling)
    assert one.text == two.text == "".join(real.stream(ASK, sampling=sampling))
    assert one.usage.prompt_tokens > 30
    assert (one.usage.completion_tokens, one.finish) == (12, "length")
    assert capfd.readouterr() == ("", "")


def test_a_real_one_keeps_to_a_schema_and_refuses_what_is_too_long(real: LlamaCppChat) -> None:
    kinds = {"type": "object", "properties": {"a": {"enum": ["x"]}}, "required": ["a"]}
    reply = real.chat(ASK, sampling=Sampling(max_tokens=60), schema=kinds)
    assert reply.text.replace(" ", "") == '{"a":"x"}'
    with pytest.raises(RequestRefused, match="refuses"):
        real.chat([Message("user", "word " * 600)])
