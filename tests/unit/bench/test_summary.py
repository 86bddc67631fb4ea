"""Summaries of small runs, with numbers computed by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from agentcl.bench.folder import RunFolder
from agentcl.bench.report.estimates import Clusters, estimate
from agentcl.bench.report.summary import Summary, summarise
from agentcl.bench.report.verdict import title_of, verdict
from agentcl.bench.rows import ResultRow, StepRow
from agentcl.bench.settings import RunSettings, from_mapping
from agentcl.models import Prices, Usage


def folder_of(
    path: Path,
    rows: Iterable[ResultRow],
    *,
    about: Mapping[str, Any] | None = None,
    **settings: Any,
) -> RunFolder:
    its = list(rows)
    baselines = list(dict.fromkeys(row.baseline for row in its)) or ["none", "ours"]
    seeds = sorted({row.seed for row in its}) or [0]
    read: RunSettings = from_mapping(
        {"seeds": seeds, "tasks": {"domain": "w"}, "memory": {"baselines": baselines}, **settings},
        where="test",
    )
    episodes = {str(seed): max((r.number for r in its), default=9) + 1 for seed in seeds}
    said = {"episodes": episodes, "model": "m", "state": "stopped", **(about or {})}
    folder = RunFolder.create(path / "run", read, said)
    for baseline in read.memory.baselines:
        for seed in read.seeds:
            with folder.row_file(baseline, seed).appending() as file:
                for row in its:
                    if (row.baseline, row.seed) == (baseline, seed):
                        file.add(row)
    return folder


def rows_of(
    baseline: str, scores: Iterable[float | None], *, seed: int = 0, phase: str = "train", start: int = 0,
    family: str = "f", task: str = "",
) -> list[ResultRow]:  # fmt: skip
    return [
        ResultRow(n, baseline, seed, task or f"t{n}", family, phase, 100 + n, score,
            is_success=None if score is None else score >= 0.5,
            steps=(StepRow("a", "b"),) * 2, end="failed" if score is None else "terminated")
        for n, score in enumerate(scores, start)
    ]  # fmt: skip


def summary_of(path: Path, rows: Iterable[ResultRow], **more: Any) -> Summary:
    return summarise(folder_of(path, rows, **more))


def test_failed_episodes_are_counted_apart_and_never_scored(tmp_path: Path) -> None:
    (line,) = summary_of(tmp_path, rows_of("ours", [1.0, None, 0.0, 0.5])).baselines
    assert (line.scored, line.failed) == (3, 1)
    assert line.score is not None
    assert line.score.mean == pytest.approx(0.5)  # (1 + 0 + 0.5) / 3
    assert line.success is not None
    assert line.success.mean == pytest.approx(2 / 3)
    assert line.steps is not None
    assert line.steps.mean == 2


def test_a_baseline_is_paired_with_none_on_the_episodes_that_both_have(tmp_path: Path) -> None:
    rows = [
        *rows_of("ours", [0.5, 1.0, 1.0, None], seed=0), *rows_of("ours", [0.5, 0.5, 1.0, 1.0], seed=1),
        *rows_of("none", [0.5, 0.5, None, 0.5], seed=0), *rows_of("none", [0.5, 0.0, 0.5, 1.0], seed=1),
    ]  # fmt: skip
    (line,) = summary_of(tmp_path, rows).differences
    assert (line.baseline, line.against, line.pairs) == ("ours", "none", 6)
    assert line.score is not None
    # Seed 0: 0, 0.5; seed 1: 0, 0.5, 0.5, 0. In all 1.5 / 6.
    assert line.score.mean == pytest.approx(0.25)
    assert (line.score.unit, line.score.units) == ("seeds", 2)
    assert (line.better, line.worse) == (3, 0)
    assert line.sign_p == pytest.approx(2 / 2**3)
    # Means by number: 0, 0.5, 0.5, 0: ahead from the second on, by 1 at the end.
    assert line.break_even is not None
    assert (line.break_even.episode, line.break_even.held_for) == (2, 3)
    assert line.break_even.lead == pytest.approx(1.0)


def test_without_a_baseline_none_the_first_is_the_baseline(tmp_path: Path) -> None:
    found = summary_of(tmp_path, [*rows_of("bm25", [0.0, 1.0]), *rows_of("ours", [1.0, 1.0])])
    assert found.against == "bm25"
    assert [(line.baseline, line.against) for line in found.differences] == [("ours", "bm25")]
    assert found.differences[0].break_even is None


def test_one_baseline_has_no_differences_and_one_episode_no_interval(tmp_path: Path) -> None:
    found = summary_of(tmp_path, rows_of("none", [0.4]))
    assert found.differences == ()
    assert found.baselines[0].score is not None
    assert (found.baselines[0].score.mean, found.baselines[0].score.low) == (0.4, None)
    assert found.baselines[0].learning_curve_area is None


def test_a_run_without_rows_has_only_undefined_measures(tmp_path: Path) -> None:
    found = summary_of(tmp_path, [])
    assert [(line.baseline, line.scored, line.score, line.wall_s) for line in found.baselines] == [
        ("none", 0, None, None), ("ours", 0, None, None),
    ]  # fmt: skip
    assert found.differences[0].score is None
    assert "NaN" not in found.to_json()
    assert json.loads(found.to_json())["state"] == "stopped"


def test_tokens_and_price_are_told_by_role(tmp_path: Path) -> None:
    row = ResultRow(0, "ours", 0, "t", "f", "train", 1, 1.0, is_success=True, memory_tokens=50,
              usage={"act": Usage(2, 1_000_000, 0, 1.0), "learn": Usage(1, 0, 500_000, 0.5)})  # fmt: skip
    folder = folder_of(tmp_path, [row])
    (line,) = summarise(folder, prices=Prices({"m*": (2.0, 8.0)})).baselines
    # A million read at 2, half a million written at 8 a million.
    assert [(c.role, c.usage.tokens, c.price) for c in line.costs] == [
        ("act", 1_000_000, 2.0), ("learn", 500_000, 4.0), ("all", 1_500_000, 6.0),
    ]  # fmt: skip
    assert line.tokens_per_success == 1_500_000
    assert line.price_per_success == 6.0
    assert summarise(folder).baselines[0].price_per_success is None


def test_adaptive_efficiency_counts_learning_and_what_was_shown_in_each_call(
    tmp_path: Path,
) -> None:
    ours = ResultRow(0, "ours", 0, "t", "f", "train", 1, 0.75, memory_tokens=100,
               usage={"act": Usage(2, 500, 0), "learn": Usage(1, 250, 50)})  # fmt: skip
    none = ResultRow(0, "none", 0, "t", "f", "train", 1, 0.5, usage={"act": Usage(2, 300, 0)})
    (line,) = summary_of(tmp_path, [ours, none]).differences
    # 0.25 for 300 tokens of learning and 2 x 100 in prompts.
    assert line.adaptive_efficiency == pytest.approx(0.25 / 500 * 1000)


def test_an_alternating_stream_gives_the_matrix(tmp_path: Path) -> None:
    def tests(start: int, first: float, second: float) -> list[ResultRow]:
        return [*rows_of("ours", [first], phase="test", family="a", start=start, task="a"),
                *rows_of("ours", [second], phase="test", family="b", start=start + 1, task="b")]  # fmt: skip

    rows = [
        *tests(0, 0.1, 0.2), *rows_of("ours", [0.5, 0.7], family="a", start=2), *tests(4, 0.8, 0.4),
        *rows_of("ours", [0.6], family="b", start=6), *tests(7, 0.5, 0.9),
    ]  # fmt: skip
    (line,) = summary_of(tmp_path, rows).transfer
    assert line.families == ("a", "b")
    assert line.matrix == ((0.1, 0.2), (0.8, 0.4), (0.5, 0.9))
    expected = {"average_accuracy": 0.7, "backward_transfer": 0.5 - 0.8, "forward_transfer": 0.4 - 0.2,
                "forgetting": 0.8 - 0.5}  # fmt: skip
    for name, value in expected.items():
        found = line.measures[name]
        assert found is not None
        assert found.mean == pytest.approx(value)
    assert line.measures["intransigence"] is None


def test_two_passes_give_plasticity_and_stability(tmp_path: Path) -> None:
    rows = [
        *rows_of("none", [0.5], phase="first", task="x"), *rows_of("none", [0.25], phase="second", task="x", start=1),
        *rows_of("ours", [0.5], phase="first", task="x"), *rows_of("ours", [1.0], phase="second", task="x", start=1),
    ]  # fmt: skip
    none, ours = summary_of(tmp_path, rows).passes
    means = {name: found and found.mean for name, found in ours.measures.items()}
    assert means == {"plasticity": 0.75, "plasticity_first_pass": None, "gain_on_unseen": 0.0,
                     "stability": 0.5, "regressed": 0.0, "generalisation": None}  # fmt: skip
    assert none.measures["stability"] is not None
    assert none.measures["stability"].mean == -0.25
    assert not ours.are_parts_known


def test_two_passes_without_the_baseline_none_leave_gains_undefined(tmp_path: Path) -> None:
    rows = [
        *rows_of("ours", [0.5], phase="first", task="x"),
        *rows_of("ours", [1.0], phase="second", task="x", start=1),
    ]
    (line,) = summary_of(tmp_path, rows).passes
    assert line.measures["plasticity"] is None
    assert line.measures["stability"] is not None
    assert line.measures["stability"].mean == 0.5


def test_recovery_counts_episodes_after_the_change(tmp_path: Path) -> None:
    rows = [
        *rows_of("ours", [1.0] * 10, phase="rules 1"),
        *rows_of("ours", [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0], phase="rules 2", start=10),
        *rows_of("none", [1.0] * 10, phase="rules 1"), *rows_of("none", [0.5] * 8, phase="rules 2", start=10),
    ]  # fmt: skip
    ours, none = summary_of(tmp_path, rows).changes
    assert ours.before is not None
    assert ours.after is not None
    assert ours.recovery is not None
    assert (ours.phase, ours.before.mean) == ("rules 2", 1.0)
    assert ours.after.mean == pytest.approx(0.6)  # 0 0 1 1 1
    assert ours.recovery.mean == 7  # the third to the seventh
    assert (none.recovery, none.recovered, none.seeds) == (None, 0, 1)


def test_questions_have_measures_by_category_and_are_drawn_themselves(tmp_path: Path) -> None:
    rows = [
        ResultRow(n, "ours", seed, f"s/{n}", category, "", score=recall, is_success=recall == 1,
            measures={"recall@5": recall}, end="recalled")
        for seed in (0, 1)
        for n, (category, recall) in enumerate([("one", 1.0), ("one", 0.0), ("two", 0.5)])
    ]  # fmt: skip
    found = summary_of(tmp_path, rows, tasks={}, questions={"source": "q.jsonl"})
    means = {line.category: line.measures["recall@5"] for line in found.measures}
    assert {key: value and (value.mean, value.units) for key, value in means.items()} == {
        "": (0.5, 3), "one": (0.5, 2), "two": (0.5, 1),
    }  # fmt: skip
    assert found.curves == ()
    assert found.baselines[0].learning_curve_area is None


BOUNDS = {"bounds": {"f": {"without memory": 0.5, "with knowledge": 1.0}}}


@pytest.mark.parametrize(("score", "is_leak"), [(0.9, True), (0.45, False)])
def test_a_baseline_without_memory_above_the_optimum_is_a_leak(
    tmp_path: Path, score: float, is_leak: bool
) -> None:
    rows = rows_of("none", [score, score - 0.05] * 10)
    checks = summary_of(tmp_path, rows, about=BOUNDS).leakage
    assert [line.is_leak for line in checks.above] == [is_leak]
    assert checks.is_suspect is is_leak


def test_a_test_that_was_learned_from_before_is_found(tmp_path: Path) -> None:
    rows = [
        ResultRow(0, "ours", 0, "t", "f", "train", 7, 1.0), ResultRow(1, "ours", 0, "t", "f", "test", 7, 1.0),
        ResultRow(2, "ours", 0, "t", "f", "test", 8, 1.0),
    ]  # fmt: skip
    checks = summary_of(tmp_path, rows).leakage
    assert [(line.tests, line.tests_seen) for line in checks.baselines] == [(2, 1)]
    assert checks.is_suspect


def test_leaks_of_rows_are_counted_with_examples(tmp_path: Path) -> None:
    rows = [
        ResultRow(
            0, "ours", 0, "t", "f", "train", 7, 1.0, leaks=("e9: recalled, but never remembered",)
        )
    ]
    (line,) = summary_of(tmp_path, rows).leakage.baselines
    assert (line.episodes, line.examples) == (1, ("e9: recalled, but never remembered",))


@pytest.mark.parametrize(
    ("before", "after", "state"),
    [("x", "x", "same"), ("x", "y", "changed"), ("x", None, "not checked"), (None, None, "no model")],
)  # fmt: skip
def test_the_model_is_checked_to_be_frozen(
    tmp_path: Path, before: str | None, after: str | None, state: str
) -> None:
    about = {"fingerprint before": before, "fingerprint after": after}
    assert summary_of(tmp_path, rows_of("none", [1.0]), about=about).leakage.frozen == state


def test_the_interval_of_many_units_is_close_to_that_of_few(tmp_path: Path) -> None:
    few, many = [0.0, 1.0] * 25, [0.0, 1.0] * 30  # drawn, and from the normal distribution
    drawn = estimate(few, Clusters("episodes", tuple(range(50))))
    normal = estimate(many, Clusters("episodes", tuple(range(60))))
    assert drawn is not None
    assert normal is not None
    # 1.96 x 0.5 / sqrt(n): 0.139 and 0.127.
    assert drawn.low == pytest.approx(0.5 - 0.139, abs=0.03)
    assert normal.low == pytest.approx(0.5 - 0.127, abs=0.003)


def test_a_curve_is_the_mean_of_seeds_and_does_not_reach_back_over_tests(tmp_path: Path) -> None:
    rows = [
        row
        for seed, score in ((0, 0.0), (1, 1.0))
        for row in (
            *rows_of("ours", [score] * 20, seed=seed),
            *rows_of("ours", [0.25] * 10, seed=seed, phase="test", start=20),
            *rows_of("ours", [1.0] * 10, seed=seed, start=30),
        )
    ]
    (curve,) = summary_of(tmp_path, rows).curves
    assert curve.window == 3  # a tenth of 30
    assert curve.numbers == (*range(20), *range(30, 40))
    assert curve.scores == (0.5,) * 20 + (1.0,) * 10


def test_prequential_scores_are_of_first_attempts_that_are_learned_from(tmp_path: Path) -> None:
    rows = [
        *rows_of("ours", [0.0, 1.0]), *rows_of("ours", [1.0], phase="test", start=2),
        ResultRow(3, "ours", 0, "t1", "f", "train", 101, 0.5),  # the second episode again
    ]  # fmt: skip
    (line,) = summary_of(tmp_path, rows).baselines
    assert line.prequential is not None
    assert line.prequential.mean == pytest.approx(0.5)
    assert line.prequential_faded is not None
    assert line.prequential_faded.mean == pytest.approx(1 / 1.95)


def test_a_band_goes_from_the_lowest_to_the_highest_seed(tmp_path: Path) -> None:
    rows = [
        *rows_of("ours", [0.0, 1.0], seed=0), *rows_of("ours", [0.5, 0.5], seed=1),
        *rows_of("ours", [0.25, None], seed=2),
    ]  # fmt: skip
    (curve,) = summary_of(tmp_path, rows).curves
    assert curve.scores == (0.25, 0.75)
    assert curve.band == ((0.0, 0.5), (0.5, 1.0))


def test_one_seed_has_no_band(tmp_path: Path) -> None:
    (curve,) = summary_of(tmp_path, rows_of("ours", [0.0, 1.0])).curves
    assert curve.band == ()


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        ([1.0, 0.9], "ours is better than none: +0.45 [+0.40, +0.50] in score"),
        ([0.0, 0.1], "ours is worse than none: -0.45 [-0.50, -0.40] in score"),
        ([1.0, 0.1], "it is not shown that ours is better or worse than none: +0.05 [-0.40, +0.50] in score"),
    ],
)  # fmt: skip
def test_the_verdict_is_one_sentence_with_its_interval(
    tmp_path: Path, ours: list[float], said: str
) -> None:
    rows = [
        row
        for seed, score in enumerate(ours)
        for row in (
            *rows_of("none", [0.5] * 4, seed=seed),
            *rows_of("ours", [score] * 4, seed=seed),
        )
    ]
    over = " (95% interval over 2 seeds, which are too few to be sure)."
    assert verdict(summary_of(tmp_path, rows)) == said + over


def test_the_verdict_of_one_memory_and_of_none_says_so(tmp_path: Path) -> None:
    assert "nothing to compare it with" in verdict(
        summary_of(tmp_path / "a", rows_of("ours", [0.5]))
    )
    assert verdict(summary_of(tmp_path / "b", [])) == "Nothing has a score yet."


def test_a_title_says_what_was_compared_on_what(tmp_path: Path) -> None:
    rows = [*rows_of("none", [0.5]), *rows_of("ours", [0.5])]
    about = {"domain": "incidents"}
    assert title_of(summary_of(tmp_path / "a", rows, about=about)) == "none and ours on incidents"
    named = summary_of(tmp_path / "b", rows, about=about, name="remedies")
    assert title_of(named) == "remedies: none and ours on incidents"
