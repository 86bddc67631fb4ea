"""Work that is not done here: what a name means, and what is said without Ray."""

import pickle
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agentcl import Memory
from agentcl.cli.main import main
from agentcl.errors import InvalidInput, MissingExtra
from agentcl.jobs import Here, Ray, Workplace
from agentcl.memory import ModelExtractor
from agentcl.models import LocalChat, OpenAIChat, ScriptedModel
from agentcl.retrieval.encoders.local import SentenceTransformerEncoder
from agentcl.retrieval.encoders.openai import OpenAIEncoder

without_ray = pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")


def test_work_here_is_the_loop_of_this_process() -> None:
    here: Workplace = Here()
    kept: list[int] = []
    assert here.work(range(3), lambda n: n * n, keep=kept.extend, job="one", key=str)
    assert kept == [0, 1, 4]


@without_ray
def test_without_ray_the_line_that_installs_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match=r"pip install 'agentcl\[ray\]'"):
        Ray()
    with Memory(tmp_path / "memory", encoder="hashing"):
        pass
    told = CliRunner().invoke(
        main,
        ["reembed", "--path", str(tmp_path / "memory"), "--encoder", "hashing:64", "--on", "ray"],
    )
    assert told.exit_code == 1
    assert "pip install 'agentcl[ray]'" in told.stderr


@pytest.mark.parametrize(
    "name",
    [
        "dask",
        "ray://",
        "ray:6379",
        "ray?workers=many",
        "ray?gpus=1",
        "ray://host:1/?workers=",
        "http://host",
    ],
)
def test_a_name_that_means_nothing_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="say ray or ray://HOST:PORT"):
        Ray.named(name)


@pytest.mark.parametrize(
    "one",
    [
        OpenAIChat("m", base_url="http://127.0.0.1:9/v1", api_key="k", extra_body={"top_k": 1}),
        OpenAIEncoder("m", base_url="http://127.0.0.1:9/v1", api_key="k", query_prefix="q: "),
        SentenceTransformerEncoder("minilm"),
        LocalChat("folder", device="cpu"),
    ],
)
def test_what_reads_and_encodes_travels_to_another_process(one: Any) -> None:
    there = pickle.loads(pickle.dumps(one))
    assert there.name == one.name
    (made, arguments), (before, same) = there.__reduce__(), one.__reduce__()
    assert arguments == same
    assert getattr(made, "keywords", None) == getattr(before, "keywords", None)


def test_what_is_no_place_of_work_is_refused(tmp_path: Path) -> None:
    with (
        Memory(tmp_path / "memory", encoder="hashing") as memory,
        pytest.raises(InvalidInput, match="on must be where work is done"),
    ):
        memory.facts.extract(
            ModelExtractor(ScriptedModel([])),
            on="ray",  # type: ignore[arg-type]  # as people write it
        )


def test_a_ledger_of_this_machine_is_refused_where_others_ask(tmp_path: Path) -> None:
    with Memory(tmp_path / "memory", encoder="hashing") as memory:
        memory.add("The boat is steered by Ilka Renn.")
    given = [
        "--url",
        "http://127.0.0.1:9/v1",
        "--ledger",
        str(tmp_path / "ledger.db"),
        "--on",
        "ray",
    ]
    told = CliRunner().invoke(
        main, ["extract", "--path", str(tmp_path / "memory"), "--model", "m", *given]
    )
    assert told.exit_code == 1
    assert "leave one of both out" in told.stderr
