"""Tokenizer, batches and the training script, at their smallest."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers import PreTrainedTokenizerFast

from agentcl.envs.names import Names
from agentcl.errors import InvalidInput
from training.batches import IGNORED, Encoder, make_batches
from training.examples import Example
from training.mix import STAGES
from training.presets import PRESETS
from training.reading import read_passage, read_passages
from training.tokenizer import train_tokenizer
from training.train import Training, train

TINY = replace(
    PRESETS["smoke"],
    tokens=20_000,
    batch_tokens=512,
    width=32,
    heads=1,
    head_size=32,
    hidden=32,
    layers=1,
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices this small gain nothing from a second thread, and tests run side by side."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(vocabulary=640, seed=0, examples=400)


def test_a_name_is_the_same_tokens_wherever_it_stands(tokenizer: PreTrainedTokenizerFast) -> None:
    names = Names(random.Random(4))
    for _ in range(50):
        name = names.fresh()
        alone = tokenizer.tokenize(name)
        for text in (f"The pet of {name} is fox.", f'["{name}", "pet"]', f"{name}'s pet"):
            pieces = tokenizer.tokenize(text)
            assert any(
                pieces[start : start + len(alone)] == alone for start in range(len(pieces))
            ), text


@given(st.text())
def test_any_text_survives_the_tokenizer(text: str) -> None:
    known = shared_tokenizer()
    assert known.decode(known(text).input_ids) == text


def shared_tokenizer(made: list[PreTrainedTokenizerFast] = []) -> PreTrainedTokenizerFast:  # noqa: B006
    if not made:  # hypothesis and fixtures of a wider scope do not mix well
        made.append(train_tokenizer(vocabulary=400, seed=0, examples=50))
    return made[0]


@pytest.mark.parametrize("is_system", [False, True])
def test_a_conversation_is_what_the_chat_template_makes(
    tokenizer: PreTrainedTokenizerFast, is_system: bool
) -> None:
    example = read_passage(random.Random(6))
    example = Example(example.context, example.turns[:1])
    ((ids, labels),) = Encoder(tokenizer).conversations([(example, is_system)])
    turn = example.turns[0]
    messages = [
        {"role": message.role, "content": message.content}
        for message in example.messages(turn, is_context_system=is_system)
    ]
    encoded: Any = tokenizer.apply_chat_template(messages, add_generation_prompt=True)
    prompt = encoded["input_ids"]
    assert ids[: len(prompt)] == prompt
    answer = [label for label in labels if label != IGNORED]
    assert tokenizer.decode(answer) == f"{turn.answer}<|end|>"
    assert labels[: len(prompt)] == [IGNORED] * len(prompt)


def test_batches_hold_whole_rows_within_their_size(tokenizer: PreTrainedTokenizerFast) -> None:
    encoder = Encoder(tokenizer)
    batches = make_batches(encoder, STAGES[-1], "x", tokens=2048, batches=4, longest=256)
    assert batches
    for batch in batches:
        assert batch.ids.shape == batch.labels.shape
        assert batch.ids.size <= 2048
        assert batch.ids.shape[1] <= 256
        assert np.all((batch.labels == IGNORED) | (batch.labels == batch.ids))
        assert np.all(batch.labels[batch.ids == encoder.pad] == IGNORED)
    again = make_batches(encoder, STAGES[-1], "x", tokens=2048, batches=4, longest=256)
    assert all(np.array_equal(a.ids, b.ids) for a, b in zip(batches, again, strict=True))


def test_a_training_cut_off_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train(TINY, whole, is_quiet=True)
    looks: list[int] = []

    def after_one_chunk() -> bool:
        looks.append(1)
        return len(looks) > 1

    stopped = train(TINY, cut, is_quiet=True, should_stop=after_one_chunk)
    assert stopped.tokens < TINY.tokens
    finished = train(TINY, cut, is_quiet=True)
    assert finished.tokens >= TINY.tokens
    expected, found = (load_file(folder / "model.safetensors") for folder in (whole, cut))
    assert expected.keys() == found.keys()
    assert all(expected[name].equal(found[name]) for name in expected)
    gates = [json.loads(line) for line in (cut / "gates.jsonl").read_text().splitlines()]
    curve = [json.loads(line) for line in (cut / "curve.jsonl").read_text().splitlines()]
    assert [row["tokens"] for row in curve] == sorted({row["tokens"] for row in curve})
    assert {"answer", "two-hop", "absent", "facts", "applicable"} <= gates[-1].keys()


def test_a_training_can_begin_with_a_trained_model(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    train(TINY, first, is_quiet=True)
    train(replace(TINY, tokens=3_000), second, seed=1, start_from=first, is_quiet=True)
    assert (second / "tokenizer.json").read_text() == (first / "tokenizer.json").read_text()
    about = json.loads((second / "training.json").read_text())
    assert about["before"]["progress"]["tokens"] >= TINY.tokens
    assert about["progress"]["stage"] == len(STAGES) - 1
    came, went = (load_file(folder / "model.safetensors") for folder in (first, second))
    moved = [
        (went[name].float() - came[name].float()).norm() / came[name].float().norm()
        for name in came
    ]
    assert 0 < max(moved) < 0.3  # random weights would be about 1.4 away

    with pytest.raises(InvalidInput, match="another shape than the preset"):
        train(replace(TINY, width=16), tmp_path / "third", start_from=first, is_quiet=True)
    assert not (tmp_path / "third").exists()  # or the next try would find this one's tokenizer
    weights = (first / "model.safetensors").read_bytes()
    (first / "model.safetensors").write_bytes(weights[:1000])
    with pytest.raises(InvalidInput, match=r"model\.safetensors is damaged"):
        train(TINY, tmp_path / "third", start_from=first, is_quiet=True)
    (first / "model.safetensors").write_bytes(weights)
    about = (first / "training.json").read_text()
    (first / "training.json").write_text(about[:20])
    with pytest.raises(InvalidInput, match=r"training\.json is damaged"):
        train(TINY, tmp_path / "third", start_from=first, is_quiet=True)
    (first / "training.json").write_text(about)
    (first / "model.safetensors").unlink()
    with pytest.raises(InvalidInput, match=r"has no model\.safetensors"):
        train(TINY, tmp_path / "fourth", start_from=first, is_quiet=True)


def test_a_training_goes_on_with_its_own_tokenizer(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    train(TINY, first, is_quiet=True)
    train(TINY, second, start_from=first, is_quiet=True)
    own = (second / "tokenizer.json").read_text()
    (first / "tokenizer.json").write_text("{}")  # whatever became of the one it began with
    training = Training(TINY, second, seed=0, start_from=first)
    assert training.done >= 1
    assert (second / "tokenizer.json").read_text() == own


def test_the_command_trains_and_refuses_nonsense(tmp_path: Path) -> None:
    def run(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "training.train", "--out", str(tmp_path), *options],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    assert "must be above 0" in run("--preset", "smoke", "--minutes", "0").stderr
    assert "'large'" in run("--preset", "large").stderr
    done = run("--preset", "smoke", "--quiet", "--minutes", "0.05")
    assert done.returncode == 0, done.stderr
    assert "trained" in done.stdout
    assert (tmp_path / "model.safetensors").exists()


def test_two_hop_passages_fit_the_models_context(tokenizer: PreTrainedTokenizerFast) -> None:
    for seed in range(20):
        example = read_passages(random.Random(seed), passages=5, is_recall=True)
        assert len(tokenizer.tokenize(example.context)) < PRESETS["cpu"].context
