"""The tiers of a memory: how often each is written, what it took, and what moved up."""

from datetime import timedelta
from pathlib import Path

import agentcl
from agentcl.memory import Tier
from agentcl.statements import RuleDigester
from agentcl.store.records import now_micros

DAY = timedelta(days=1) // timedelta(microseconds=1)
SAID = [
    {"role": "user", "content": "I live in Oslo."},
    {"role": "user", "content": "My dog is Rex."},
]


def tiers(memory: agentcl.Memory) -> dict[str, Tier]:
    return {tier.name: tier for tier in memory.store.stats(user="ada").tiers}


def test_each_tier_says_when_it_was_written_and_what_moved_up(tmp_path: Path) -> None:
    now = [now_micros()]
    with agentcl.Memory(tmp_path, encoder="hashing", clock=lambda: now[0]) as memory:
        assert list(tiers(memory)) == ["turn", "session", "tidy", "guidance", "adapter"]
        assert {tier.last for tier in tiers(memory).values()} == {None}
        memory.remember(SAID, user="ada", session="s")
        found = tiers(memory)
        assert (found["turn"].records, found["turn"].moved_up) == (2, 2)
        assert found["session"] == Tier("session", 0, 0, 0, None, 0, 0.0, 0)
        memory.statements.digest(RuleDigester(), user="ada")
        found = tiers(memory)
        assert found["session"].records == found["session"].moved_up > 0
        assert found["session"].rows > found["session"].records  # how far it was read is noted, too
        assert found["session"].jobs == 1
        memory.statements.tidy(user="ada")
        assert tiers(memory)["tidy"].jobs == 1
        memory.lessons.add("When a customer asks for a refund, check the order.", user="ada")
        assert tiers(memory)["guidance"].moved_up == 1
        assert tiers(memory)["guidance"].last is not None

        before = tiers(memory)["session"]
        now[0] += 8 * DAY
        after = tiers(memory)["session"]
        assert (after.records, after.last) == (before.records, before.last)
        assert after.rows == after.moved_up == 0


def test_another_users_writing_is_not_counted(tmp_path: Path) -> None:
    with agentcl.Memory(tmp_path, encoder="hashing") as memory:
        memory.remember(SAID, user="bob", session="s")
        assert tiers(memory)["turn"].records == 0
        (first, *_) = memory.store.stats().tiers
        assert first.records == 2
