"""Pages of records, newest change first."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcl import InvalidInput, Memory


def test_a_page_begins_with_what_changed_last_and_tells_how_many_there_are(tmp_path: Path) -> None:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        ids = [memory.add(f"text {number}").id for number in range(7)]
        memory.update(ids[2], title="changed")
        page = memory.store.page(offset=1, limit=3)
        assert page.total == 7
        assert [one.id for one in page.records] == [ids[6], ids[5], ids[4]]
        assert memory.store.page(limit=1).records[0].id == ids[2]
        assert memory.store.page(offset=7).records == ()


def test_a_page_shows_what_was_recorded_at_a_moment(tmp_path: Path) -> None:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        first = memory.add("first")
        second = memory.add("second")
        memory.delete(first.id)
        before = second.created_at - timedelta(microseconds=1)
        then = memory.store.page(as_of=before)
        assert [one.id for one in then.records] == [first.id]
        assert [one.id for one in memory.store.page().records] == [second.id]
        memory.forget(first.id)
        assert memory.store.page(as_of=before).total == 0


def test_a_page_shows_only_what_its_scope_sees(tmp_path: Path) -> None:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        memory.add("everybody's")
        memory.add("ada's", user="ada")
        memory.add("bo's", user="bo")
        assert memory.store.page().total == 1
        assert memory.scoped(user="ada").store.page().total == 2
        memory.add("ada's next", user="ada")
        assert memory.scoped(user="bo").store.page().total == 2
        assert memory.scoped(user="ada").store.page().total == 3


def test_a_page_of_no_kind_is_refused(tmp_path: Path) -> None:
    with (
        Memory(tmp_path / "m", encoder="hashing") as memory,
        pytest.raises(InvalidInput, match="known kinds"),
    ):
        memory.store.page(kind="thing")


@settings(max_examples=8, deadline=None)
@given(st.lists(st.sampled_from(["add", "update", "delete", "forget", "look"]), max_size=12))
def test_pages_follow_whatever_is_written(
    tmp_path_factory: pytest.TempPathFactory, acts: list[str]
) -> None:
    with Memory(tmp_path_factory.mktemp("m"), encoder="hashing") as memory:
        order: list[str] = []
        for number, act in enumerate(acts):
            if act == "add":
                order.append(memory.add(f"text {number}").id)
            elif act == "look":
                memory.store.page(limit=2)
            elif order and act == "update":
                id = order.pop(0)
                memory.update(id, title=f"title {number}")
                order.append(id)
            elif order:
                getattr(memory, act)(order.pop(len(order) // 2))
        page = memory.store.page(limit=100)
        assert [one.id for one in page.records] == order[::-1]
        assert page.total == len(order)
