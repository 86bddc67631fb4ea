"""Turns that stand before the real one: what is asked and what is answered, from worlds that are nobody's.

They show the form of an answer, and that a lesson is followed only where it fits. What they are worth to a model,
`agentcl model tune` measures.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from agentcl.agents.prompts import ask_abstractions, ask_action, ask_edits
from agentcl.agents.transcript import Transcript
from agentcl.envs.acting import History, Situation
from agentcl.lessons import Lesson
from agentcl.text.escaping import Prompt

Turns = tuple[tuple[Prompt, str], ...]
LETTERS: Final = tuple("ABCDEFGHIJKLMNOPQRST")  # as many as endpoints tell the log-probabilities of

# What the examples are about. A lesson of these things that no record spoke of was copied from here.
EXAMPLES: Final = frozenset({"lamp", "kettle", "pump"})

# What is seen, what is done then, and why.
_ACTED: Final = (
    (
        Situation(
            "repair the lamp Orvo.",
            "The lamp Orvo is dim.",
            offered=("shake Orvo", "tighten Orvo", "oil Orvo", "cool Orvo"),
            guidance=(
                "When a lamp is dim, tighten it.",
                "When a lamp is hot, it does not help to shake it.",
            ),
        ),
        "tighten Orvo",
        "The lamp is dim, and guidance says to tighten it then.",
    ),
    (
        Situation(
            "repair the fan Nalu.",
            "The fan Nalu is loud.",
            offered=("cool Nalu", "fill Nalu", "oil Nalu", "open Nalu", "tap Nalu"),
            guidance=(
                "When a kettle is cold, fill it.",
                "When a fan is loud, open it.",
                "When a pump is dry, oil it.",
            ),
        ),
        "open Nalu",
        "The fan is loud, and guidance says to open it then.",
    ),
    (
        Situation(
            "repair the pump Tibe.",
            "The pump Tibe is loud.",
            (("oil Tibe", "nothing changes"),),
            ("open Tibe", "cool Tibe", "shake Tibe"),
            ("When a kettle is cold, fill it.",),
        ),
        "cool Tibe",
        "No guidance is about a loud pump, so I try what was not tried.",
    ),
)


def _turns(*, labels: tuple[str, ...] = (), is_thinking: bool = False) -> Turns:
    found = []
    for seen, action, thought in _ACTED:
        actions = seen.actions or ()
        asked = ask_action(
            guidance=seen.guidance,
            goal=seen.goal,
            scene=seen.first,
            history=seen.history,
            actions=actions,
            labels=labels[: len(actions)],
            is_guidance_last=True,
        )
        answer = labels[actions.index(action)] if labels else action
        found.append((asked, f"Thought: {thought}\nAction: {answer}" if is_thinking else answer))
    return tuple(found)


def _record(
    name: str, first: str, steps: History, score: float, lessons: Iterable[Lesson]
) -> tuple[Prompt, str]:
    record = Transcript(f"repair the {name}.", first, steps, score)
    written = [
        {"when": one.when, "claim": one.claim, "what": one.what, "level": "family"}
        for one in lessons
    ]
    return ask_abstractions(record, recent=len(steps)), json.dumps({"guidance": written})


ACTED: Final = _turns()
ACTED_THINKING: Final = _turns(is_thinking=True)
ACTED_BY_LETTER: Final = _turns(labels=LETTERS)
DISTILLED: Final[Turns] = (
    _record(
        "pump Tibe",
        "The pump Tibe is loud.",
        (("oil Tibe", "nothing changes"), ("cool Tibe", "the pump Tibe runs")),
        1.0,
        (Lesson("a pump is loud", "do", "cool it"), Lesson("a pump is loud", "useless", "oil it")),
    ),
    _record(
        "kettle Sume",
        "The kettle Sume is cold.",
        (("shake Sume", "the kettle Sume gets worse"), ("fill Sume", "the kettle Sume is warm")),
        0.8,
        (
            Lesson("a kettle is cold", "do", "fill it"),
            Lesson("a kettle is cold", "avoid", "shake it"),
        ),
    ),
    _record(
        "lamp Orvo",
        "The lamp Orvo is dim.",
        (("open Orvo", "nothing changes"), ("tighten Orvo", "the lamp Orvo is bright")),
        1.0,
        (
            Lesson("a lamp is dim", "do", "tighten it"),
            Lesson("a lamp is dim", "useless", "open it"),
        ),
    ),
)
# Situations in other words, and a lesson that says nothing of use. Small models do as it was done in the same place, so what
# the record shows first is kept.
_DRAWN: Final = "report of the morning: a pump is loud again"
EDITED: Final[Turns] = (
    (
        ask_edits(
            Transcript(
                "repair the pump Tibe.",
                "Report of the morning: the pump Tibe is loud again.",
                (
                    ("look at Tibe", "nothing changes"),
                    ("oil Tibe", "nothing changes"),
                    ("cool Tibe", "the pump Tibe runs"),
                ),
                1.0,
            ),
            (
                Lesson(_DRAWN, "do", "cool it"),
                Lesson(_DRAWN, "useless", "oil it"),
                Lesson(_DRAWN, "useless", "look at it"),
            ),
            recent=3,
        ),
        json.dumps(
            {
                "lessons": [
                    {"number": 1, "keep": True, "when": "a pump is loud"},
                    {"number": 2, "keep": True, "when": "a pump is loud"},
                    {"number": 3, "keep": False, "when": ""},
                ]
            }
        ),
    ),
)
