"""Training: the same seed gives the same weights, a checkpoint goes on to them, and methods do what their papers say."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcl import InvalidInput, ModelChanged, StorageFull
from agentcl.consolidation import Recipe, TrainingRow
from agentcl.consolidation.base import check_base, encode, fingerprint_of, load_base
from agentcl.store import Adapter

pytest.importorskip("peft")
torch = pytest.importorskip("torch")

from agentcl.consolidation import training  # noqa: E402  # they need torch
from agentcl.consolidation.methods import hooks, opening  # noqa: E402

# PEFT asks transformers by a name that is to be dropped.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
Weights = Mapping[str, Any]
ROWS = [
    TrainingRow((f"{n}",), "recall", "train", f"What is {n}?", f"v{n}", f"{n} is v{n}.")
    for n in range(6)
] + [TrainingRow(("0",), "recall", "held", "And 0?", "v0", "0 is v0.")]
FAST = {"rank": 4, "alpha": 8, "steps": 4, "batch": 2, "learning_rate": 1e-2}


@pytest.fixture(scope="module")
def base(tiny_llama: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("base") / "tiny")


def weights_of(folder: Path) -> Weights:
    from safetensors.torch import load_file

    return load_file(folder / "adapter_model.safetensors")


def are_same(one: Weights, other: Weights) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def run(
    base: Path, folder: Path, rows: Sequence[TrainingRow] = ROWS, **how: Any
) -> training.Trained:
    passed = {name: how.pop(name) for name in ("methods", "parent", "progress") if name in how}
    return training.train(base, rows, folder, Recipe(**{**FAST, **how}), **passed)


class Nothing(hooks.Method):
    """A method with every hook, none of which does anything."""


class Counting(hooks.Method):
    def __init__(self) -> None:
        self.called: list[str] = []

    def mix(self, rows: Sequence[TrainingRow], rng: Random) -> Sequence[TrainingRow]:
        self.called.append("mix")
        return rows

    def prepare(self, run: hooks.Run) -> None:
        self.called.append("prepare")

    def loss(self, run: hooks.Run) -> None:
        self.called.append("loss")

    def before_step(self, run: hooks.Run) -> None:
        self.called.append("before_step")

    def after_step(self, run: hooks.Run) -> None:
        self.called.append("after_step")

    def finish(self, run: hooks.Run) -> None:
        self.called.append("finish")


def test_hooks_that_do_nothing_leave_the_weights_bit_by_bit(base: Path, tmp_path: Path) -> None:
    plain = run(base, tmp_path / "plain", methods=[])
    hooked = run(base, tmp_path / "hooked", methods=[Nothing(), Nothing()])
    assert plain == hooked
    assert are_same(weights_of(tmp_path / "plain"), weights_of(tmp_path / "hooked"))
    other = run(base, tmp_path / "other", methods=[], seed=1)
    assert other.losses != plain.losses


def test_the_six_hooks_are_called_in_their_order(base: Path, tmp_path: Path) -> None:
    counting = Counting()
    run(base, tmp_path / "a", methods=[counting], steps=2)
    step = ["loss", "before_step", "after_step"]
    assert counting.called == ["mix", "prepare", *step, *step, "finish"]


def test_a_training_that_was_cut_off_goes_on_to_the_same_loss_and_weights(
    base: Path, tmp_path: Path
) -> None:
    class Killed(Exception):
        pass

    def kill(step: int, steps: int, loss: float) -> None:
        if step == 5:
            raise Killed

    how: Any = {"steps": 8, "checkpoint_every": 2}
    whole = run(base, tmp_path / "whole", **how)
    with pytest.raises(Killed):
        run(base, tmp_path / "cut", progress=kill, **how)
    seen: list[int] = []
    resumed = run(base, tmp_path / "cut", progress=lambda step, *_: seen.append(step), **how)
    assert seen == [5, 6, 7, 8]
    assert resumed == whole
    assert are_same(weights_of(tmp_path / "whole"), weights_of(tmp_path / "cut"))


def test_what_is_trained_is_a_plain_lora_that_a_server_takes(base: Path, tmp_path: Path) -> None:
    run(base, tmp_path / "a")
    names = {path.name for path in (tmp_path / "a").iterdir()}
    assert names == {"adapter_config.json", "adapter_model.safetensors"}
    config = json.loads((tmp_path / "a" / "adapter_config.json").read_text("utf-8"))
    assert config["peft_type"] == "LORA"
    assert config["r"] <= 64
    assert (config["use_dora"], config["bias"], config["modules_to_save"]) == (False, "none", None)
    assert config["base_model_name_or_path"] == str(base)


def test_the_loss_falls_by_either_objective(base: Path, tmp_path: Path) -> None:
    for objective, steps in (("supervised", 12), ("distillation", 24)):
        how: Any = {"objective": objective, "steps": steps, "batch": 1, "learning_rate": 5e-3}
        found = run(base, tmp_path / objective, ROWS[:1], **how)
        half = steps // 2
        assert sum(found.losses[half:]) < sum(found.losses[:half])


def test_a_budget_that_is_spent_ends_the_training_and_says_so(base: Path, tmp_path: Path) -> None:
    found = run(base, tmp_path / "a", budget_s=0.0)
    assert (found.steps, found.is_cut_short) == (0, True)


def test_rows_that_are_too_long_are_counted(base: Path, tmp_path: Path) -> None:
    long = TrainingRow(("9",), "recall", "train", "x" * 300, "y")
    assert run(base, tmp_path / "a", [*ROWS, long], most_tokens=100).left_out == 1
    with pytest.raises(InvalidInput, match="most_tokens"):
        run(base, tmp_path / "b", [long], most_tokens=100)


def test_a_full_disk_is_told_and_the_last_checkpoint_stays(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, calls = torch.save, []

    def filling(*args: Any) -> None:
        calls.append(1)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        save(*args)

    how: Any = {"steps": 4, "checkpoint_every": 2}
    whole = run(base, tmp_path / "whole", **how)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", filling)
        with pytest.raises(StorageFull, match="checkpoint"):
            run(base, tmp_path / "cut", **how)
    assert run(base, tmp_path / "cut", **how) == whole


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_device_that_is_full_is_told(base: Path, tmp_path: Path) -> None:
    work = tmp_path / "cut" / training.WORK
    work.mkdir(parents=True)
    partial = work / "checkpoint.pt.partial"
    partial.symlink_to("/dev/full")
    how: Any = {"steps": 2, "checkpoint_every": 1}
    with pytest.raises(StorageFull, match="checkpoint"):
        run(base, tmp_path / "cut", **how)
    partial.unlink()  # there is room again
    assert run(base, tmp_path / "cut", **how) == run(base, tmp_path / "whole", **how)


def test_a_rate_falls_to_nothing_along_a_cosine_and_a_constant_one_stays(
    base: Path, tmp_path: Path
) -> None:
    falling = Recipe(steps=4, learning_rate=0.2, schedule="cosine")
    rates = [falling.rate(step) for step in range(5)]
    assert rates == pytest.approx([0.2, 0.1 + 0.05 * 2**0.5, 0.1, 0.1 - 0.05 * 2**0.5, 0.0])
    assert {Recipe(learning_rate=0.2).rate(step) for step in range(5)} == {0.2}
    constant = run(base, tmp_path / "constant")
    other = run(base, tmp_path / "falling", schedule="cosine")
    assert constant.losses[:2] == other.losses[:2]  # the first step has the full rate
    assert constant.losses[2:] != other.losses[2:]


def test_half_of_the_precision_learns_nearly_the_same_and_keeps_whole_weights(
    base: Path, tmp_path: Path
) -> None:
    whole = run(base, tmp_path / "whole")
    half = run(base, tmp_path / "half", precision="bfloat16")
    assert half.losses != whole.losses
    assert half.losses == pytest.approx(whole.losses, rel=0.05)
    assert {one.dtype for one in weights_of(tmp_path / "half").values()} == {torch.float32}


@pytest.mark.parametrize(
    "wrong",
    [{"rank": 65}, {"rank": 0}, {"steps": 0}, {"learning_rate": 0}, {"objective": "x"}, {"schedule": "x"}, {"precision": "x"},
     {"learning_rate": float("nan")}],
)  # fmt: skip
def test_a_recipe_that_cannot_be_trained_or_served_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Recipe(**wrong)


def test_only_the_answer_is_learned_and_ends_with_the_turn(base: Path) -> None:
    _, tokenizer = load_base(base)
    one = encode(tokenizer, ROWS[0])
    assert tokenizer.decode(one.prompt) == "<user> What is 0?\n<assistant> "
    assert tokenizer.decode(one.answer).startswith("v0")
    assert one.answer[-1] == tokenizer.eos_token_id
    assert "0 is v0." in tokenizer.decode(one.taught)


def test_an_adapter_is_refused_on_other_weights_of_the_same_shape(
    base: Path, tmp_path: Path
) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    found = fingerprint_of(base)
    adapter = Adapter(
        id="", key="all-v1", base="tiny", weights=found.weights, vocabulary=found.vocabulary,
        template=found.template,
    )  # fmt: skip
    check_base(adapter, base)
    other = tmp_path / "other"
    shutil.copytree(base, other)
    check_base(adapter, other)
    tensors = load_file(other / "model.safetensors")
    name = sorted(tensors)[0]
    save_file(
        {**tensors, name: tensors[name] + 1e-3}, other / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(ModelChanged, match="another weights"):
        check_base(adapter, other)


# Methods against their formulas


class Fake:
    """A model of two weights, and a loss whose gradient is known."""

    def __init__(self) -> None:
        self.a = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        self.b = torch.nn.Parameter(torch.tensor([[0.5]]))

    def run(self) -> hooks.Run:
        return hooks.Run(self, {"a": self.a, "b": self.b}, self.loss_on, self.loss_on, self.loss_on)

    def loss_on(self, rows: Sequence[TrainingRow]) -> Any:
        factor = sum(float(row.answer) for row in rows) / len(rows)
        return factor * self.a.sum() + factor * 2 * self.b.sum()


def test_l2_to_start_is_half_the_weighted_squares_of_what_moved() -> None:
    fake, method = Fake(), hooks.L2ToStart(weight=0.3)
    run_ = fake.run()
    method.prepare(run_)
    assert float(method.loss(run_).detach()) == 0.0
    with torch.no_grad():
        fake.a += torch.tensor([0.1, 0.2])
        fake.b -= 0.4
    assert float(method.loss(run_).detach()) == pytest.approx(0.15 * (0.01 + 0.04 + 0.16), rel=1e-5)


def test_ewc_weighs_what_moved_by_the_mean_squared_gradient_of_old_rows() -> None:
    old = [TrainingRow(("x",), "recall", "train", "q", answer) for answer in ("1", "3")]
    fake, method = Fake(), hooks.EWC(old, weight=10.0)
    run_ = fake.run()
    method.prepare(run_)
    assert method.fisher["a"].tolist() == [5.0, 5.0]  # (1 + 9) / 2
    assert method.fisher["b"].tolist() == [[20.0]]  # (4 + 36) / 2
    with torch.no_grad():
        fake.a += torch.tensor([0.1, 0.0])
        fake.b += 0.2
    assert float(method.loss(run_).detach()) == pytest.approx(
        5.0 * (5 * 0.01 + 20 * 0.04), rel=1e-4
    )


@settings(max_examples=50)
@given(st.integers(1, 40), st.integers(0, 40), st.sampled_from([0.0, 0.1, 0.5, 0.75]))
def test_replay_adds_its_share_of_old_rows_and_none_twice(new: int, old: int, share: float) -> None:
    fresh = [TrainingRow((f"n{n}",), "recall", "train", "q", "a") for n in range(new)]
    past = [TrainingRow((f"o{n}",), "recall", "train", "q", "a") for n in range(old)]
    held = TrainingRow(("h",), "recall", "held", "q", "a")
    mixed = hooks.ExperienceReplay([*past, held], share=share).mix(fresh, Random(0))
    added = mixed[new:]
    assert list(mixed[:new]) == fresh
    assert len(added) == min(old, round(new * share / (1 - share)))
    assert len({row.records for row in added}) == len(added)
    assert held not in added


def test_a_penalty_keeps_weights_near_their_start(base: Path, tmp_path: Path) -> None:
    def moved(folder: str, **how: Any) -> float:
        run(base, tmp_path / folder, **how)
        before, after = weights_of(tmp_path / "start"), weights_of(tmp_path / folder)
        return sum(float((after[n] - before[n]).square().sum()) for n in before)

    run(base, tmp_path / "start", steps=2)
    free = moved("free", parent=tmp_path / "start", methods=[])
    tied = moved("tied", parent=tmp_path / "start", methods=[hooks.L2ToStart(weight=100.0)])
    assert tied < free
    elastic = hooks.EWC(ROWS, weight=1e6)
    assert moved("elastic", parent=tmp_path / "start", methods=[elastic]) < free


def test_methods_are_opened_by_name_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    (one,) = opening.open_methods([{"name": "l2", "weight": 0.5}])
    assert isinstance(one, hooks.L2ToStart)
    for wrong in ({"name": "magic"}, {"name": "l2", "wait": 1}, {"name": "l2", "weight": -1}):
        with pytest.raises(InvalidInput):
            opening.open_methods([wrong])
    with pytest.raises(InvalidInput, match="earlier round"):
        hooks.EWC([])
