"""Adapters in the journal: what they hold, who answers, and that forgetting reaches them at once."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import InvalidInput, Memory, NotFound, StoreCorrupt, VersionConflict
from agentcl.consolidation.registry import judged, next_name, register
from agentcl.memory.adapters.files import hashes_of
from agentcl.store import Adapter, Record, Scope


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing", durability="normal") as memory:
        yield memory


def train(
    memory: Memory,
    *records: Record,
    is_passed: bool = True,
    parents: tuple[str, ...] = (),
    lineage: tuple[str, ...] = (),
    scope: Scope = Scope(),  # noqa: B008  # a value
    smoke: str = "",
    **method: Any,
) -> Adapter:
    """Register an adapter as the job does, with files that stand for weights."""
    kept = memory.adapters
    name = next_name(memory, scope, "0123456789abcdef")
    register(
        memory,
        Adapter(
            id="", scope=scope, key=name, base="tiny", parents=parents, lineage=lineage,
            holds={one.id: one.version for one in records}, counts={"recall": 6},
        )
    )  # fmt: skip
    folder = kept.folder(name)
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(b"weights of " + name.encode())
    if smoke:
        (folder / "smoke.json").write_text(smoke, "utf-8")
    gate = {"is_passed": is_passed, "failed": [] if is_passed else ["recall"]}
    return judged(memory, name, gate=gate, files=hashes_of(folder), method=method)


def said(memory: Memory, value: str = "room 1", subject: str = "Orla") -> Any:
    return memory.statements.add(subject, "office", value)


def test_no_name_comes_twice_even_after_everything_was_revoked(memory: Memory) -> None:
    one = said(memory)
    names = []
    for _ in range(3):
        names.append(train(memory, one).name)
        memory.adapters.revoke(names[-1])
    assert len(set(names)) == 3
    assert all(re.fullmatch("[a-z0-9-]+", name) for name in names)


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_name_is_safe_as_a_folder_and_a_model(tenant: str, user: str) -> None:
    class Journal:
        def since(self, *_: object, **__: object) -> list[object]:
            return []

    class Fake:
        store = type("Store", (), {"journal": Journal()})()
        adapters = type("Adapters", (), {"folder": lambda self, name: Path("/nowhere") / name})()

    fake: Any = Fake()
    name = next_name(fake, Scope(tenant, user), "0123456789")
    assert re.fullmatch("[a-z0-9]([a-z0-9-]*[a-z0-9])?", name)


def test_forgetting_a_record_revokes_every_adapter_that_holds_it_and_erases_its_files(
    memory: Memory,
) -> None:
    gone, kept = said(memory), said(memory, subject="Ilka")
    holding, other = train(memory, gone, kept), train(memory, kept)
    child = train(memory, kept, parents=(holding.id,))
    adapters = memory.adapters
    adapters.route(holding.name, "stable")
    receipt = memory.forget(gone.id)
    assert set(receipt.adapters) == {holding.name, child.name}
    for name in receipt.adapters:
        assert adapters.get(name).state == "revoked"
        assert not adapters.folder(name).exists()
        with pytest.raises(InvalidInput, match="revoked"):
            adapters.route(name, "stable")
    assert adapters.get(other.name).state == "passed"
    assert adapters.folder(other.name).is_dir()
    assert gone.value not in repr(adapters.list())


def test_forgetting_what_a_held_record_was_made_of_revokes_too(memory: Memory) -> None:
    turn = memory.remember(["Orla's office is room 1."], session="s").turns[0]
    one = memory.statements.add("Orla", "office", "room 1", sources=[turn.id])
    held = train(memory, one)
    assert memory.forget(turn.id, session="s").adapters == (held.name,)
    assert memory.adapters.get(held.name).state == "revoked"
    assert [one.now for one in memory.adapters.why(held.name)] == ["forgotten"]


def test_a_forgetting_that_is_repeated_erases_files_that_were_left(memory: Memory) -> None:
    one, two = said(memory), said(memory, subject="Ilka")
    held = train(memory, one, two)
    memory.forget(one.id)
    folder = memory.adapters.folder(held.name)
    folder.mkdir()  # as if the process had been killed before
    assert memory.forget(two.id).adapters == (held.name,)
    assert not folder.exists()


def test_a_link_in_the_place_of_an_adapter_is_not_followed(memory: Memory, tmp_path: Path) -> None:
    one = said(memory)
    held = train(memory, one)
    folder = memory.adapters.folder(held.name)
    mine = tmp_path / "mine"
    folder.rename(mine)
    folder.symlink_to(mine)
    memory.forget(one.id)
    assert any(mine.iterdir())


def test_a_corrected_record_makes_an_adapter_stale(memory: Memory) -> None:
    one = said(memory)
    held = train(memory, one)
    assert memory.adapters.stale(held.name) == []
    said(memory, "room 2")
    (stale,) = memory.adapters.stale(held.name)
    assert (stale.id, stale.now, stale.says) == (one.id, "changed", one.text)
    found = memory.search("Where is Orla's office?")
    assert all("room 1" not in hit.text for hit in found.hits)


def test_a_record_that_was_deleted_makes_an_adapter_stale(memory: Memory) -> None:
    one = said(memory)
    held = train(memory, one)
    memory.delete(one.id)
    assert [one.now for one in memory.adapters.stale(held.name)] == ["deleted"]


def test_only_what_passed_its_gate_answers(memory: Memory) -> None:
    failed = train(memory, said(memory), is_passed=False)
    assert failed.state == "built"
    assert "recall" in failed.reason
    with pytest.raises(InvalidInput, match="gate"):
        memory.adapters.route(failed.name, "canary")


def test_one_adapter_is_stable_and_a_rollback_brings_the_former_back(memory: Memory) -> None:
    one, adapters = said(memory), memory.adapters
    first, second = train(memory, one), train(memory, one)
    adapters.route(first.name, "stable")
    adapters.route(second.name, "stable")
    assert [one.state for one in adapters.list()] == ["retired", "stable"]
    answering = adapters.rollback()
    assert answering is not None
    assert answering.name == first.name
    assert [one.state for one in adapters.list()] == ["stable", "retired"]
    assert adapters.rollback() is None
    with pytest.raises(NotFound, match="nothing to roll back"):
        adapters.rollback()


def test_a_canary_goes_first(memory: Memory) -> None:
    one, adapters = said(memory), memory.adapters
    first, second = train(memory, one), train(memory, one)
    adapters.route(first.name, "stable")
    assert adapters.route(second.name, "canary", share=0.2).share == 0.2
    answering = adapters.rollback()
    assert answering is not None
    assert answering.name == first.name
    assert [one.state for one in adapters.list()] == ["stable", "retired"]


@pytest.mark.parametrize("share", [0, 1, -1, 2, float("nan")])
def test_a_canary_answers_a_part(memory: Memory, share: float) -> None:
    held = train(memory, said(memory))
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        memory.adapters.route(held.name, "canary", share=share)


@pytest.mark.parametrize("how", ["changed", "missing", "more", "gone"])
def test_a_folder_that_was_changed_by_hand_never_answers(memory: Memory, how: str) -> None:
    held = train(memory, said(memory))
    adapters = memory.adapters
    folder = adapters.folder(held.name)
    file = folder / "adapter_model.safetensors"
    match how:
        case "changed":
            file.write_bytes(b"weights of somebody else")
        case "missing":
            file.unlink()
        case "more":
            (folder / "chat_template.jinja").write_text("x")
        case "gone":
            file.unlink()
            folder.rmdir()
    with pytest.raises(StoreCorrupt, match=held.name):
        adapters.route(held.name, "stable")
    assert adapters.get(held.name).state == "passed"


def test_what_was_forgotten_while_it_was_trained_does_not_pass(memory: Memory) -> None:
    one = said(memory)
    name = next_name(memory, Scope(), "0" * 8)
    register(memory, Adapter(id="", key=name, base="tiny", holds={one.id: one.version}))
    memory.forget(one.id)
    with pytest.raises(VersionConflict, match="revoked"):
        judged(memory, name, gate={"is_passed": True}, files={}, method={})


def test_what_changed_since_it_was_chosen_is_not_trained(memory: Memory) -> None:
    one = said(memory)
    chosen = replace(one, version=one.version + 1)
    with pytest.raises(VersionConflict, match="consolidate anew"):
        train(memory, chosen)


def test_two_adapters_are_compared_by_what_they_hold(memory: Memory) -> None:
    one, two = said(memory), said(memory, subject="Ilka")
    first, second = train(memory, one, steps=10), train(memory, two, steps=20)
    found = memory.adapters.diff(first.name, second.name)
    assert (found.only_first, found.only_second) == ((one.id,), (two.id,))
    assert found.method == {"steps": (10, 20)}


def test_a_handle_sees_the_adapters_of_its_scope(memory: Memory) -> None:
    hers = memory.statements.add("user", "office", "room 1", user="ada")
    held = train(memory, hers, scope=Scope(user="ada"))
    assert [one.name for one in memory.scoped(user="ada").adapters.list()] == [held.name]
    assert memory.scoped(user="bob").adapters.list() == []
    with pytest.raises(NotFound):
        memory.scoped(user="bob").adapters.route(held.name, "stable")
    assert held.name.startswith("ada-")


def test_an_export_carries_adapters_and_refuses_a_name_that_is_a_path(
    memory: Memory, tmp_path: Path
) -> None:
    held = train(memory, said(memory))
    file = tmp_path / "copy.jsonl"
    memory.store.export(file)
    with Memory(tmp_path / "other", encoder="hashing") as other:
        other.store.import_(file, trusted=True)
        with pytest.raises(StoreCorrupt):
            other.adapters.route(held.name, "stable")


def test_an_import_says_nothing_of_who_answers(memory: Memory, tmp_path: Path) -> None:
    held = train(memory, said(memory))
    before, after = tmp_path / "before.jsonl", tmp_path / "after.jsonl"
    memory.store.export(before)
    memory.adapters.route(held.name, "stable")
    memory.store.export(after)
    with Memory(tmp_path / "other", encoder="hashing") as other:
        assert other.store.import_(after).left_out == 3  # its versions
        assert other.adapters.list() == []
        other.store.import_(before, trusted=True)
        assert other.store.import_(after).left_out == 1
        assert other.adapters.answering().name == ""
        other.store.import_(after, trusted=True)  # of a memory of one's own
        assert other.adapters.answering().name == held.name


def test_the_doctor_names_files_that_are_not_what_was_trained_or_should_be_gone(
    memory: Memory,
) -> None:
    one = said(memory)
    changed, revoked = train(memory, one), train(memory, one)
    memory.adapters.route(changed.name, "stable")
    assert memory.store.examine().is_healthy
    (memory.adapters.folder(changed.name) / "adapter_model.safetensors").write_bytes(b"other")
    memory.adapters.revoke(revoked.name)
    memory.adapters.folder(revoked.name).mkdir()  # as a trainer leaves it that was killed late
    (memory.path / "adapters" / "stranger").mkdir()
    found = [found.message for found in memory.store.examine().problems]
    assert len(found) == 3
    for name, why in (
        (revoked.name, "it was revoked"),
        ("stranger", "no record names it"),
        (changed.name, "never changed"),
    ):
        assert any(name in message and why in message for message in found)


def test_the_doctor_takes_the_folder_of_adapters_for_ours(memory: Memory) -> None:
    train(memory, said(memory))
    assert not [one for one in memory.store.examine().problems if "adapters" in str(one)]
