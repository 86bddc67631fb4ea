"""Each method of continual learning against its formula, and on a tiny model."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentcl import InvalidInput, LoadError
from agentcl.consolidation import (
    EarlierSelf,
    ExperienceReplay,
    GeneralStates,
    HalfMask,
    IncrementalLora,
    Interpolation,
    L2ToStart,
    MagnitudeGate,
    Method,
    OrthogonalLora,
    Recipe,
    Reptile,
    Run,
    SelectedLayers,
    SlowCopy,
    TrainingRow,
    merge_adapters,
)

pytest.importorskip("peft")
torch = pytest.importorskip("torch")

from agentcl.consolidation import training  # noqa: E402  # they need torch
from agentcl.consolidation.methods.masks import magnitude_mask  # noqa: E402
from agentcl.consolidation.methods.opening import METHODS, open_methods  # noqa: E402
from agentcl.consolidation.methods.teachers import last_layers, margin_loss  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
Weights = Mapping[str, Any]
FAST = {"rank": 4, "alpha": 8, "steps": 4, "batch": 2, "learning_rate": 1e-2}


def rows(letter: str) -> list[TrainingRow]:
    return [
        TrainingRow((f"{letter}{n}",), "recall", "train", f"What is {letter}{n}?", f"v{n}{letter}")
        for n in range(4)
    ]


OLD, NEW = rows("p"), rows("q")


@pytest.fixture(scope="module")
def base(tiny_llama: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def earlier(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter of an earlier round."""
    folder = tmp_path_factory.mktemp("earlier") / "one"
    run(base, folder, OLD)
    return folder


def run(base: Path, folder: Path, rows: Sequence[TrainingRow], **how: Any) -> training.Trained:
    passed = {name: how.pop(name) for name in ("methods", "parent", "progress") if name in how}
    return training.train(base, rows, folder, Recipe(**{**FAST, **how}), **passed)


def weights_of(folder: Path) -> Weights:
    from safetensors.torch import load_file

    return load_file(folder / "adapter_model.safetensors")


def are_same(one: Weights, other: Weights) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def updates_of(folder: Path) -> dict[str, Any]:
    """Return by module what an adapter adds to the weight: s * B A."""
    import json

    config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
    held = weights_of(folder)
    return {
        name.split(".lora_A")[0]: config["lora_alpha"]
        / config["r"]
        * held[name.replace("lora_A", "lora_B")]
        @ held[name]
        for name in held
        if "lora_A" in name
    }


class Fake:
    """A model of two weights, whose states are its weights and whose logits are theirs times a row's answer."""

    def __init__(self) -> None:
        self.a = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        self.b = torch.nn.Parameter(torch.tensor([[0.5]]))

    def run(self) -> Run:
        return Run(self, {"a": self.a, "b": self.b}, self.loss_on, self.logits_on, self.states_on)

    def loss_on(self, rows: Sequence[TrainingRow]) -> Any:
        return sum(float(row.answer) for row in rows) / len(rows) * (self.a.sum() + self.b.sum())

    def logits_on(self, rows: Sequence[TrainingRow]) -> Any:
        return torch.stack([float(row.answer) * self.a for row in rows])

    def states_on(self, rows: Sequence[TrainingRow]) -> Any:
        return torch.stack([self.a for _ in rows])

    def move(self, a: float, b: float = 0.0) -> None:
        with torch.no_grad():
            self.a += a
            self.b += b


PAST = [TrainingRow(("x",), "recall", "train", "q", answer) for answer in ("1", "3")]


# Formulas


def test_a_slow_copy_is_the_exponential_mean_of_the_weights_and_is_kept() -> None:
    fake, method = Fake(), SlowCopy(decay=0.9)
    held = fake.run()
    method.prepare(held)
    assert method.loss(held) is None
    wanted = fake.b.detach().clone()
    for _ in range(3):
        fake.move(0.0, 1.0)
        method.after_step(held)
        wanted = 0.9 * wanted + 0.1 * fake.b.detach()
    method.finish(held)
    assert torch.allclose(fake.b.detach(), wanted)


def test_i_lora_adds_the_squared_difference_of_fast_and_slow_states() -> None:
    fake, method = Fake(), SlowCopy(PAST, decay=0.5, weight=3.0)
    held = fake.run()
    method.prepare(held)
    fake.move(0.2)
    loss = method.loss(held)
    assert loss is not None
    assert float(loss.detach()) == pytest.approx(3.0 * 0.04, rel=1e-5)
    loss.backward()  # type: ignore[no-untyped-call]  # torch's
    assert fake.a.grad is not None
    # d/da of 3 * mean over 2 states of (a - slow)^2: rows share the weights
    assert fake.a.grad.tolist() == pytest.approx([3.0 * 0.2, 3.0 * 0.2], rel=1e-4)
    assert fake.a.tolist() == pytest.approx(
        [1.2, -1.8]
    )  # the fast weights stand in the model again


def test_interpolation_goes_back_to_the_start_by_its_share() -> None:
    fake, method = Fake(), Interpolation(share=0.25)
    held = fake.run()
    method.prepare(held)
    fake.move(0.4, -0.8)
    method.finish(held)
    assert fake.a.tolist() == pytest.approx([1.1, -1.9])
    assert float(fake.b.detach()) == pytest.approx(0.3)


def test_reptile_steps_back_after_every_k_steps_only() -> None:
    fake, method = Fake(), Reptile(every=2, rate=0.5)
    held = fake.run()
    method.prepare(held)
    seen = []
    for step in range(4):
        held.step = step
        fake.move(1.0)
        method.after_step(held)
        seen.append(float(fake.a[0].detach()))
    assert seen == [2.0, 2.0, 3.0, 3.0]  # 1 -> 3, back to 2; 2 -> 4, back to 3


def test_the_magnitude_gate_keeps_the_largest_share_and_equal_ones_alike() -> None:
    sizes = torch.tensor([0.1, 0.4, 0.2, 0.3])
    assert magnitude_mask(sizes, 0.5).tolist() == [0.0, 1.0, 0.0, 1.0]
    assert magnitude_mask(10 * sizes, 0.25).tolist() == [0.0, 1.0, 0.0, 0.0]
    assert magnitude_mask(torch.zeros(3), 0.5).tolist() == [1.0, 1.0, 1.0]


def test_distillation_adds_the_divergence_from_what_the_start_says() -> None:
    fake, method = Fake(), EarlierSelf(PAST[:1], weight=2.0)
    held = fake.run()
    method.prepare(held)
    assert float(method.loss(held).detach()) == pytest.approx(0.0, abs=1e-7)
    with torch.no_grad():
        fake.a += torch.tensor([0.0, 1.0])
    before = torch.softmax(torch.tensor([1.0, -2.0]), 0)
    now = torch.softmax(torch.tensor([1.0, -1.0]), 0)
    wanted = 2.0 * float((before * (before / now).log()).sum())
    assert float(method.loss(held).detach()) == pytest.approx(wanted, rel=1e-5)


def test_the_margin_of_states_counts_by_how_much_each_misses_its_side() -> None:
    was = torch.tensor([3.0, -3.0, 0.0, 3.0, 0.0])
    now = torch.tensor([0.5, 0.0, 1.5, 9.0, -1.25])
    assert margin_loss(was, now, -1.0, 1.0).tolist() == [0.5, 1.0, 0.5, 0.0, 0.25]
    fake, method = Fake(), GeneralStates(PAST, weight=2.0, spread=0.5)
    held = fake.run()
    method.prepare(held)  # states 1, -2, 1, -2: mean -0.5, deviation sqrt(3)
    assert float(method.loss(held).detach()) == 0.0
    high = -0.5 + 0.5 * 3**0.5
    fake.move(-1.0)
    assert float(method.loss(held).detach()) == pytest.approx(2.0 * (high - 0.0) / 2, rel=1e-5)


def test_half_of_the_blocks_of_each_layer_are_frozen_as_pairs() -> None:
    names = [
        f"m.layers.{layer}.{block}.lora_{side}.default.weight"
        for layer in range(3)
        for block in ("q", "k", "v", "o")
        for side in "AB"
    ]
    held = Run(None, dict.fromkeys(names), None, None, None)  # type: ignore[arg-type]  # names are all it reads
    drawn = []
    for seed in (0, 1):
        method = HalfMask(seed=seed)
        method.prepare(held)
        drawn.append(method.frozen)
        for layer in range(3):
            assert sum(f"layers.{layer}." in name for name in method.frozen) == 4
        assert all(name.replace("lora_A", "lora_B") in method.frozen for name in method.frozen)
    assert drawn[0] != drawn[1]


def test_the_last_layers_are_found_by_name() -> None:
    names = ["m.layers.2.q", "m.layers.10.q", "m.layers.9.q", "head"]
    assert last_layers(names, 2) == ["m.layers.10.q", "m.layers.9.q"]
    assert last_layers(["head"], 2) == ["head"]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: SlowCopy(decay=1.0), lambda: Interpolation(share=1.5), lambda: Reptile(every=0),
        lambda: MagnitudeGate(keep=0.0), lambda: HalfMask(keep=2.0), lambda: EarlierSelf([]),
        lambda: GeneralStates([]), lambda: SelectedLayers(PAST, steps=-1), lambda: IncrementalLora([]),
        lambda: OrthogonalLora(["x"], weight=-1.0),
    ],
)  # fmt: skip
def test_numbers_that_mean_nothing_are_refused(wrong: Callable[[], Method]) -> None:
    with pytest.raises(InvalidInput):
        wrong()


# On a tiny model


def every(earlier: Path) -> dict[str, Callable[[], Method]]:
    """Return how to make each method that trains on from an adapter."""
    return {
        "replay": lambda: ExperienceReplay(OLD), "l2": L2ToStart, "slow": lambda: SlowCopy(OLD, decay=0.5),
        "interpolation": Interpolation, "reptile": lambda: Reptile(every=2), "magnitude": MagnitudeGate,
        "half": HalfMask, "selected": lambda: SelectedLayers(OLD, steps=2, layers=1),
        "earlier": lambda: EarlierSelf(OLD), "general": lambda: GeneralStates(OLD),
        "incremental": lambda: IncrementalLora([earlier]),
        "orthogonal": lambda: OrthogonalLora([earlier], size_weight=0.1),
        "none": Method, "ewc": lambda: METHODS["ewc"](OLD),
    }  # fmt: skip


def test_every_method_has_a_name_and_can_be_opened_by_it(earlier: Path) -> None:
    assert every(earlier).keys() == METHODS.keys()
    (one,) = open_methods([{"name": "incremental", "adapters": [str(earlier)]}])
    assert isinstance(one, IncrementalLora)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_goes_on_to_the_same_weights_after_a_kill(
    name: str, base: Path, earlier: Path, tmp_path: Path
) -> None:
    class Killed(Exception):
        pass

    def kill(step: int, steps: int, loss: float) -> None:
        if step == 3:
            raise Killed

    make = every(earlier)[name]
    how: Any = {"steps": 4, "checkpoint_every": 1}
    if name not in ("incremental", "orthogonal"):
        how["parent"] = earlier
    whole = run(base, tmp_path / "whole", NEW, methods=[make()], **how)
    with pytest.raises(Killed):
        run(base, tmp_path / "cut", NEW, methods=[make()], progress=kill, **how)
    assert run(base, tmp_path / "cut", NEW, methods=[make()], **how) == whole
    assert are_same(weights_of(tmp_path / "whole"), weights_of(tmp_path / "cut"))
    if name != "none":
        run(base, tmp_path / "plain", NEW, methods=[], **how)
        assert not are_same(weights_of(tmp_path / "plain"), weights_of(tmp_path / "whole"))


def test_frozen_blocks_stay_bit_by_bit_and_the_others_move(
    base: Path, earlier: Path, tmp_path: Path
) -> None:
    method = HalfMask()
    run(base, tmp_path / "half", NEW, parent=earlier, methods=[method])
    before, after = weights_of(earlier), weights_of(tmp_path / "half")
    frozen = {name.replace(".default", "") for name in method.frozen}
    assert frozen
    assert {name for name in before if torch.equal(before[name], after[name])} == frozen


def test_incremental_lora_writes_the_exact_sum_of_all_rounds(
    base: Path, earlier: Path, tmp_path: Path
) -> None:
    class Kept(IncrementalLora):
        """Keeps what the new pair alone adds."""

        own: dict[str, Any]

        def finish(self, run: Run) -> None:
            self.own = {
                name.split(".lora_A")[0]: 2.0  # alpha 8 / rank 4
                * (run.weights[name.replace("lora_A", "lora_B")] @ one).detach()
                for name, one in run.weights.items()
                if "lora_A" in name
            }
            super().finish(run)

    method = Kept([earlier])
    run(base, tmp_path / "sum", NEW, methods=[method])
    held, whole = updates_of(earlier), updates_of(tmp_path / "sum")
    assert whole.keys() == held.keys()
    for name, update in whole.items():
        (own,) = (
            one for key, one in method.own.items() if key.endswith(name.split("model.", 1)[1])
        )
        assert torch.allclose(update, held[name] + own, atol=1e-5)
    assert {one.name for one in (tmp_path / "sum").iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }


def test_the_orthogonal_penalty_pushes_new_directions_out_of_the_old_ones(
    base: Path, earlier: Path, tmp_path: Path
) -> None:
    def overlap(folder: str, weight: float) -> float:
        how: Any = {"steps": 12, "methods": [OrthogonalLora([earlier], weight=weight)]}
        run(base, tmp_path / folder, NEW, **how)
        old = weights_of(earlier)
        found = 0.0
        for name, both in weights_of(tmp_path / folder).items():
            if "lora_A" in name:
                found += float(
                    (old[name] @ both[:4].transpose(0, 1)).abs().sum()
                )  # the new pair comes first
        return found

    assert overlap("tied", 5.0) < 0.5 * overlap("free", 0.0)


def test_ranks_that_add_up_beyond_a_server_and_a_folder_without_an_adapter_are_refused(
    base: Path, earlier: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match="ranks of"):
        run(base, tmp_path / "a", NEW, rank=61, methods=[IncrementalLora([earlier])])
    with pytest.raises(LoadError, match="no adapter"):
        run(base, tmp_path / "b", NEW, methods=[IncrementalLora([tmp_path])])


# Merging


def test_merging_by_cat_is_the_weighted_sum_and_by_svd_its_best_part(
    base: Path, earlier: Path, tmp_path: Path
) -> None:
    run(base, tmp_path / "other", NEW, seed=1)
    parts = [updates_of(one) for one in (earlier, tmp_path / "other")]
    wanted = {name: 0.7 * one + 0.3 * parts[1][name] for name, one in parts[0].items()}

    def missed(how: Any, **more: Any) -> float:
        folder = tmp_path / f"{how}{len(more)}"
        merge_adapters(
            base, [earlier, tmp_path / "other"], folder, how=how, weights=[0.7, 0.3], **more
        )
        found = updates_of(folder)
        return max(float((found[name] - one).norm() / one.norm()) for name, one in wanted.items())

    assert missed("cat") < 1e-5
    assert missed("svd", rank=8) < 1e-4  # as large as both ranks together
    assert 1e-4 < missed("svd", rank=2, seed=0) < 1.0


def test_ties_and_dare_leave_what_their_density_says_and_follow_their_seed(
    base: Path, earlier: Path, tmp_path: Path
) -> None:
    run(base, tmp_path / "other", NEW, seed=1)
    both = [earlier, tmp_path / "other"]
    for how in ("ties", "dare"):
        for n in range(2):
            rank = merge_adapters(base, both, tmp_path / f"{how}{n}", how=how, rank=8, seed=3)
            assert rank == 8
        assert are_same(weights_of(tmp_path / f"{how}0"), weights_of(tmp_path / f"{how}1"))
    merge_adapters(base, both, tmp_path / "dare2", how="dare", rank=8, seed=4)
    assert not are_same(weights_of(tmp_path / "dare0"), weights_of(tmp_path / "dare2"))


def test_a_merge_that_cannot_be_served_is_refused(
    base: Path, earlier: Path, tmp_path: Path
) -> None:
    both = [earlier, earlier]
    wrong: list[dict[str, Any]] = [
        {"adapters": [earlier]}, {"weights": [1.0]}, {"how": "svd", "rank": 65}, {"how": "magic"},
        {"how": "ties", "density": 0.0},
    ]  # fmt: skip
    for one in wrong:
        with pytest.raises(InvalidInput):
            merge_adapters(base, **{"adapters": both, "folder": tmp_path / "m", **one})
    with pytest.raises(LoadError):
        merge_adapters(base, [earlier, tmp_path], tmp_path / "m")
