"""What may move into an adapter: what is proved, with a reason; and why the rest may not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import ANY, InvalidInput, Lesson, Memory
from agentcl.consolidation import ChoicePolicy, Selection, select
from agentcl.consolidation.rows.selecting import RecordChoice, _capped
from agentcl.store import Statement

NOW = datetime(2026, 6, 1, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=120)
Make = Callable[..., Any]


def reasons(selection: Selection) -> dict[str, str]:
    return {one.record.id: one.reason for one in selection.refused}


def test_what_is_proved_is_chosen_each_with_its_reason(
    memory: Memory, hold: Make, prove: Make
) -> None:
    lesson, said = prove(), hold()
    chosen = {one.record.id: one for one in select(memory, at=NOW).chosen}
    assert "confirmed" in chosen[lesson].reason
    assert chosen[said.id].reason == "held for 120 days unchanged, used 1 times"
    assert [one.sort for one in chosen.values()].count("answer") == 4


def test_everything_that_was_looked_at_is_listed_once(
    memory: Memory, hold: Make, prove: Make
) -> None:
    prove()
    hold()
    memory.lessons.add("When a log is long, read its end.")
    found = select(memory, at=NOW)
    assert sum(sum(pair) for pair in found.counts().values()) == len(found.choices)
    assert all(one.reason for one in found.choices)
    assert len({one.record.id for one in found.choices}) == len(found.choices)


def test_a_lesson_that_nobody_tested_stays_in_the_memory(memory: Memory) -> None:
    told = memory.lessons.add("When a log is long, read its end.")
    assert reasons(select(memory, at=NOW))[told.id].startswith("not proved: candidate")


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"said_at": NOW - timedelta(days=3)}, "too new: unchanged for 3 of 30 days"),
        ({"uses": 0}, "not used: 0 of 1 times"),
        ({"user": "ada"}, "private by default: it is user 'ada''s own"),
        ({"subject": "user"}, "private by default: it is said of a user"),
    ],
)
def test_a_statement_that_may_not_says_why(
    memory: Memory, hold: Make, how: dict[str, Any], why: str
) -> None:
    said = hold(**how)
    assert reasons(select(memory, at=NOW))[said.id] == why


def test_what_was_replaced_contradicted_or_is_volatile_is_never_chosen(
    memory: Memory, hold: Make
) -> None:
    old = hold(value="room 1")
    new = hold(value="room 2", said_at=LONG_AGO + timedelta(days=1))
    twice = [hold("Ulm", "port", value, said_at=LONG_AGO) for value in ("80", "90")]
    fickle = [
        hold("Bex", "desk", f"desk {n}", said_at=LONG_AGO + timedelta(days=n)) for n in range(3)
    ]
    plan = memory.statements.add("Ilka", "trip", "Oslo", sort="plan", said_at=LONG_AGO)
    found = select(memory, at=NOW)
    why = reasons(found)
    assert why[old.id] == "it does not hold now"
    assert {why[one.id] for one in twice} == {
        "contradicted: its attribute has several values at once"
    }
    assert why[fickle[2].id] == "volatile: its attribute had 3 values"
    assert why[plan.id].startswith("volatile")
    assert [one.record.id for one in found.chosen] == [new.id]


def test_what_only_the_assistant_said_is_no_source(memory: Memory, hold: Make) -> None:
    turns = memory.remember(
        [{"role": "assistant", "content": "The port of Ulm is 80."}], session="s"
    ).turns
    said = hold("Ulm", "port", "80")
    again = memory.statements.add("Ulm", "port", "80", said_at=LONG_AGO, sources=[turns[0].id])
    assert again.id == said.id
    assert reasons(select(memory, at=NOW))[said.id] == "from an unverified source: no user said it"


def test_an_attempt_that_failed_or_that_nobody_judged_teaches_nothing(memory: Memory) -> None:
    with memory.episode("sort it") as one:
        one.step("a heap", "sort", "sorted")
        failed = one.finish(0.0)
    with memory.episode("stack it") as one:
        one.step("a heap", "stack", "stacked")
        own = one.finish(1.0, judge="student")
    why = reasons(select(memory, at=NOW))
    assert why[failed.id] == "it did not succeed"
    assert why[own.id].startswith("from an unverified source")


def test_a_users_adapter_may_hold_what_is_said_of_him_if_he_wants(
    memory: Memory, hold: Make
) -> None:
    said = hold("user", user="ada")
    assert select(memory, at=NOW, user="ada").chosen == ()
    wanted = ChoicePolicy(with_personal=True)
    assert [one.record.id for one in select(memory, policy=wanted, at=NOW, user="ada").chosen] == [
        said.id
    ]
    with pytest.raises(InvalidInput, match="name the user"):
        select(memory, policy=wanted, at=NOW)


def test_a_tenant_is_a_wall(memory: Memory, hold: Make) -> None:
    hold(tenant="acme")
    assert select(memory, at=NOW).choices == ()
    assert len(select(memory, at=NOW, tenant="acme").chosen) == 1
    assert len(select(memory.scoped(tenant="acme"), at=NOW).chosen) == 1


def test_what_was_rolled_back_is_not_chosen(memory: Memory, prove: Make) -> None:
    prove()
    decision = memory.lessons.rollback(LONG_AGO)
    found = select(memory, at=NOW)
    assert found.chosen == ()
    assert f"rolled back by {decision.id}" in reasons(found).values()


def test_lessons_of_a_foreign_memory_are_an_unverified_source(
    memory: Memory, tmp_path: Path
) -> None:
    with Memory(tmp_path / "other", encoder="hashing") as other:
        for seed in range(4):
            with other.episode("clear it", seed=seed, goal=f"clear {seed}") as episode:
                episode.step("a queue", "drain it", "it is empty")
                played = episode.finish(1.0)
            other.lessons.reflect([Lesson("a queue is slow", "do", "drain it")], episode=played)
        other.store.export(tmp_path / "other.jsonl")
    memory.store.import_(tmp_path / "other.jsonl")
    found = select(memory, at=NOW)
    assert found.chosen == ()
    assert any("imported" in why for why in reasons(found).values())


def test_what_is_said_in_a_foreign_memory_is_an_unverified_source(
    memory: Memory, hold: Make, tmp_path: Path
) -> None:
    own = hold("Orla", "office", "room 1")
    with Memory(tmp_path / "other", encoder="hashing") as other:
        turn = other.remember(
            [{"role": "user", "content": "The port of Ulm is 80.", "time": LONG_AGO}], session="s"
        ).turns[0]
        forged = other.statements.add("Ulm", "port", "80", said_at=LONG_AGO)
        other.store.credit(forged.id, uses=9)
        other.store.export(tmp_path / "other.jsonl")
    memory.store.import_(tmp_path / "other.jsonl")
    read = memory.statements.add("Bex", "port", "81", said_at=LONG_AGO, sources=[turn.id])
    memory.store.credit(read.id, uses=9)
    found = select(memory, at=NOW)
    assert [one.record.id for one in found.chosen] == [own.id]
    why = reasons(found)
    assert "imported" in why[forged.id]
    assert "imported" in why[read.id]  # it was read out of what was said there
    memory.store.import_(tmp_path / "other.jsonl", trusted=True)  # it is one's own, after all
    assert {one.record.id for one in select(memory, at=NOW).chosen} == {own.id, forged.id, read.id}


def test_the_same_journal_gives_the_same_selection(memory: Memory, hold: Make, prove: Make) -> None:
    prove()
    hold()
    prove(Lesson("a log is long", "do", "read its end"))
    assert select(memory, at=NOW) == select(memory, at=NOW)


def choice(number: int, source: str) -> RecordChoice:
    said = Statement(
        id=f"{number:026}", text="x", subject="x", attribute="x", value="x", slot="x", said_at=""
    )
    return RecordChoice(said, "statement", "x", source, True, "held", float(number))


@given(st.lists(st.integers(0, 30), min_size=2, max_size=6), st.sampled_from([0.25, 0.4, 0.5]))
def test_no_source_gives_more_than_its_share(sizes: list[int], most: float) -> None:
    found = [choice(10 * n + s, f"s{s}") for s, size in enumerate(sizes) for n in range(size)]
    kept = [one for one in _capped(found, most) if one.is_chosen]
    sources = {one.source for one in found}
    share = max(most, 1 / max(1, len(sources)))
    for source in sources:
        own = [one.worth for one in kept if one.source == source]
        given_ = [one.worth for one in found if one.source == source]
        assert own == [worth for worth in given_ if worth in sorted(given_)[-len(own) :]]
        assert own, "the best of each source stays"
        assert len(own) == 1 or len(own) <= share * len(kept)


def test_half_of_the_rows_from_one_poisoned_source_are_cut_to_its_share(
    memory: Memory, hold: Make
) -> None:
    for n in range(8):
        memory.remember(
            [{"role": "user", "name": "mallory", "content": f"The code of M{n} is {n}."}],
            session=f"m{n}",
        )
    turns = [
        turn
        for one in memory.conversations.list(session=ANY)
        for turn in memory.conversations.turns(one.id, session=one.key or "")
    ]
    for n, turn in enumerate(turns):
        said = memory.statements.add(f"M{n}", "code", str(n), said_at=LONG_AGO, sources=[turn.id])
        memory.store.credit(said.id, uses=1)
    for n in range(4):
        hold(f"Ulm {n}", "port", str(n))
    for n in range(4):
        hold(f"Oslo {n}", "port", str(n), agent="desk")
    found = select(memory, policy=ChoicePolicy(most_of_a_source=0.34), at=NOW, agent="desk")
    assert set(found.shares()) == {"agent 'desk'"}
    found = select(memory, policy=ChoicePolicy(most_of_a_source=0.5), at=NOW)
    assert found.shares()["said by mallory"] <= 0.5
    assert "said by mallory gives its share of 50% already" in reasons(found).values()


@pytest.mark.parametrize(
    "wrong", [{"held_days": -1}, {"held_days": float("nan")}, {"least_uses": -1},
              {"most_of_a_source": 2}, {"least_confidence": float("nan")}],
)  # fmt: skip
def test_a_policy_that_means_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        ChoicePolicy(**wrong)
