"""Canaries: what an adapter is worth, from the sessions that a coin gave it and those that it did not, and the rule.

An adapter is a lesson without tokens. Its uplift is a posterior from controlled exposure, by the same credit as that of
lessons (`agentcl.guidance.evidence.credit`), about nothing expected of it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from agentcl.errors import AgentclError, StoreCorrupt
from agentcl.memory.adapters.files import check_files
from agentcl.memory.opened import Opened
from agentcl.store.adapters import ADAPTER_STATES, Adapter, AdapterState
from agentcl.store.episodes import AdapterCoin
from agentcl.store.writing import Writing

if TYPE_CHECKING:
    from agentcl.guidance.state import GuidanceState

Verdict = Literal["promote", "roll back", "go on"]
LEAST_TRIED: Final = 10  # episodes with and without it, before outcomes decide
_SURE: Final = 0.975  # as of lessons
_MOST_REASON: Final = 300  # characters
_NO_WORSE: Final = 0.05  # points of score: what it saves in tokens is worth as much

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AdapterTrial:
    """What is known of an adapter by outcomes, in points of score."""

    name: str
    uplift: float  # expected gain in score where it answers
    sd: float  # of that
    shown: float  # episodes in which a coin let it answer; discounted ones count less
    withheld: float  # and in which it did not: its controls
    verdict: Verdict
    why: str


def trial_of(state: GuidanceState, held: Adapter) -> AdapterTrial:
    """Return what outcomes say of an adapter, and what the rule makes of that."""
    known = state.belief_of_adapter(held.id)
    helps, is_no_worse = known.probability_positive, _above(known.mean, known.sd, -_NO_WORSE)
    verdict: Verdict = "go on"
    least = min(known.shown, known.withheld)
    why = f"{least:.0f} of at least {LEAST_TRIED} episodes with it and without it"
    if least >= LEAST_TRIED:
        why = f"it helps with a probability of {helps:.2f}, and loses less than {_NO_WORSE} with {is_no_worse:.2f}"
        if helps < 1 - _SURE:
            verdict = "roll back"
        elif is_no_worse > _SURE:
            verdict = "promote"
    return AdapterTrial(held.name, known.mean, known.sd, known.shown, known.withheld, verdict, why)


def settle(opened: Opened, state: GuidanceState, canaries: Iterable[Adapter]) -> list[AdapterTrial]:
    """Promote canaries that outcomes say are no worse, take back those that harm; return what decided.

    One whose files are not those that were trained is taken back.
    """
    trials = [trial_of(state, one) for one in canaries]
    by_name = {one.name: one for one in trials if one.verdict != "go on"}
    if not by_name:
        return trials
    with opened.journal.writing() as writing:
        # Read in the transaction: another process may have decided meanwhile.
        for held in _canaries(opened):
            if (found := by_name.get(held.name)) is None:
                continue
            if found.verdict == "roll back":
                become(writing, held, "retired", f"taken back by outcomes: {found.why}")
                continue
            try:
                check_files(opened.path, held)
            except StoreCorrupt as error:
                become(writing, held, "retired", f"taken back: {error}"[:_MOST_REASON])
                continue
            put_in_place(opened, writing, held, f"promoted by outcomes: {found.why}")
    return trials


def settle_after(
    opened: Opened, state: GuidanceState, coins: Iterable[AdapterCoin], score: float | None
) -> None:
    """Let the rule look at the canaries of an episode that has a score now. What fails is tried at the next one."""
    tried = {one.adapter for one in coins if 0 < one.probability < 1}
    if score is None or not tried:
        return
    try:
        settle(opened, state, [one for one in _canaries(opened) if one.id in tried])
    except AgentclError as error:
        logger.warning("no canary was decided about: %s", error)


def put_in_place(opened: Opened, writing: Writing, held: Adapter, reason: str) -> Adapter:
    """Make an adapter the stable one of its scope, inside a transaction."""
    for one in opened.journal.records(Adapter, view=held.scope.exactly()):
        if one.state == "stable" and one.id != held.id:
            become(writing, one, "retired", f"{held.name} took its place")
            held = replace(held, replaced=one.id)
    return become(writing, held, "stable", reason)


def become(
    writing: Writing, one: Adapter, state: AdapterState, reason: str, *, share: float = 0.0
) -> Adapter:
    """Store the next state of an adapter, inside a transaction."""
    assert state in ADAPTER_STATES
    stored = writing.revise(replace(one, state=state, reason=reason, share=share))
    assert isinstance(stored, Adapter)
    return stored


def _canaries(opened: Opened) -> list[Adapter]:
    return [one for one in opened.routes.all() if one.state == "canary"]


def _above(mean: float, sd: float, limit: float) -> float:
    """Return the probability that a normal variable is above a limit."""
    return 0.5 * (1 + math.erf((mean - limit) / (sd * math.sqrt(2))))
