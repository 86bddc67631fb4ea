"""The tables of conversations: what stands in the prompt, what statements are worth, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from report_tables import RESULTS, result, table

SUITES = {
    "natural": "natural dialogues",
    "made": "made by seed",
    "held-out": "made, held-out phrasings",
}
KINDS = ("now", "then", "since", "date", "who", "set", "instruction")


def holding() -> str:
    """Return for each suite and arm what stands in the prompt."""
    rows = []
    for suite, found in _suites().items():
        for arm, of_arm in found["arms"].items():
            measures = of_arm["all"]
            answers = measures.get("answers", {"n": 0})
            rows.append(
                [
                    SUITES[suite],
                    arm,
                    f"{of_arm['tokens']:.0f}",
                    _cell(measures["right"]),
                    _cell(measures["stale"]),
                    _cell(measures["lure"]),
                    _cell(measures["wrong of all"]),
                    _cell(answers),
                ]
            )
    header = [
        "suite",
        "arm",
        "tokens",
        "right",
        "stale beside it",
        "lure beside it",
        "either, of all",
        "answers",
    ]
    return table(header, rows)


def holding_kinds() -> str:
    """Return for each suite and arm the share of right values, and of wrong ones beside them, by kind."""
    rows = []
    for suite, found in _suites().items():
        for arm, of_arm in found["arms"].items():
            cells = []
            for kind in KINDS:
                measures = of_arm["kinds"].get(kind)
                cells.append("" if measures is None else _pair(measures))
            rows.append([SUITES[suite], arm, *cells])
    return table(["suite", "arm", *KINDS], rows)


def holding_statements() -> str:
    """Return how the statements of each arm compare with the gold ones."""
    rows = []
    for suite, found in _suites().items():
        for arm, of_arm in found["arms"].items():
            if (held := of_arm.get("statements")) is None:
                continue
            rows.append(
                [
                    SUITES[suite],
                    arm,
                    f"{held['gold']:,}",
                    f"{held['found']:,}",
                    *(
                        f"{held[name]:.1f}"
                        for name in ("recall", "precision", "f1", "invented share")
                    ),
                    f"{held['injected']}",
                    f"{held['dates resolved']:.1f} ({held['dated']})",
                ]
            )
    header = [
        "suite",
        "arm",
        "gold",
        "found",
        "recall",
        "precision",
        "F1",
        "invented",
        "injected",
        "dates resolved",
    ]
    return table(header, rows)


def _suites() -> dict[str, Any]:
    return {
        suite: result(f"holding-{suite}")
        for suite in SUITES
        if Path(RESULTS / f"holding-{suite}.json").exists()
    }


def _cell(found: Mapping[str, Any]) -> str:
    if not found["n"]:
        return ""
    return f"{found['share']:.1f} [{found['low']:.0f}, {found['high']:.0f}] ({found['n']:,})"


def _pair(measures: Mapping[str, Any]) -> str:
    right, wrong = measures["right"], measures["wrong"]
    if not right["n"]:
        return ""
    beside = f", {wrong['share']:.0f}" if wrong["n"] else ""
    return f"{right['share']:.0f}{beside} ({right['n']})"
