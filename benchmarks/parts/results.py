"""What every benchmark shares: the machine in words, and a place for results."""

from __future__ import annotations

import json
import math
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "results"
CACHE = Path(__file__).parents[2] / ".bench"


def machine(*packages: str) -> dict[str, Any]:
    """Return what a reader must know to compare: processors, Python and package versions."""
    versions: dict[str, str | None] = {}
    for package in ("agentcl", *packages):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return {
        "processors": os.cpu_count(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "packages": versions,
    }


def save(name: str, result: dict[str, Any]) -> None:
    """Write a result beside the benchmarks and say where."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", "utf-8")
    print(f"\nwritten to {path.relative_to(Path(__file__).parents[2])}")


def with_earlier(name: str, result: dict[str, Any], parts: str) -> dict[str, Any]:
    """Return a result with the parts of an earlier one that it has not, if all else was the same."""
    path = FOLDER / f"{name}.json"
    held = json.loads(path.read_text("utf-8")) if path.exists() else {}
    told = {"machine", parts}
    is_same = {key: value for key, value in held.items() if key not in told} == {
        key: value for key, value in result.items() if key not in told
    }
    return {**result, parts: {**held[parts], **result[parts]}} if is_same else result


def table(header: list[str], rows: list[list[str]]) -> None:
    """Print a table with aligned columns."""
    widths = [max(len(row[n]) for row in [header, *rows]) for n in range(len(header))]
    for row in [header, ["-" * width for width in widths], *rows]:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def wilson(right: int, cases: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share (Wilson 1927)."""
    z, share = 1.96, right / cases
    centre = share + z * z / (2 * cases)
    spread = z * math.sqrt(share * (1 - share) / cases + z * z / (4 * cases * cases))
    scale = 1 + z * z / cases
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
