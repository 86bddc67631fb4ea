"""Experts: what they play, and the measures that stand beside them, with numbers computed by hand."""

from pathlib import Path

import pytest

from agentcl.bench.folder import RunFolder
from agentcl.bench.report.summary import summarise
from agentcl.bench.rows import ResultRow
from agentcl.bench.settings import from_mapping
from agentcl.bench.streams import expert_streams
from agentcl.envs.base import Task
from agentcl.envs.streams.builders import alternating_stream, block_stream
from agentcl.errors import ConfigError

POOLS = {
    family: tuple(Task("w", family, number, "test", 5) for number in range(3))
    for family in ("a", "b")
}


@pytest.mark.parametrize("rounds", [1, 2])
def test_an_expert_plays_all_training_of_its_family_and_one_test(rounds: int) -> None:
    stream = alternating_stream("w", POOLS, episodes=3, test_episodes=2, seed=0, rounds=rounds)
    experts = expert_streams(stream)
    assert list(experts) == ["a", "b"]
    for family, its in experts.items():
        assert {item.task.family for item in its} == {family}
        phases = [item.phase for item in its]
        assert phases == ["train"] * 3 + ["test"] * 2 + ["train"] * 3 * (rounds - 1)
        training = [item for item in stream if item.task.family == family and item.is_learned_from]
        assert [item for item in its if item.is_learned_from] == training


def test_streams_without_tests_have_no_experts() -> None:
    with pytest.raises(ConfigError, match="tests between; choose"):
        expert_streams(block_stream("w", POOLS, episodes=4, seed=0))


def test_questions_have_no_experts() -> None:
    with pytest.raises(ConfigError, match="experts are trained on tasks"):
        from_mapping({"experts": True, "questions": {"source": "squad"}}, where="test")


def rows(
    scores: list[float], *, family: str, phase: str = "train", start: int = 0
) -> list[ResultRow]:
    return [
        ResultRow(n, "ours", 0, f"{family}{n}", family, phase, n, score)
        for n, score in enumerate(scores, start)
    ]


def folder_of(path: Path, *, expert_of_b: list[float]) -> RunFolder:
    settings = from_mapping(
        {"experts": True, "tasks": {"domain": "w"}, "memory": {"baselines": ["ours"]}}, where="test"
    )
    about = {"episodes": {"0": 6}, "experts": {"0": {"a": 3, "b": 3}}}
    folder = RunFolder.create(path / "run", settings, about)
    played = [
        *rows([0.2, 0.4], family="a"), *rows([0.5], family="a", phase="test", start=2),
        *rows([0.3, 0.1], family="b", start=3), *rows([0.2], family="b", phase="test", start=5),
    ]  # fmt: skip
    by_part = {
        "": played,
        "a": [*rows([0.4, 0.8], family="a"), *rows([0.9], family="a", phase="test", start=2)],
        "b": [*rows(expert_of_b, family="b"), *rows([0.5], family="b", phase="test", start=2)],
    }
    for alone, its in by_part.items():
        with folder.row_file("ours", 0, alone).appending() as file:
            for row in its:
                file.add(row)
    return folder


def test_measures_beside_experts(tmp_path: Path) -> None:
    summary = summarise(folder_of(tmp_path, expert_of_b=[0.2, 0.6]))
    (line,) = summary.transfer
    relative, missing = line.measures["relative_performance"], line.measures["intransigence"]
    assert relative is not None
    assert missing is not None
    # a: 0.6 / 1.2; b: 0.4 / 0.8.
    assert relative.mean == pytest.approx(0.5)
    # a: 0.9 - 0.5; b: 0.5 - 0.2.
    assert missing.mean == pytest.approx(0.35)
    assert (summary.done, summary.total, summary.state) == (12, 12, "complete")
    # Experts are in no score: (0.2 + 0.4 + 0.5 + 0.3 + 0.1 + 0.2) / 6.
    assert summary.baselines[0].score is not None
    assert summary.baselines[0].score.mean == pytest.approx(1.7 / 6)


def test_an_expert_that_has_not_ended_is_beside_nothing_and_the_report_says_so(
    tmp_path: Path,
) -> None:
    summary = summarise(folder_of(tmp_path, expert_of_b=[0.2]))
    (line,) = summary.transfer
    assert line.measures["relative_performance"] is not None  # that of a
    assert line.measures["intransigence"] is None  # which needs all
    assert any("1 of 2 experts have not ended" in note for note in summary.notes)


def test_names_of_families_that_look_alike_have_files_of_their_own(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, expert_of_b=[0.2, 0.6])
    paths = {folder.row_file("ours", 0, family).path for family in ("a/b", "a_b", "a.b", "a%2Fb")}
    assert len(paths) == 4
    assert {path.parent for path in paths} == {folder.path / "experts"}
