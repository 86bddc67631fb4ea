"""Virtual environments of their own for the libraries that agentcl is measured against."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def install(folder: Path, *requirements: str) -> Path:
    """Make a fresh virtual environment with these requirements; return its Python."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    if requirements:
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*map(str, command), *requirements], check=True, cwd=ROOT)
    return python


def kept(name: str, *requirements: str) -> Path:
    """Return the Python of an environment that is kept between runs in `.bench/`."""
    folder = ROOT / ".bench" / "environments" / name
    done = folder / "installed"
    if not done.exists():
        print(f"installing {' '.join(requirements)} in an environment of its own", file=sys.stderr)
        install(folder, *requirements)
        done.touch()
    return folder / "bin" / "python"
