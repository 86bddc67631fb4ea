"""Workers side by side share the processors."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agentcl.bench import run
from agentcl.bench.rows import Part
from agentcl.bench.threads import computing_with

NAMES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def test_a_worker_finds_the_number_before_it_loads_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in NAMES[:2]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(NAMES[2], "7")  # somebody said so
    context = multiprocessing.get_context("spawn")
    with computing_with(3), ProcessPoolExecutor(1, context) as pool:
        assert [pool.submit(os.getenv, name).result() for name in NAMES] == ["3", "3", "7"]
    assert [os.getenv(name) for name in NAMES] == [None, None, "7"]


def test_a_run_of_several_workers_says_it_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []

    def work(*_: object, **__: object) -> None:
        seen.append(os.getenv("OMP_NUM_THREADS"))

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(run, "work_in", work)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)

    file = SimpleNamespace(path=Path("rows"), size=lambda: 0)
    folder: Any = SimpleNamespace(
        settings=SimpleNamespace(workers=2), path=Path("nowhere"), row_file=lambda *_: file
    )
    parts = [Part("guidance", 0), Part("guidance", 1)]
    run._side_by_side(folder, parts, lambda _: None, lambda: False)
    assert seen == ["4"]
