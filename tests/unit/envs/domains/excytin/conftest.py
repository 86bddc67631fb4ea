"""A data folder of one incident that is made up, and the real one where it lies beside the checkout."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

_DATA = Path(__file__).resolve().parents[6] / "shared" / "data" / "excytin"
ENTITIES = [
    {"$id": "1", "Type": "host", "HostName": "ws-1", "FQDN": "ws-1.x.example"},
    {
        "$id": "2",
        "Type": "process",
        "ProcessId": "77",
        "CommandLine": "tool.exe /run",
        "ImageFile": {"$ref": "3"},
        "Custom": 5,
    },
    {"$id": "3", "Type": "file", "Name": "tool.exe", "Directory": "c:\\x"},
    {"$ref": "2"},
    {"$id": "4", "Type": "never-seen", "Colour": "red"},
]
ALERT = {
    "SystemAlertId": "a1",
    "AlertName": "Tool was run",
    "Description": "A tool; it's odd",
    "Entities": json.dumps(ENTITIES),
}
OTHER = ALERT | {"SystemAlertId": "a2", "AlertName": "Host was seen", "Entities": ""}
INCIDENT = {"IncidentNumber": "7", "Title": "All of it", "AlertIds": '["a1"]'}
QUESTION = {
    "context": "The host `ws-1` raised an alert.",
    "question": "What is the name of the tool that was run?",
    "answer": "tool.exe",
    "solution": ["The host `ws-1` ran the process `77`.", "The tool was `tool.exe`."],
}


def write_gzip(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


@pytest.fixture
def alert() -> dict[str, Any]:
    """A row of alerts."""
    return dict(ALERT)


@pytest.fixture
def question() -> dict[str, Any]:
    """A question as upstream writes it."""
    return dict(QUESTION)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in upstream's layout with one incident."""
    tables = tmp_path / "tables"
    write_gzip(
        tables / "incident_7_SecurityAlert.jsonl.gz",
        "\n".join(json.dumps(row) for row in (ALERT, OTHER)),
    )
    write_gzip(tables / "incident_7_SecurityIncident.jsonl.gz", json.dumps(INCIDENT))
    for split, count in (("train", 20), ("test", 2)):
        questions = [QUESTION | {"context": f"{QUESTION['context']} ({n})"} for n in range(count)]
        write_gzip(
            tmp_path / "questions" / split / "incident_7.json.gz",
            json.dumps(questions),
        )
    return tmp_path


@pytest.fixture
def real_folder() -> Path:
    """The development incidents of ExCyTIn-Bench, which may not be here."""
    if not (_DATA / "questions").is_dir():
        pytest.skip("there is no ../shared/data/excytin beside this checkout")
    return _DATA
