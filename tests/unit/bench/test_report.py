"""Reports of hand-made runs: pages that parse, hold nothing from elsewhere, and trust no text."""

from __future__ import annotations

import csv
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup

from agentcl.bench.folder import RunFolder
from agentcl.bench.report.compare import compare_runs
from agentcl.bench.report.episodes import choose_episodes
from agentcl.bench.report.summary import summarise
from agentcl.bench.report.words import clean, markdown, number
from agentcl.bench.report.writing import report_markdown, report_page, write_report
from agentcl.bench.rows import Learned, ResultRow, StepRow
from agentcl.bench.settings import from_mapping
from agentcl.errors import InvalidInput

HOSTILE = (
    '<script src="https://evil.example/x.js">alert(1)</script>\x00<img src=x onerror=alert(1)>'
    " {{ 7 * 7 }} \u202etxet"
)


def folder_of(
    path: Path, rows: Iterable[ResultRow], *, name: str = "run", **settings: Any
) -> RunFolder:
    its = list(rows)
    baselines = list(dict.fromkeys(row.baseline for row in its)) or ["none", "ours"]
    seeds = sorted({row.seed for row in its}) or [0]
    read = from_mapping(
        {"name": name, "seeds": seeds, "tasks": {"domain": "w"}, "memory": {"baselines": baselines}, **settings},
        where="test",
    )  # fmt: skip
    episodes = {str(seed): max((r.number for r in its), default=9) + 1 for seed in seeds}
    about = {"episodes": episodes, "model": "m", "state": "stopped", "encoder": "hashing"}
    folder = RunFolder.create(path, read, about)
    for baseline in baselines:
        for seed in seeds:
            with folder.row_file(baseline, seed).appending() as file:
                for row in its:
                    if (row.baseline, row.seed) == (baseline, seed):
                        file.add(row)
    return folder


def played(baseline: str, scores: Iterable[float | None], *, seed: int = 0) -> list[ResultRow]:
    return [
        ResultRow(n, baseline, seed, f"w/t{n % 3}", "f", "train", 10 + n, score,
            is_success=None if score is None else score >= 0.5, first="a queue is slow",
            steps=(StepRow("drain it", "cleared"),), end="failed" if score is None else "terminated",
            error="Traceback: broke" if score is None else "", memory_tokens=5 * n)
        for n, score in enumerate(scores)
    ]  # fmt: skip


def page_of(folder: RunFolder) -> BeautifulSoup:
    return BeautifulSoup(report_page(summarise(folder), choose_episodes(folder)), "html.parser")


def no_request_of(page: BeautifulSoup) -> None:
    """Assert that a browser fetches and runs nothing."""
    assert not page.find_all(["script", "link", "img", "iframe", "object", "embed", "base", "form"])
    for tag in page.find_all(True):
        for attribute, value in tag.attrs.items():
            assert not attribute.startswith("on")
            assert attribute not in ("src", "srcset", "data", "action")
            if attribute == "href":
                assert str(value).startswith("#")
    style = page.style
    assert style is not None
    assert not re.search(r"url\(|@import|http", style.get_text())


RUNS = {
    "empty": [],
    "only failures": [*played("none", [None, None]), *played("ours", [None, None])],
    "one seed": [*played("none", [0.0, 0.5, 1.0]), *played("ours", [1.0, 1.0, 1.0])],
    "one baseline": played("ours", [0.5, 1.0]),
    "one episode": played("none", [0.5]),
    "two seeds": [r for seed in (0, 1) for baseline in ("none", "ours") for r in played(baseline, [0.1, 0.9], seed=seed)],
}  # fmt: skip


@pytest.mark.parametrize("which", RUNS)
def test_every_run_has_a_report_without_requests_or_nan(tmp_path: Path, which: str) -> None:
    folder = folder_of(tmp_path / "run", RUNS[which])
    paths = write_report(folder)
    assert [path.name for path in paths[:3]] == ["report.html", "report.md", "report.json"]
    assert all(path.stat().st_size for path in paths)
    texts = [path.read_text("utf-8") for path in paths[:3]]
    assert not any(re.search(r"\bnan\b", text, re.IGNORECASE) for text in texts)
    assert json.loads(texts[2])["format"] == 1
    page = BeautifulSoup(texts[0], "html.parser")
    no_request_of(page)
    assert {"result", "checks", "setting", "episodes"} <= {
        str(s["id"]) for s in page.find_all("section")
    }


def test_what_is_undefined_is_a_dash(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "run", played("none", [None]))
    table = page_of(folder).select("#result tbody tr")
    cells = [cell.get_text() for cell in table[0].find_all("td")]
    assert cells[:5] == ["none", "\N{EN DASH}", "\N{EN DASH}", "0", "1"]


def test_hostile_texts_are_shown_and_never_markup(tmp_path: Path) -> None:
    row = ResultRow(0, "none", 0, f"task {HOSTILE}", f"family {HOSTILE}", HOSTILE, 1, 0.5, is_success=True,
              goal=HOSTILE, first=HOSTILE, steps=(StepRow(HOSTILE, HOSTILE, HOSTILE),), end=HOSTILE,
              error=HOSTILE, recalled=(HOSTILE,), shown=(HOSTILE,), learned=(Learned("l", HOSTILE),),
              leaks=(HOSTILE,))  # fmt: skip
    other = ResultRow(
        1, "none", 0, "t", "g", "train", 2, 0.5, is_success=True, measures={HOSTILE: 1.0}
    )
    folder = folder_of(tmp_path / "run", [row, other], name=HOSTILE)
    html, markdown, _ = write_report(folder)[:3]
    page = BeautifulSoup(html.read_text("utf-8"), "html.parser")
    no_request_of(page)
    assert "<script src=" in page.get_text()
    assert "\x00" not in html.read_text("utf-8")
    assert "{{ 7 * 7 }}" in page.get_text()
    assert "<script" not in markdown.read_text("utf-8")
    assert "<img" not in markdown.read_text("utf-8")


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t=", "\r=", "  ="])
def test_no_cell_of_the_table_is_a_formula_for_a_spreadsheet(tmp_path: Path, begins: str) -> None:
    hostile = f'{begins}HYPERLINK("http://evil.example","x")'
    row = ResultRow(0, "none", 0, hostile, hostile, hostile, 1, -0.5, is_success=True, end=hostile,
              measures={hostile: -1.0})  # fmt: skip
    (table,) = (
        file for file in write_report(folder_of(tmp_path / "run", [row])) if file.suffix == ".csv"
    )
    with table.open(newline="", encoding="utf-8") as file:
        cells = [cell for line in csv.reader(file) for cell in line]
    assert sum(cell == "'" + hostile for cell in cells) == 5
    assert [cell for cell in cells if cell.strip()[:1] in {*"=+-@"}] == ["-0.5", "-1.0"]


def test_a_text_of_5_mb_is_cut_and_the_page_says_so(tmp_path: Path) -> None:
    row = ResultRow(
        0, "none", 0, "t", "f", "train", 1, 0.5, first="x" * 5_000_000, end="terminated"
    )
    folder = folder_of(tmp_path / "run", [row])
    page = report_page(summarise(folder), choose_episodes(folder))
    assert len(page) < 100_000
    assert "5,000,000 characters in all" in page


def test_at_most_so_many_episodes_are_in_a_page_and_failures_always(tmp_path: Path) -> None:
    scores = [None if n in (3, 77) else 0.5 for n in range(100)]
    folder = folder_of(tmp_path / "run", [*played("none", scores), *played("ours", [0.5] * 100)])
    chosen = choose_episodes(folder, most=10)
    assert chosen.of == 200
    keys = {
        baseline: [one.key[1] for one in chosen.episodes if one.baseline == baseline]
        for baseline in ("none", "ours")
    }
    assert {baseline: len(its) for baseline, its in keys.items()} == {"none": 10, "ours": 10}
    assert {3, 77} <= set(keys["none"])
    assert {0, 99} <= set(keys["ours"])


def test_a_page_is_within_its_size_and_keeps_failures_longest(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path / "run", played("none", [None if n == 5 else 0.5 for n in range(50)])
    )
    chosen = choose_episodes(folder, most_bytes=3_000)
    assert 1 < len(chosen.episodes) < 50
    assert sum(len(one.markup.encode()) for one in chosen.episodes) <= 3_000
    assert any(one.has_failed for one in chosen.episodes)


def test_half_a_pair_of_characters_can_be_written(tmp_path: Path) -> None:
    line = ResultRow(
        0, "none", 0, "t", "f", "train", 1, 0.5, first="SURROGATE", end="terminated"
    ).to_json()
    folder = folder_of(tmp_path / "run", [])
    folder.row_file("none", 0).path.write_text(line.replace("SURROGATE", r"\ud800") + "\n", "utf-8")
    assert "\N{REPLACEMENT CHARACTER}" in write_report(folder)[0].read_text("utf-8")


def test_matrices_are_heat_tables(tmp_path: Path) -> None:
    rows = [
        ResultRow(0, "ours", 0, "a", "a", "test", 1, 0.25), ResultRow(1, "ours", 0, "a", "a", "train", 2, 1.0),
        ResultRow(2, "ours", 0, "a", "a", "test", 1, 1.0),
    ]  # fmt: skip
    cells = page_of(folder_of(tmp_path / "run", rows)).select("#transfer td[style]")
    assert [(cell.get_text(), cell["style"]) for cell in cells] == [
        ("0.25", "background:rgba(var(--heat),0.15)"), ("1.00", "background:rgba(var(--heat),0.60)"),
    ]  # fmt: skip


def test_charts_are_files_of_their_own_that_name_every_baseline(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "run", RUNS["two seeds"])
    charts = write_report(folder)[4:]
    assert [path.name for path in charts] == ["curves.svg", "costs.svg"]
    for path in charts:
        root = ET.parse(path).getroot()
        assert root.findtext("{http://www.w3.org/2000/svg}title")
        assert root.findtext("{http://www.w3.org/2000/svg}desc")
        shown = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
        assert {"none", "ours"} <= set(shown)
    assert "![curves.svg](curves.svg)" in (folder.path / "report.md").read_text("utf-8")


def test_charts_of_the_page_say_what_they_show(tmp_path: Path) -> None:
    page = page_of(folder_of(tmp_path / "run", RUNS["two seeds"]))
    charts = page.select("figure svg")
    assert len(charts) == 3
    for chart in charts:
        assert chart["role"] == "img"
        assert chart.find("title")
        assert "ours: " in chart.find("desc").get_text()  # type: ignore[union-attr]


def test_long_cells_wrap_and_short_ones_do_not(tmp_path: Path) -> None:
    rows = [*played("none", [0.5]), ResultRow(1, "none", 0, "t", "W" * 300, "train", 1, 0.5)]
    cells = page_of(folder_of(tmp_path / "run", rows)).select("#groups td:first-child")
    assert {cell.get_text()[:1]: cell.get("class") for cell in cells} == {"f": None, "W": ["long"]}


def test_markdown_tables_keep_their_columns(tmp_path: Path) -> None:
    rows = [*played("none", [0.5]), ResultRow(1, "none", 0, "t", "a|b\nc", "train", 1, 0.5)]
    text = report_markdown(summarise(folder_of(tmp_path / "run", rows)))
    for block in re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1


def test_markdown_escapes_links_and_pictures() -> None:
    assert markdown("![x](http://evil.example)") == r"![x\](http://evil.example)"
    assert markdown("<b>`x`|") == r"&lt;b&gt;\`x\`\|"


def test_words() -> None:
    assert number(-0.001) == "0.00"
    assert number(None) == "\N{EN DASH}"
    assert clean("a\x00b\u202e", 2) == "a\N{REPLACEMENT CHARACTER} … (4 characters in all)"


def test_runs_are_compared_on_the_episodes_that_both_have(tmp_path: Path) -> None:
    first = folder_of(tmp_path / "a", played("ours", [0.0, 0.5, None]), name="a")
    other = folder_of(tmp_path / "b", played("ours", [0.5, 0.5, 1.0]), name="b")
    (pair,) = compare_runs([first, other]).pairs
    assert (pair.run, pair.against, pair.differs, pair.is_comparable) == ("b", "a", (), True)
    (line,) = pair.differences
    assert (line.baseline, line.pairs, line.better, line.worse) == ("ours", 2, 1, 0)
    assert line.score is not None
    assert line.score.mean == 0.25


def test_an_episode_that_comes_again_is_paired_time_by_time(tmp_path: Path) -> None:
    def twice(first: float, second: float) -> list[ResultRow]:
        return [
            ResultRow(0, "ours", 0, "t", "f", "test", 1, first),
            ResultRow(1, "ours", 0, "t", "f", "test", 1, second),
        ]

    compared = compare_runs([folder_of(tmp_path / "a", twice(0.0, 0.25), name="a"),
                             folder_of(tmp_path / "b", twice(0.5, 0.75), name="b")])  # fmt: skip
    (line,) = compared.pairs[0].differences
    assert line.pairs == 2
    assert line.score is not None
    assert (line.score.mean, line.score.low, line.score.high) == (0.5, 0.5, 0.5)


def test_runs_of_other_streams_are_not_comparable(tmp_path: Path) -> None:
    first = folder_of(tmp_path / "a", played("ours", [0.5]), name="a")
    other = folder_of(tmp_path / "b", [ResultRow(0, "ours", 0, "x", "f", "train", 9, 1.0)], name="b",
                      tasks={"domain": "v"})  # fmt: skip
    found = compare_runs([first, other])
    assert not found.pairs[0].is_comparable
    assert found.pairs[0].differs == ('tasks.domain: "v", and "w" there',)
    assert "Not comparable" in found.to_markdown()
    assert json.loads(found.to_json())["pairs"][0]["differences"] == []


def test_other_streams_are_compared_on_what_they_share_with_a_warning(tmp_path: Path) -> None:
    first = folder_of(tmp_path / "a", played("ours", [0.5, 0.5]), name="a")
    other = folder_of(
        tmp_path / "b", played("ours", [1.0]), name="b", tasks={"domain": "w", "order": "random"}
    )
    found = compare_runs([first, other])
    assert not found.pairs[0].is_comparable
    assert [line.pairs for line in found.pairs[0].differences] == [1]
    assert "Not comparable as wholes" in found.to_markdown()


def test_another_encoder_and_model_are_named(tmp_path: Path) -> None:
    first = folder_of(tmp_path / "a", played("ours", [0.5]), name="a")
    other = folder_of(tmp_path / "b", played("ours", [1.0]), name="b")
    other.note(encoder="minilm", model="n")
    (pair,) = compare_runs([first, other]).pairs
    assert pair.is_comparable
    assert pair.differs == ('model: "n", and "m" there', 'encoder: "minilm", and "hashing" there')
    assert "may come from any of these" in compare_runs([first, other]).to_markdown()


def test_a_comparison_needs_two_runs(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a", played("ours", [0.5]))
    for folders in ([folder], [folder, folder]):
        with pytest.raises(InvalidInput, match="at least two"):
            compare_runs(folders)
