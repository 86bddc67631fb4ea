"""Users of one tenant: what one lives through neither steers nor tells another, unless several share it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from agentcl import Memory
from agentcl.agents.learning import learn_from
from agentcl.agents.teacher import Distilled
from agentcl.agents.transcript import Transcript
from agentcl.errors import InvalidInput
from agentcl.lessons import Lesson
from agentcl.store.episodes import Episode
from agentcl.store.usage import NO_USAGE

DRAIN = Lesson("a queue is slow", "do", "drain it")
NOT_DRAIN = Lesson("a queue is slow", "avoid", "drain it")
SEEN = "The queue is slow."


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing", durability="normal") as memory:
        yield memory


def live(
    memory: Memory,
    user: str,
    score: float = 1.0,
    *,
    task: str = "clear it",
    seed: int = 0,
    **scope: Any,
) -> Episode:
    whose: Any = {"user": user} if user else {}
    with memory.episode(
        task, application="ops", family="queue", world="north", seed=seed, goal=f"GOAL-{user}",
        first=f"FIRST-{user}", **whose, **scope,
    ) as episode:  # fmt: skip
        episode.recall(SEEN)
        episode.step(
            SEEN, "drain it" if score else f"wait like {user}", f"OUTCOME-{user}", reward=score
        )
        return episode.finish(score)


def told(story: Any) -> str:
    return json.dumps(asdict(story), default=str) + "\n".join(story.lines())


class Copying:
    """A teacher that makes lessons of the words of a contrast."""

    def __init__(self) -> None:
        self.shown: list[Transcript | None] = []

    def distil(self, transcript: Transcript, *, contrast: Transcript | None = None) -> Distilled:
        self.shown.append(contrast)
        what = contrast.steps[0][0] if contrast else "look again"
        return Distilled((Lesson("a queue is slow", "avoid", what),), NO_USAGE)


def test_what_another_user_reflects_or_fails_at_leaves_a_private_lesson_as_it_is(
    memory: Memory,
) -> None:
    for n in range(4):
        memory.lessons.reflect([DRAIN], episode=live(memory, "ada", seed=n))
    (before,) = memory.lessons.list(user="ada")
    assert before.belief.stage == "active"
    for n in range(8):
        played = live(memory, "mallory", 0.0, task="MALLORY-TASK", seed=n)
        memory.lessons.reflect([NOT_DRAIN], episode=played)
    (after,) = memory.lessons.list(user="ada")
    assert after == before
    text = told(memory.lessons.why(before.guidance.id, user="ada"))
    assert "MALLORY" not in text
    assert "mallory" not in text


def test_a_story_of_what_is_shared_tells_nobody_what_others_did(memory: Memory) -> None:
    lesson = memory.lessons.add("When a queue is slow, drain it.", application="ops")
    for n in range(6):
        live(memory, "bo", task="BO-TASK", seed=n)
    own, others = (told(memory.lessons.why(lesson.id, user=user)) for user in ("bo", "ada"))
    assert "BO-TASK" in own
    assert "BO-TASK" not in others
    assert "GOAL-bo" not in others
    standing = memory.lessons.get(lesson.id, user="ada").belief
    assert (standing.shown, standing.withheld, standing.confirmed) == (0, 0, 0)


def test_a_teacher_is_shown_a_contrast_of_its_own_scope_only(memory: Memory) -> None:
    teacher = Copying()
    live(memory, "bo", 0.0)
    live(memory, "ada", 0.0, session="s1")
    learn_from(memory, teacher, live(memory, "ada", session="s2"))
    assert teacher.shown == [None]
    live(memory, "ada", 0.0, session="s2")
    learn_from(memory, teacher, live(memory, "ada", session="s2"))
    assert teacher.shown[1] is not None
    assert "OUTCOME-ada" in str(teacher.shown[1])
    learn_from(memory.scoped(user="ada"), teacher, live(memory, "ada", session="s2"))


def test_a_lesson_goes_with_any_episode_that_it_was_made_from(memory: Memory) -> None:
    contrast = live(memory, "ada", 0.0)
    good = live(memory, "ada")
    learn_from(memory, Copying(), good)
    (lesson,) = memory.lessons.list(user="ada")
    assert lesson.guidance.what == "wait like ada"
    assert set(lesson.guidance.sources) == {contrast.id, good.id}
    memory.forget(contrast.id, user="ada")
    assert memory.lessons.list(user="ada") == []
    reflections = memory.list(kind="reflection", user="ada")
    assert "wait like ada" not in str(reflections)


@pytest.mark.parametrize("scope", [{"agent": "bot"}, {"user": "bo"}, {"tenant": ""}])
def test_a_users_episode_makes_no_lesson_of_anybody_else(memory: Memory, scope: Any) -> None:
    scope = {"session": "s"} if scope == {"tenant": ""} else scope
    with pytest.raises(InvalidInput, match='share="tenant"'):
        memory.lessons.reflect([DRAIN], episode=live(memory, "carol"), **scope)
    assert memory.lessons.list(user="bo", agent="bot") == []


def shared(memory: Memory, *users: str, lesson: Lesson = DRAIN) -> None:
    for user in users:
        memory.lessons.reflect([lesson], episode=live(memory, user), share="tenant")


def test_what_enough_users_learned_and_shared_is_shown_to_others(memory: Memory) -> None:
    shared(memory, "ada", "ada", "ada")
    assert memory.lessons.list(user="eve") == []
    shared(memory, "bo")
    (lesson,) = memory.lessons.list(user="eve")
    assert (lesson.sentence, lesson.guidance.scope.user) == (DRAIN.sentence(), "")
    assert lesson.belief.stage == "candidate"
    assert "GOAL" not in told(memory.lessons.why(lesson.guidance.id, user="eve"))
    with memory.episode(
        "t", application="ops", family="queue", world="north", user="ada", is_frozen=True
    ) as episode:
        assert episode.recall(SEEN).lessons == (DRAIN.sentence(),)  # his own or theirs, and once
    memory.forget(everything=True, user="bo")
    assert memory.lessons.list(user="eve") == []
    shared(memory, "carol")
    assert len(memory.lessons.list(user="eve")) == 1


@pytest.mark.parametrize("learners", [3, 8])
def test_who_learned_what_is_shared_by_himself_has_a_vote_before_anybody_sees_it(
    memory: Memory, learners: int
) -> None:
    memory.lessons.share_from = learners
    shared(memory, *(f"u{number}" for number in range(learners)))
    (fresh,) = memory.lessons.list(user="eve")
    for number in range(learners):
        memory.lessons.reflect([NOT_DRAIN], episode=live(memory, f"m{number}", 0.0))
    (after,) = memory.lessons.list(user="eve")
    assert fresh.belief.trust > after.belief.trust > 0.55  # as many say so as say otherwise
    for number in range(learners):  # those who learned it change their minds
        played = live(memory, f"u{number}", 0.0, seed=1)
        memory.lessons.reflect([NOT_DRAIN], episode=played)
    (left,) = memory.lessons.list(user="eve")
    assert left.belief.trust <= 0.5


def test_what_learners_find_of_their_own_lesson_counts_for_the_shared_one(memory: Memory) -> None:
    shared(memory, "ada", "bo")
    (before,) = memory.lessons.list(user="eve")
    for seed in range(1, 25):
        for user in ("ada", "bo"):
            where: Any = {"application": "ops", "family": "queue", "world": "north"}
            episode = memory.episode("clear it", user=user, seed=seed, **where)
            helped = bool(episode.recall(SEEN).lessons)
            episode.step(SEEN, "drain it" if helped else "wait", "it ends")
            episode.finish(float(helped))
    (after,) = memory.lessons.list(user="eve")
    assert after.belief.uplift > before.belief.uplift + 0.05
    assert after.belief.sd < before.belief.sd
    assert (after.belief.shown, after.belief.confirmed) == (0, 0)  # what eve sees is nobody else's


def test_who_knows_what_helps_is_told_what_others_say_once_that_was_in_vain(memory: Memory) -> None:
    for number in range(3):
        memory.lessons.reflect([DRAIN], episode=live(memory, "eve", seed=number))
    wait = Lesson("a queue is slow", "do", "wait for it")
    shared(memory, "ada", "bo", lesson=wait)
    told_to_eve, told_in_vain, told_to_fay = 0, 0, 0
    for seed in range(20):
        where: Any = {"application": "ops", "family": "queue", "world": "north", "seed": seed}
        episode = memory.episode("clear it", user="eve", **where)
        told_to_eve += wait.sentence() in episode.recall(SEEN).lessons
        for _ in range(2):
            episode.step(SEEN, "drain it", "it is as slow as before")
        told_in_vain += wait.sentence() in episode.recall(SEEN).lessons
        ignorant = memory.episode("clear it", user="fay", **where)
        told_to_fay += wait.sentence() in ignorant.recall(SEEN).lessons
    assert told_to_eve == 0
    assert told_in_vain > 5
    assert told_to_fay > 5


def test_how_many_users_must_share_a_lesson_can_be_set(memory: Memory) -> None:
    memory.lessons.share_from = 3
    shared(memory, "ada", "bo")
    assert memory.lessons.list(user="eve") == []
    shared(memory, "carol")
    assert len(memory.lessons.list(user="eve")) == 1
    with pytest.raises(InvalidInput, match="whole tenant"):
        memory.scoped(user="ada").lessons.share_from = 1


def test_what_is_not_shared_or_contradicted_stays_private(memory: Memory) -> None:
    for user in ("ada", "bo", "carol"):
        memory.lessons.reflect([DRAIN], episode=live(memory, user))
    assert memory.lessons.list(user="eve") == []
    shared(memory, "m1", "m2", "m3", lesson=NOT_DRAIN)
    assert len(memory.lessons.list(user="eve")) == 1  # nobody shared the opposite
    other = Lesson("a cache is slow", "do", "flush it")
    against = Lesson("a cache is slow", "useless", "flush it")
    memory.lessons.share_from = 3
    shared(memory, "u1", "u2", lesson=against)
    shared(memory, "u3", "u4", "u5", "u6", lesson=against)
    shared(memory, "m1", "m2", "m3", lesson=other)
    assert other.sentence() not in [one.sentence for one in memory.lessons.list(user="eve")]


@pytest.mark.parametrize(
    "lesson",
    [
        Lesson("ada is slow", "do", "wait"),
        Lesson("a queue is slow", "do", "call Marlowe"),
        Lesson("a queue is slow", "do", "open ticket 48213"),
        Lesson("a queue is slow", "do", "restart vm-17a"),
        Lesson("a queue is slow", "do", "restart hostOrvo"),
        Lesson("a queue is slow", "do", "type four seven one one"),
        Lesson("a queue is slow", "do", 'type "^%$#!&*"'),
        Lesson("Marlowe calls", "do", "wait"),
        Lesson("a queue is slow", "expect", "Marlowe waits"),
    ],
)
def test_a_shared_lesson_names_nobody(memory: Memory, lesson: Lesson) -> None:
    memory.lessons.share_from = 1
    shared(memory, "ada", lesson=lesson)
    assert memory.lessons.list(user="eve") == []
    assert len(memory.lessons.list(user="ada")) == 1


def test_a_bound_memory_tells_of_nobody_elses_lessons(memory: Memory) -> None:
    shared(memory, "ada")
    eve = memory.scoped(user="eve")
    with pytest.raises(InvalidInput, match="bound"):
        eve.lessons.state()
    outlook = eve.lessons.outlook()
    assert list(outlook.trusted(SEEN, "ops/queue", "north")) == []
    assert outlook.expected("ops/queue", "north").n == 0
    assert outlook.last_attempt("ops/queue", "north", is_success=True) is None
    assert not [*outlook.lanes.kinds("alone")]
    with pytest.raises(InvalidInput, match="tenant alone"):
        memory.lessons.rollback(memory.lessons.list(user="ada")[0].guidance.created_at, user="eve")


acts = st.lists(
    st.tuples(
        st.sampled_from(["ada", "bo", "eve", ""]),
        st.sampled_from(["", "s1", "s2"]),
        st.sampled_from([0.0, 1.0]),
        st.sampled_from(["reflect", "share", "learn", "nothing"]),
    ),
    min_size=1,
    max_size=14,
)


@settings(
    max_examples=15, deadline=None, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(acts, st.sampled_from(["ada", "bo"]))
def test_nothing_that_a_user_is_told_holds_what_only_others_may_read(
    tmp_path_factory: pytest.TempPathFactory,
    happened: list[tuple[str, str, float, str]],
    reader: str,
) -> None:
    with Memory(
        tmp_path_factory.mktemp("views") / "m", encoder="hashing", durability="normal"
    ) as memory:
        memory.lessons.add("When a queue is slow, drain it.", application="ops")
        for n, (user, session, score, act) in enumerate(happened):
            scope = {"session": session} if session else {}
            played = live(memory, user, score, task=f"TASK-{user}", seed=n, **scope)
            lesson = DRAIN if score else Lesson("a queue is slow", "useless", f"wait like {user}")
            if act == "learn":
                learn_from(memory, Copying(), played)
            elif act != "nothing":
                share: Any = "tenant" if act == "share" else ""
                memory.lessons.reflect([lesson], episode=played, share=share)
        told_to = [str(memory.lessons.list(user=reader))]
        told_to += [
            told(memory.lessons.why(one.guidance.id, user=reader))
            for one in memory.lessons.list(user=reader)
        ]
        told_to += [
            "\n".join(memory.episodes.replay(one.id, user=reader).lines())
            for one in memory.episodes.list(user=reader)
        ]
        told_to.append(str(memory.episodes.search(SEEN, user=reader)))
        told_to.append(str(memory.lessons.changes(user=reader)))
        for other in {"ada", "bo", "eve"} - {reader}:
            for mark in (
                f"TASK-{other}",
                f"GOAL-{other}",
                f"OUTCOME-{other}",
                f"wait like {other}",
            ):
                assert mark not in "".join(told_to)


@pytest.mark.parametrize(
    ("task", "when", "is_shared"),
    [
        ("Marlowe asks", "marlowe asks", False),
        ("Mara Lindholm asks", "somebody like mara asks", False),
        ("Mara's queue is slow", "the queue of mara is slow", False),
        ("Queue 7 is slow, and no queue may be", "queue is slow", True),
        ("Clear it", "The queue is slow", True),
        ("Slow queues come", "a slow queue comes", True),
    ],
)
def test_a_name_that_a_task_begins_with_is_one_in_small_letters_too(
    memory: Memory, task: str, when: str, is_shared: bool
) -> None:
    memory.lessons.share_from = 1
    lived = live(memory, "ada", task=task)
    memory.lessons.reflect([Lesson(when, "do", "wait")], episode=lived, share="tenant")
    assert bool(memory.lessons.list(user="eve")) == is_shared
