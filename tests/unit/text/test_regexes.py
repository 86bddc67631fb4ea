"""No regular expression of the package takes more than linear time."""

import importlib.util
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SCRIPT = Path(__file__).resolve().parents[2] / "regexes.py"
HANGS_S = 900


@cache
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("regexes", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_expression_is_worse_than_linear_on_any_shape() -> None:
    done = subprocess.run(
        [sys.executable, "-P", str(SCRIPT)], capture_output=True, text=True, timeout=HANGS_S
    )
    *slow, last = done.stdout.splitlines()
    assert slow == [], done.stderr
    assert int(last.removesuffix(" looked at")) > 100


def test_one_that_is_worse_would_be_found() -> None:
    for pattern in (r"^#+[ \t]+(\S.*?)[ \t]*#*$", r"title[ \t]*:[ \t]*(.*\S)$", r"(a|a)*b"):
        assert script().slow_text(re.compile(pattern, re.MULTILINE).search), pattern


@cache
def found() -> list[tuple[str, re.Pattern[str], set[str]]]:
    return list(script().patterns())


def grown(beginning: str, piece: str, end: str) -> Any:
    return lambda size: beginning + piece * (size // len(piece)) + end


@settings(
    max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
@given(st.data())
def test_nor_on_what_it_matches_with_a_piece_repeated(data: st.DataObject) -> None:
    where, pattern, used = data.draw(st.sampled_from(found()))
    text = data.draw(st.from_regex(pattern, alphabet=st.characters())) or "a"
    begin = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(begin + 1, len(text)))
    after = data.draw(st.sampled_from(["", "!", "\n", text[end:]]))
    shape = grown(text[:begin], text[begin:end], after)
    for name, run in script().calls(pattern, used).items():
        assert not script().is_worse_than_linear(run, shape), (where, name, shape(20))
