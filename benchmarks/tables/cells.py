"""What the modules that write measured tables share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"


def result(name: str) -> Any:  # noqa: ANN401  # JSON
    """Return a committed result."""
    return json.loads((RESULTS / f"{name}.json").read_text("utf-8"))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def gained(found: Sequence[float] | None) -> str:
    """Return a mean with its interval, if there is one."""
    return "" if found is None else f"{found[0]:+.2f} [{found[1]:+.2f}, {found[2]:+.2f}]"
