"""One person's history while it is made up: what is said in which session, what holds by it, what is asked."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, timezone
from typing import Final

from agentcl.envs.names import Names
from agentcl.envs.questions.histories import (
    Asks,
    GoldSort,
    GoldStatement,
    History,
    HoldingQuestion,
    Sitting,
    Utterance,
)
from agentcl.envs.questions.holding_phrases import Forms
from agentcl.envs.questions.small_talk import REJECTED, REQUESTS, REQUESTS_HELD_OUT, SHORT_REPLIES

SHORTEST: Final = 20  # turns
LONGEST: Final = 60


@dataclass(eq=False, slots=True)
class Beat:
    """One thing said by the user, and what is answered; its turns get their ids when all is said."""

    said: str
    reply: str
    turn: str = ""
    replied: str = ""
    moment: str = ""


@dataclass(eq=False, slots=True)
class Claim:
    """A gold statement whose turns and moments are not known yet."""

    subject: str
    attribute: str
    value: str
    kind: GoldSort
    beats: list[Beat]
    since: str | Beat | None = None
    until: str | Beat | None = None


@dataclass(eq=False, slots=True)
class Tale:
    """One person's history while it is made up."""

    rng: random.Random
    names: Names
    days: list[date]  # of the sessions
    held_out: bool
    beats: list[list[Beat]] = field(default_factory=list)  # by session
    claims: list[Claim] = field(default_factory=list)
    asked: list[tuple[HoldingQuestion, list[Beat], bool]] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    requests: list[tuple[str, str]] = field(default_factory=list)

    def form(self, forms: Forms, **parts: str) -> str:
        """Fill one form of a bank; a part with a capital is given one."""
        capitals = {name.capitalize(): _capital(text) for name, text in parts.items()}
        return _capital(
            self.rng.choice(forms.of(held_out=self.held_out)).format(**parts, **capitals)
        )

    def value(self, values: Sequence[str], named: str = "{}") -> str:
        """Draw a value that this person's history does not have yet."""
        free = [value for value in values if value not in self.used]
        value = self.rng.choice(free) if free else named.format(self.names.fresh())
        self.used.add(value)
        return value

    def say(self, session: int, sentence: str, reply: str = "", *, bare: bool = False) -> Beat:
        """Let something be said in a session, alone or with a request."""
        request, answer = self.request() if not bare and self.rng.random() < 0.5 else ("", "")
        parts = [sentence, request] if self.rng.random() < 0.6 else [request, sentence]
        if request and parts[0] == request and self.rng.random() < 0.4:
            parts[1] = f"By the way: {sentence}"
        said = " ".join(part for part in parts if part)
        beat = Beat(
            said, " ".join(p for p in (reply, answer) if p) or self.rng.choice(SHORT_REPLIES)
        )
        self.beats[session].append(beat)
        return beat

    def request(self) -> tuple[str, str]:
        """Draw a request and its reply; each comes once before one comes twice."""
        if not self.requests:
            self.requests = list(REQUESTS_HELD_OUT if self.held_out else REQUESTS)
            self.rng.shuffle(self.requests)
        return self.requests.pop()

    def ask(self, kind: Asks, q: str, answer: str, beats: list[Beat], *, is_reply: bool = False,
            accept: Sequence[str] = (), stale: Sequence[str] = (), lure: Sequence[str] = (),
            as_of: date | None = None) -> None:  # fmt: skip
        """Keep a question; its evidence are the turns of beats, or of the replies to them."""
        at = None if as_of is None else f"{as_of.isoformat()}T12:00:00+00:00"
        question = HoldingQuestion(
            q, kind, answer, tuple(accept), tuple(stale), tuple(lure), as_of=at
        )
        self.asked.append((question, beats, is_reply))

    @property
    def said(self) -> int:
        """How often the user speaks; at least once in each session."""
        return sum(max(1, len(beats)) for beats in self.beats)

    def sessions(self, count: int, *, before_last: bool = False) -> list[int]:
        """Draw so many sessions, in order."""
        return sorted(self.rng.sample(range(len(self.days) - before_last), count))


def tell(tale: Tale, name: str, turns: int) -> History:
    """Put small talk between up to a number of turns, give ids and moments, and resolve what hung on them."""
    rng = tale.rng
    for beats in tale.beats:
        if not beats:
            beats.append(Beat(*tale.request()))
    for _ in range(turns // 2 - tale.said):
        beats = rng.choice(tale.beats)
        beats.insert(_between(rng, beats), Beat(*tale.request()))
    zone = timezone(timedelta(hours=rng.choice((-8, -5, 0, 1, 2, 10))))
    sessions = []
    for number, (day, beats) in enumerate(zip(tale.days, tale.beats, strict=True), start=1):
        at = datetime.combine(day, time(rng.randint(7, 19), rng.randint(0, 59)), zone)
        sessions.append(_sitting(rng, f"{name}-s{number}", at, beats))
    return History(
        name, tuple(sessions), tuple(map(_gold, tale.claims)), tuple(map(_posed, tale.asked))
    )


def _between(rng: random.Random, beats: Sequence[Beat]) -> int:
    """Draw a place for small talk that does not part a guess from its rejection."""
    places = [n for n in range(len(beats) + 1) if n == len(beats) or beats[n].said not in REJECTED]
    return rng.choice(places)


def _sitting(rng: random.Random, name: str, at: datetime, beats: Sequence[Beat]) -> Sitting:
    turns, began = [], at
    for number, beat in enumerate(beats):
        beat.turn, beat.replied = f"{name}-t{2 * number + 1}", f"{name}-t{2 * number + 2}"
        beat.moment = at.isoformat()
        turns.append(Utterance(beat.turn, "user", beat.moment, beat.said))
        at += timedelta(seconds=rng.randint(5, 20))
        turns.append(Utterance(beat.replied, "assistant", at.isoformat(), beat.reply))
        at += timedelta(seconds=rng.randint(30, 200))
    return Sitting(name, began.isoformat(), tuple(turns))


def _gold(claim: Claim) -> GoldStatement:
    since, until = (
        one.moment if isinstance(one, Beat) else one for one in (claim.since, claim.until)
    )
    turns = tuple(beat.turn for beat in claim.beats)
    return GoldStatement(
        claim.subject, claim.attribute, claim.value, since, until, turns, claim.kind
    )


def _posed(asked: tuple[HoldingQuestion, list[Beat], bool]) -> HoldingQuestion:
    question, beats, is_reply = asked
    return replace(question, evidence=tuple(b.replied if is_reply else b.turn for b in beats))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
