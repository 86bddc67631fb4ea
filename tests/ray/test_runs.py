"""Benchmark runs on a Ray cluster of several processes: the rows are those of a run here."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="run by `make test-ray`")

from agentcl.bench import ResultRow, RunFolder, RunSettings, begin, from_mapping, go_on
from agentcl.jobs import Ray
from tests.ray.clusters import Cluster


def settings() -> RunSettings:
    """Some episodes that a scripted agent plays, with two seeds."""
    return from_mapping(
        {
            "tasks": {"domain": "incidents", "families": ["remedy"], "episodes": 6},
            "agent": {"name": "responder"},
            "memory": {"baselines": ["none", "guidance"], "encoder": "hashing"},
            "seeds": [0, 1],
        },
        where="the test",
    )


def told(folder: RunFolder) -> list[ResultRow]:
    """Return the rows without what differs each time."""
    rows = [replace(row, wall_s=0.0, episode="", recalled=(), learned=()) for row in folder.rows()]
    return sorted(rows, key=lambda row: (row.baseline, row.seed, row.number))


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], RunFolder]:
    """Begins a run in a folder."""
    return lambda name: begin(tmp_path / name, settings())


def test_a_run_on_a_cluster_has_the_rows_of_a_run_here(
    cluster: Cluster, make: Callable[[str], RunFolder]
) -> None:
    here, there = make("here"), make("there")
    seen: list[ResultRow] = []
    assert go_on(there, on=Ray(cluster.address), on_row=seen.append).state == "complete"
    assert go_on(here).state == "complete"
    assert len(seen) == len(told(there)) == 24
    assert [row.score for row in told(there)] == [row.score for row in told(here)]
    assert not (there.path / "pulse").exists()


def test_a_run_that_was_stopped_goes_on_where_its_rows_end(
    cluster: Cluster, make: Callable[[str], RunFolder]
) -> None:
    folder = make("stopped")
    seen: list[ResultRow] = []
    on = Ray(cluster.address)
    first = go_on(folder, on=on, on_row=seen.append, should_stop=lambda: bool(seen))
    assert first.state in (
        "stopped",
        "complete",
    )  # a part is short, and may be done before it is told
    assert go_on(RunFolder(folder.path), on=on, on_row=seen.append).state == "complete"
    assert len(seen) == len(told(folder)) == 24
