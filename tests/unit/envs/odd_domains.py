"""Environments that break, each in its own way."""

import os
import subprocess
import sys
import time
from pathlib import Path

from agentcl.envs.base import Observation, Outcome, Score
from agentcl.envs.domains.incidents.domain import IncidentDomain, IncidentEnvironment


class Odd(IncidentDomain):
    """Incidents whose every second step goes wrong in the way that the option says."""

    def __init__(self, way: str = "none", note: str = "") -> None:
        super().__init__()
        self.way, self.note = way, note

    def make(self) -> IncidentEnvironment:
        return OddEnvironment(self.way, self.note)


class OddEnvironment(IncidentEnvironment):
    def __init__(self, way: str, note: str) -> None:
        super().__init__()
        self.way, self.note = way, note
        self.steps = 0

    def step(self, action: str) -> Outcome:
        self.steps += 1
        if self.steps == 2:
            if self.way == "raise":
                raise RuntimeError("the engine has a fault")
            if self.way == "shut":
                super().close()
            if self.way == "die":
                sys.stderr.write("last words")
                sys.stderr.flush()
                os._exit(3)
            if self.way == "hang":
                child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
                Path(self.note).write_text(str(child.pid))
                time.sleep(600)
            if self.way == "print":
                sys.stdout.write("noise on standard output")
                sys.stdout.flush()
            if self.way == "long":
                outcome = super().step(action)
                return Outcome(Observation("x" * 5_000_000), 0.0, outcome.terminated, False)
        return super().step(action)

    def score(self) -> Score:
        return Score(float("nan"), 0.0, False) if self.way == "nan" else super().score()

    def close(self) -> None:
        super().close()
        if self.way == "stuck":
            raise RuntimeError("the door is stuck")
        if self.note and self.way == "close":
            Path(self.note).write_text("closed")
