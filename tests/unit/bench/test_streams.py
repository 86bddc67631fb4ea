"""Streams by the settings of a run, of domains whose rules are the same everywhere."""

import pytest

from agentcl.bench.settings import TaskSettings
from agentcl.bench.streams import build_stream
from agentcl.envs.domains.scienceworld import ScienceWorldDomain
from agentcl.errors import ConfigError

SETTINGS = TaskSettings(
    domain="scienceworld",
    stream="gen-env",
    families=("find-plant", "find-animal"),
    episodes=4,
    test_episodes=5,
    places=3,
)


def test_where_the_same_rules_hold_everywhere_a_variation_is_an_environment() -> None:
    stream = build_stream(SETTINGS, ScienceWorldDomain(), seed=1)
    known = [item.task for item in stream.items if item.phase == "known"]
    new = [item.task for item in stream.items if item.phase == "held-out"]
    assert [task.variation for task in known] == [0] * 4 + [1] * 4 + [2] * 4
    assert {task.split for task in known} == {"train"}
    assert {task.family for task in known} == {"find-plant", "find-animal"}
    assert len(new) == 5
    assert {task.split for task in new} == {"test"}


def test_what_is_learned_is_not_tried_as_new() -> None:
    settings = TaskSettings(domain="scienceworld", stream="gen-env", split="train")
    with pytest.raises(ConfigError, match=r'tasks.split has to be another, such as "test"'):
        build_stream(settings, ScienceWorldDomain(), seed=1)
