"""A scripted responder for incidents: no model, but it follows lessons, and says what it learned."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Final

from agentcl.envs.acting import Act, Situation
from agentcl.envs.domains.incidents.deployments import CLEARED, FOUND_NOTHING, NOTHING, WORSE
from agentcl.errors import InvalidInput
from agentcl.lessons import Lesson, read_sentence

_SEEN: Final = re.compile(r"[Tt]he (\w+) (\w+) (.+?)\.?")
_NEEDED: Final = re.compile(r"(\w+) it before")


class Responder:
    """Does what its lessons say of the situation; where they are silent, tries what is left, in a drawn order.

    What it is told before an episode is all that it knows of others: it remembers nothing itself.
    """

    name = "responder"

    def __init__(self) -> None:
        self._last = ""  # the verb that was tried last

    def act(self, situation: Situation) -> Act | None:
        """Return the next action; None when nothing is left to try.

        Raises:
            InvalidInput: if the episode is told in words that it cannot read.
        """
        if not situation.history:
            self._begin(situation)
        self._told = [one for text in situation.guidance if (one := read_sentence(text))]
        if self._last:
            self._judge(self._last, situation.seen)
        actions = situation.actions or ()
        chosen = self._chosen([action.removesuffix(f" {self._name}") for action in actions])
        if chosen is None:
            return None
        self._tried.add(chosen)
        self._last = chosen
        return Act(f"{chosen} {self._name}")

    def learn(self, seen: str) -> list[str]:
        """Return the lessons of the episode as sentences, given what was seen last."""
        if self._last:
            self._judge(self._last, seen)
            self._last = ""
        return [lesson.sentence() for lesson in self._learned]

    def draw(self, situation: Situation) -> str:
        """Return what says in which order things are tried in an episode."""
        return f"{situation.known_task.id}:{situation.seed}"

    def _begin(self, situation: Situation) -> None:
        self._rng = random.Random(f"responder:{self.draw(situation)}")
        self._tried: set[str] = set()
        self._learned: dict[Lesson, None] = {}
        self._service, self._name, self._sign = "", "", ""
        self._last = ""
        self._needed: str | None = None  # what the environment asked for first ...
        self._wanted = ""  # ... and what is done after it
        self._read(situation.first)
        if not self._service:
            raise InvalidInput(
                f"{self.name} reads incidents in controlled English only, not {situation.first[:80]!r}; "
                "choose the voice controlled, or a model to act"
            )

    def _chosen(self, verbs: Sequence[str]) -> str | None:
        if self._needed is not None:
            needed, self._needed = self._needed, None
            self._tried -= {self._wanted}
            return needed
        if self._wanted:
            wanted, self._wanted = self._wanted, ""
            return wanted
        left = [verb for verb in verbs if verb not in self._tried]
        here = f"a {self._service} {self._sign}"
        for lesson in self._told:
            verb = lesson.what.removesuffix(" it")
            if lesson.claim == "do" and lesson.when == here and verb in left:
                return self._after_needs(verb, left)
        against = {
            lesson.what.removesuffix(" it")
            for lesson in self._told
            if lesson.claim in ("avoid", "useless") and lesson.when == here
        }
        hopeful = [verb for verb in left if verb not in against] or left
        return self._rng.choice(sorted(hopeful)) if hopeful else None

    def _after_needs(self, verb: str, left: Sequence[str]) -> str:
        when = f"you {verb} a {self._service}"
        for lesson in self._told:
            before = lesson.what.removesuffix(" it")
            if lesson.claim == "needs" and lesson.when == when and before in left:
                self._wanted = verb
                return before
        return verb

    def _judge(self, verb: str, seen: str) -> None:
        said = seen.strip().rstrip(".")
        here = f"a {self._service} {self._sign}"
        if said == CLEARED:
            self._learned[Lesson(here, "do", f"{verb} it")] = None
        elif said == WORSE:
            self._learned[Lesson(here, "avoid", f"{verb} it")] = None
        elif said in (NOTHING, FOUND_NOTHING):
            self._learned[Lesson(here, "useless", f"{verb} it")] = None
        elif needed := _NEEDED.fullmatch(said):
            self._learned[Lesson(f"you {verb} a {self._service}", "needs", f"{needed[1]} it")] = (
                None
            )
            self._needed, self._wanted = needed[1], verb
        elif _SEEN.fullmatch(said):
            self._learned[Lesson(here, "do", f"{verb} it")] = None
            self._read(said)

    def _read(self, text: str) -> None:
        self._wanted = ""
        if found := _SEEN.fullmatch(text.strip()):
            self._service, self._name, self._sign = found[1], found[2], found[3]
