"""What the reference model is trained on, stage by stage: tiny worlds first, then everything."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from agentcl.envs.relations import NOT_STATED
from training.acting import choose_action, write_guidance
from training.examples import Example
from training.reading import choose_facts, read_passage, read_passages

Maker = Literal["passage", "passages", "relevant", "action", "guidance"]


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of training. It ends early when enough answers are right."""

    name: str
    share: float  # of the training, at most
    passed_at: float  # share of answers wholly right at which the next stage begins
    weights: dict[Maker, float]
    size: tuple[int, int]  # facts in a passage, from and to
    passages: tuple[int, int] = (2, 2)
    hops: float = 0.0  # share of questions over two hops, where there are several passages
    batch: float = 0.5  # share of the preset's batch: more, smaller steps while circuits form
    recalls: float = 0.0  # share of several passages that stand as `Recall.prompt` gives them
    needing: float = 0.0  # share of acting in which something has to be done first
    hidden: float = 0.0  # share of situations and of episodes whose sign has to be found first
    crowded: float = 0.0  # share of situations and of episodes in which much was tried in vain
    contextless: float = 0.0  # share of passages that are taken away, so that nothing is stated
    is_plain: bool = False  # one form for every fact and question


_WIDE: Final[dict[str, Any]] = {
    "size": (2, 9),
    "passages": (2, 6),
    "hops": 0.5,
    "batch": 1.0,
    "recalls": 0.2,
    "contextless": 0.04,
}

# To find what is asked is learned first, from two or three facts in one phrasing each. With ten facts from
# the start nothing is learned for millions of tokens; with lists among the first answers, copying is
# learned and what to copy is not (after 9 million tokens half of the answers began wrongly). The shares end a
# stage that a seed is unlucky with: one stood at 83 % of the look-ups from 3.5 to 7.5 million tokens.
STAGES: Final = (
    Stage("look-up", 0.09, 0.9, {"passage": 1}, (2, 3), is_plain=True),
    Stage("phrasings", 0.11, 0.75, {"passage": 1}, (2, 5)),
    Stage(
        "skills",
        0.1,
        0.65,
        {"passage": 4, "passages": 3, "relevant": 1, "action": 2, "guidance": 0.5},
        (2, 6),
        (2, 3),
        0.5,
    ),
    Stage(
        "everything",
        0.36,
        1.1,
        {"passage": 3, "passages": 4, "relevant": 2, "action": 5, "guidance": 1.5},
        **_WIDE,
        needing=0.3,
        hidden=0.2,
        crowded=0.3,
    ),
    # What is learned last has its turn while the learning rate falls.
    Stage(
        "acting",
        1.0,
        1.1,
        {"passage": 4, "passages": 2.5, "relevant": 1.5, "action": 8, "guidance": 1},
        **_WIDE,
        needing=0.6,
        hidden=0.3,
        crowded=0.5,
    ),
)


def draw(rng: random.Random, stage: Stage) -> Example:
    """Return a training example of `stage`."""
    maker = rng.choices(list(stage.weights), list(stage.weights.values()))[0]
    size = rng.randint(*stage.size)
    if maker == "passage":
        example = read_passage(
            rng,
            size=size,
            questions=8 if stage.is_plain else 4 + size // 2,
            is_plain=stage.is_plain,
        )
        return _emptied(example) if rng.random() < stage.contextless else example
    if maker == "passages":
        return read_passages(
            rng,
            passages=rng.randint(*stage.passages),
            size=rng.randint(2, 4),
            questions=6,
            share_two_hop=stage.hops,
            is_recall=rng.random() < stage.recalls,
        )
    if maker == "relevant":
        return choose_facts(rng, questions=5)
    if maker == "action":
        is_crowded = rng.random() < stage.crowded
        return choose_action(
            rng,
            turns=2 if is_crowded else rng.randint(2, 3),  # or most rows would be too long
            lessons=rng.randint(1, 6),
            actions=rng.randint(4, 5),
            needing=stage.needing,
            hidden=stage.hidden,
            crowded=float(is_crowded),
        )
    return write_guidance(rng, hidden=stage.hidden, crowded=stage.crowded)


def _emptied(example: Example) -> Example:
    asked = [turn for turn in example.turns if turn.skill in ("answer", "absent")]
    return Example(
        "", tuple(replace(turn, skill="absent", answer=f"Answer: {NOT_STATED}") for turn in asked)
    )
