"""Sequences of tasks, in the layouts of others."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from agentcl import InvalidInput, LoadError
from agentcl.consolidation import load_task, task_names


def flat(folder: Path, name: str, *, labels: Any = ("Good", "Bad"), **rows: Any) -> None:
    (folder / f"{name}.labels.json").write_text(json.dumps(labels), "utf-8")
    for split, held in rows.items():
        with gzip.open(folder / f"{name}.{split}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in held)


def deep(folder: Path, name: str, **rows: Any) -> None:
    (folder / name).mkdir()
    for split, held in rows.items():
        (folder / name / f"{split}.json").write_text(json.dumps(held), "utf-8")


REVIEWS = [{"sentence": f"Text {n} ", "label": "Good" if n % 2 else "Bad"} for n in range(6)]
PRICES = [{"prompt": f"Rates {n}?", "answer": "hawkish"} for n in range(3)]


def test_tasks_of_both_layouts_are_read_and_asked_with_their_labels(tmp_path: Path) -> None:
    flat(tmp_path, "sst2", train=REVIEWS, test=REVIEWS[:2])
    flat(tmp_path, "imdb", train=REVIEWS)  # has no test split
    deep(tmp_path, "FOMC", train=PRICES, test=PRICES[:1])
    assert task_names(tmp_path) == ["FOMC", "sst2"]
    reviews, rates = load_task(tmp_path, "sst2"), load_task(tmp_path, "FOMC")
    assert (len(reviews.of("train")), len(reviews.of("held"))) == (6, 2)
    assert reviews.labels == ("Good", "Bad")
    assert all(row.prompt.endswith("Answer with one of: Good, Bad.") for row in reviews.rows)
    assert rates.labels == ()
    assert rates.of("held")[0].prompt == "Rates 0?"
    assert len({row.records for row in reviews.rows}) == 8


def test_a_part_of_a_task_follows_from_the_seed(tmp_path: Path) -> None:
    flat(tmp_path, "sst2", train=REVIEWS, test=REVIEWS)
    one = load_task(tmp_path, "sst2", train=3, held=2, seed=1)
    assert one == load_task(tmp_path, "sst2", train=3, held=2, seed=1)
    assert one != load_task(tmp_path, "sst2", train=3, held=2, seed=2)
    assert (len(one.of("train")), len(one.of("held"))) == (3, 2)
    assert len(load_task(tmp_path, "sst2", train=100).of("train")) == 6


def test_a_task_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    flat(tmp_path, "sst2", train=REVIEWS, test=REVIEWS)
    with pytest.raises(InvalidInput, match="it has: sst2"):
        load_task(tmp_path, "yelp")
    with pytest.raises(InvalidInput, match="it has: none"):
        load_task(tmp_path / "nowhere", "yelp")


@pytest.mark.parametrize(
    "wrong",
    [
        {"train": [{"sentence": "x"}]}, {"train": [{"sentence": "x", "label": "So so"}]}, {"train": ["x"]},
        {"labels": {}}, {"labels": [1]}, {"labels": []},
    ],
)  # fmt: skip
def test_files_of_another_form_are_refused_with_the_place(
    wrong: dict[str, Any], tmp_path: Path
) -> None:
    flat(tmp_path, "sst2", **{"train": REVIEWS, "test": REVIEWS, **wrong})
    with pytest.raises(LoadError, match="sst2"):
        load_task(tmp_path, "sst2")


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    flat(tmp_path, "sst2", train=REVIEWS, test=REVIEWS)
    whole = (tmp_path / "sst2.train.jsonl.gz").read_bytes()
    for damaged in (b"no gzip", whole[:-9], whole[:-8] + bytes(8)):
        (tmp_path / "sst2.train.jsonl.gz").write_bytes(damaged)
        with pytest.raises(LoadError, match="cannot read"):
            load_task(tmp_path, "sst2")
    deep(tmp_path, "FOMC", train={"a": 1}, test=PRICES)
    with pytest.raises(LoadError, match="no list"):
        load_task(tmp_path, "FOMC")
