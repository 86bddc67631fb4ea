"""Indexes filled together and alone, many changes at once and one by one: the same is held."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from agentcl import Draft, Memory
from agentcl.retrieval.feed import Feed, fill
from agentcl.retrieval.graph.index import GraphIndex
from agentcl.retrieval.graph.settings import Edges
from agentcl.retrieval.index import Change, Entry, Query
from agentcl.retrieval.vectors.exact import ExactIndex
from agentcl.retrieval.words.fulltext import FullTextIndex
from agentcl.store.records import Scope
from agentcl.store.rows import Row
from agentcl.store.sqlite.store import FILE
from agentcl.store.vectors import pack

EVERYONE = Scope().view()
GRAPH_KINDS = frozenset({"passage", "fact", "extraction"})


def feeds() -> tuple[Feed, Feed]:
    facts = ExactIndex()
    facts.name = "facts"
    return (
        Feed(GraphIndex(), reads_fields=True, kinds=GRAPH_KINDS),
        Feed(facts, reads_vectors=True, kinds=frozenset({"fact"})),
    )


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    """A memory in which passages and facts came, changed and went."""
    memory = Memory(tmp_path / "memory", encoder="hashing")
    drafts = [
        Draft(text=f"Ilka Renn met Odo Past in Tessary {n}.", metadata={"n": n}) for n in range(300)
    ]
    documents = memory.add_many(drafts)
    for n, document in enumerate(documents[:40]):
        memory.facts.add(
            document.id, [("Ilka Renn", "met", f"guest {n}"), (f"boat {n}", "is", "old")]
        )
    memory.facts.add(documents[0].id, [("Ilka Renn", "left", "Tessary")])
    memory.update(documents[1].id, text="Somebody else came.")
    memory.delete(documents[2].id)
    return memory


def test_indexes_filled_together_hold_what_each_holds_alone(memory: Memory) -> None:
    together, alone = feeds(), feeds()
    fill(together, memory.store.journal)
    for feed in alone:
        feed.catch_up(memory.store.journal)
    last = memory.store.journal.last_seq()
    for one, other in zip(together, alone, strict=True):
        assert one.index.watermark() == other.index.watermark() == last
        assert sorted(one.index.live_seqs()) == sorted(other.index.live_seqs())
    query = Query(
        view=EVERYONE, vector=memory.store.encoder.encode(["boat 7 is old"], role="query")[0]
    )
    assert together[1].index.search(query, limit=9) == alone[1].index.search(query, limit=9)
    for edges in (Edges(), Edges(names="facts"), Edges(names="all", fact_weight=1.0)):
        graphs = [feed.index for feed in (together[0], alone[0])]
        first, second = (
            sorted(graph.edges(Query(view=EVERYONE), edges))
            for graph in graphs
            if isinstance(graph, GraphIndex)
        )
        assert first == second
        assert first
    memory.close()


def test_damage_of_the_journal_is_told_also_when_indexes_are_filled_together(
    memory: Memory,
) -> None:
    path = memory.path / FILE
    memory.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE record SET body = replace(body, 'boat 7', 'goat 7')")
    connection.close()
    with Memory(path.parent, encoder="hashing") as damaged:
        recall = damaged.search("boat", mode="graph")
    assert recall.hits
    assert any("checksum" in told for told in recall.damaged)


def test_full_text_holds_the_same_whether_changes_come_at_once_or_one_by_one(
    tmp_path: Path,
) -> None:
    scopes = (Scope(), Scope(user="ada"))
    changes = [
        Change(n, f"p{n % 260}", n, None if n % 17 == 0 else _entry(n, scopes[n % 2]))
        for n in range(1, 700)
    ]
    at_once, by_one = FullTextIndex(tmp_path / "many"), FullTextIndex(tmp_path / "one")
    at_once.apply(changes, watermark=699)
    for change in changes:
        by_one.apply([change], watermark=change.seq)
    assert sorted(at_once.live_seqs()) == sorted(by_one.live_seqs())
    for view in (EVERYONE, Scope(user="ada").view()):
        for moment in (None, 300, 650):
            query = Query(view=view, text="amber word3", at=moment)
            found = at_once.search(query, limit=20)
            assert [match.seq for match in found] == [
                match.seq for match in by_one.search(query, limit=20)
            ]
            assert found
    at_once.close()
    by_one.close()


class _Beside(FullTextIndex):
    """Full text to which something happens once, just before or after one of its methods."""

    before: dict[str, Callable[[], object]]
    rebuilds = 0

    def watermark(self) -> int:
        held = super().watermark()
        self._happen("watermark")
        return held

    def apply(self, changes: Sequence[Change], *, watermark: int, since: int = 0) -> None:
        self._happen("apply")
        super().apply(changes, watermark=watermark, since=since)

    def rebuild(self, changes: Iterable[Change], *, watermark: int) -> None:
        self.rebuilds += 1
        super().rebuild(changes, watermark=watermark)

    def _happen(self, name: str) -> None:
        self.__dict__.get("before", {}).pop(name, lambda: None)()


def test_an_index_that_others_begin_anew_meanwhile_lacks_nothing_afterwards(
    memory: Memory, tmp_path: Path
) -> None:
    journal = memory.store.journal
    index, other = _Beside(tmp_path / "text"), FullTextIndex(tmp_path / "text")
    feed = Feed(index, reads_text=True)
    feed.catch_up(journal)
    held = journal.last_seq()
    memory.add_many([Draft(text=f"Later note {n}.") for n in range(5)])
    # Another process had looked at the journal earlier, and is done with its rebuild now.
    rows = [row for row in journal.since(0, kinds=["passage"]) if row.seq <= held - 20]
    index.before = {"apply": lambda: other.rebuild(_texts(rows), watermark=held - 20)}
    feed.catch_up(journal)
    live = {row.seq for row in journal.live(view=EVERYONE, kinds=("passage",))}
    assert set(index.live_seqs()) == live
    assert index.watermark() == journal.last_seq()
    index.close()
    other.close()
    memory.close()


def test_what_others_write_and_apply_meanwhile_is_no_reason_to_build_anew(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = memory.store.journal
    index, other = _Beside(tmp_path / "text"), FullTextIndex(tmp_path / "text")
    feed = Feed(index, reads_text=True)
    feed.catch_up(journal)
    last_seq = journal.last_seq

    def looked() -> int:
        last = last_seq()
        monkeypatch.undo()
        memory.add("Somebody else's note.")
        Feed(other, reads_text=True).catch_up(journal)
        return last

    index.rebuilds = 0
    memory.add("A note.")
    monkeypatch.setattr(journal, "last_seq", looked)
    feed.catch_up(journal)
    assert index.rebuilds == 0
    assert index.watermark() == journal.last_seq()
    index.close()
    other.close()
    memory.close()


def _texts(rows: Iterable[Row]) -> Iterator[Change]:
    for row in rows:
        is_put = row.op == "put"
        text = row.record().search_text() or "" if is_put else ""
        added = Entry(
            row.seq, row.id, row.kind, row.scope, text, None, row.created_at, None, None, {}
        )
        yield Change(row.seq, row.id, row.created_at, added if is_put else None)


def _entry(number: int, scope: Scope) -> Entry:
    return Entry(
        number,
        f"p{number % 260}",
        "passage",
        scope,
        f"amber word{number % 7}",
        pack([1.0, 2.0]),
        number,
        None,
        None,
        {"n": number},
    )
