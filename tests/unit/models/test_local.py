"""The in-process backend with a real, if untrained, Llama that is made here."""

import io
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from agentcl import InvalidInput, ModelUnavailable, RequestRefused
from agentcl.models import ChatModel, Message, Sampling
from agentcl.models.gguf import unpack
from agentcl.models.local import LocalChat

Floats = NDArray[np.float32]
ASK = [Message("system", "Be brief."), Message("user", "When does the ferry leave?")]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Callable[..., Path]) -> LocalChat:
    return LocalChat(str(tiny_llama(tmp_path_factory.mktemp("llama"))), device="cpu")


def test_a_greedy_answer_repeats_and_is_counted(model: LocalChat) -> None:
    assert isinstance(model, ChatModel)
    sampling = Sampling(max_tokens=12, logprobs=True, top_logprobs=3)
    one, two = model.chat(ASK, sampling=sampling), model.chat(ASK, sampling=sampling)
    assert one.text == two.text
    read = "".join(f"<{m.role}> {m.content}\n" for m in ASK) + "<assistant> "
    assert one.usage.prompt_tokens == len(read.encode())
    assert one.usage.completion_tokens == 12
    assert one.finish == "length"
    assert one.logprobs is not None
    assert len(one.logprobs) == 12
    assert all(token.logprob <= 0 for token in one.logprobs)
    for token in one.logprobs:
        assert len(token.others) == 3
        assert token.others[0] == (token.token, token.logprob)  # greedy
        assert [logprob for _, logprob in token.others] == sorted(
            (logprob for _, logprob in token.others), reverse=True
        )


def test_a_seed_decides_what_is_drawn_and_disturbs_nobody(model: LocalChat) -> None:
    def draw(seed: int) -> str:
        return model.chat(ASK, sampling=Sampling(max_tokens=16, temperature=1.5, seed=seed)).text

    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    assert draw(1) == draw(1) != draw(2)
    assert torch.rand(1) == expected


def test_an_answer_ends_before_a_stop_string(model: LocalChat) -> None:
    whole = model.chat(ASK, sampling=Sampling(max_tokens=16)).text
    stop = whole[4:6]
    cut = model.chat(ASK, sampling=Sampling(max_tokens=16, stop=(stop,)))
    assert cut.text == whole[: whole.index(stop)]
    assert cut.finish == "stop"
    streamed = "".join(model.stream(ASK, sampling=Sampling(max_tokens=16, stop=(stop,))))
    assert streamed == cut.text


def test_a_stream_is_the_same_answer_and_can_be_cancelled(model: LocalChat) -> None:
    whole = model.chat(ASK, sampling=Sampling(max_tokens=16)).text
    assert "".join(model.stream(ASK, sampling=Sampling(max_tokens=16))) == whole
    stream = model.stream(ASK, sampling=Sampling(max_tokens=400))
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # it is a generator
    assert all("agentcl-generate" not in thread.name for thread in threading.enumerate())
    assert model.chat(ASK, sampling=Sampling(max_tokens=16)).text == whole


def soft(*parts: str | Floats, content: str = "not read") -> list[Message]:
    return [ASK[0], Message("user", content, parts=parts)]


def test_soft_tokens_that_are_a_text_s_own_embeddings_are_answered_as_the_text(
    model: LocalChat,
) -> None:
    plain = model.chat(ASK, sampling=Sampling(max_tokens=24, logprobs=True))
    text = ASK[1].content
    own = model.embeddings(text[5:15])
    assert own.shape == (10, 128)
    mixed = soft(text[:5], own, text[15:])
    for parts in (mixed, soft(model.embeddings(text)), soft(text[:5], text[5:])):
        read = model.chat(parts, sampling=Sampling(max_tokens=24, logprobs=True))
        assert (read.text, read.usage.prompt_tokens) == (plain.text, plain.usage.prompt_tokens)
        assert read.logprobs is not None
        assert plain.logprobs is not None
        for one, other in zip(read.logprobs, plain.logprobs, strict=True):
            assert one.logprob == pytest.approx(other.logprob, abs=1e-4)
    assert "".join(model.stream(mixed, sampling=Sampling(max_tokens=24))) == plain.text
    stop = (plain.text[4:6],)
    stopped = model.chat(mixed, sampling=Sampling(max_tokens=24, stop=stop))
    assert stopped.text == model.chat(ASK, sampling=Sampling(max_tokens=24, stop=stop)).text
    drawn = Sampling(max_tokens=16, temperature=1.5, seed=3)
    assert model.chat(mixed, sampling=drawn).text == model.chat(ASK, sampling=drawn).text


def test_soft_tokens_decide_the_answer_and_several_stand_in_their_order(model: LocalChat) -> None:
    sampling = Sampling(max_tokens=24)
    one, two = model.embeddings("Tessary"), model.embeddings("Orvex!!")
    answers = {
        model.chat(soft("a ", *parts, " b"), sampling=sampling).text
        for parts in ((one, " and ", two), (two, " and ", one), (one, two), (np.zeros_like(one),))
    }
    assert len(answers) == 4
    assert (
        model.chat(soft("a ", one, two), sampling=sampling).text
        == model.chat([ASK[0], Message("user", "a TessaryOrvex!!")], sampling=sampling).text
    )


def test_a_penalty_of_repetitions_counts_no_soft_token(
    model: LocalChat, tmp_path: Path, tiny_llama: Callable[..., Path]
) -> None:
    penal = LocalChat(str(tiny_llama(tmp_path)), device="cpu")
    penal.opened()[0].generation_config.repetition_penalty = 1.8
    sampling = Sampling(max_tokens=24)
    text = "abc"  # all of it stands in the rest of the prompt, too
    said = [ASK[0], Message("user", f"{text} cab {text}")]
    plain = penal.chat(said, sampling=sampling)
    assert plain.text != model.chat(said, sampling=sampling).text
    read = penal.chat(soft(penal.embeddings(text), f" cab {text}"), sampling=sampling)
    assert read.text == plain.text


@pytest.mark.parametrize(
    ("vectors", "what"),
    [
        (np.zeros((2, 64), np.float32), r"shape \(tokens, 128\)"),
        (np.zeros((0, 128), np.float32), r"shape \(tokens, 128\)"),
        (np.zeros(128, np.float32), r"shape \(tokens, 128\)"),
        (np.full((1, 128), np.nan, np.float32), "no number"),
    ],
)
def test_soft_tokens_that_the_model_cannot_read_are_refused(
    model: LocalChat, vectors: Floats, what: str
) -> None:
    with pytest.raises(InvalidInput, match=what):
        model.chat(soft("a", vectors))


def test_a_template_that_leaves_out_a_message_with_soft_tokens_is_noticed(
    tmp_path: Path, tiny_llama: Callable[..., Path]
) -> None:
    last = "{{ messages[-1]['content'] }}"
    chat = LocalChat(str(tiny_llama(tmp_path, template=last)), device="cpu")
    lost = Message("user", "", parts=(chat.embeddings("a"),))
    with pytest.raises(RequestRefused, match="chat template"):
        chat.chat([lost, Message("user", "b")])
    assert chat.chat([lost], sampling=Sampling(max_tokens=2)).usage.prompt_tokens == 1


def test_the_fingerprint_changes_with_a_single_weight(
    model: LocalChat, tmp_path: Path, tiny_llama: Callable[..., Path]
) -> None:
    before = model.fingerprint()
    model.chat(ASK, sampling=Sampling(max_tokens=4))
    assert model.fingerprint() == before
    other = LocalChat(str(tiny_llama(tmp_path)), device="cpu")
    assert other.fingerprint() == before
    weights, _ = other._load()
    with torch.no_grad():
        next(iter(weights.parameters()))[0, 0] += 1
    assert other.fingerprint() != before


def test_what_cannot_be_loaded_or_spoken_to_is_named(
    tmp_path: Path, tiny_llama: Callable[..., Path]
) -> None:
    with pytest.raises(ModelUnavailable, match="cannot load the model"):
        LocalChat(str(tmp_path)).chat(ASK)
    mute = LocalChat(str(tiny_llama(tmp_path / "mute", template=None)))
    with pytest.raises(ModelUnavailable, match="no chat template"):
        mute.chat(ASK)


def test_a_stream_that_fails_says_so_instead_of_waiting(
    tmp_path: Path, tiny_llama: Callable[..., Path]
) -> None:
    broken = LocalChat(str(tiny_llama(tmp_path)), device="cpu")
    weights, _ = broken._load()
    with torch.no_grad():
        for parameter in weights.parameters():
            parameter.fill_(float("nan"))
    with pytest.raises(RuntimeError, match="nan"):
        list(broken.stream(ASK, sampling=Sampling(max_tokens=4, temperature=1.0)))


def test_what_lies_here_is_loaded_without_bars_and_they_are_as_they_were(
    tmp_path: Path,
    tiny_llama: Callable[..., Path],
    tiny_gguf: Callable[[Path], Path],
    capfd: pytest.CaptureFixture[str],
) -> None:
    from transformers.utils.logging import is_progress_bar_enabled

    were_drawn = is_progress_bar_enabled()
    sources = [tiny_llama(tmp_path / "folder"), tiny_gguf(tmp_path / "tiny.gguf")]
    capfd.readouterr()  # what is saved draws bars, too
    for source in sources:
        assert LocalChat(str(source), device="cpu").chat(ASK, sampling=Sampling(max_tokens=2)).text
    unpack(tmp_path / "tiny.gguf", tmp_path / "unpacked")
    assert capfd.readouterr() == ("", "")
    assert is_progress_bar_enabled() == were_drawn


def test_a_gguf_answers_as_the_folder_that_is_unpacked_of_it(
    tmp_path: Path, tiny_gguf: Callable[[Path], Path]
) -> None:
    file = tiny_gguf(tmp_path / "tiny.gguf")
    unpack(file, tmp_path / "unpacked")
    packed, whole = (LocalChat(str(one), device="cpu") for one in (file, tmp_path / "unpacked"))
    sampling = Sampling(max_tokens=12)
    assert packed.chat(ASK, sampling=sampling).text == whole.chat(ASK, sampling=sampling).text


def test_a_gguf_whose_vocabulary_is_broken_is_refused_by_name(
    tmp_path: Path, tiny_gguf: Callable[[Path], Path]
) -> None:
    file = tiny_gguf(tmp_path / "tiny.gguf")
    whole = file.read_bytes()
    assert whole.count(b"a b") == 1
    file.write_bytes(whole.replace(b"a b", b"abx"))  # a merge that joins nothing
    with pytest.raises(ModelUnavailable, match="llama-server"):
        LocalChat(str(file)).chat(ASK)


def test_code_in_the_folder_of_a_model_is_not_run_whatever_stands_on_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    ways = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}
    (folder / "config.json").write_text(json.dumps({"model_type": "own", "auto_map": ways}))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"auto_map": {"AutoTokenizer": ["own.Tokenizer", None]}})
    )
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Config: pass\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 9))  # what transformers asks for there
    with pytest.raises(ModelUnavailable):
        LocalChat(str(folder)).chat([Message("user", "x")])
    assert not (tmp_path / "ran").exists()
