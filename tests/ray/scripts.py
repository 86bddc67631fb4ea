"""What a model says on a cluster: each call is noted in a file, so that what was asked can be counted."""

import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agentcl.models import Message
from agentcl.statements import Digested, RuleDigester
from agentcl.store import Statement, Turn

_PAUSE_S = 0.02


@dataclass(frozen=True)
class SteeredBy:
    """Says of each passage whom it is about.

    Args:
        notes: the file in which each call is noted: about whom, and by which process.
        waits_at: about this one it says nothing before the file `gate` is there.
        gate: see `waits_at`.
        dies_at: asked about this one, its process ends at once.
    """

    notes: Path
    waits_at: str = ""
    gate: Path = Path("gate")
    dies_at: str = ""

    def __call__(self, messages: Sequence[Message]) -> str:
        found = re.search(r"steered by (\w+)", messages[-1].content)
        assert found
        name = found[1]
        with self.notes.open("a") as notes:  # one short write: no two calls mix
            notes.write(f"{name} {os.getpid()}\n")
        if name == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        while name == self.waits_at and not self.gate.exists():
            time.sleep(_PAUSE_S)
        return json.dumps({"facts": [[name, "steers", f"the boat of {name}"]], "names": [name]})

    def calls(self) -> list[tuple[str, int]]:
        """Return who was asked about, and by which process, in order."""
        if not self.notes.exists():
            return []
        lines = [line.split() for line in self.notes.read_text().splitlines()]
        return [(name, int(pid)) for name, pid in lines]

    def asked(self) -> Counter[str]:
        """Return how often each was asked about."""
        return Counter(name for name, _ in self.calls())


class NotingDigester(RuleDigester):
    """Reads by rules, and notes how much was known of those whom it reads about."""

    name = "noting"

    def __init__(self, notes: Path) -> None:
        super().__init__()
        self._notes = notes

    def digest(self, turns: Sequence[Turn], known: Sequence[Statement]) -> Digested:
        """Return what turns state."""
        with self._notes.open("a") as notes:
            notes.write(f"{turns[0].id} {len(known)}\n")
        return super().digest(turns, known)

    def notes(self) -> list[str]:
        """Return what was noted, sorted."""
        return sorted(self._notes.read_text().splitlines())
