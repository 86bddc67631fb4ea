"""The measured tables of how models are asked; `report.py` puts them into the pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from report_tables import RESULTS, result, table

from agentcl.agents.forms import FORMS
from agentcl.agents.probes import CONDITIONS


def following() -> str:
    """In which form a lesson is followed."""
    rows = []
    for model, found in _models():
        for way, form in FORMS.items():
            cells = {
                row["condition"]: _share(row)
                for row in found["rows"]
                if (row["probe"], row["asked"]) == ("following", way)
            }
            if cells:
                name = f"**{way}**" if way == found["chosen"] else way
                shown = [cells.get(condition, "") for condition in CONDITIONS]
                rows.append([model, name, form.about, *shown])
    return table(["model", "form", "asked for", *CONDITIONS], rows)


def written() -> str:
    """After how many examples lessons are true."""
    rows = []
    for model, found in _models():
        for row in found["rows"]:
            if row["probe"] == "lessons":
                also = [
                    f"{100 * row['also'].get(name, 0) / row['cases']:.0f}"
                    for name in ("in form", "new")
                ]
                rows.append([model, row["asked"], _share(row), *also])
    return table(["model", "asked", "true", "in form", "not copied"], rows)


def other_probes() -> str:
    """Objects and reading."""
    rows = [
        [model, row["probe"], row["asked"], _share(row)]
        for model, found in _models()
        for row in found["rows"]
        if row["probe"] in ("objects", "tools", "reading")
    ]
    return table(["model", "probe", "asked", "right"], rows)


def _models() -> Iterator[tuple[str, Mapping[str, Any]]]:
    if not (RESULTS / "following.json").exists():  # nobody measured yet
        return
    for model, found in result("following")["models"].items():
        yield f"{model}, {found['cases']} cases", found


def _share(row: Mapping[str, Any]) -> str:
    return f"{100 * row['share']:.0f} [{100 * row['low']:.0f}, {100 * row['high']:.0f}]"
