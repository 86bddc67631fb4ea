"""Files of ExCyTIn-Bench as tables, and what is said of files that are none."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentcl.envs.domains.excytin.domain import ExcytinDomain
from agentcl.envs.domains.excytin.folder import ExcytinFolder
from agentcl.envs.domains.excytin.tables import EVIDENCE_COLUMNS, load_tables
from agentcl.errors import LoadError

Rows = dict[str, Any]
ALERTS = "incident_7_SecurityAlert.jsonl.gz"


def evidence(folder: Path) -> list[dict[str, str]]:
    table = load_tables(folder / "tables", "incident_7")[2]
    assert table.name == "AlertEvidence"
    assert table.columns == EVIDENCE_COLUMNS
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_entities_become_rows_of_evidence(folder: Path) -> None:
    host, process, file, other = evidence(folder)
    assert {row["SystemAlertId"] for row in (host, process, file, other)} == {"a1"}
    assert (host["HostName"], host["HostFqdn"]) == ("ws-1", "ws-1.x.example")
    assert (process["ProcessId"], process["ProcessCommandLine"]) == ("77", "tool.exe /run")
    assert (process["FileName"], process["FolderPath"]) == ("tool.exe", "c:\\x")
    assert json.loads(process["AdditionalFields"]) == {"Custom": 5}
    assert (file["EntityType"], file["FileName"]) == ("file", "tool.exe")
    assert (other["EntityType"], json.loads(other["AdditionalFields"])) == (
        "never-seen",
        {"Colour": "red"},
    )


def test_alerts_and_incidents_keep_their_columns(folder: Path, alert: Rows) -> None:
    alerts, incidents, _ = load_tables(folder / "tables", "incident_7")
    assert (alerts.columns, alerts.rows[0][:2]) == (tuple(alert), ("a1", "Tool was run"))
    assert incidents.rows == (("7", "All of it", '["a1"]'),)


def test_an_absent_file_is_named(folder: Path) -> None:
    (folder / "tables" / ALERTS).unlink()
    with pytest.raises(LoadError, match=f"{ALERTS} is absent"):
        load_tables(folder / "tables", "incident_7")


def test_a_truncated_file_is_named(folder: Path) -> None:
    path = folder / "tables" / ALERTS
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(LoadError, match=f"{ALERTS} cannot be read"):
        load_tables(folder / "tables", "incident_7")
    path.write_bytes(b"no gzip")
    with pytest.raises(LoadError, match=f"{ALERTS} cannot be read"):
        load_tables(folder / "tables", "incident_7")


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda alert: "", "has no row"),
        (lambda alert: "{", "line 1 of .* is no JSON"),
        (lambda alert: "[1]", "another schema"),
        (lambda alert: json.dumps({"SystemAlertId": "a1"}), "another schema"),
        (
            lambda alert: json.dumps(alert) + "\n" + json.dumps(alert | {"More": 1}),
            "line 2 .* another schema",
        ),
        (lambda alert: json.dumps(alert | {'x" TEXT); --': 1}), "whose name is none"),
        (lambda alert: json.dumps(alert | {"Entities": "{"}), "entities of alert a1 are no JSON"),
        (lambda alert: json.dumps(alert | {"Entities": "{}"}), "entities of alert a1 are no list"),
    ],
)
def test_rows_of_another_schema_are_refused(
    folder: Path, alert: Rows, write: Callable[[Rows], str], said: str
) -> None:
    (folder / "tables" / ALERTS).write_bytes(gzip.compress(write(alert).encode()))
    with pytest.raises(LoadError, match=said):
        load_tables(folder / "tables", "incident_7")


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda question: {}, "is no list of questions"),
        (lambda question: [1], "question 0 of .* another schema"),
        (lambda question: [{"question": "?"}], "another schema"),
        (lambda question: [question, question | {"answer": " "}], "question 1 of .* lacks"),
        (lambda question: [question | {"solution": []}], "has no solution"),
        (lambda question: [question | {"solution": "text"}], "has no solution"),
    ],
)
def test_questions_of_another_schema_are_refused(
    folder: Path, question: Rows, write: Callable[[Rows], object], said: str
) -> None:
    path = folder / "questions" / "test" / "incident_7.json.gz"
    path.write_bytes(gzip.compress(json.dumps(write(question)).encode()))
    with pytest.raises(LoadError, match=said):
        list(ExcytinFolder(folder).tasks("test", "incident_7"))


def test_a_folder_without_questions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="has no questions/test/incident_N"):
        ExcytinFolder(tmp_path)


def test_splits_hold_each_question_once_and_dev_comes_out_of_train(folder: Path) -> None:
    domain = ExcytinDomain(str(folder))
    train, dev, test = (list(domain.tasks(split)) for split in ("train", "dev", "test"))
    assert sorted(task.variation for task in train + dev) == list(range(20))
    assert 1 <= len(dev) < len(train)
    assert len(test) == 2
    assert len({task.id for task in train + dev + test}) == 22
    assert [list(domain.tasks(split)) for split in ("train", "dev", "test")] == [train, dev, test]


def test_the_real_folder_has_the_counts_of_its_readme(real_folder: Path) -> None:
    domain = ExcytinDomain(str(real_folder))
    counts = {
        family: (
            len(list(domain.tasks("test", family=family))),
            len([*domain.tasks("train", family=family), *domain.tasks("dev", family=family)]),
        )
        for family in domain.families
    }
    assert counts == {
        "incident_5": (98, 100),
        "incident_34": (82, 34),
        "incident_38": (11, 4),
        "incident_39": (98, 100),
        "incident_134": (57, 23),
        "incident_322": (56, 23),
    }
