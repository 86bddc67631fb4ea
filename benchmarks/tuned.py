"""Keep beside the results what `agentcl model tune` found on this machine.

    agentcl model tune URL --model NAME
    python benchmarks/tuned.py

The command remembers what it measured in the user's configuration, a file for each model.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from parts.results import FOLDER, machine, save, table

from agentcl.agents.probes import DECIDING
from agentcl.text.homes import config_folder

NAMED: Final = re.compile(r"^(?:openai|local):([^@]+)")


def main() -> None:
    """Read, show and save."""
    kept = FOLDER / "tuned.json"
    models = json.loads(kept.read_text("utf-8"))["models"] if kept.exists() else {}
    for file in sorted(config_folder("tuned").glob("*.json")):
        held = json.loads(file.read_text("utf-8"))
        found = NAMED.match(held["model"])
        models[found[1] if found else held["model"]] = {
            "fingerprint": file.stem,
            "chosen": held["way"],
            "examples": held["examples"],
            "is_constrained": held["is_constrained"],
            "followed": followed(held["figures"]),
            "figures": held["figures"],
        }
    table(
        ["model", "chosen", "followed, by form"],
        [[name, one["chosen"], str(one["followed"])] for name, one in models.items()],
    )
    save("tuned", {"machine": machine(), "models": models})


def followed(figures: dict[str, str]) -> dict[str, list[int]]:
    """Return by form how often a lesson was followed, and of how many times, where that decides."""
    forms: dict[str, Any] = {}
    for name, said in figures.items():
        probe, form, *condition = name.split(", ")
        if probe == "following" and condition[0] in DECIDING:
            right, cases = map(int, said.split(" of "))
            held = forms.setdefault(form, [0, 0])
            held[:] = held[0] + right, held[1] + cases
    return forms


if __name__ == "__main__":
    main()
