"""Proved memory as LoRA adapters of the frozen model: chosen, built, trained, judged, and revoked with what they hold."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.consolidation.bounds import Bounds, Measured, judge
    from agentcl.consolidation.building import Manifest, Row, rows_of
    from agentcl.consolidation.exporting import export_episodes
    from agentcl.consolidation.general import GENERAL, Probe
    from agentcl.consolidation.job import Consolidate, Wish, unfinished
    from agentcl.consolidation.methods import EWC, L2ToStart, Method, Replay, Run
    from agentcl.consolidation.recipes import Recipe
    from agentcl.consolidation.registry import AdapterDifference, Adapters, HeldRecord
    from agentcl.consolidation.selecting import Choice, Policy, Selection, select

__all__ = [
    "EWC", "GENERAL", "AdapterDifference", "Adapters", "Bounds", "Choice", "Consolidate", "HeldRecord",
    "L2ToStart", "Manifest", "Measured", "Method", "Policy", "Probe", "Recipe", "Replay", "Row", "Run",
    "Selection", "Wish", "export_episodes", "judge", "rows_of", "select", "unfinished",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "bounds": "Bounds Measured judge",
        "building": "Manifest Row rows_of",
        "exporting": "export_episodes",
        "general": "GENERAL Probe",
        "job": "Consolidate Wish unfinished",
        "methods": "EWC L2ToStart Method Replay Run",
        "recipes": "Recipe",
        "registry": "AdapterDifference Adapters HeldRecord",
        "selecting": "Choice Policy Selection select",
    })  # fmt: skip
