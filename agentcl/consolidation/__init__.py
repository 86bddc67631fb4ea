"""Proved memory as LoRA adapters of the frozen model: chosen, built, trained, judged, and revoked with what they hold."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.consolidation.selecting import Choice, Policy, Selection, select

__all__ = ["Choice", "Policy", "Selection", "select"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "selecting": "Choice Policy Selection select",
    })  # fmt: skip
