"""Unpacking a GGUF in a process of its own.

The libraries that unpack keep memory of the size of the model, and whoever has it unpacked, such as a server, goes on for days.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

from agentcl.errors import ModelUnavailable
from agentcl.models.gguf import check_unpacks, unpack
from agentcl.process import ChildProcess
from agentcl.text.parsing import parsed_json

# Not `-m`: the working folder must not be on the child's path, and we must, wherever this process found us.
_PROGRAM: Final = (
    f"import sys; sys.path.append({str(Path(__file__).resolve().parents[2])!r}); "
    "from agentcl.models.unpacking import main; main()"
)
_LOOK_S: Final = 3600.0  # a wait of this kind is only cut up


def unpack_apart(file: Path, folder: Path) -> None:
    """Do as `agentcl.models.gguf.unpack`, and raise as that does."""
    check_unpacks(file)
    command = [sys.executable, "-P", "-c", _PROGRAM, str(file), str(folder)]
    with ChildProcess(command, name="what unpacks the model") as child:
        while child.wait(_LOOK_S) is None:
            pass
        if child.wait(0.0):
            raise ModelUnavailable(_said(child.tail()) or f"cannot unpack {file}: {child.fate()}")


def main() -> None:
    """Unpack what the arguments name: the file, and the new folder."""
    file, folder = map(Path, sys.argv[1:])
    try:
        unpack(file, folder)
    except ModelUnavailable as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
        sys.exit(1)


def _said(log: str) -> str:
    """Return the error at the end of what the process printed, among what libraries print."""
    for line in reversed(log.splitlines()):
        try:
            told = parsed_json(line)
        except ValueError:
            continue
        if isinstance(told, dict) and isinstance(told.get("error"), str):
            return str(told["error"])
    return ""
