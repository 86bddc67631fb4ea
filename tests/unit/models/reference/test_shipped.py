"""The weights in the package: there, small, frozen, and able to do what their card says."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numpy")

from agentcl import ModelUnavailable
from agentcl.envs.names import Names
from agentcl.models import ChatModel, ask_object
from agentcl.models.reference.shipped import REFERENCE_FOLDER, open_reference
from training.gates import ask, draw_sets, exact
from training.reading import read_passage
from training.worlds import make_world


@pytest.fixture(scope="module")
def model() -> ChatModel:
    return open_reference()


def test_the_weights_are_one_small_file_in_bfloat16() -> None:
    from safetensors import safe_open

    (file,) = REFERENCE_FOLDER.glob("*.safetensors")
    assert file.stat().st_size <= 16 * 2**20
    with safe_open(file, "pt") as tensors:
        names = tensors.keys()
        assert {tensors.get_slice(name).get_dtype() for name in names} == {"BF16"}


def test_it_answers_from_passages_it_never_met_and_stays_frozen(model: ChatModel) -> None:
    assert isinstance(model, ChatModel)
    before = model.fingerprint()
    asked = draw_sets(11, 24)["answer"]
    right = sum(exact(q, text) for q, text in zip(asked, ask(model, asked), strict=True))
    blind = ask(model, asked, has_context=False)
    assert right >= 18
    assert not any(exact(q, text) for q, text in zip(asked, blind, strict=True))
    assert model.fingerprint() == before


def test_what_it_lists_keeps_to_a_schema(model: ChatModel) -> None:
    example = read_passage(random.Random(3), size=4)
    turn = next(turn for turn in example.turns if turn.skill == "facts")
    schema = {
        "type": "object",
        "properties": {"facts": {"type": "array", "items": {"type": "array", "minItems": 3}}},
        "required": ["facts"],
    }
    assert ask_object(model, example.messages(turn), schema=schema).value["facts"]


def test_worlds_are_there_without_any_optional_part() -> None:
    code = """
import sys
from pathlib import Path
for name in ("numpy", "torch", "transformers"):
    sys.modules[name] = None
import random
from agentcl.envs.names import Names
from training.worlds import make_world
from training.reading import read_passage
print(read_passage(random.Random(1)).context)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("Passage: "), done.stderr


def test_a_world_of_one_seed_is_pinned() -> None:
    """Benchmarks quote seeds: what a seed makes may change with a version, never by accident."""
    rng = random.Random(0)
    world = make_world(rng, Names(rng), passages=[(2,)])
    assert world.passages[0].text == PINNED


PINNED = "As for Sulum, the setting is Vegas. Sulum has a hero: Cetar."


def test_without_weights_it_is_said_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("agentcl.models.reference.shipped.REFERENCE_FOLDER", tmp_path)
    with pytest.raises(ModelUnavailable, match=r"training\.train"):
        open_reference()


# What PEFT asks of transformers has a new name there.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_peft_puts_an_adapter_on_it_that_changes_nothing_before_it_is_trained() -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(REFERENCE_FOLDER)
    ids = torch.arange(2, 40)[None]
    with torch.no_grad():
        before = model(ids).logits
        adapted = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear"))
        after = adapted(ids).logits
    assert torch.equal(before, after)
    trained = {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}
    assert trained
    assert all("lora_" in name for name in trained)
