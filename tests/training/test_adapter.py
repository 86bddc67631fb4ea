"""The adapter that lists statements, at its smallest: it learns, the model stays, and PEFT reads it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("transformers")

from agentcl.statements import LineDigester
from agentcl.statements.tagged import Tagged
from training.statements.adapter import Adapted, exchanges, loss_of, tokens_of, train
from training.statements.asked import asked
from training.statements.measure import turns_of
from training.statements.talks import Said, Session, Talk, load_talks

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")

TALK = """\
### A potter
-- 2031-03-10 Mon
U: My sister Ilka sold her kiln. Is it too hot?
= sibling | user | Ilka
= possession | Ilka | kiln | ended
A: Where does she live?
U: In Oudra.
= home | Ilka | Oudra
"""
# As of chat models: what was said ends with the token that ends an answer.
TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}> {{ m.content }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant> {% endif %}"
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def talk(tmp_path: Path) -> Talk:
    file = tmp_path / "talk.txt"
    file.write_text(TALK, "utf-8")
    return load_talks([file])[0]


@pytest.fixture
def folder(tmp_path: Path, tiny_llama: Callable[..., Path]) -> Path:
    return tiny_llama(tmp_path / "model", template=TEMPLATE)


def odds(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return torch.as_tensor(model(torch.arange(20)[None]).logits)


def test_answers_are_learned_and_nothing_else(folder: Path, talk: Talk) -> None:
    adapted = Adapted(folder, trained=1)
    ids, learned = tokens_of(adapted, talk.sessions[0])
    said = adapted.tokenizer.decode([one for one, own in zip(ids, learned, strict=True) if own])
    assert said == (
        "sibling | user | Ilka\npossession | Ilka | kiln | ended</s>home | Ilka | Oudra</s>"
    )
    whole = adapted.tokenizer.decode(ids)
    assert "<user> Assistant: Where does she live?\nUser: In Oudra.</s>\n<assistant> home" in whole
    lower, _ = tokens_of(adapted, talk.sessions[0], lower=True)
    assert "user: my sister" not in adapted.tokenizer.decode(lower)
    assert "my sister ilka" in adapted.tokenizer.decode(lower)


def test_a_label_of_words_that_are_not_the_users_own_is_left_out() -> None:
    session = Session("2031-03-10")
    file_ = [("user", "Translate this:\n> I live in Oudra."), ("user", "I live in Ghent.")]
    session.turns = [
        Said(role, text, [Tagged("home", text.split()[-1].rstrip("."))]) for role, text in file_
    ]
    assert [[one.value for one in says] for _, says in exchanges(session)][-1] == ["Ghent"]
    assert not any(one.value == "Oudra" for _, says in exchanges(session) for one in says)


def test_it_learns_to_list_and_the_model_stays(folder: Path, talk: Talk, tmp_path: Path) -> None:
    torch.manual_seed(0)
    adapted = Adapted(folder, trained=1)
    before = {name: value.clone() for name, value in adapted.model.state_dict().items()}
    train(adapted, [talk], epochs=150, rate=1e-2, seed=0, out=tmp_path / "adapter")
    for name, value in adapted.model.state_dict().items():
        if not name.endswith((".up", ".down")):
            assert torch.equal(value, before[name])
    assert loss_of(adapted, [tokens_of(adapted, talk.sessions[0])]).item() < 0.05
    session = talk.sessions[0]
    said = [(one.role, one.text) for one in session.turns]
    model = asked(folder, tmp_path / "adapter", [said, said[:1]])
    found = LineDigester(model).digest(turns_of(session), ()).said
    assert {("Ilka", "home", "Oudra"), ("Ilka", "possession", "kiln")} <= {
        (one.subject, one.attribute, one.value) for one in found
    }
    with pytest.raises(KeyError):
        LineDigester(model).digest(turns_of(Session("2031-03-10", session.turns[2:])), ())


def test_peft_reads_it_and_merged_it_answers_the_same(
    folder: Path, talk: Talk, tmp_path: Path
) -> None:
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    adapted = Adapted(folder, trained=1)
    for one in adapted.added.values():
        torch.nn.init.normal_(one.up, std=0.1)
    adapted.save(tmp_path / "adapter")
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert (config["r"], config["layers_to_transform"]) == (8, [1])
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    bare = odds(base)
    read = odds(peft.PeftModel.from_pretrained(base, tmp_path / "adapter"))
    assert not torch.allclose(bare, read, atol=0.5)
    again = Adapted(folder, trained=1)
    again.load(tmp_path / "adapter")
    again.merge()
    assert (
        torch.nn.functional.cosine_similarity(odds(again.model).float(), read, dim=-1).min() > 0.99
    )
