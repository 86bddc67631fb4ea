"""The story of a lesson, told from the journal."""

from datetime import UTC, datetime
from typing import Any

import pytest

from agentcl import Memory
from agentcl.errors import InvalidInput, NotFound
from agentcl.guidance.overview import compare, standing_of, standings, state_at, state_without
from agentcl.guidance.state import KINDS, GuidanceState
from agentcl.guidance.story import story
from agentcl.lessons import Lesson
from agentcl.store.episodes import Guidance
from agentcl.store.records import Scope, from_micros, to_micros

VIEW = Scope().view()


def taught(memory: Memory) -> str:
    (lesson,) = memory.list(kind="guidance")
    return lesson.id


def test_a_story_names_where_a_lesson_comes_from_and_each_test(
    memory: Memory, live: Any, drain: Lesson
) -> None:
    first = live(lessons=(drain,))
    second = live(lessons=(drain,))
    third = live(action="wait", lessons=(Lesson("a queue is slow", "useless", "drain it"),))
    id = next(g.id for g in memory.list(kind="guidance") if g.claim == "do")  # type: ignore[attr-defined]
    told = story(memory.store.journal, id)
    assert [one.id for one in told.drawn_from] == [first.id]
    assert [(one.episode, one.is_confirmed) for one in told.witnesses] == [
        (second.id, True), (third.id, False),
    ]  # fmt: skip
    assert told.witnesses[1].how == "When a queue is slow, it does not help to drain it."
    assert told.witnesses[1].by == "teacher"
    text = "\n".join(told.lines())
    assert f"drawn from episode {first.id}" in text
    assert f"refuted in desk/queue: clear the queue ({third.id})" in text


def test_a_story_tells_each_stage_with_its_rule_and_what_happened_then(
    memory: Memory, live: Any, drain: Lesson
) -> None:
    live(lessons=(drain,))
    second = live(lessons=(drain,))
    id = taught(memory)
    memory.lessons.retire(id, reason="a new queue")
    memory.lessons.restore(id)
    told = story(memory.store.journal, id)
    assert [one.stage for one in told.changes] == ["candidate", "active", "retired", "active"]
    assert second.id in told.changes[1].after
    assert [(one.what, one.reason) for one in told.rulings] == [
        ("retire", "a new queue"), ("restore", ""),
    ]  # fmt: skip
    moments = [one.at for one in told.changes]
    assert moments == sorted(moments)
    assert moments[0] >= datetime(2027, 1, 1, tzinfo=UTC)


def test_a_story_ends_where_the_state_is(memory: Memory, live: Any, drain: Lesson) -> None:
    for number in range(12):
        live(action="drain it" if number % 3 else "wait", lessons=(drain,) * (number < 4))
    id = taught(memory)
    told = story(memory.store.journal, id)
    state = memory.lessons.state()
    assert told.standing == standing_of(state, id)
    assert told.changes[-1].stage == told.standing.belief.stage
    counts = state.credit.counts(id)
    shown = [one for one in told.trials if one.exposure.is_shown and not one.problem]
    assert (len(shown), len(told.trials) - len(shown)) == (counts.shown, counts.withheld)
    assert counts.shown > 0
    above = [one.score > one.expected for one in shown if one.score is not None]
    assert (told.wins, told.losses) == (sum(above), len(above) - sum(above))
    assert (told.wins, told.losses) == (counts.wins, counts.losses)
    assert len(told.witnesses) == told.standing.belief.tests
    assert dict(told.clusters)["desk/queue"] == told.standing.belief


def test_what_counts_for_nothing_is_told_with_the_reason(
    memory: Memory, live: Any, drain: Lesson
) -> None:
    live(lessons=(drain,))
    place: Any = {"application": "desk", "family": "queue", "world": "north"}
    broken = memory.episode("clear the queue", seed=1, **place)
    broken.recall("The queue is slow.")
    broken.interrupt("the power went")
    with memory.episode("clear the queue", seed=1, **place) as late:
        late.recall("The queue is slow.")
    id = taught(memory)
    assert [one.problem for one in story(memory.store.journal, id).trials] == [
        "interrupted", "nobody judged it",
    ]  # fmt: skip
    memory.episodes.score(late.id, 1.0)
    told = story(memory.store.journal, id)
    assert [(one.problem, one.score) for one in told.trials] == [("interrupted", None), ("", 1.0)]
    memory.lessons.rollback(from_micros(to_micros(told.trials[1].at)))
    assert story(memory.store.journal, id).trials[1].problem == "rolled back"


def test_a_rollback_that_was_undone_is_no_part_of_the_story(
    memory: Memory, live: Any, drain: Lesson
) -> None:
    live(lessons=(drain,))
    live(lessons=(drain,))
    id = taught(memory)
    before = story(memory.store.journal, id)
    decision = memory.lessons.rollback(before.witnesses[0].at)
    assert story(memory.store.journal, id).standing.belief.stage != "active"
    memory.delete(decision.id)
    assert story(memory.store.journal, id) == before


def test_a_deleted_lesson_keeps_its_story_and_a_forgotten_one_has_none(
    memory: Memory, live: Any, drain: Lesson
) -> None:
    live(lessons=(drain,))
    id = taught(memory)
    memory.delete(id)
    told = story(memory.store.journal, id)
    assert told.is_deleted
    assert told.changes[-1].stage == "retired"
    assert "its record was deleted" in "\n".join(told.lines())
    memory.forget(id)
    with pytest.raises(NotFound):
        story(memory.store.journal, id)


def test_a_story_says_what_it_cannot_tell_any_more(
    memory: Memory, live: Any, drain: Lesson
) -> None:
    memory.lessons.reflect(
        [drain], application="desk", origin="imported", author="night", model="m-1"
    )
    id = taught(memory)
    memory.lessons.retire(id, reason="rain")
    text = "\n".join(story(memory.store.journal, id).lines())
    assert "imported, by night (m-1), meant for: family" in text
    assert "retire: rain" in text


def test_only_a_lesson_that_is_seen_has_a_story(memory: Memory, live: Any, drain: Lesson) -> None:
    played = live(lessons=(drain,), tenant="acme")
    (held,) = memory.list(kind="guidance", tenant="acme")
    assert story(memory.store.journal, held.id).drawn_from[0].id == played.id
    with pytest.raises(NotFound, match="agentcl guidance list"):
        story(memory.store.journal, held.id, view=VIEW)
    with pytest.raises(InvalidInput, match="no lesson"):
        story(memory.store.journal, played.id)


def test_what_was_told_is_at_home_where_it_was_tried(
    memory: Memory, live: Any, drain: Lesson
) -> None:
    memory.lessons.reflect([drain], application="desk")
    assert standing_of(memory.lessons.state(), taught(memory)).cluster == "desk/"
    for _ in range(2):
        live(world="south", lessons=(drain,))
    told = standing_of(memory.lessons.state(), taught(memory))
    assert (told.cluster, told.world) == ("desk/queue", "south")


def test_lessons_are_listed_by_stage_and_place(memory: Memory, live: Any, drain: Lesson) -> None:
    live(lessons=(drain,))
    live(lessons=(drain,))
    flush = Lesson("a cache is slow", "do", "flush it")
    live("cache", "flush it", lessons=(flush,), world="south", user="ada")
    state = memory.lessons.state()
    ada = Scope(user="ada").view()
    assert [(one.sentence, one.belief.stage) for one in standings(state, ada)] == [
        (drain.sentence(), "active"), (flush.sentence(), "candidate"),
    ]  # fmt: skip
    assert len(standings(state, VIEW)) == 1
    assert [one.world for one in standings(state, ada, world="south")] == ["south"]
    assert [one.cluster for one in standings(state, ada, family="queue")] == ["desk/queue"]
    assert standings(state, ada, application="elsewhere") == []
    assert [one.sentence for one in standings(state, ada, stages=["candidate"])] == [
        flush.sentence()
    ]


def test_states_are_compared_over_time_and_with_a_rollback(
    memory: Memory, live: Any, drain: Lesson
) -> None:
    live(lessons=(drain,))
    (first,) = memory.list(kind="guidance")
    live("cache", "flush it", lessons=(Lesson("a cache is slow", "do", "flush it"),))
    live(lessons=(drain,))
    rows = list(memory.store.journal.since(0, kinds=KINDS))
    now = memory.lessons.state()
    at = to_micros(first.created_at)
    found = compare(state_at(rows, at, tenant=""), now, VIEW)
    assert [(one.before, one.after) for one in found] == [
        ("candidate", "active"), (None, "candidate"),
    ]  # fmt: skip
    without = state_without(rows, at + 1, rows[-1].created_at, scope=Scope())
    assert [(one.guidance.id == first.id, one.after) for one in compare(now, without, VIEW)] == [
        (True, "candidate"), (False, "retired"),
    ]  # fmt: skip
    memory.lessons.rollback(from_micros(at + 1))
    rolled_back = memory.lessons.state()
    assert compare(rolled_back, without, VIEW) == []
    assert rolled_back.credit.to_plain() == without.credit.to_plain() != now.credit.to_plain()
    assert rolled_back.trust.to_plain() == without.trust.to_plain()
    whole = GuidanceState.of(rows)
    assert compare(whole, now, VIEW) == []
    assert isinstance(found[0].guidance, Guidance)


def test_a_receipt_says_which_lessons_went_and_who_else_stated_them(
    memory: Memory, live: Any, drain: Lesson
) -> None:
    first = live(lessons=(drain,))
    others = [live(lessons=(drain,)) for _ in range(2)]
    (lesson,) = memory.lessons.list()
    receipt = memory.forget(first.id)
    (lost,) = receipt.lessons
    assert (lost.id, lost.drawn_from) == (lesson.guidance.id, first.id)
    assert lost.stated_by == tuple(one.id for one in others)
    assert not memory.lessons.list()
    by_id = {one.id: one.derived_from for one in receipt.removed}
    assert by_id[first.id] == ""
    assert {source for id, source in by_id.items() if id != first.id} == {first.id}
    live(lessons=(drain,))  # it is taught again
    assert [one.sentence for one in memory.lessons.list()] == [lesson.sentence]


def test_a_receipt_without_lessons_names_none(memory: Memory, live: Any, drain: Lesson) -> None:
    live(lessons=(drain,))
    assert memory.forget(memory.add("a note").id).lessons == ()
