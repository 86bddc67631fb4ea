"""Which past stretches stand in a prompt: few, within the budget, and by the coins that decide of lessons.

A stretch is shown in a few episodes, until newer ones take its place. So no outcome could tell what it is worth by
itself. What is measured is the worth of showing stretches that ended well, and of showing those that failed, each
for every kind of task: two arms, with one coin an episode for each.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from agentcl.guidance.evidence.belief import Belief
from agentcl.guidance.selection import probability_of
from agentcl.lessons import Stretch
from agentcl.store.episodes import Ended, Showing
from agentcl.text.tokens import TokenCounter


@dataclass(frozen=True, slots=True)
class Demonstrated:
    """What of past stretches stands in the prompt of an episode so far, and the record of the coins."""

    shown: tuple[Stretch, ...] = ()  # in the order in which they came
    withheld: tuple[Stretch, ...] = ()  # by a coin
    coins: Mapping[Ended, Showing] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """What the shown ones take."""
        return sum(one.tokens for one in self.coins.values() if one.is_shown)


def demonstrate(
    found: Sequence[Stretch],
    before: Demonstrated,
    belief: Callable[[Ended], Belief],
    rng: random.Random,
    *,
    limit: int,
    budget_tokens: int,
    count_tokens: TokenCounter,
    price: float,
    is_certain: bool = False,
) -> Demonstrated:
    """Return what stood in the prompt before, and behind it what is found now and expected to help.

    Args:
        found: stretches like the situation, best first.
        before: what this episode was shown so far, and its coins; they are not thrown again.
        belief: what is known of showing stretches that ended so.
        rng: the coin.
        limit: how many to take of those that were found.
        budget_tokens: what is left for them.
        count_tokens: of the model.
        price: of the score that one token must gain.
        is_certain: no coin is thrown: what is expected to help is shown.
    """
    shown, withheld, coins = [*before.shown], [*before.withheld], dict(before.coins)
    known = {one.episode for one in (*shown, *withheld)}
    left = budget_tokens
    for ended, some in _shares(found, limit).items():
        new: list[Stretch] = []
        tokens = 0
        for one in some:
            size = count_tokens("\n".join(one.lines())) + 1
            if one.episode not in known and tokens + size <= left:
                new.append(one)
                tokens += size
        if not new:
            continue  # nothing was decided, so that nothing follows from it
        coin = coins.get(ended) or _coin(ended, belief(ended), price * tokens, rng, is_certain)
        if coin is None:
            continue
        from_ = (*coin.episodes, *(one.episode for one in new))
        coins[ended] = coin._replace(episodes=from_, tokens=coin.tokens + tokens)
        (shown if coin.is_shown else withheld).extend(new)
        left -= tokens if coin.is_shown else 0
    return Demonstrated(tuple(shown), tuple(withheld), coins)


def _coin(
    ended: Ended, belief: Belief, cost: float, rng: random.Random, is_certain: bool
) -> Showing | None:
    """Return what a coin says of stretches that ended so; None where they are not expected to help."""
    gain = belief.uplift - cost
    is_out = belief.stage == "quarantined"
    probability = float(gain > 0) if is_certain else probability_of(belief, gain)
    if is_out or probability == 0:
        return None
    return Showing(ended, probability, rng.random() < probability)


def _shares(found: Sequence[Stretch], limit: int) -> dict[Ended, list[Stretch]]:
    """Return the best of both kinds, half of each, and more of one where the other has fewer.

    It looks at no coin: else the stretches that one withholds would be seen in the worth of the others.
    """
    good = [one for one in found if one.is_success]
    bad = [one for one in found if not one.is_success]
    most_good = max(limit - limit // 2, limit - len(bad))
    good = good[:most_good]
    return {"success": good, "failure": bad[: limit - len(good)]}
