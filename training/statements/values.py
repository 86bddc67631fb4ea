"""How many values a tagger finds in labelled pieces, and what it says right of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from agentcl.statements.digesters.tagging import StatementTagger
from training.statements.sentences import Labelled


def measured(tagger: StatementTagger, sentences: Sequence[Labelled], sure: float) -> Counter[str]:
    """Return how many values are found, and of these how many have the right slot, owner and end."""
    told: Counter[str] = Counter()
    found = tagger.read([(one.before, one.text) for one in sentences], sure=sure)
    for one, given in zip(sentences, found, strict=True):
        wanted = list({said.value: said for said in one.says}.values())
        told["wanted"] += len(wanted)
        told["given"] += len(given)
        for said in wanted:
            like = max(given, key=lambda other: _likeness(said.value, other.value), default=None)
            if like is None or _likeness(said.value, like.value) < 0.5:
                continue
            told["found"] += 1
            told["same words"] += like.value == said.value
            told["slot"] += like.slot == said.slot
            told["who"] += _bare(like.who) == _bare(said.who)
            told["ended"] += like.ended == said.ended
            told["when"] += like.when == said.when
    return told


def _bare(who: str) -> str:
    return who.lower().removeprefix("my ")


def _likeness(one: str, other: str) -> float:
    words = Counter(one.lower().split()), Counter(other.lower().split())
    return 2 * (words[0] & words[1]).total() / (words[0].total() + words[1].total())


def report(told: Counter[str]) -> str:
    """Return a line of shares in percent."""
    found = told["found"]
    f1 = 200 * found / max(1, told["wanted"] + told["given"])
    shares = ", ".join(
        f"{name} {100 * told[name] / max(1, found):.0f}"
        for name in ("same words", "slot", "who", "ended", "when")
    )
    return (
        f"found {100 * found / max(1, told['wanted']):.1f} of {told['wanted']}, "
        f"right {100 * found / max(1, told['given']):.1f} of {told['given']}, F1 {f1:.1f}; of these {shares}"
    )
