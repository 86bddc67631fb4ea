"""A process that has a memory's passages read on a cluster, for tests to kill: MEMORY ADDRESS NOTES WAITS_AT GATE."""

import sys
from pathlib import Path

from agentcl import Memory
from agentcl.jobs import Ray
from agentcl.memory import ModelExtractor
from agentcl.models import ScriptedModel
from tests.ray.scripts import SteeredBy

if __name__ == "__main__":
    path, address, notes, waits_at, gate = sys.argv[1:]
    script = SteeredBy(Path(notes), waits_at, Path(gate))
    with Memory(path) as memory:
        memory.facts.extract(ModelExtractor(ScriptedModel(script)), on=Ray(address), workers=1)
