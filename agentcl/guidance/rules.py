"""What can be set about guidance: its price and budget, and which parts of the method are on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PRICE: Final = 1e-5  # of the score that one token in a prompt must gain
BUDGET_TOKENS: Final = 400  # for the lessons in one prompt


@dataclass(frozen=True, slots=True)
class GuidanceRules:
    """The parts of the method. All are on; what one pays is measured by leaving it out."""

    credit: bool = True  # worth by controlled exposure; off: no coin, what is hoped is believed
    tests: bool = True  # trust by confirmation and refutation; off: the prior of its origin stays
    merging: bool = True  # lessons that say the same are one; off: each is kept by itself
    narrowing: bool = True  # by kind of task and world; off: one belief for all of them
    transfer: bool = True  # to worlds where a lesson was never tested; off: it is not offered there
    situations: bool = True  # only what speaks of the situation; off: whatever was learned here

    def place(self, world: str) -> str:
        """Return the world that beliefs are kept by."""
        return world if self.narrowing else ""
