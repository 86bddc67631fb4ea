"""Proved memory as LoRA adapters of the frozen model: chosen, built, trained, judged, and revoked with what they hold."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.consolidation.building import Manifest, Row, rows_of
    from agentcl.consolidation.exporting import export_episodes
    from agentcl.consolidation.registry import AdapterDifference, Adapters, HeldRecord
    from agentcl.consolidation.selecting import Choice, Policy, Selection, select

__all__ = [
    "AdapterDifference", "Adapters", "Choice", "HeldRecord", "Manifest", "Policy", "Row", "Selection",
    "export_episodes", "rows_of", "select",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "building": "Manifest Row rows_of",
        "exporting": "export_episodes",
        "registry": "AdapterDifference Adapters HeldRecord",
        "selecting": "Choice Policy Selection select",
    })  # fmt: skip
