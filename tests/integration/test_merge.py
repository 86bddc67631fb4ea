"""Memories that lived apart are merged: one live record of each key, whatever the order."""

import itertools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agentcl import ANY, Document, InvalidInput, Memory, Scope
from agentcl.cli.main import main
from agentcl.store.merging import digest

Clock = Callable[[], int]


def ticking() -> Clock:
    numbers = itertools.count(1_700_000_000_000_000, 1_000_000)
    return lambda: next(numbers)


def opened(folder: Path, clock: Clock) -> Memory:
    return Memory(folder, encoder="hashing:64", durability="normal", clock=clock)


@pytest.fixture
def clock() -> Clock:
    return ticking()


@pytest.fixture
def here(tmp_path: Path, clock: Clock) -> Iterator[Memory]:
    with opened(tmp_path / "here", clock) as memory:
        yield memory


@pytest.fixture
def there(tmp_path: Path, clock: Clock) -> Iterator[Memory]:
    with opened(tmp_path / "there", clock) as memory:
        yield memory


def bring(source: Memory, target: Memory, tmp_path: Path) -> Path:
    file = tmp_path / "export.jsonl"
    source.store.export(file)
    target.store.import_(file, trusted=True)
    return file


def texts(memory: Memory) -> list[str]:
    return sorted(d.text for d in memory.list() if isinstance(d, Document))


def test_the_newer_text_of_a_uri_wins(here: Memory, there: Memory, tmp_path: Path) -> None:
    old = here.add("The ferry leaves at seven.", uri="ferry")
    new = there.add("The ferry leaves at eight.", uri="ferry")
    there.store.export(tmp_path / "e.jsonl")
    done = here.store.import_(tmp_path / "e.jsonl")
    assert texts(here) == ["The ferry leaves at eight."]
    assert [(c.kind, c.key, c.kept, c.other) for c in done.conflicts] == [
        ("document", "ferry", new.id, old.id)
    ]
    assert [hit.document_id for hit in here.search("ferry")] == [new.id]
    assert [v.op for v in here.history(old.id)] == ["put", "delete"]
    assert here.store.examine().problems == ()


def test_an_older_text_of_a_uri_is_kept_as_history(
    here: Memory, there: Memory, tmp_path: Path
) -> None:
    old = there.add("The ferry leaves at seven.", uri="ferry")
    here.add("The ferry leaves at eight.", uri="ferry")
    bring(there, here, tmp_path)
    assert texts(here) == ["The ferry leaves at eight."]
    first = here.history(old.id)[0].record
    assert isinstance(first, Document)
    assert first.text == "The ferry leaves at seven."
    assert here.store.examine().problems == ()


def test_equal_texts_of_a_uri_are_one(here: Memory, there: Memory, tmp_path: Path) -> None:
    for memory in (here, there):
        memory.add("The ferry leaves at seven.", uri="ferry")
    there.store.export(tmp_path / "e.jsonl")
    done = here.store.import_(tmp_path / "e.jsonl")
    assert (len(here.list()), len(here.search("ferry")), done.same) == (1, 1, 1)
    assert done.conflicts == ()
    assert here.store.examine().problems == ()


def test_equal_texts_without_a_uri_are_one(here: Memory, there: Memory, tmp_path: Path) -> None:
    for memory in (here, there):
        memory.add("The ferry leaves at seven.")
    there.add("Rye bread.", user="ada")
    bring(there, here, tmp_path)
    assert bring(here, there, tmp_path).exists()
    for memory in (here, there):
        assert texts(memory) == ["The ferry leaves at seven."]
        assert len(memory.search("ferry")) == 1
        assert memory.store.examine().problems == ()
    assert here.list() == there.list()


def test_equal_texts_that_a_side_keeps_on_purpose_stay(
    here: Memory, there: Memory, tmp_path: Path
) -> None:
    for _ in range(2):
        there.add("The ferry leaves at seven.", duplicates="keep")
    bring(there, here, tmp_path)
    assert len(here.list()) == 2


def test_what_gave_way_to_something_deleted_does_not_come_back(
    here: Memory, there: Memory, tmp_path: Path
) -> None:
    there.add("The ferry leaves at seven.", uri="ferry")
    here.add("The ferry leaves at eight.", uri="ferry")
    file = bring(there, here, tmp_path)
    here.delete(uri="ferry")
    here.store.import_(file)
    assert here.list() == []
    bring(here, there, tmp_path)
    assert there.list() == []


def test_copies_that_went_on_apart_meet_again(here: Memory, there: Memory, tmp_path: Path) -> None:
    note = here.add("The ferry leaves at seven.", uri="ferry")
    bring(here, there, tmp_path)
    here.update(note.id, text="The ferry leaves at eight.")
    there.update(note.id, text="The ferry leaves at nine.")
    bring(there, here, tmp_path)
    bring(here, there, tmp_path)
    for memory in (here, there):
        assert memory.get(note.id) == memory.get(uri="ferry")
        assert texts(memory) == ["The ferry leaves at nine."]
        assert [hit.text for hit in memory.search("ferry")] == ["The ferry leaves at nine."]
        told = {v.record.text for v in memory.history(note.id) if isinstance(v.record, Document)}
        assert {text.split()[-1] for text in told} == {"seven.", "eight.", "nine."}
        assert memory.store.examine().problems == ()


def test_what_was_deleted_stays_deleted(here: Memory, there: Memory, tmp_path: Path) -> None:
    note = here.add("The ferry leaves at seven.", uri="ferry")
    bring(here, there, tmp_path)
    here.delete(note.id)
    there.update(note.id, text="The ferry leaves at nine.")
    there.store.export(tmp_path / "e.jsonl")
    done = here.store.import_(tmp_path / "e.jsonl")
    assert texts(here) == []
    assert len(here.search("ferry")) == 0
    assert [(c.kept, c.other) for c in done.conflicts] == [("", note.id)]
    assert here.store.examine().problems == ()


def test_a_lesson_that_both_learned_stands_once_with_all_its_evidence(
    here: Memory, there: Memory, tmp_path: Path
) -> None:
    for memory in (here, there):
        memory.lessons.add("When a queue is slow, drain it.", application="ops")
        for _ in range(3):
            with memory.episode("t", application="ops", family="f", world="w") as episode:
                episode.recall("a queue is slow")
                episode.step("a queue is slow", "drain it", "it runs")
                episode.finish(1.0)
    ids = [next(iter(m.lessons.list())).guidance.id for m in (here, there)]
    counts = [next(iter(m.lessons.state().lessons.values())).uses for m in (here, there)]
    for _ in range(2):
        bring(there, here, tmp_path)
        assert len(list(here.lessons.list())) == 1
        state = here.lessons.state()
        assert [lesson.uses for lesson in state.lessons.values()] == [sum(counts)]
    stories = [here.lessons.why(id) for id in ids]
    assert stories[0] == stories[1]
    assert len(stories[0].trials) == 6
    assert here.store.examine().problems == ()


def test_a_lesson_may_give_way_during_an_episode(
    here: Memory, there: Memory, tmp_path: Path
) -> None:
    for memory in (here, there):
        memory.lessons.add("When a queue is slow, drain it.", application="ops")
    with here.episode("t", application="ops", family="f", world="w") as episode:
        episode.recall("a queue is slow")
        bring(there, here, tmp_path)
        episode.step("a queue is slow", "drain it", "it runs")
        ended = episode.finish(1.0)
    assert len(ended.exposures) == 1
    (held,) = here.lessons.state().lessons.values()
    assert held.uses == ended.exposures[0].is_shown


def test_a_dry_run_tells_and_changes_nothing(here: Memory, there: Memory, tmp_path: Path) -> None:
    here.add("The ferry leaves at seven.", uri="ferry")
    there.add("The ferry leaves at eight.", uri="ferry")
    there.store.export(tmp_path / "e.jsonl")
    before = digest(here.store.journal), here.store.journal.last_seq()
    told = here.store.import_(tmp_path / "e.jsonl", dry_run=True)
    assert (digest(here.store.journal), here.store.journal.last_seq()) == before
    assert told == here.store.import_(tmp_path / "e.jsonl")
    assert len(told.conflicts) == 1


def test_an_import_may_go_into_another_scope(here: Memory, there: Memory, tmp_path: Path) -> None:
    note = there.add("The ferry leaves at seven.", uri="ferry", agent="clerk")
    (passage,) = there.store.passages(note.id, agent="clerk")
    there.facts.add(passage.id, [("the ferry", "leaves at", "seven")], agent="clerk")
    there.lessons.add("When a queue is slow, drain it.", application="ops")
    there.store.export(tmp_path / "e.jsonl")
    here.store.import_(tmp_path / "e.jsonl")
    for user in ("ada", "bo"):
        for _ in range(2):
            here.store.import_(tmp_path / "e.jsonl", into={"user": user})
        (moved,) = [d for d in here.list(user=user, agent="clerk") if d.scope.user == user]
        assert moved.scope == Scope(user=user, agent="clerk")
    assert len(here.list(user=ANY, agent=ANY)) == 3
    assert len(here.list(kind="fact", user=ANY, agent=ANY)) == 3
    assert len(list(here.lessons.list(user=ANY))) == 3
    assert here.store.examine().problems == ()
    with pytest.raises(InvalidInput, match="user"):
        here.store.import_(tmp_path / "e.jsonl", into={"user": ""})


def test_the_command_tells_conflicts(here: Memory, there: Memory, tmp_path: Path) -> None:
    here.add("The ferry leaves at seven.", uri="ferry")
    there.add("The ferry leaves at eight.", uri="ferry")
    there.store.export(tmp_path / "e.jsonl")
    arguments = ["import", str(tmp_path / "e.jsonl"), "--path", str(tmp_path / "here")]
    shown = CliRunner().invoke(main, [*arguments, "--dry-run"])
    assert shown.exit_code == 0
    assert "nothing was changed" in shown.output
    assert texts(here) == ["The ferry leaves at seven."]
    shown = CliRunner().invoke(main, [*arguments, "--into", "usr=ada"])
    assert shown.exit_code == 1
    assert "tenant, user, agent, session" in shown.output
    shown = CliRunner().invoke(main, [*arguments, "--into", "user=ada"])
    assert "conflict" not in shown.output
    assert [d.scope for d in here.list(user="ada", limit=9)] == [Scope(), Scope(user="ada")]
    shown = CliRunner().invoke(main, arguments)
    assert "conflict: document ferry" in shown.output
    assert texts(here) == ["The ferry leaves at eight."]


ACTS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "put",
                "put",
                "put",
                "add",
                "add",
                "drop",
                "delete",
                "lesson",
                "fact",
                "alias",
                "state",
            ]
        ),
        st.sampled_from(["a", "b"]),
        st.sampled_from(["one", "two", "three"]),
    ),
    max_size=5,
)


def live(memory: Memory, act: tuple[str, str, str]) -> None:
    """Do one thing in a memory."""
    what, uri, word = act
    held = [d for d in memory.list(kind="document") if isinstance(d, Document) and d.uri == uri]
    if what == "put":
        memory.add(f"Of {uri}: {word}.", uri=uri)
    elif what == "add":
        memory.add(f"{word} {uri}")
    elif what == "drop":
        same = [
            d for d in memory.list(kind="document") if getattr(d, "text", "") == f"{word} {uri}"
        ]
        if same:
            memory.delete(same[0].id)
    elif what == "alias":
        memory.aliases.add(uri, word)
    elif what == "delete" and held:
        memory.delete(held[0].id)
    elif what == "lesson":
        memory.lessons.add(f"When {uri} is slow, drain {word}.", application="ops")
    elif what == "fact" and held:
        (passage,) = memory.store.passages(held[0].id)
        memory.facts.add(passage.id, [(uri, "is", word)])


@settings(
    max_examples=int(__import__("os").environ.get("EX", "10")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@example(  # a fact is stated again on one side, after the other one deleted its passage
    common=[("put", "b", "one"), ("fact", "b", "one")],
    apart=([("put", "b", "three"), ("put", "a", "one")], [("fact", "b", "one")], []),
    is_common=True,
)
@example(  # what gave way to something that gave way in its turn is imported again
    common=[],
    apart=([("add", "a", "one")], [("add", "a", "one")], [("add", "a", "one")]),
    is_common=False,
)
@given(common=ACTS, apart=st.tuples(ACTS, ACTS, ACTS), is_common=st.booleans())
def test_every_order_of_merging_gives_the_same_state(
    common: Sequence[tuple[str, str, str]],
    apart: tuple[Sequence[tuple[str, str, str]], ...],
    is_common: bool,
) -> None:
    clock = ticking()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with opened(folder / "common", clock) as memory:
            for act in common:
                live(memory, act)
            memory.store.export(folder / "common.jsonl")
        files = []
        for number, acts in enumerate(apart):
            with opened(folder / f"m{number}", clock) as memory:
                if is_common:
                    memory.store.import_(folder / "common.jsonl", trusted=True)
                for act in acts:
                    live(memory, act)
                files.append(folder / f"m{number}.jsonl")
                memory.store.export(files[-1])

        def merged(name: str, *sources: Path) -> tuple[Path, str]:
            with opened(folder / name, clock) as memory:
                for source in sources:
                    memory.store.import_(source, trusted=True)
                before = digest(memory.store.journal)
                assert memory.store.import_(sources[0], trusted=True).added == 0
                assert digest(memory.store.journal) == before
                assert memory.store.examine().problems == ()
                memory.store.export(folder / f"{name}.jsonl")
                return folder / f"{name}.jsonl", before

        states = {
            merged(f"o{n}", *order)[1] for n, order in enumerate(itertools.permutations(files))
        }
        pair, _ = merged("pair", files[1], files[2])
        states.add(merged("right", files[0], pair)[1])
        states.add(merged("left", pair, files[0])[1])
        states.add(merged("m0", files[2], files[1])[1])
        assert len(states) == 1
