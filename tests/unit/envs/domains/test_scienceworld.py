"""ScienceWorld as far as it needs no simulator: its tasks, its options, and what is said when it is missing."""

import sys
from itertools import islice
from pathlib import Path

import pytest

from agentcl.envs.base import SPLITS, Task
from agentcl.envs.domains.scienceworld import (
    NAME,
    VARIATIONS,
    ScienceWorldDomain,
    ScienceWorldEnvironment,
    variations_of,
)
from agentcl.envs.registry import open_domain
from agentcl.errors import ConfigError, InvalidInput, MissingExtra


def test_tasks_are_listed_without_the_simulator() -> None:
    domain = ScienceWorldDomain()
    counts = {split: sum(1 for _ in domain.tasks(split)) for split in SPLITS}
    assert counts == {"train": 3592, "dev": 1796, "test": 1819}
    assert len(domain.families) == 30
    assert {task.family for task in islice(domain.tasks("test"), 30)} == set(domain.families)


@pytest.mark.parametrize("family", VARIATIONS)
def test_splits_share_no_variation_and_leave_none_out(family: str) -> None:
    seen = [
        task.variation
        for split in SPLITS
        for task in ScienceWorldDomain().tasks(split, family=family)
    ]
    assert sorted(seen) == list(range(VARIATIONS[family]))
    assert variations_of(family, "train").stop == variations_of(family, "dev").start


def test_options_are_part_of_the_task() -> None:
    (plain, *_) = ScienceWorldDomain().tasks("dev", family="melt")
    domain = open_domain(NAME, {"simplifications": "openDoors, teleportAction", "max_steps": "7"})
    (easier, *_) = domain.tasks("dev", family="melt")
    assert easier.parameters == {"simplifications": "openDoors,teleportAction"}
    assert easier.max_steps == 7
    assert easier.id != plain.id
    assert Task.from_json(easier.to_json()) == easier


def test_what_does_not_exist_is_refused() -> None:
    domain = ScienceWorldDomain()
    with pytest.raises(InvalidInput, match="no simplification 'simple'; choose from easy"):
        ScienceWorldDomain("easy,simple")
    with pytest.raises(InvalidInput, match="max_steps is 'many'"):
        ScienceWorldDomain(max_steps="many")
    with pytest.raises(InvalidInput, match="no family 'fly'"):
        next(domain.tasks("test", family="fly"))
    with pytest.raises(InvalidInput, match="no split 'all'"):
        next(domain.tasks("all"))  # type: ignore[arg-type]  # it is what is tested


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (Task("incidents", "melt", 0), "is no task of scienceworld"),
        (Task(NAME, "fly", 0), "is no task of scienceworld"),
        (Task(NAME, "melt", 30), "no variation 30; it has 0 to 29"),
        (Task(NAME, "melt", -1), "no variation -1"),
        (Task(NAME, "melt", 0, parameters={"simplifications": "simple"}), "no simplification"),
        (
            Task(NAME, "power-component", 0, parameters={"simplifications": "noElectricalAction"}),
            "cannot be done without electrical actions",
        ),
    ],
)
def test_a_task_of_another_world_is_refused_before_java_starts(task: Task, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        ScienceWorldEnvironment().reset(task, seed=0)


def test_a_missing_package_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scienceworld", None)
    monkeypatch.setitem(sys.modules, "scienceworld.constants", None)
    with pytest.raises(MissingExtra, match=r"agentcl\[scienceworld\]"):
        ScienceWorldDomain().make()


def test_a_missing_java_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "py4j").mkdir()
    (tmp_path / "py4j" / "__init__.py").touch()
    (tmp_path / "py4j" / "java_gateway.py").touch()
    (tmp_path / "scienceworld").mkdir()
    (tmp_path / "scienceworld" / "__init__.py").touch()
    (tmp_path / "scienceworld" / "constants.py").touch()
    for name in ("py4j", "py4j.java_gateway", "scienceworld", "scienceworld.constants"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(ConfigError, match=r"openjdk-17-jre-headless .* or any Java 8\+"):
        ScienceWorldDomain().make()
    for name in ("py4j", "py4j.java_gateway", "scienceworld", "scienceworld.constants"):
        sys.modules.pop(name, None)


def test_nothing_can_be_done_before_reset_and_closing_is_free() -> None:
    environment = ScienceWorldEnvironment()
    with pytest.raises(InvalidInput, match="call reset first"):
        environment.step("look around")
    with pytest.raises(InvalidInput, match="call reset first"):
        environment.score()
    environment.close()
    environment.close()
