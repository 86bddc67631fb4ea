"""Looking at episodes: replay, and search by task and by situation over full text."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentcl import Memory
from agentcl.errors import InvalidInput, NotFound
from agentcl.lessons import Lesson
from agentcl.memory.episodes.search import Filter
from agentcl.store.episodes import Episode


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "memory", encoder="hashing") as memory:
        yield memory


def play(
    memory: Memory, first: str, *steps: tuple[str, str], score: float | None, **of: Any
) -> Episode:
    """Live through an episode whose steps are (what was seen, what was done)."""
    with memory.episode(f"look after {first}", first=first, application="desk", **of) as episode:
        for seen, action in steps:
            episode.recall(seen)
            episode.step(seen, action, "time passes")
        return episode.finish(score)


def ids(hits: Any) -> list[str]:
    return [hit.episode.id for hit in hits]


def test_episodes_are_found_by_task_and_by_situation_and_by_how_they_ended(memory: Memory) -> None:
    good = play(memory, "the pump", ("the valve hisses", "close it"), score=1.0)
    bad = play(memory, "the pump", ("the gauge is blind", "wait"), score=0.0)
    other = play(memory, "the lamp", ("the valve hisses again", "wait"), score=0.0)
    late = play(memory, "the pump", ("the pump sings", "listen"), score=None)
    by_task = memory.episodes.search("a pump", by="task")
    assert (ids(by_task.succeeded), ids(by_task.failed), ids(by_task.unjudged)) == (
        [good.id], [bad.id], [late.id],
    )  # fmt: skip
    by_situation = memory.episodes.search("a valve hisses", by="situation")
    assert (ids(by_situation.succeeded), ids(by_situation.failed)) == ([good.id], [other.id])
    (hit,) = by_situation.succeeded
    assert hit.step is not None
    assert hit.step.action == "close it"
    assert by_task.succeeded[0].step is None
    assert memory.episodes.search("nothing of the kind").succeeded == ()


def test_an_episode_comes_once_and_each_side_is_filled(memory: Memory) -> None:
    for _ in range(60):
        play(memory, "the pump", ("the pump leaks", "wait"), ("the pump leaks", "wait"), score=0.0)
    rare = play(memory, "the pump", ("the big old pump leaks a little", "mend it"), score=1.0)
    found = memory.episodes.search("the pump leaks", limit=3)
    assert ids(found.succeeded) == [rare.id]
    assert len(set(ids(found.failed))) == 3


def test_search_follows_what_is_added_scored_deleted_and_forgotten(memory: Memory) -> None:
    played = play(memory, "the pump", ("the valve hisses", "close it"), score=None)
    assert ids(memory.episodes.search("valve").unjudged) == [played.id]
    memory.episodes.score(played.id, 1.0)
    assert ids(memory.episodes.search("valve").succeeded) == [played.id]
    second = play(memory, "the lamp", ("the valve hisses", "close it"), score=1.0)
    assert set(ids(memory.episodes.search("valve").succeeded)) == {played.id, second.id}
    memory.delete(played.id)
    assert ids(memory.episodes.search("valve").succeeded) == [second.id]
    memory.forget(second.id)
    found = memory.episodes.search("valve")
    assert ids(found.succeeded) == []


def test_nothing_of_a_forgotten_episode_stays_on_disk(memory: Memory) -> None:
    played = play(memory, "the pump", ("the quixotic valve", "close it"), score=1.0)
    play(memory, "the lamp", ("the lamp is out", "wait"), score=1.0)
    assert memory.episodes.search("quixotic").succeeded
    memory.forget(played.id)
    held = [file.read_bytes() for file in memory.path.rglob("*") if file.is_file()]
    assert not any(b"quixotic" in text for text in held)
    assert memory.episodes.search("the lamp").succeeded


def test_search_keeps_to_scope_and_filter(memory: Memory) -> None:
    ada = play(memory, "the pump", ("the valve hisses", "close it"), score=1.0, user="ada")
    north = play(
        memory, "the pump", ("the valve hisses", "x"), score=1.0, world="north", family="a"
    )
    assert ids(memory.episodes.search("valve").succeeded) == [north.id]
    assert set(ids(memory.episodes.search("valve", user="ada").succeeded)) == {ada.id, north.id}
    chosen = Filter(world="north", family="a", application="desk", is_success=True)
    assert ids(memory.episodes.search("valve", chosen=chosen, user="ada").succeeded) == [north.id]
    assert list(memory.episodes.list(chosen=Filter(world=""), user="ada")) == [ada]
    assert list(memory.episodes.list(chosen=Filter(is_success=False))) == []


def test_bad_questions_are_explained(memory: Memory) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        memory.episodes.search(" ")
    with pytest.raises(InvalidInput, match="at least 1"):
        memory.episodes.search("x", limit=0)
    with pytest.raises(InvalidInput, match="task, situation"):
        memory.episodes.search("x", by="smell")  # type: ignore[arg-type]


def test_a_replay_says_what_stood_in_the_prompt_at_each_step(memory: Memory) -> None:
    told = memory.lessons.reflect([Lesson("a valve hisses", "do", "close it")], application="desk")
    id = told.stated[0].guidance
    with memory.episode("mind the pump", application="desk", lane="alone", seed=3) as episode:
        episode.step("The pump runs.", "wait", "The valve hisses.", thought="let us see")
        shown = episode.recall("The valve hisses.")
        episode.step("The valve hisses.", "close it", "It is quiet.", reward=1.0, by="teacher")
        episode.step("It is quiet.", "go", "You left.")
        played = episode.finish(1.0, judge="user")
    memory.forget(id)
    found = memory.episodes.replay(played.id)
    text = "\n".join(found.lines())
    assert [step.action for step in found.steps] == ["wait", "close it", "go"]
    assert found.steps[1].guidance == ((id,) if shown.lessons else ())
    assert set(found.lessons) == {id}
    assert found.lessons[id] == "a lesson that is not here any more"
    assert text.count("guidance in the prompt") == len(shown.lessons)
    for words in (
        "thinks: let us see",
        "does: close it (by teacher)",
        "(reward 1)",
        "score 1, by user",
    ):
        assert words in text


def test_a_replay_quotes_a_lesson_as_it_was_then(memory: Memory) -> None:
    played = play(memory, "the pump", ("the valve hisses", "close it"), score=1.0)
    memory.lessons.reflect(
        [Lesson("the valve hisses", "do", "close it")], episode=played, author="teacher"
    )
    for seed in range(20):
        again = play(memory, "the pump", ("the valve hisses", "close it"), score=1.0, seed=seed)
        if memory.episodes.replay(again.id).steps[0].guidance:
            break
    (lesson,) = memory.list(kind="guidance")
    memory.delete(lesson.id)
    found = memory.episodes.replay(again.id)
    assert found.lessons == {lesson.id: "When the valve hisses, close it."}
    assert f"- When the valve hisses, close it. ({lesson.id})" in "\n".join(found.lines())


def test_what_was_seen_cannot_be_taken_for_a_part_of_the_replay(memory: Memory) -> None:
    played = play(memory, "the pump", ("a note:\n  does: open the vault", "wait"), score=0.0)
    lines = "\n".join(memory.episodes.replay(played.id).lines()).splitlines()
    assert [line for line in lines if line.startswith("  does:")] == ["  does: wait"]


def test_only_an_episode_that_is_seen_is_replayed(memory: Memory) -> None:
    played = play(memory, "the pump", score=1.0, user="ada")
    with pytest.raises(NotFound):
        memory.episodes.replay(played.id)
    note = memory.add("a note")
    with pytest.raises(InvalidInput, match="no episode"):
        memory.episodes.replay(note.id)


def test_a_recall_says_what_a_coin_withheld(memory: Memory) -> None:
    told = "When a customer asks for a refund, check the date first."
    memory.lessons.add(told)
    seen: set[bool] = set()
    for seed in range(20):
        with memory.episode("answer a ticket", seed=seed) as episode:
            recall = episode.recall("A customer asks for a refund.")
            assert (recall.lessons, recall.withheld) in (((told,), ()), ((), (told,)))
            assert ("withheld to measure its worth" in repr(recall)) == bool(recall.withheld)
            assert told in repr(recall)
            seen.add(bool(recall.withheld))
    assert seen == {True, False}
    with memory.episode("bake bread") as episode:
        nothing = episode.recall("The oven is cold.")
        assert (nothing.withheld, repr(nothing)) == ((), "EpisodeRecall(no lesson)")
