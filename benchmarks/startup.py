"""What the base install costs, beside chromadb and mem0ai: packages, megabytes, seconds to import.

    python benchmarks/startup.py

Each is installed from its package index into a fresh virtual environment; an empty one is measured too.
Imports are timed in new processes, the libraries taking turns, after one round that compiles; the
median counts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from peers import ROOT, install
from results import machine, save, table

LIBRARIES = {  # name: (what pip installs, what is imported)
    "empty": ((), "sys"),
    "agentcl": ((str(ROOT),), "agentcl"),
    "chromadb": (("chromadb",), "chromadb"),
    "mem0ai": (("mem0ai",), "mem0"),
}
MOST_PACKAGES = 15
MOST_MB = 130
TIMES_FASTER = 5


def packages(python: Path) -> list[str]:
    """Return the names of the installed packages, without pip and setuptools themselves."""
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"],
        check=True,
        capture_output=True,
    )
    names = [row["name"] for row in json.loads(listed.stdout)]
    return [name for name in names if name not in ("pip", "setuptools")]


def megabytes(folder: Path) -> float:
    """Return what the files of an environment hold, byte-compiled modules included."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files) / 1e6


def seconds_to_import(python: Path, module: str) -> float:
    """Return how long a new process takes to import a module, its own start left out."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Install, measure, print, save, and fail if a limit is broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        pythons = {}
        for name, (requirements, module) in LIBRARIES.items():
            started = time.perf_counter()
            pythons[name] = install(Path(scratch) / name, *requirements)
            installed_s = time.perf_counter() - started
            seconds_to_import(pythons[name], module)
            rows[name] = {
                "install_s": installed_s,
                "packages": len(packages(pythons[name])),
                "mb": megabytes(Path(scratch) / name),
                "import_s": [],
            }
        for _ in range(rounds):
            for name, (_, module) in LIBRARIES.items():
                rows[name]["import_s"].append(seconds_to_import(pythons[name], module))
    for row in rows.values():
        row["import_s"] = statistics.median(row["import_s"])
    ours = rows["agentcl"]
    table(
        ["", "packages", "MB", "install s", "import s", "import, agentcl = 1"],
        [
            [
                name,
                str(row["packages"]),
                f"{row['mb']:.0f}",
                f"{row['install_s']:.0f}",
                f"{row['import_s']:.3f}",
                f"{row['import_s'] / ours['import_s']:.1f}",
            ]
            for name, row in rows.items()
        ],
    )
    ratios = {name: rows[name]["import_s"] / ours["import_s"] for name in ("chromadb", "mem0ai")}
    broken = [
        *([f"{ours['packages']} packages"] if ours["packages"] > MOST_PACKAGES else []),
        *([f"{ours['mb']:.0f} MB"] if ours["mb"] > MOST_MB else []),
        *(f"only {r:.1f} times faster than {n}" for n, r in ratios.items() if r < TIMES_FASTER),
    ]
    print(f"\nat most {MOST_PACKAGES} packages and {MOST_MB} MB, imported {TIMES_FASTER} times faster: "
          + (f"no: {', '.join(broken)}" if broken else "yes"))  # fmt: skip
    save("startup", {"machine": machine(), "rounds": rounds, "rows": rows, "import_ratio": ratios})
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
