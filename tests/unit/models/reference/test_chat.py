"""The reference model in numpy: the same tokens, the same numbers and the same answers as with transformers."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("numpy")

import numpy as np

from agentcl.errors import ModelUnavailable, RequestRefused
from agentcl.models import ChatModel, Message, Sampling
from agentcl.models.reference.byte_pairs import BytePairs
from agentcl.models.reference.chat import ReferenceChat
from agentcl.models.reference.inference import BLOCK, PromptReading, Weights
from agentcl.models.reference.shipped import REFERENCE_FOLDER, open_reference
from training.acting import choose_action
from training.mix import STAGES, draw

HELLO = [Message("user", "Question: Who is the mayor of Medom?")]
PAIRS = BytePairs(REFERENCE_FOLDER)
WEIGHTS = Weights(REFERENCE_FOLDER)


@pytest.fixture(scope="module")
def model() -> ChatModel:
    return open_reference()


def conversation(seed: int) -> list[Message]:
    example = choose_action(random.Random(seed))
    return example.messages(example.turns[0])


def test_its_tokens_are_those_of_the_library_that_trained_them() -> None:
    library = pytest.importorskip("tokenizers")
    theirs = library.Tokenizer.from_file(str(REFERENCE_FOLDER / "tokenizer.json"))
    texts = [
        "Zoë's café—naïve №5 ½ ² Ⅷ 漢字 ぁ a\u0301 \x1c x\u00a0y",
        "it's IT'S  two  spaces\n\n\ttab 😀 'Is it?' Hello_world 3.14",
        "ÀÉ ßß İi ǅ ʰ<|end|>a<|user|>",
    ]
    for seed in range(20):
        example = draw(random.Random(seed), STAGES[-1])
        texts += [example.context, *(turn.answer for turn in example.turns)]
    for text in texts:
        assert PAIRS.encode(text) == theirs.encode(text, add_special_tokens=False).ids, text
        assert PAIRS.decode(PAIRS.encode(text)) == theirs.decode(PAIRS.encode(text)), text


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_what_was_encoded_is_decoded_again(text: str) -> None:
    marks = sum(text.count(mark) for mark in PAIRS.special)
    assert marks or PAIRS.decode(PAIRS.encode(text)) == text


def test_its_numbers_are_those_of_transformers() -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(
        REFERENCE_FOLDER, dtype=torch.float32
    ).eval()
    tokens = PAIRS.encode("".join(message.content for message in conversation(0)))
    with torch.inference_mode():
        expected = theirs(torch.tensor([tokens])).logits[0, -1].numpy()
    assert PromptReading(WEIGHTS).read(tokens) == pytest.approx(expected, abs=1e-3)


def test_reading_in_parts_is_reading() -> None:
    tokens = PAIRS.encode("When a queue is slow, drain it. " * 20)
    whole = PromptReading(WEIGHTS).read(tokens)
    parts = PromptReading(WEIGHTS)
    for begin in (0, 1, 2):
        parts.read(tokens[begin : begin + 1])
    parts.read(tokens[3:90])
    assert parts.read(tokens[90:]) == pytest.approx(whole, abs=1e-3)
    assert parts.length == len(tokens)


def test_what_was_read_before_changes_no_bit() -> None:
    head = PAIRS.encode("When a queue is slow, drain it. " * 30)
    others = [PAIRS.encode(f"{said} is slow. " * 40) for said in ("A queue", "The cache")]
    ends = [PAIRS.encode(said) for said in ("And now?", "A cache is slow, so probe it.")]
    prompts = [
        head[:BLOCK],
        head,
        head + ends[0],
        head + ends[1],
        head[:-1],
        *others,
        head + others[0],
    ]
    kept = PromptReading(WEIGHTS)
    for prompt in [*prompts, *reversed(prompts)]:
        fresh = PromptReading(WEIGHTS)
        assert np.array_equal(kept.begin(prompt), fresh.begin(prompt))
        for token in ends[1]:
            assert np.array_equal(kept.read([token]), fresh.read([token]))


def test_a_prompt_that_begins_as_the_last_is_not_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[int] = []
    advance = PromptReading._advance

    def counted(self: PromptReading, tokens: Any) -> Any:  # an array
        read.append(len(tokens))
        return advance(self, tokens)

    monkeypatch.setattr(PromptReading, "_advance", counted)
    head = PAIRS.encode("When a queue is slow, drain it. " * 30)
    kept = PromptReading(WEIGHTS)
    kept.begin(head)
    assert sum(read) == len(head)
    read.clear()
    kept.begin([*head, *head[:5]])
    assert sum(read) < BLOCK + 5


def test_its_fingerprint_and_answers_are_those_of_transformers(model: ChatModel) -> None:
    pytest.importorskip("transformers")
    theirs = open_reference(device="cpu")
    assert model.name == theirs.name
    assert model.fingerprint() == theirs.fingerprint()
    # bfloat16 rounds, so a close call may fall the other way.
    same = sum(
        model.chat(conversation(seed)).text == theirs.chat(conversation(seed)).text
        for seed in range(6)
    )
    assert same >= 5


def test_answers_repeat_and_end(model: ChatModel) -> None:
    first, second = model.chat(conversation(1)), model.chat(conversation(1))
    assert (first.text, first.usage.tokens) == (second.text, second.usage.tokens)
    assert first.finish == "stop"
    short = model.chat(conversation(1), sampling=Sampling(max_tokens=3))
    assert (short.finish, short.usage.completion_tokens) == ("length", 3)
    assert first.text.startswith(short.text)


def test_a_stop_string_ends_an_answer_before_it(model: ChatModel) -> None:
    whole = model.chat(conversation(2)).text
    cut = model.chat(conversation(2), sampling=Sampling(stop=("Answer:",)))
    assert cut.text == whole.partition("Answer:")[0]
    assert cut.finish == "stop"


def test_a_stream_is_the_answer_in_pieces(model: ChatModel) -> None:
    for sampling in (Sampling(), Sampling(stop=("swer:",)), Sampling(max_tokens=4)):
        pieces = list(model.stream(conversation(3), sampling=sampling))
        assert len(pieces) > 1
        assert "".join(pieces) == model.chat(conversation(3), sampling=sampling).text


def test_a_stream_that_is_closed_lets_others_ask(model: ChatModel) -> None:
    stream = model.stream(conversation(3))
    next(iter(stream))
    stream.close()  # type: ignore[attr-defined]
    assert model.chat(HELLO).text


def test_draws_follow_the_seed_and_the_temperature(model: ChatModel) -> None:
    def drawn(seed: int, **given: float) -> str:
        sampling = Sampling(temperature=3.0, seed=seed, max_tokens=8, **given)  # type: ignore[arg-type]
        return model.chat(HELLO, sampling=sampling).text

    assert drawn(1) == drawn(1)
    assert len({drawn(seed) for seed in range(5)}) > 1
    greedy = model.chat(HELLO, sampling=Sampling(max_tokens=8)).text
    assert {drawn(seed, top_p=1e-6) for seed in range(3)} == {greedy}


def test_log_probabilities_are_of_what_was_written(model: ChatModel) -> None:
    reply = model.chat(conversation(0), sampling=Sampling(logprobs=True))
    assert reply.logprobs is not None
    assert len(reply.logprobs) == reply.usage.completion_tokens
    assert all(one.logprob <= 1e-6 for one in reply.logprobs)
    assert "".join(one.token for one in reply.logprobs[:-1]) == reply.text
    assert reply.logprobs[-1].token == "<|end|>"


def test_what_is_too_long_is_refused_and_what_is_long_is_read(model: ChatModel) -> None:
    few = Sampling(max_tokens=2)
    assert model.chat([Message("user", "a queue " * 800)], sampling=few).usage.prompt_tokens > 1024
    with pytest.raises(RequestRefused, match="reads 8,192 at the most"):
        model.chat([Message("user", "x" * 30_000)], sampling=few)


def test_a_folder_without_such_a_checkpoint_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="holds no checkpoint"):
        ReferenceChat(tmp_path, name="nobody")
    for broken, content in (("config.json", '{"model_type": "llama"}'), ("model.safetensors", "x"),
                            ("tokenizer.json", "{}")):  # fmt: skip
        folder = tmp_path / broken
        shutil.copytree(REFERENCE_FOLDER, folder)
        (folder / broken).write_text(content)
        with pytest.raises(ModelUnavailable, match="holds no checkpoint"):
            ReferenceChat(folder, name="broken")
