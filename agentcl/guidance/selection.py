"""Which lessons stand in a prompt: a budgeted choice, with a coin for those that are still on trial.

Every lesson that speaks of the situation gets a probability of being shown, which is recorded with what the
coin said. So each lesson has a control arm, the episodes that it was withheld from, and its credit does not
depend on the kind of task that it happened to appear on.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Final

from agentcl.guidance.admission import refusal
from agentcl.guidance.evidence.belief import Belief, lesson_of
from agentcl.guidance.evidence.sight import sight_of
from agentcl.guidance.meaning.same import AGAINST, content, names
from agentcl.guidance.rules import BUDGET_TOKENS, PRICE
from agentcl.guidance.state import GuidanceState
from agentcl.guidance.verdicts import LEAST_ARM, PROVED
from agentcl.lessons import Lesson
from agentcl.store.episodes import Exposure, Guidance
from agentcl.store.records import Scope, ScopeView
from agentcl.text.tokens import TokenCounter, estimate_tokens

_MOST_WEIGHED: Final = 100  # lessons whose worth is computed for one prompt
_TRIALS: Final = 3  # lessons on trial in one prompt; more would share one outcome among too many
_FOREIGN_TRIALS: Final = 1  # of these from one author that is no experience of the agent's own
_TRIAL: Final = (0.6, 0.97)  # bounds of the probability of showing a lesson on trial
_DOUBTED: Final = 0.1  # of one that is not expected to help, and was not tried often enough to know
_ACTIVE: Final = 0.97  # of one that proved itself: few are enough to go on watching it ...
_SETTLED: Final = 0.99  # ... and fewer, once it was tested often
_OFTEN: Final = 5


@dataclass(frozen=True, slots=True)
class Offer:
    """A lesson that speaks of the situation, and what is expected of showing it."""

    guidance: Guidance
    number: int  # of its arrival
    belief: Belief
    probability: float  # of showing it
    gain: float  # expected in score, less the price of its tokens
    tokens: int


@dataclass(frozen=True, slots=True)
class Choice:
    """What goes into a prompt: whole lessons in a stable order, and the record of the coins."""

    shown: tuple[Offer, ...]
    withheld: tuple[Offer, ...]  # by the coin
    left_out: tuple[Offer, ...]  # for want of room; nothing follows from that
    exposures: tuple[Exposure, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """The lessons as sentences."""
        return tuple(line_of(offer.guidance) for offer in self.shown)

    @property
    def tokens(self) -> int:
        """What the shown lessons take."""
        return sum(offer.tokens for offer in self.shown)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an agent stands: what it sees, and on what kind of task, in which world."""

    text: str
    application: str
    cluster: str
    world: str
    view: ScopeView  # whose lessons may be shown
    matched: Mapping[str, float] | None = None  # ids that speak of it, from 0 to 1; None: by words


def line_of(guidance: Guidance) -> str:
    """Return a lesson as it stands in a prompt."""
    return lesson_of(guidance).sentence()


def choose(
    state: GuidanceState,
    place: Place,
    rng: random.Random,
    *,
    budget_tokens: int = BUDGET_TOKENS,
    count_tokens: TokenCounter = estimate_tokens,
    price: float = PRICE,
    is_frozen: bool = False,
    decided: Mapping[str, Exposure] | None = None,
    actions: Collection[str] = (),
    in_vain: Collection[str] = (),
    standing: Collection[str] = (),
) -> Choice:
    """Return the lessons that are expected to help most for their tokens, none if none is.

    Args:
        state: what is believed.
        place: where the agent stands.
        rng: the coin.
        budget_tokens: a hard ceiling for the lines together.
        count_tokens: of the model.
        price: of the score that one token must gain.
        is_frozen: nothing is on trial: what is expected to help is shown, and nothing else.
        decided: coins of this episode that were thrown already; they are not thrown again.
        actions: that can be taken, if they are known.
        in_vain: actions of this episode that no lesson should say again.
        standing: lessons that stay in the prompt whatever is chosen. They are not in the choice, take room, and count
            among those on trial.
    """
    there = [_standing(state, place, id, count_tokens) for id in standing]
    budget_tokens -= sum(offer.tokens for offer in there)
    found = [
        offer
        for offer in _offers(state, place, count_tokens, price, is_frozen=is_frozen)
        if can_be_done(offer.guidance, actions, in_vain) and offer.guidance.id not in standing
    ]
    found = [*there, *found]
    offers = [
        offer
        for offer in _on_trial(
            _without_needless(
                _without_beaten(state, _without_general(_without_twins(found)), place)
            )
        )
        if offer.guidance.id not in standing
    ]
    held = decided or {}
    drawn: list[Offer] = []
    withheld: list[Offer] = []
    for offer in offers:
        before = held.get(offer.guidance.id)
        is_drawn = before.is_shown if before else rng.random() < offer.probability
        (drawn if is_drawn else withheld).append(offer)
    shown, left_out = _pack(drawn, budget_tokens, held)
    # What stood there before comes first, in its order, so that a server's prefix cache still knows the head.
    places = {id: place for place, id in enumerate(held)}
    shown.sort(key=lambda offer: (places.get(offer.guidance.id, len(places)), offer.number))
    exposures = [
        held.get(offer.guidance.id)
        or Exposure(offer.guidance.id, offer.probability, is_shown, tokens=offer.tokens)
        for offers, is_shown in ((shown, True), (withheld, False))
        for offer in offers
    ]
    return Choice(tuple(shown), tuple(withheld), tuple(left_out), tuple(exposures))


def _offers(
    state: GuidanceState, place: Place, count_tokens: TokenCounter, price: float, *, is_frozen: bool
) -> list[Offer]:
    """Return the lessons that may be shown, best first for their tokens."""
    found: list[Offer] = []
    for id, share in _candidates(state, place):
        held = state.lessons[id]
        guidance = held.guidance
        belief = state.belief(id, cluster=place.cluster, world=place.world, view=place.view)
        if not belief.is_in_use:
            continue
        tokens = count_tokens(line_of(guidance)) + 1
        gain = belief.uplift * share - price * tokens
        is_certain = is_frozen or not state.rules.credit
        trust = belief.trust if _is_own(guidance) else 0.0
        probability = float(gain > 0) if is_certain else probability_of(belief, gain, trust=trust)
        if probability > 0:
            found.append(Offer(guidance, held.number, belief, probability, gain, tokens))
    found.sort(key=lambda offer: (-offer.gain / offer.tokens, offer.number))
    return list(_telling_first(found))


def _telling_first(offers: Iterable[Offer]) -> Iterator[Offer]:
    """Yield the lessons on one situation together, at the place of the best: what to do before what not to do."""
    situations: dict[tuple[str, ...], list[Offer]] = {}
    for offer in offers:
        situations.setdefault(tuple(content(offer.guidance.when)), []).append(offer)
    for alike in situations.values():
        yield from sorted(alike, key=lambda offer: offer.guidance.claim in AGAINST)


def _standing(state: GuidanceState, place: Place, id: str, count_tokens: TokenCounter) -> Offer:
    """Return what stands in the prompt, as an offer."""
    held = state.lessons[id]
    belief = state.belief(id, cluster=place.cluster, world=place.world, view=place.view)
    tokens = count_tokens(line_of(held.guidance)) + 1
    return Offer(held.guidance, held.number, belief, 1.0, belief.uplift, tokens)


def can_be_done(guidance: Guidance, actions: Collection[str], in_vain: Collection[str]) -> bool:
    """Return whether what a lesson says to do, or not to do, is possible now, as far as that is known."""
    if guidance.claim != "do" and guidance.claim not in AGAINST:
        return True
    if guidance.claim == "do" and any(names(guidance.what, action) for action in in_vain):
        return False
    if not guidance.is_action or not actions:
        return True
    return any(names(guidance.what, action) for action in actions)


@lru_cache(maxsize=10_000)
def _is_admitted(lesson: Lesson) -> bool:
    """Return whether a lesson passes the gate now: what was stored may have come past it."""
    return refusal(lesson) is None


def _candidates(state: GuidanceState, place: Place) -> list[tuple[str, float]]:
    """Return the lessons that speak of a situation, with how much of their "when" it has.

    Of very many, those that are worth weighing: what speaks of it most, and fared best in tests.
    """
    covering: Mapping[str, float]
    if not state.rules.situations:
        covering = dict.fromkeys(state.lessons, 1.0)
    elif place.matched is not None:
        covering = place.matched
    else:
        covering = state.covering(place.text, place.view)
    lessons = state.lessons
    # The cheap conditions first: there may be very many.
    held: list[tuple[float, int, int, str]] = []
    own = sight_of(place.view).witnesses
    for id, share in covering.items():
        one = lessons[id]
        if one.is_offered(place.application, place.world):
            balance = sum(own(one.balance)) if one.balance else 0
            held.append((share, balance, one.number, id))
    if len(held) > _MOST_WEIGHED:
        held.sort(reverse=True)
    sees = place.view.sees
    visible = (
        (id, share)
        for share, _, _, id in held
        if sees(lessons[id].guidance.scope) and _is_admitted(lessons[id].lesson)
    )
    return list(islice(visible, _MOST_WEIGHED))


def probability_of(belief: Belief, gain: float, *, trust: float = 0.0) -> float:
    """Return with which probability something is shown that is believed to gain so much.

    While little is known it is the probability that showing it helps (Thompson 1933, "On the likelihood that one unknown probability
    exceeds another"), or, where that is higher, that it holds: of what an agent lived through most holds, and tests tell what
    does not, so few controls are enough.

    Args:
        belief: what is known of it.
        gain: expected in score, less the price of its tokens.
        trust: with which probability it holds, where it is of the agent's own experience; 0: it is not.
    """
    helps = 0.5 * (1 + math.erf(gain / (belief.sd * math.sqrt(2))))
    is_trusted = trust >= PROVED
    if gain <= 0:
        if min(belief.shown, belief.withheld) >= LEAST_ARM:
            return 0.0
        # Else one unlucky coin would end a good lesson.
        return max(_DOUBTED, helps) if is_trusted else _DOUBTED
    if belief.stage == "active":
        return _SETTLED if belief.tests >= _OFTEN else _ACTIVE
    low, high = _TRIAL
    return min(high, max(low, helps, trust if is_trusted else 0.0))


def _without_beaten(state: GuidanceState, offers: Iterable[Offer], place: Place) -> list[Offer]:
    """Drop what to do in a situation where the newest test spoke against it, and not against another."""
    held = list(offers)
    sight = sight_of(place.view)
    doubted = {
        offer.guidance.id
        for offer in held
        if offer.guidance.claim == "do"
        and state.trust.is_refuted_last(offer.guidance.id, place.world, sight)
    }
    if not doubted:
        return held
    trusted = {
        content(offer.guidance.when)
        for offer in held
        if offer.guidance.claim == "do" and offer.guidance.id not in doubted
    }
    return [
        offer
        for offer in held
        if offer.guidance.id not in doubted or content(offer.guidance.when) not in trusted
    ]


def _without_general(offers: Iterable[Offer]) -> list[Offer]:
    """Drop what to do in a situation where it is known what to do in a more particular one, which this is."""
    held = list(offers)
    particular = [
        frozenset(content(offer.guidance.when))
        for offer in held
        if offer.guidance.claim == "do" and offer.belief.stage == "active" and offer.gain > 0
    ]
    return [
        offer
        for offer in held
        if offer.guidance.claim != "do"
        or not any(frozenset(content(offer.guidance.when)) < one for one in particular)
    ]


def _without_twins(offers: Iterable[Offer]) -> list[Offer]:
    """Drop what says the same as a lesson of another scope that is worth more: a reader's own and a shared one."""
    kept: list[Offer] = []
    scopes: dict[str, Scope] = {}
    for offer in offers:
        made = offer.guidance
        if made.key is None or scopes.setdefault(made.key, made.scope) == made.scope:
            kept.append(offer)
    return kept


def _without_needless(offers: Iterable[Offer]) -> list[Offer]:
    """Drop, in a situation of which it is known what to do, what not to do and what only others say to do.

    Their worth is not additive: who knows what helps gains nothing by what does not, and need not try what others
    say of it. Both come back once that was done in vain.
    """
    held = list(offers)
    known = {
        content(offer.guidance.when)
        for offer in held
        if offer.guidance.claim == "do" and offer.belief.stage == "active" and offer.gain > 0
    }
    if not known:
        return held
    return [
        offer
        for offer in held
        if content(offer.guidance.when) not in known
        or not (offer.guidance.claim in AGAINST or _is_hearsay(offer))
    ]


def _is_hearsay(offer: Offer) -> bool:
    """Return whether a lesson is what others learned, and the reader did not find it true himself."""
    return _is_shared(offer.guidance) and offer.belief.stage != "active"


def _on_trial(offers: Iterable[Offer]) -> list[Offer]:
    """Keep no more lessons on trial than one outcome can tell apart."""
    kept: list[Offer] = []
    trials = 0
    authors: dict[str, int] = {}
    for offer in offers:
        if offer.belief.stage != "active":
            author = offer.guidance.author
            if trials >= _TRIALS:
                continue
            if not _is_own(offer.guidance):
                if authors.get(author, 0) >= _FOREIGN_TRIALS:
                    continue
                authors[author] = authors.get(author, 0) + 1
            trials += 1
        kept.append(offer)
    return kept


def _is_own(guidance: Guidance) -> bool:
    """Return whether a lesson is of the reader's own experience, and not what he was told."""
    return guidance.origin == "experience" and not _is_shared(guidance)


def _is_shared(guidance: Guidance) -> bool:
    """Return whether a lesson is what several users learned: to a reader, the word of others."""
    return bool(guidance.share) and not guidance.scope.user


def _pack(
    drawn: Iterable[Offer], budget_tokens: int, kept: Collection[str]
) -> tuple[list[Offer], list[Offer]]:
    """Return what fits and what does not; what stands in the prompt already comes first."""
    shown: list[Offer] = []
    left_out: list[Offer] = []
    left = budget_tokens
    for offer in sorted(drawn, key=lambda offer: offer.guidance.id not in kept):
        if offer.tokens <= left:
            shown.append(offer)
            left -= offer.tokens
        else:
            left_out.append(offer)
    return shown, left_out
