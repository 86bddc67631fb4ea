from pathlib import Path

import pytest

from agentcl.bench.settings import RunSettings, from_mapping, load_settings, merge
from agentcl.errors import ConfigError

PLAN = """
name = "remedies"
seeds = [0, 1]
budget_s = 60

[tasks]
domain = "incidents"
families = ["remedy"]
where = [{ deployment = 80 }]

[agent]
name = "responder"

[memory]
baselines = ["none", "ours"]

[memory.options.mem0]
python = "env/bin/python"
"""


def test_a_plan_is_read_and_survives_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    settings = load_settings(path)
    assert settings.tasks.families == ("remedy",)
    assert settings.tasks.where == ({"deployment": 80},)
    assert settings.memory.options == {"mem0": {"python": "env/bin/python"}}
    assert settings.budget_s == 60.0
    assert RunSettings.from_json(settings.to_json(), where="run.json") == settings


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("domain = 3", "tasks.domain must be of type str, not 3"),
        ("familys = []", "there is no setting 'tasks.familys'; did you mean 'families'"),
        ('stream = "shuffled"', "tasks.stream is one of random, blocks"),
        ("episodes = 0", "tasks.episodes must be at least 1, and is 0"),
        ("episodes = true", "tasks.episodes must be of type int, not True"),
        ('options = "x"', "tasks.options must be a table"),
        ("timeout_s = -1", "timeout_s must be above 0"),
        ("recurrence = 1", "tasks.recurrence must be above 1, and is 1.0"),
        ("recurrence = nan", "tasks.recurrence must be above 1, and is nan"),
    ],
)
def test_what_is_wrong_in_a_plan_is_said(line: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    domain = "" if line.startswith("domain") else 'domain = "incidents"'
    path.write_text(f"[tasks]\n{domain}\n{line}\n")
    with pytest.raises(ConfigError, match=said):
        load_settings(path)


def test_the_plan_of_the_manual_can_be_run(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "howto" / "benchmark.md").read_text("utf-8")
    path = tmp_path / "plan.toml"
    path.write_text(page.partition("```toml\n")[2].partition("```")[0], "utf-8")
    settings = load_settings(path)
    assert settings.tasks.stream == "alternating"
    assert settings.memory.options["mem0"]["python"]


def test_a_run_needs_tasks_or_questions() -> None:
    with pytest.raises(ConfigError, match="either tasks"):
        from_mapping({}, where="options")
    both = {"tasks": {"domain": "incidents"}, "questions": {"source": "squad"}}
    with pytest.raises(ConfigError, match="either tasks"):
        from_mapping(both, where="options")


def test_a_baseline_is_compared_once() -> None:
    tables = {"tasks": {"domain": "incidents"}, "memory": {"baselines": ["ours", "ours"]}}
    with pytest.raises(ConfigError, match="baselines must be some, each once"):
        from_mapping(tables, where="options")


def test_changes_are_read_as_toml_or_as_text() -> None:
    changed = merge(
        {"tasks": {"domain": "incidents", "episodes": 5}},
        [
            "tasks.episodes=7",
            "memory.baselines=['none']",
            "name=first try",
            "memory.options.full.budget_characters=9",
        ],
    )
    settings = from_mapping(changed, where="options")
    assert (settings.tasks.episodes, settings.memory.baselines, settings.name) == (
        7,
        ("none",),
        "first try",
    )
    assert settings.memory.options == {"full": {"budget_characters": 9}}
    with pytest.raises(ConfigError, match="changes nothing"):
        merge({}, ["episodes"])


def test_a_plan_that_is_not_there_or_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no file .*absent\.toml: .* --domain"):
        load_settings(tmp_path / "absent.toml")
    with pytest.raises(ConfigError, match=r"cannot be read: Is a directory$"):
        load_settings(tmp_path)
    (tmp_path / "bad.toml").write_text("[tasks")
    with pytest.raises(ConfigError, match=r"bad\.toml is not TOML"):
        load_settings(tmp_path / "bad.toml")
