"""How a server of vLLM is started, and what is said where it does not start; a script stands for vLLM."""

from pathlib import Path

import pytest

from agentcl.errors import ModelUnavailable
from agentcl.models.vllm import VllmServer

_LOG = """
WARNING 11-28 limits can cause errors like `OSError: [Errno 24] Too many open files`
(EngineCore pid=7) ERROR 11-28 [core.py:9] ValueError: Available memory is less than requested memory.
(APIServer pid=6)   File "core_client.py", line 640, in __init__
(APIServer pid=6)   File "core_client.py", line 641, in __init__
RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}
"""


def stand_in(folder: Path, lines: str) -> Path:
    """Return a program that prints lines, the variable of the cache among them, and ends."""
    (folder / "log").write_text(lines)
    program = folder / "python"
    program.write_text(
        f'#!/bin/sh\necho "cache of $VLLM_CPU_KVCACHE_SPACE"\ncat {folder}/log\nexit 1\n'
    )
    program.chmod(0o755)
    return program


def why_not_started(python: Path, **given: dict[str, str]) -> str:
    with (
        pytest.raises(ModelUnavailable) as raised,
        VllmServer("nobody", python=python, port=1, **given),  # type: ignore[arg-type]
    ):
        pass
    return str(raised.value)


def test_the_reason_stands_first_though_the_end_of_the_log_does_not_tell_it(tmp_path: Path) -> None:
    said = why_not_started(stand_in(tmp_path, _LOG + "at last\n" * 1_000))
    assert said.startswith("ValueError: Available memory is less than requested memory.\n")
    assert said.count("ValueError") == 1  # it was out of the log's end


def test_without_a_reason_the_end_of_the_log_is_all_that_is_said(tmp_path: Path) -> None:
    said = why_not_started(stand_in(tmp_path, "one day\n"))
    assert said.startswith("vLLM ended while it started:")
    assert "one day" in said


def test_the_cache_of_a_model_on_the_cpu_is_bounded_unless_the_user_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = stand_in(tmp_path, "")
    monkeypatch.delenv("VLLM_CPU_KVCACHE_SPACE", raising=False)
    assert "cache of 4" in why_not_started(python)
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "7")
    assert "cache of 7" in why_not_started(python)
    assert "cache of 1" in why_not_started(python, environment={"VLLM_CPU_KVCACHE_SPACE": "1"})
