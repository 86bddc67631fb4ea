"""General rows: drawn by a seed, answered by the base itself, and apart from what the gate asks."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcl import InvalidInput, LoadError
from agentcl.consolidation import GENERAL, Recipe, TrainingRow
from agentcl.consolidation.rows.rehearsing import Rehearsal, general_prompts
from agentcl.text.terms import terms

# PEFT asks transformers by a name that is to be dropped.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
EVERY = general_prompts(10**6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 300), st.integers(0, 3))
def test_prompts_are_as_many_as_asked_for_and_no_two_are_alike(count: int, seed: int) -> None:
    found = general_prompts(count, seed=seed)
    assert len(found) == len(set(found)) == count
    assert found == general_prompts(count, seed=seed)
    assert all("{" not in prompt for prompt in found)


def test_the_manifest_says_which_prompts() -> None:
    one, other = (Rehearsal.beside(90, share=0.25, seed=seed).told() for seed in (0, 1))
    assert (one["share"], one["rows"], one["prompts"], one["seed"]) == (0.25, 30, 30, 0)
    assert one["prompts_sha256"] != other["prompts_sha256"]
    assert one == Rehearsal.beside(90, share=0.25, seed=0).told()


def test_another_seed_draws_other_prompts_and_all_there_are_is_the_end() -> None:
    assert general_prompts(40, seed=1) != general_prompts(40, seed=2)
    assert len(set(EVERY)) == len(EVERY) > 1000
    assert set(general_prompts(10**6, seed=1)) == set(EVERY)


def test_the_gate_asks_nothing_that_was_rehearsed() -> None:
    frame = Counter(word for probe in GENERAL for word in set(terms(probe.prompt)))
    asked = [Counter(word for word in terms(one.prompt) if frame[word] == 1) for one in GENERAL]
    for prompt in EVERY:
        words = Counter(terms(prompt))
        shared = [one for one, own in zip(GENERAL, asked, strict=True) if own and own <= words]
        assert not shared, (prompt, shared)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2000), st.floats(0, 0.9))
def test_general_rows_are_their_share_of_all(learned: int, share: float) -> None:
    found = Rehearsal.beside(learned, share=share, seed=0)
    assert abs(found.rows - share * (found.rows + learned)) <= 0.5
    assert len(found.prompts) == min(found.rows, 256)
    told = found.told()
    assert (told["share"], told["rows"]) == (share, found.rows)


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_that_leaves_nothing_of_the_memory_is_refused(share: float) -> None:
    with pytest.raises(InvalidInput, match="from 0 to below 1"):
        Recipe(general=share)


def test_the_base_answers_once_and_its_answers_are_kept(
    tiny_llama: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("peft")
    from agentcl.consolidation.saying import GENERAL_ROWS, rehearsed

    base, told = tiny_llama(tmp_path / "tiny"), list[int]()
    wanted = Rehearsal(0.5, 5, tuple(general_prompts(3)), 0)
    rows = rehearsed(base, tmp_path, wanted, progress=told.append)
    assert told == [3]
    assert [row.prompt for row in rows] == [*wanted.prompts, *wanted.prompts[:2]]
    assert all((row.part, row.split, row.records) == ("general", "train", ()) for row in rows)
    assert all(row.answer for row in rows)
    assert len(rows[1].answer.split()) == 1  # of every second answer the last words
    assert rehearsed(tmp_path / "none", tmp_path, wanted, progress=told.append) == rows
    assert told == [3]
    (tmp_path / GENERAL_ROWS).write_text("{", "utf-8")
    with pytest.raises(LoadError, match=r"general\.jsonl"):
        rehearsed(base, tmp_path, wanted)
    assert rehearsed(base, tmp_path / "nothing", Rehearsal(0.0, 0, (), 0)) == []


def test_general_rows_cost_how_far_the_adapter_is_from_the_base(
    tiny_llama: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("peft")
    import torch
    from torch.nn import functional

    from agentcl.consolidation import training
    from agentcl.consolidation.base import encode, load_base
    from agentcl.consolidation.training import answer_logits

    base = tiny_llama(tmp_path / "tiny")
    model, tokenizer = load_base(base)
    tuned = training._with_adapter(model, Recipe(rank=4), None)
    rows = [
        TrainingRow((), "general", "train", prompt, answer)
        for prompt, answer in (("What is a whale?", "An animal."), ("Hello!", "Hi, you."))
    ]
    loss_on: Any = training._Objective(tuned, tokenizer, Recipe(rank=4))
    assert float(loss_on(rows).detach()) == 0.0  # an adapter begins at its base
    with torch.no_grad():
        for name, one in tuned.named_parameters():
            if "lora_B" in name:
                one += 0.05 * torch.randn(one.shape, generator=torch.Generator().manual_seed(1))
    parts = []
    for row in rows:
        one = encode(tokenizer, row)
        pair = [(one.prompt, one.answer)]
        own = functional.log_softmax(answer_logits(tuned, pair)[0][0], dim=-1)
        with tuned.disable_adapter():
            wanted = functional.log_softmax(answer_logits(tuned, pair)[0][0], dim=-1)
        parts.append(functional.kl_div(wanted, own, log_target=True, reduction="none").sum(-1))
    own_loss = loss_on(rows)
    assert float(own_loss.detach()) == pytest.approx(
        float(torch.cat(parts).mean().detach()), rel=1e-4
    )
    own_loss.backward()
    assert any(one.grad is not None and bool(one.grad.any()) for one in tuned.parameters())


def test_an_adapter_that_rehearses_stays_nearer_to_its_base_on_what_the_gate_asks(
    tiny_llama: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("peft")
    from agentcl.consolidation.gating import measure
    from agentcl.consolidation.saying import rehearsed
    from agentcl.consolidation.training import train

    base = tiny_llama(tmp_path / "tiny")
    rows = [
        TrainingRow((f"{n}",), "recall", "train", f"What is {n}?", f"v{n}", "") for n in range(6)
    ]
    general = rehearsed(base, tmp_path, Rehearsal.beside(6, share=0.5, seed=0))
    recipe = Recipe(rank=4, alpha=8, steps=16, batch=4, learning_rate=1e-2)
    apart = {}
    for name, learned in (("plain", rows), ("rehearsed", [*rows, *general])):
        train(base, learned, tmp_path / name, recipe)
        found = measure(base, tmp_path / name, rows, general=GENERAL[:6])
        apart[name] = found.divergence
    assert apart["rehearsed"] < apart["plain"] / 2
