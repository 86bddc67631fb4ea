"""What the base install costs, beside chromadb and mem0ai: packages, megabytes, seconds to import.

    python benchmarks/startup.py

Each is installed from its package index into a fresh virtual environment; an empty one is measured too.
Imports are timed in new processes, the libraries taking turns, after one round that compiles; the
median counts. What is imported is the class that a user begins with, since `import agentcl` alone loads next to
nothing. Beside it stands what `agentcl --help` takes of the processor, and what importing click takes.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from parts.peers import ROOT, install
from parts.results import machine, save, table

LIBRARIES = {  # name: (what pip installs, what a program begins with)
    "empty": ((), "import sys"),
    "agentcl": ((str(ROOT),), "from agentcl import Memory"),
    "chromadb": (("chromadb",), "from chromadb import PersistentClient"),
    "mem0ai": (("mem0ai",), "from mem0 import Memory"),
}
COMMANDS = {  # of the environment that agentcl is in
    "agentcl --help": ("agentcl", "--help"),
    "import click": ("python", "-c", "import click"),
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


def seconds_to_import(python: Path, statement: str) -> float:
    """Return how long a new process takes to import something, its own start left out."""
    code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def processor_seconds(program: Path, *arguments: str) -> float:
    """Return the processor time of a process, its own start included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([program, *arguments], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


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
        for name, (requirements, statement) in LIBRARIES.items():
            started = time.perf_counter()
            pythons[name] = install(Path(scratch) / name, *requirements)
            installed_s = time.perf_counter() - started
            seconds_to_import(pythons[name], statement)
            rows[name] = {
                "install_s": installed_s,
                "packages": len(packages(pythons[name])),
                "mb": megabytes(Path(scratch) / name),
                "import_s": [],
            }
        commands: dict[str, list[float]] = {name: [] for name in COMMANDS}
        programs = pythons["agentcl"].parent
        processor_seconds(programs / "agentcl", "--help")  # compiles
        for _ in range(rounds):
            for name, (_, statement) in LIBRARIES.items():
                rows[name]["import_s"].append(seconds_to_import(pythons[name], statement))
            for name, (program, *arguments) in COMMANDS.items():
                commands[name].append(processor_seconds(programs / program, *arguments))
    for row in rows.values():
        row["import_s"] = statistics.median(row["import_s"])
    command_s = {name: statistics.median(times) for name, times in commands.items()}
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
    print("\nprocessor seconds: " + ", ".join(f"{name} {s:.3f}" for name, s in command_s.items()))
    ratios = {name: rows[name]["import_s"] / ours["import_s"] for name in ("chromadb", "mem0ai")}
    broken = [
        *([f"{ours['packages']} packages"] if ours["packages"] > MOST_PACKAGES else []),
        *([f"{ours['mb']:.0f} MB"] if ours["mb"] > MOST_MB else []),
        *(f"only {r:.1f} times faster than {n}" for n, r in ratios.items() if r < TIMES_FASTER),
    ]
    print(f"\nat most {MOST_PACKAGES} packages and {MOST_MB} MB, imported {TIMES_FASTER} times faster: "
          + (f"no: {', '.join(broken)}" if broken else "yes"))  # fmt: skip
    save("startup", {"machine": machine(), "rounds": rounds, "rows": rows, "import_ratio": ratios,
                     "command_s": command_s})  # fmt: skip
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
