"""What the command line says of moving memory into adapters."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agentcl import Memory
from agentcl.cli.main import main

LONG_AGO = datetime.now(UTC) - timedelta(days=90)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "m"
    with Memory(path, encoder="hashing") as memory:
        said = memory.statements.add("Orla", "office", "room 1", said_at=LONG_AGO)
        memory.store.credit(said.id, uses=2)
        memory.lessons.add("When a log is long, read its end.")
        for action, score in (("drain it", 1.0), ("wait", 0.0)):
            with memory.episode("clear it", seed=1) as episode:
                episode.step("the queue is slow", action, "so it went")
                episode.finish(score)
    return path


def run(folder: Path, *arguments: str, fails: bool = False) -> Result:
    done = CliRunner().invoke(main, [*arguments, "--path", str(folder)])
    assert (done.exit_code != 0) == fails, done.output
    return done


def test_a_dry_run_lists_what_was_chosen_and_why_the_rest_was_not(folder: Path) -> None:
    said = run(folder, "consolidate", "--dry-run").output
    assert "Orla's office is room 1." in said
    assert "held for 90 days unchanged, used 2 times" in said
    assert "not proved: candidate" in said
    assert "statement: 1 chosen, 0 refused" in said
    told = json.loads(run(folder, "consolidate", "--dry-run", "--json").output)
    assert told["counts"]["lesson"] == {"chosen": 0, "refused": 1}
    assert all(one["reason"] for one in told["choices"])
    strict = run(folder, "consolidate", "--dry-run", "--least-uses", "3").output
    assert "not used: 2 of 3 times" in strict


def test_training_needs_a_model_and_something_to_learn(folder: Path, tmp_path: Path) -> None:
    assert "--base" in run(folder, "consolidate", fails=True).output
    assert "nowhere" in run(folder, "consolidate", "--base", "nowhere", fails=True).output
    probes = tmp_path / "probes.jsonl"
    probes.write_text('{"prompt": "x"}\n', "utf-8")
    wrong = run(folder, "consolidate", "--base", "x", "--forgotten", str(probes), fails=True).output
    assert "prompt, answer and others" in wrong


def test_there_is_nothing_to_decide_about_before_something_was_trained(folder: Path) -> None:
    assert "there is no adapter" in run(folder, "adapters", "list").output
    assert "adapters list" in run(folder, "adapters", "show", "x", fails=True).output
    assert "nothing to roll back" in run(folder, "adapters", "rollback", fails=True).output


def test_episodes_are_written_for_a_trainer(folder: Path, tmp_path: Path) -> None:
    said = run(folder, "episodes", "export", "--format", "sft").output
    assert json.loads(said)["messages"][1] == {"role": "assistant", "content": "drain it"}
    file = tmp_path / "pairs.jsonl"
    run(folder, "episodes", "export", "--format", "dpo", "--out", str(file))
    assert json.loads(file.read_text("utf-8"))["rejected"][0]["content"] == "wait"
