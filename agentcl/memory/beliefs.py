"""What is believed of the lessons of each tenant, kept in step with the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentcl.guidance.rules import GuidanceRules
from agentcl.memory.opening import Opened

if TYPE_CHECKING:
    from agentcl.guidance.state import GuidanceState


class Beliefs:
    """One state of guidance for each tenant; shared by all handles of a memory."""

    def __init__(self, opened: Opened) -> None:
        self.rules = GuidanceRules()
        self._opened = opened
        self._states: dict[str, GuidanceState] = {}

    def state(self, tenant: str = "") -> GuidanceState:
        """Return what is believed of a tenant's lessons, with all that the journal has by now."""
        from agentcl.guidance.state import KINDS, GuidanceState

        journal = self._opened.journal
        with self._opened.lock:
            held = self._states.get(tenant)
            if held is None or not all(
                held.apply(row) for row in journal.since(held.watermark, kinds=KINDS)
            ):
                rows = journal.since(0, kinds=KINDS)
                held = GuidanceState.of(rows, tenant=tenant, rules=self.rules)
                self._states[tenant] = held
            return held
