"""Why a lesson is not shown in a situation: the first test that it fails."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from agentcl.guidance.evidence.belief import Example
from agentcl.guidance.meaning.decision import threshold
from agentcl.guidance.meaning.relevance import COVERED
from agentcl.guidance.meaning.same import content
from agentcl.guidance.selection import Choice, Place, can_be_done, line_of
from agentcl.guidance.state import GuidanceState
from agentcl.text.tokens import TokenCounter, estimate_tokens


def why_not(
    state: GuidanceState,
    place: Place,
    id: str,
    choice: Choice,
    *,
    read: Mapping[str, float] | None = None,
    used: Mapping[str, Example] | None = None,
    checked: Mapping[str, float] | None = None,
    actions: Collection[str] = (),
    in_vain: Collection[str] = (),
    count_tokens: TokenCounter = estimate_tokens,
) -> str:
    """Return in a sentence why a lesson is not shown, or that it is.

    Args:
        state: what is believed.
        place: where the agent stands, with what was matched.
        id: of a lesson that the view sees.
        choice: what was chosen there.
        read: the chances of the lessons that were read; None: they were matched by their words.
        used: by lesson, what was found of it in this very situation before.
        checked: by lesson, the log-odds by a model's word.
        actions: that could be taken, if they are known.
        in_vain: actions that were taken in vain.
        count_tokens: of the model.
    """
    held = state.lessons[id]
    made = held.guidance
    by_id = {
        offer.guidance.id: offer for offer in (*choice.shown, *choice.withheld, *choice.left_out)
    }
    if id in by_id:
        offer = by_id[id]
        if offer in choice.shown:
            return f"it is shown{_decided(used, id, is_matched=True)}"
        if offer in choice.withheld:
            return (
                f"a coin left it out of this episode, to measure its worth; it is shown in {offer.probability:.0%} of "
                "such episodes"
            )
        return f"there is no room: it takes {count_tokens(line_of(made)) + 1} tokens"
    if not held.is_offered(place.application, place.world):
        where = f"in world {made.world!r}" if made.level == "instance" else ""
        return f"it is offered only {where or f'in application {made.application!r}'}"
    belief = state.belief(id, cluster=place.cluster, world=place.world, view=place.view)
    if not belief.is_in_use:  # in no situation it is shown
        return f"it is {belief.stage}: {belief.why}"
    if place.matched is not None and id not in place.matched:
        denied = ""
        if id in (checked or {}):
            denied = f"; a model was asked, and says that it does{'' if (checked or {})[id] > 0 else ' not'}"
        return f"{_unmatched(held.guidance.when, place.text, id, read)}{denied}{_decided(used, id, is_matched=False)}"
    if not can_be_done(made, actions, in_vain):
        return "what it says to do cannot be done now, or was done in vain already"
    if belief.uplift <= 0:
        return f"it is not expected to help: {belief.uplift:+.2f} of the score"
    return "another lesson for this situation is more certain, or enough are on trial already"


def _decided(used: Mapping[str, Example] | None, id: str, *, is_matched: bool) -> str:
    """Return in words which earlier use decided, if one did."""
    one = (used or {}).get(id)
    if one is None or one.applies is not is_matched:
        return ""
    how = "applied" if one.applies else "did not apply"
    return f"; it {how} when the same was seen before ({one.record})"


def _unmatched(when: str, text: str, id: str, read: Mapping[str, float] | None) -> str:
    if read is not None and id in read:
        return f"it speaks of this situation with a probability of {read[id]:.2f}; {threshold():.2f} are needed"
    if read is not None:
        return f"{len(read)} other lessons are more like this situation"
    words, seen = list(dict.fromkeys(content(when))), set(content(text))
    missing = [word for word in words if word not in seen]
    return (
        f"{len(words) - len(missing)} of the {len(words)} words of its “when” are in the situation, and "
        f"{COVERED:.0%} are needed; missing: {', '.join(missing)}"
    )
