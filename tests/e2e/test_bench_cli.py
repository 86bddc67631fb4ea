"""The benchmark through its command line, as its users run it."""

import csv
import json
from pathlib import Path

from click.testing import CliRunner, Result

from agentcl.cli.main import main

RUN = (
    "bench", "run", "--domain", "incidents", "--family", "remedy", "--agent", "responder",
    "--baseline", "none", "--baseline", "bm25", "--encoder", "hashing", "-n", "12", "--seeds", "2",
)  # fmt: skip


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments])


def test_a_run_is_summed_up_reported_listed_and_compared(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    ran = invoke(*RUN, "--out", first)
    assert ran.exit_code == 0, ran.output
    assert "none         score" in ran.output
    assert "against none" in ran.output
    assert (first / "report.html").read_text("utf-8").startswith("<!doctype html>")
    assert json.loads((first / "report.json").read_text("utf-8"))["done"] == 48
    with (first / "episodes.csv").open(newline="", encoding="utf-8") as table:
        lines = list(csv.DictReader(table))
    assert len(lines) == 48
    assert {line["baseline"] for line in lines} == {"none", "bm25"}
    assert all(0 <= float(line["score"]) <= 1 for line in lines)
    listed = json.loads(invoke("bench", "list", tmp_path, "--json").output)
    assert [(one["done"], one["total"], one["state"]) for one in listed] == [(48, 48, "complete")]
    assert invoke(*RUN, "--limit", "1", "--out", second).exit_code == 0
    compared = invoke("bench", "compare", first, second)
    assert "memory.limit: 1, and 5 there" in compared.output
    assert json.loads(invoke("bench", "compare", first, second, "--json").output)


def test_a_plan_in_a_file_is_run_and_options_win(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(
        'name = "planned"\n[tasks]\ndomain = "incidents"\nepisodes = 99\n[agent]\nname = "random"\n'
        '[memory]\nbaselines = ["none"]\n'
    )
    ran = invoke(
        "bench",
        "run",
        plan,
        "-n",
        "3",
        "--set",
        "tasks.split=train",
        "--out",
        tmp_path / "run",
        "--json",
    )
    assert json.loads(ran.output)["done"] == 3
    settings = json.loads((tmp_path / "run" / "run.json").read_text())["settings"]
    assert (settings["name"], settings["tasks"]["split"]) == ("planned", "train")


def test_incidents_are_told_naturally_if_the_options_say_so(tmp_path: Path) -> None:
    asked = ["--domain", "incidents", "--agent", "oracle", "--baseline", "none", "-n", "4"]
    ran = invoke("bench", "run", *asked, "--voice", "natural", "--out", tmp_path / "run")
    assert ran.exit_code == 0, ran.output
    assert "none         score 1.0" in ran.output
    (rows,) = (tmp_path / "run" / "episodes").glob("none.0.jsonl")
    assert "voice=natural" in rows.read_text("utf-8")
    played = invoke("envs", "play", "incidents", "--option", "voice=natural", "-n", "4")
    assert "oracle   score 1.000" in played.output


def test_the_responder_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    ran = invoke(*RUN, "--voice", "natural", "--out", tmp_path / "run")
    assert ran.exit_code == 1
    assert "choose the voice controlled, or a model" in ran.output


def test_a_run_that_has_ended_is_gone_on_with_in_vain(tmp_path: Path) -> None:
    invoke(*RUN, "--out", tmp_path / "run")
    before = (tmp_path / "run" / "episodes" / "bm25.1.jsonl").read_bytes()
    again = json.loads(invoke("bench", "resume", tmp_path / "run", "--json").output)
    assert (again["state"], again["left"]) == ("complete", 0)
    assert (tmp_path / "run" / "episodes" / "bm25.1.jsonl").read_bytes() == before


def test_a_report_has_prices_where_a_table_has_them(tmp_path: Path) -> None:
    invoke(*RUN, "--out", tmp_path / "run")
    prices = tmp_path / "prices.toml"
    prices.write_text('["*"]\nprompt = 1\ncompletion = 2\n')
    assert "report.html" in invoke("bench", "report", tmp_path / "run", "--prices", prices).output
    absent = invoke("bench", "report", tmp_path / "run", "--prices", tmp_path / "absent.toml")
    assert absent.exit_code == 1


def test_what_cannot_be_run_ends_with_a_message(tmp_path: Path) -> None:
    for arguments, said in (
        (("bench", "resume", tmp_path), "holds no run"),
        (("bench", "report", tmp_path), "holds no run"),
        (("bench", "run", "--out", tmp_path / "x"), "either tasks"),
        (("bench", "run", "--domain", "incidence", "--out", tmp_path / "x"), "did you mean 'incidents'"),
        (("bench", "run", "--questions", "squad", "--agent", "none", "--out", tmp_path / "x"), "questions.path"),
        (("bench", "run", "--questions", "squad", "--data", "absent.json", "--agent", "none", "--out", tmp_path / "x"),
         "absent.json"),
        (("bench", "run", "--domain", "incidents", "--baseline", "mem0", "--set", "memory.options.mem0.python=/nowhere",
          "--agent", "responder", "--out", tmp_path / "x"), "mem0"),
    ):  # fmt: skip
        ended = invoke(*arguments)
        assert ended.exit_code == 1, arguments
        assert said in ended.output, ended.output
    assert not (tmp_path / "x").exists()
    assert "there is no run" in invoke("bench", "list", tmp_path).output


def test_what_can_be_run_is_listed() -> None:
    listed = json.loads(invoke("bench", "list", "--json").output)
    assert "incidents" in listed["domains"]
    assert "investigator" in listed["agents"]
    assert {"none", "ours", "mem0"} <= set(listed["baselines"])


def test_experts_are_trained_and_their_measures_shown_everywhere(tmp_path: Path) -> None:
    ran = invoke(
        *RUN, "--family", "needs", "--stream", "alternating", "--experts", "--out", tmp_path / "run"
    )
    assert ran.exit_code == 0, ran.output
    for measure in ("prequential", "relative performance", "sample efficiency", "intransigence"):
        assert f"{measure} " in ran.output
        for report in ("report.html", "report.md"):
            assert measure in (tmp_path / "run" / report).read_text("utf-8")
    (_, bm25) = json.loads((tmp_path / "run" / "report.json").read_text("utf-8"))["transfer"]
    assert bm25["measures"]["relative_performance"]["mean"] > 0
    assert bm25["measures"]["intransigence"] is not None
    refused = invoke(*RUN, "--experts", "--out", tmp_path / "other")
    assert refused.exit_code == 1
    assert "tasks.stream alternating" in refused.output
    assert not (tmp_path / "other").exists()


def test_why_episodes_failed_is_said(tmp_path: Path) -> None:
    plan = (
        "bench", "run", "--domain", "tests.unit.envs.odd_domains:Odd", "--set", "tasks.options.way=raise",
        "--agent", "random", "--baseline", "none", "--encoder", "hashing", "-n", "4",
    )  # fmt: skip
    ran = invoke(*plan, "--out", tmp_path / "run")
    assert ran.exit_code == 0, ran.output
    assert "the first that failed: none, seed 0, episode" in ran.output
    assert "the engine has a fault; check it with `agentcl envs check tests.unit." in ran.output
