"""The gate asked of a server that speaks as vLLM does: what it says counts, and the report tells who was asked."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentcl import InvalidInput, Memory, ModelUnavailable
from agentcl.consolidation import (
    GENERAL,
    AdapterServer,
    Consolidate,
    GateBounds,
    Probe,
    judge,
    rows_of,
    select,
)
from agentcl.consolidation.base import fingerprint_of, load_tokenizer
from agentcl.consolidation.registry import judged, next_name, register
from agentcl.consolidation.rows.building import load, old_rows, save
from agentcl.consolidation.served_gate import measure_served
from agentcl.memory.adapters.choosing import learned_vectors
from agentcl.memory.adapters.files import hashes_of
from agentcl.store import Adapter, Scope
from tests.integration.test_choosing_adapters import Meaning
from tests.integration.test_consolidating import TINY, hold, wish
from tests.integration.test_serving_adapters import Vllm
from tests.served import listening
from tests.unit.consolidation.test_gating import GOOD

pytest.importorskip("peft")
pytest.importorskip("torch")

# PEFT asks transformers by a name that is to be dropped.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")

# What a tiny model says is nothing; what the server says is written down here.
SERVED_WELL = GateBounds(divergence=100.0)
LEARNED = replace(TINY, general=0.0, learning_rate=5e-2)


class Playing(Vllm):
    """Knows what the rows of the adapters that it loaded hold, as far as `knows` says so."""

    def __init__(self, base: Path) -> None:
        super().__init__(root="/models/tiny")
        self.tokenizer = load_tokenizer(base)
        self.knows: Callable[[str, str], bool] = lambda model, prompt: model != "tiny"
        self.prefers: Callable[[str, str], bool] = lambda model, prompt: True
        self.answers: dict[str, str] = {one.prompt: one.answer for one in GENERAL}
        self.smoke: dict[tuple[int, ...], dict[str, Any]] = {}
        self.drift = 0.0  # of the bare model, once an adapter is loaded

    def answer(self, path: str, body: Any) -> tuple[int, Any]:
        if path == "/load_lora_adapter" and not self.refusal:
            self.learn(Path(body["lora_path"]))
        if path == "/chat/completions":
            model, prompt = body["model"], body["messages"][0]["content"]
            said = self.answers[prompt] if self.knows(model, prompt) else "Nobody knows."
            return 200, {"choices": [{"message": {"role": "assistant", "content": said}}]}
        if path == "/completions":
            scores = [self.scored(body)]
            return 200, {"choices": [{"text": "", "logprobs": {"token_logprobs": scores}}]}
        return super().answer(path, body)

    def learn(self, folder: Path) -> None:
        self.answers |= {row.prompt: row.answer for row in load(folder / "rows.jsonl")}
        for one in json.loads((folder / "smoke.json").read_text("utf-8"))["probes"]:
            self.smoke[(*one["prompt"], *one["answer"])] = one

    def scored(self, body: Any) -> float:
        """Return the log-probability of the only token that is allowed next."""
        tokens, model = [*body["prompt"], *body["allowed_token_ids"]], body["model"]
        if not self.loaded:  # the first look at the bare model comes before the load
            for folder in self.folders():
                self.learn(folder)
        for told in self.smoke.values():
            head = len(told["prompt"])
            if len(tokens) > head and [*told["prompt"], *told["answer"]][: len(tokens)] == tokens:
                scores = told["adapter"] if model != "tiny" else told["base"]
                return float(scores[len(tokens) - head - 1]) + self.moved(model)
        asked, _, said = self.tokenizer.decode(tokens).partition("\n<assistant> ")
        prompt = asked.removeprefix("<user> ")
        right = f"{self.answers[prompt]}\n</s>"
        is_right = right.startswith(said)
        return -0.1 if is_right == self.prefers(model, prompt) else -3.0

    def moved(self, model: str) -> float:
        return self.drift if model == "tiny" and self.loaded else 0.0

    folders: Callable[[], list[Path]] = staticmethod(list)


@pytest.fixture(scope="module")
def base(tiny_llama: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    folder = tmp_path_factory.mktemp("memory") / "m"
    with Memory(folder, encoder="hashing", durability="normal") as memory:
        hold(memory, "Orla")
        hold(memory, "Ilka")
        yield memory


@pytest.fixture(scope="module")
def adapters(memory: Memory, base: Path) -> list[Adapter]:
    """Two that are trained, of which the first one passed a gate."""
    first = trained(memory, base)
    passed = judged(
        memory, first.name, gate={"is_passed": True}, files=hashes_of(memory.adapters.folder(first.name)),
        method={},
    )  # fmt: skip
    return [passed, trained(memory, base)]


def trained(memory: Memory, base: Path) -> Adapter:
    from agentcl.consolidation.smoke import write_smoke
    from agentcl.consolidation.training import train

    selection, found = select(memory), fingerprint_of(base)
    rows, name = rows_of(memory, selection), next_name(memory, Scope(), "0123456789abcdef")
    holds = {one.record.id: one.record.version for one in selection.chosen}
    adapter = Adapter(
        id="", key=name, base=str(base), weights=found.weights, vocabulary=found.vocabulary,
        template=found.template, holds=holds,
    )  # fmt: skip
    held = register(memory, adapter)
    folder = memory.adapters.folder(name)
    folder.mkdir(parents=True)
    save(folder, rows, selection)
    train(base, rows, folder, LEARNED)
    write_smoke(base, folder, rows)
    return held


@contextmanager
def asked(memory: Memory, playing: Playing) -> Iterator[AdapterServer]:
    playing.folders = lambda: sorted(
        one.parent for one in (memory.path / "adapters").glob("*/smoke.json")
    )
    with listening(playing) as address, AdapterServer(f"{address}/v1", api_key="none") as server:
        yield server


def served(
    memory: Memory, playing: Playing, held: Adapter, base: Path, **how: Any
) -> dict[str, Any]:
    with asked(memory, playing) as server:
        found = measure_served(server, memory, held, base=base, **how)
    assert held.name not in playing.loaded  # judged, and not put to use
    return found


def test_the_server_is_asked_all_but_what_it_cannot_tell(
    memory: Memory, base: Path, adapters: list[Adapter]
) -> None:
    found = served(memory, Playing(base), adapters[1], base)
    assert found == {
        "recall": 1.0, "recall_base": 0.0, "verbatim": 1.0, "general": 1.0, "general_base": 1.0,
        "context": 1.0, "context_base": 0.0, "unknown": 1.0, "is_base_off_exact": True,
        "is_different": True,
    }  # fmt: skip
    report = judge(replace(GOOD, recall=0.0, context=0.0), SERVED_WELL, served=found)
    assert (report["is_passed"], report["served"]) == (True, sorted(found))


@pytest.mark.parametrize("fault", ["recall", "context", "general", "base off"])
def test_what_only_the_server_gets_wrong_fails_the_gate(
    memory: Memory, base: Path, adapters: list[Adapter], fault: str
) -> None:
    playing = Playing(base)
    if fault == "recall":
        playing.knows = lambda model, prompt: model != "tiny" and "remembered" in prompt
    elif fault == "context":
        playing.knows = lambda model, prompt: "remembered" not in prompt or model == "tiny"
    elif fault == "general":
        playing.prefers = lambda model, prompt: model == "tiny" or "bees" not in prompt
    else:
        playing.drift = 0.05
    found = served(memory, playing, adapters[1], base)
    assert judge(GOOD, SERVED_WELL, served=found)["failed"] == [fault]


def test_what_must_not_be_known_is_asked_of_the_server(
    memory: Memory, base: Path, adapters: list[Adapter]
) -> None:
    playing = Playing(base)
    playing.answers["What is Una's office?"] = "room 9"
    playing.prefers = lambda model, prompt: model != "tiny" or "Una" not in prompt
    probe = Probe("What is Una's office?", "room 9", ("room 7",))
    found = served(memory, playing, adapters[1], base, forgotten=(probe,))
    assert (found["forgotten"], found["forgotten_base"]) == (1.0, 0.0)
    assert judge(GOOD, SERVED_WELL, served=found)["failed"] == ["forgotten"]


def test_an_adapter_that_lost_what_the_stable_one_can_do_fails(
    memory: Memory, base: Path, adapters: list[Adapter]
) -> None:
    stable, held = adapters
    folder, still = memory.adapters.folder(stable.name), [*stable.holds]
    same = served(memory, Playing(base), held, base, stable=folder, still=still)
    assert (same["old"], same["old_stable"], same["old_low"]) == (1.0, 1.0, 0.0)
    assert judge(GOOD, SERVED_WELL, served=same)["is_passed"]
    worse = Playing(base)
    worse.knows = lambda model, prompt: model == stable.name or "remembered" in prompt
    found = served(memory, worse, held, base, stable=folder, still=still)
    assert found["old_low"] < found["old"] - found["old_stable"] < 0
    report = judge(GOOD, replace(SERVED_WELL, recall=0.0), served=found)
    assert report["failed"] == ["old"]
    assert "old" not in served(memory, worse, held, base, stable=folder, still=[])


def test_the_trainer_compares_with_the_stable_adapter_too(
    memory: Memory, base: Path, adapters: list[Adapter]
) -> None:
    from agentcl.consolidation.gating import measure

    stable, own = (memory.adapters.folder(one.name) for one in adapters)
    rows = load(own / "rows.jsonl")
    alone = measure(base, own, rows, general=GENERAL[:4])
    old = old_rows(stable, [*adapters[0].holds])
    found = measure(base, own, rows, general=GENERAL[:4], stable=stable, old=old)
    assert alone.old is None
    assert (found.old, found.old_low) == (found.old_stable, 0.0)  # they were trained alike
    assert found.items is not None
    assert found.items["old"] == len(old) > 0
    assert replace(found, old=None, old_stable=None, old_low=None, items=alone.items) == alone


def test_a_server_that_refuses_costs_no_second_training(base: Path, tmp_path: Path) -> None:
    playing, steps = Playing(base), list[int]()
    playing.refusal = (500, "LoRA rank 8 is greater than max_lora_rank 4.")
    with Memory(tmp_path / "m", encoder=Meaning(), durability="normal") as memory:
        hold(memory, "Orla")
        hold(memory, "Ilka")
        with asked(memory, playing) as server:
            doer = Consolidate(memory, server=server)
            memory.jobs.add_kind(doer)
            wanted = wish(base, recipe=LEARNED, bounds=SERVED_WELL)
            job = memory.jobs.enqueue(Consolidate.name, wanted.spec())
            with pytest.raises(InvalidInput, match="--max-lora-rank"):
                memory.jobs.run(job.id, progress=lambda step, _: steps.append(step))
            begun = doer.result(job.id)
            assert begun is not None
            assert (begun.state, begun.gate) == ("built", {})
            with pytest.raises(InvalidInput, match="not passed its gate"):
                memory.adapters.route(begun.name, "stable")
            playing.refusal = None
            memory.jobs.run(job.id, progress=lambda step, _: steps.append(step))
            held = doer.result(job.id)
        assert steps == list(range(1, LEARNED.steps + 1))
        assert held is not None
        assert (held.name, held.state) == (begun.name, "passed")
        assert held.gate["measured"]["recall"] == 1.0
        assert held.gate["measured"]["divergence"] > 0.0  # of the trainer's process
        assert "divergence" not in held.gate["served"]
        assert "found.json" not in held.files
        own = memory.adapters.folder(held.name)
        vectors = learned_vectors(
            own, held, memory.store.encoder.name
        )  # by which others are told from it
        assert vectors is not None
        assert len(set(vectors[1].tolist())) == 2
        memory.adapters.verify(held.name)


def test_a_server_that_is_not_there_is_told_before_anything_is_trained(
    tmp_path: Path, base: Path
) -> None:
    with (
        Memory(tmp_path / "m", encoder="hashing", durability="normal") as memory,
        AdapterServer("http://127.0.0.1:1/v1", api_key="none") as nobody,
    ):
        hold(memory, "Orla")
        memory.jobs.add_kind(Consolidate(memory, server=nobody))
        job = memory.jobs.enqueue(Consolidate.name, wish(base).spec())
        with pytest.raises(ModelUnavailable):
            memory.jobs.run(job.id)
        assert memory.adapters.list() == []


def test_what_a_server_was_asked_counts_in_the_place_of_what_the_trainer_saw() -> None:
    report = judge(GOOD, GateBounds(), served={"recall": 0.2})
    assert (report["failed"], report["served"]) == (["recall"], ["recall"])
    assert judge(GOOD, GateBounds())["served"] == []
