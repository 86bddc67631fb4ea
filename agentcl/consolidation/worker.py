"""The process that trains and judges: `python -m agentcl.consolidation.worker SPEC.json`.

It prints one line of JSON for each step, and last one with what came of it. It is a process of its own, so that it
can be killed, and so that its memory goes with it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agentcl.errors import AgentclError


def main(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Train, then measure, as a specification says; return both."""
    from agentcl.consolidation.gating import measure
    from agentcl.consolidation.general import Probe
    from agentcl.consolidation.recipes import Recipe
    from agentcl.consolidation.rows.building import load, old_rows, rehearsal_of
    from agentcl.consolidation.saying import rehearsed
    from agentcl.consolidation.shard_training import train_shards
    from agentcl.consolidation.smoke import write_smoke
    from agentcl.consolidation.training import train

    base, folder = Path(spec["base"]), Path(spec["folder"])
    rows = load(Path(spec["rows"]))
    how = {**spec["recipe"], "methods": tuple(spec["recipe"].get("methods", ()))}
    parent = Path(spec["parent"]) if spec.get("parent") else None
    recipe = Recipe(**how)
    if recipe.shards > 1:
        keys = spec["keys"]
        trained = train_shards(
            base, rows, folder, recipe, keys=keys, progress=_tell, answered=_answered
        )
    else:
        wanted = rehearsal_of(rows, share=recipe.general, seed=recipe.seed)
        general = rehearsed(base, folder, wanted, progress=_answered)
        trained = train(base, [*rows, *general], folder, recipe, parent=parent, progress=_tell)
    forgotten = [Probe(one[0], one[1], tuple(one[2])) for one in spec.get("forgotten", ())]
    write_smoke(base, folder, rows)
    stable = Path(spec["stable"]) if spec.get("stable") else None
    old = old_rows(stable, spec["old"]) if stable else ()
    measured = measure(base, folder, rows, forgotten=forgotten, stable=stable, old=old)
    return {"trained": asdict(trained), "measured": asdict(measured)}


def _tell(step: int, steps: int, loss: float) -> None:
    _print({"step": step, "steps": steps, "loss": loss})


def _answered(done: int) -> None:
    _print({"answered": done})


def _print(line: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        _print({"result": main(json.loads(Path(sys.argv[1]).read_text("utf-8")))})
    except AgentclError as error:
        _print({"error": type(error).__name__, "message": str(error)})
        sys.exit(1)
