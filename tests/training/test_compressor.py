"""The training of codecs, at its smallest: it learns, it goes on where it stopped, and numpy repeats it."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("peft")

from agentcl.compression import open_codec
from agentcl.errors import InvalidInput
from agentcl.models import open_reference
from training.compressor.bases import find_base
from training.compressor.data import Document, Size, from_rows, made_up
from training.compressor.export import export
from training.compressor.frames import FRAMES, Framer
from training.compressor.gates import Gates
from training.compressor.model import Compressor
from training.compressor.objectives import Weights
from training.compressor.presets import PRESETS, Preset, Stage
from training.compressor.train import Training, train

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
EIGHT = replace(
    PRESETS["cpu"],
    minutes=60,
    steps=60,
    documents=8,
    learning_rate=8e-3,
    rank=16,
    slots=16,
    gates=1,
    stages=(Stage(1.0, 2.0, Size(2, 2), {16: 1.0}, 1, is_matching=True),),
    weights=Weights(whole=False, matching=0.3),
)
FEW = replace(PRESETS["smoke"], steps=4, documents=2)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def begin(preset: Preset, folder: Path, documents: list[Document] | None = None) -> Training:
    torch.manual_seed(0)
    base, tokenizer = find_base("reference").load()
    model = Compressor(base, slots=preset.slots, rank=preset.rank).to(torch.bfloat16)
    framer = Framer(tokenizer, FRAMES["reference"])
    held = documents or [made_up()(random.Random(0), Size(2, 2)) for _ in range(4)]
    gates = Gates(framer, held, (4, preset.slots))
    drawn = iter(range(10**9))

    def draw(rng: random.Random, size: Size) -> Document:
        if documents:
            return documents[next(drawn) % len(documents)]
        return made_up()(rng, size)

    return Training(model, framer, draw, gates, preset, folder, seed=0)


@pytest.mark.slow
def test_the_compressor_learns_eight_documents(tmp_path: Path) -> None:
    rng = random.Random(1)
    draw = made_up(questions=12)
    documents: list[Document] = []
    while len(documents) < 8:
        one = draw(rng, Size(2, 2))
        stated = tuple(a for a in one.asked if "not stated" not in a.answer)
        if stated:
            documents.append(replace(one, asked=stated[:1]))
    training = begin(EIGHT, tmp_path, documents)
    before = training._gates.shares(training.model)
    batch = training.framer.batch(documents, is_whole=False)
    for _ in range(EIGHT.steps):
        training.learn(batch)
    after = training._gates.shares(training.model)
    assert before["16"] <= 0.5
    assert after["16"] == after["found"] == 1.0
    assert (
        after["other"] <= 0.25
    )  # it is the memory that answers, and not what LoRA has learned by heart


def test_numpy_makes_the_memories_that_torch_makes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    base, tokenizer = find_base("reference").load()
    model = Compressor(base, slots=32, rank=4)
    torch.nn.Module.float(model)
    for name, weight in model.learned():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
        weight.data = weight.data.half().float()  # as they will be stored
    framer = Framer(tokenizer, FRAMES["reference"])
    documents = [made_up()(random.Random(seed), Size(2, 9)) for seed in range(6)]
    batch = framer.batch(documents)
    reader = open_reference()
    export(
        model,
        tmp_path,
        name="t",
        base=reader.fingerprint(),
        engine="numpy",
        limit=128,
        frame=framer.frame,
        made={},
    )
    codec = open_codec(tmp_path)
    memories = codec.encode([one.text for one in documents], slots=16)
    asked = codec.questions([one.asked[0].ask.removeprefix("Question: ") for one in documents])
    with torch.no_grad():
        same = model.memories(batch.passages, 16)
        found = model.codes(model.memories(batch.questions, 4), is_question=True)
        said = model.codes(same)
    assert np.abs(memories - same.numpy()).max() < 1e-4
    assert np.abs(asked - found.numpy()).max() < 1e-4
    assert np.abs(codec.codes(memories) - said.numpy()).max() < 1e-4


def test_a_stopped_training_goes_on_where_it_was(tmp_path: Path) -> None:
    stopped = begin(FEW, tmp_path)
    asked = iter([False, False, False])
    train(stopped, is_quiet=True, should_stop=lambda: next(asked, True))
    assert 0 < stopped.progress.steps < FEW.steps
    again = begin(FEW, tmp_path)
    assert again.progress == stopped.progress
    weights = zip(again.model.learned(), stopped.model.learned(), strict=True)
    assert all(torch.equal(one, other) for (_, one), (_, other) in weights)
    train(again, is_quiet=True)
    assert again.progress.steps == FEW.steps


@pytest.mark.parametrize(
    "weights",
    [
        Weights(memory_aware=0.3),
        Weights(distilling=1.0),
        Weights(matching=0.0),
        Weights(spread=0.0),
        Weights(whole=False),
    ],
    ids=["memory-aware", "distilling", "no matching", "no spread", "no auto-encoding"],
)
def test_each_objective_can_be_switched(tmp_path: Path, weights: Weights) -> None:
    plain = begin(FEW, tmp_path / "plain")
    plain.progress.stage = 2
    switched = begin(replace(FEW, weights=weights), tmp_path / "switched")
    switched.progress.stage = 2
    batches = plain.chunk()[0], switched.chunk()[0]
    losses = [t.learn(b).total.item() for t, b in zip((plain, switched), batches, strict=True)]
    assert np.isfinite(losses).all()
    assert losses[0] != losses[1]


def test_the_base_is_never_changed(tmp_path: Path) -> None:
    training = begin(FEW, tmp_path)
    frozen = {
        name: weight.detach().clone()
        for name, weight in training.model.named_parameters()
        if not weight.requires_grad
    }
    train(training, is_quiet=True)
    for name, weight in training.model.named_parameters():
        if name in frozen:
            assert torch.equal(weight, frozen[name]), name
    assert any(weight.requires_grad for weight in training.model.parameters())


def test_no_fact_is_asked_for_twice() -> None:
    for seed in range(30):
        document = made_up()(random.Random(seed), Size(2, 6))
        thoughts = [one.answer.partition(" Answer: ")[0] for one in document.asked]
        assert len(set(thoughts)) == len(thoughts) > 0
        assert document.whole.answer.startswith('{"facts"')


def test_rows_of_one_passage_become_one_document(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        '{"passage": "A b.", "question": "What?", "answer": "b"}\n'
        '{"passage": "A b.", "question": "Who?", "answer": "A"}\n'
    )
    document = from_rows([path])(random.Random(0), Size(0, 0))
    assert document.text == document.whole.answer == "A b."
    assert sorted(one.ask for one in document.asked) == ["Question: What?", "Question: Who?"]


@pytest.mark.parametrize("line", ["{", "[]", '{"passage": "a", "question": "b"}', ""])
def test_a_file_without_rows_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{line}\n")
    with pytest.raises(InvalidInput, match=r"rows\.jsonl"):
        from_rows([path])
