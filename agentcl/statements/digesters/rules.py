"""`RuleDigester`: what rules read out of English chat, without a model.

Only what the user says himself counts: not what the assistant guesses, nor quotes, questions, or what is only supposed.
Rules say little and are seldom wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from agentcl.statements.dates.dating import dated, said_in, tense_of
from agentcl.statements.dates.days import Tense
from agentcl.statements.dates.periods import period
from agentcl.statements.dates.resolving import Mention, resolve
from agentcl.statements.english.answering import answer_of
from agentcl.statements.english.asserting import is_same, told_of
from agentcl.statements.english.clauses import clauses, person_in
from agentcl.statements.english.hearing import Sentence, sentences
from agentcl.statements.english.orders import corrected, order_of, wish_of
from agentcl.statements.english.patterns import PEOPLE, Undated, read
from agentcl.statements.english.presupposed import presupposed
from agentcl.statements.english.taken_back import amended
from agentcl.statements.reading import Assertion, Digested, Wish
from agentcl.statements.slots import has_several, slot_of, value_key
from agentcl.store.conversations import Statement, Turn
from agentcl.text.terms import terms

NAME: Final = "rules"
_FIRST_WORDS: Final = (
    100  # characters of an answer in which a number is looked for that was asked for
)
_LAST_WORDS: Final = 400  # ... and of what asks for it
_CLAUSE: Final = re.compile(
    r";|\u2014|\s-\s|,?\s(?:but|so|because|and then)\s|,\s(?=(?:and\s)?(?:I|we|my|he|she|they|it)\b)"
)
_FOR: Final = re.compile(
    r"\bfor (?:about |around |over |almost |nearly |the (?:last|past) )?(?P<span>(?:\d+|an?|two|three|four|five|six|seven|eight|nine|ten|a couple of) "
    r"(?:day|week|month|year)s?)\b(?: now)?"
)
_COMING: Final = re.compile(
    r"\b(?:will|'ll|going to|moving|starting|start|starts|leaving|leave|finish|finishing|flying|tomorrow|next)\b"
)
_OVER: Final = re.compile(r"\b(?:had|was|were|went|came|did|got back|passed|failed)\b")
_APPOINTMENT: Final = re.compile(
    r"\b(?:I|we)(?:'ve| have)?(?: got| have)? (?:an?|my) (?P<value>(?:[a-z]+ )?(?:interview|appointment|meeting|exam|test|checkup|check-up|surgery|"
    r"operation|flight|concert|wedding|party|viewing|date|call|presentation|audition|deadline|race|marathon|scan)\b(?: (?:in|with|at|for) [\w' ]+?)?)"
    r"(?= (?:on|this|next|tomorrow|in|at|the)\b|[,.]|$)"
)
_DATED_THING: Final = re.compile(
    r"\b(?P<subject>(?:[Mm]y|[Oo]ur|[Tt]he|[Tt]heir|[Hh]is|[Hh]er)? ?(?:[\w'-]{1,40} ){0,3}?[\w'-]{1,40}?)(?: is| are|'s| will be| takes place| starts?| begins?| opens?| closes?| ends?|"
    r" (?:has )?(?:moved|slips|slipped|been moved|been postponed|was moved|is moved|got moved|is postponed)[^,.;]{0,60}? to)(?: on| in| for)?\s{0,9}$"
)
_LED: Final = re.compile(r"\s(the|my|our|and)\s", re.IGNORECASE)
_TRIP: Final = re.compile(
    r"\b(?:I|we)(?:'m|'re| am| are|'ll be) (?:flying|travelling|traveling|going|off|driving) to (?P<value>[A-Z][\w'-]*(?: [A-Z][\w'-]*)*)"
)
_MOVED_OUT: Final = re.compile(
    r"\b(?P<who>(?!(?:We|He|She|They|You|It|I|Who)\b)[A-Z][a-z]+) (?:has |just )?moved out\b"
)
_PARTED: Final = re.compile(
    r"\b(?:(?P<who>[A-Z][a-z]+) and I|(?:[Mm]y (?:wife|husband|partner|girlfriend|boyfriend)|[Ww]e) (?:and I )?|I )(?:have |'ve |just |got )*(?:broke up|split up|separated|divorced|are divorced|parted)"
)
_PRONOUN: Final = re.compile(
    r"\b(?:[Ss]he|[Hh]e)(?P<verb>'s from| is from| comes from| lives in|'s living in| works (?:at|for)) (?P<value>[A-Z][\w'-]*(?: [A-Z][\w'-]*)*)"
)
_VERBS: Final = {
    "from": ("origin", "is from"),
    "in": ("home", "lives in"),
    "at": ("employer", "works for"),
    "for": ("employer", "works for"),
}
_DAY: Final = re.compile(r"\d{4}-\d\d(?:-\d\d)?")
_CORRECTS: Final = re.compile(
    r"\W*(?:(?:oh|ah|oops|no|wait|sorry|hang on|hold on|correction|scratch that|actually|i mean|i meant|make that|it's)\b\W*)+",
    re.IGNORECASE,
)
_DAY_OF: Final = re.compile(
    r"\s(?:is|was|will be)\s(?P<whose>[Mm]y|[Oo]ur|[Tt]he|[Hh]is|[Hh]er|[A-Z][\w-]{1,40}'s)\s(?P<subject>[^\W\d_][\w-]{1,40}(?:\s[^\W\d_][\w-]{1,40}){0,2})(?=[,.!]|$)"
)
_ASKED_FOR: Final = re.compile(
    r"\b(?:your|a|the)\s+(?P<what>(?:[a-z]+ ){0,2}(?:number|code|reference|id|pin))\b[^?.]*\?",
    re.IGNORECASE,
)
_ANSWERED: Final = re.compile(
    r"(?i:^(?:yes|sure|yep|yeah|ok|it's|that's|here|of course|\W){0,12}(?:it's|it is|that's)?\W{0,9})(?P<value>[A-Z0-9][\w./-]*\d[\w./-]*)"
)


class RuleDigester:
    """Reads statements out of English chat by rules: no model, no cost, the same each time.

    It reads first-person facts and preferences, names, places, jobs, people and pets, what is liked and eaten,
    possessions and numbers, dates, what ended, corrections, orders to the assistant, and wishes to forget.
    """

    name = NAME

    def digest(self, turns: Sequence[Turn], known: Sequence[Statement]) -> Digested:
        """Return what turns say. Turns of other roles than the user's state nothing."""
        turns = [
            replace(one, text=amended(one.text, one.moment)) if one.role == "user" else one
            for one in turns
        ]
        heard = _Heard(turns, known)
        for place, turn in enumerate(turns):
            if turn.role != "user":
                continue
            heard.begin(place)
            for sentence in sentences(turn, place):
                heard.hear(sentence)
        return Digested(tuple(heard.said), wishes=tuple(heard.wishes))


class _Heard:
    """What was read out of some turns so far."""

    def __init__(self, turns: Sequence[Turn], known: Sequence[Statement]) -> None:
        self._turns, self._known = turns, known
        self.said: list[Assertion] = []
        self.wishes: list[Wish] = []
        self._person = ""  # whom a pronoun means
        self._person_before = ""

    def begin(self, place: int) -> None:
        if self._person == self._person_before:
            self._person = ""  # nobody spoke of him in the last turn
        self._person_before = self._person
        before = self._turns[place - 1].text if place else ""
        asked = _ASKED_FOR.search(before[-_LAST_WORDS:])
        answered = _ANSWERED.match(self._turns[place].text[:_FIRST_WORDS])
        if asked and answered and self._turns[place - 1].role == "assistant":
            what, value = asked["what"].lower(), answered["value"].rstrip(".")
            said = f"has as {what}: {value}"
            self._add(Undated(what, value, said, is_dated=False), Sentence(said, place))
        elif place and self._turns[place - 1].role == "assistant":
            turn = self._turns[place]
            first = next(sentences(turn, place), None)
            made = first and answer_of(before, first.text, place, turn.moment, self._thing())
            if made:
                self._put(made)

    def hear(self, sentence: Sentence) -> None:
        about = wish_of(sentence)
        if about is not None:
            self.wishes.append(Wish(sentence.text, about, sentence.turn))
            return
        for made in presupposed(sentence.text, sentence.turn, self._person):
            self._put_new(made)
        order = order_of(sentence)
        if order is not None:
            self._order(
                order.attribute,
                order.value,
                sentence,
                is_ended=order.is_ended,
                is_member=order.is_member,
            )
            self._clauses(sentence.stated.partition(", ")[2], sentence)
            return
        if self._correct(sentence) or self._correct_date(sentence):
            return
        text = sentence.stated
        if not text:
            return
        begun = len(self.said)
        for reading in read(text):
            if re.fullmatch(PEOPLE, reading.attribute):
                self._person = reading.value
            elif reading.subject != "user":
                self._person = reading.subject
            self._add(reading, sentence)
        for reading in self._others(text):
            self._add(reading, sentence)
        self._dated_things(text, sentence)
        self._clauses(text, sentence)
        self._date_the_one(begun, text, sentence)

    # What is read

    def _clauses(self, text: str, sentence: Sentence) -> None:
        """Read what no pattern has read: who, a verb, and of what."""
        for told in clauses(text, self._turns[sentence.turn].moment, self._person):
            if told.attribute == "date" and self._is_known("user", told.subject):
                told = replace(told, subject="user", attribute=told.subject)  # "the exam" is his
            made = told_of(told, sentence.turn)
            self._put_new(made)
        self._person = person_in(text) or self._person

    def _date_the_one(self, begun: int, text: str, sentence: Sentence) -> None:
        """Give the only date of a sentence to the only thing that was read of it: "Three cups, down from six since May"."""
        new = self.said[begun:]
        told = dated(text, self._turns[sentence.turn].moment)
        if len(new) == len(told) == 1 and not (
            new[0].since or new[0].until or _DAY.fullmatch(new[0].value)
        ):
            one = told[0]
            if one.said.rstrip(".") in new[0].value.lower():
                return  # "My birthday is on 3 May": it is what is said, and not since when
            if one.role == "until":
                self.said[begun] = replace(new[0], until=one.date)
            else:
                self.said[begun] = replace(new[0], since=one.date)

    def _others(self, text: str) -> Iterator[Undated]:
        """Yield what hangs on who was spoken of before, and on other verbs."""
        if self._person and (found := _PRONOUN.search(text)):
            attribute, said = _VERBS[found["verb"].split()[-1]]
            yield Undated(
                attribute,
                found["value"],
                f"{said} {found['value']}",
                subject=self._person,
                spots=found.span(),
            )
        if found := _MOVED_OUT.search(text):
            yield Undated(
                "lives with the user", "yes", "no longer lives with the user",
                subject=found["who"], polarity="ended", spots=found.span(),
            )  # fmt: skip
        if found := _PARTED.search(text):
            yield Undated(
                "partner", "", "has parted from the partner", polarity="ended", spots=found.span()
            )
        if found := _APPOINTMENT.search(text):
            value = found["value"].strip()
            yield Undated(
                "appointment",
                value,
                f"has an appointment: {value}",
                sort="event",
                is_member=True,
                spots=found.span(),
            )
        if found := _TRIP.search(text):
            yield Undated(
                "trip",
                found["value"],
                f"travels to {found['value']}",
                sort="event",
                is_member=True,
                spots=found.span(),
            )

    def _dated_things(self, text: str, sentence: Sentence) -> None:
        """Read "the release moved to April 4", "my exam is on Friday"."""
        at = self._turns[sentence.turn].moment
        for one in said_in(text, at, tense_of(text)):
            self._day_of(one, text, sentence)
            before = _DATED_THING.search(text[: one.start])
            is_vague = one.said.endswith("now") or len(one.date) < len("2025-01")
            if before is None or one.role or is_vague:
                continue
            subject = re.sub(
                r"^(?:and|so|but|that|then|now|ok|right|good|also|bad news|next)\s+",
                "",
                before["subject"].strip(),
                flags=re.IGNORECASE,
            )
            is_own = re.match(r"(?:my|our)\s+", subject, re.IGNORECASE) is not None
            if led := [*_LED.finditer(subject)]:  # "the project and the deadline"
                is_own = is_own or led[-1][1].lower() in ("my", "our")
                subject = subject[led[-1].end() :]
            subject = re.sub(
                r"^(?:my|our|the|their|his|her)\s+", "", subject, flags=re.IGNORECASE
            ).strip(" ,")
            is_own = is_own or self._is_known("user", subject)
            if not subject or subject.lower().split()[-1] in _PRONOUNS or len(subject.split()) > 3:
                continue
            if subject.lower() == "birthday":
                value = text[one.end - len(one.said) : one.end].rstrip(".")
                said = f"is born on {value}"
                self._add(Undated("birthday", value, said, is_dated=False), sentence)
                continue
            said = f"The {'user has the ' if is_own else ''}{subject} on {one.date}."
            self._put(
                Assertion(
                    subject=subject if not is_own else "user",
                    attribute="date" if not is_own else subject,
                    value=one.date, text=said, turns=(sentence.turn,), sort="event",
                )
            )  # fmt: skip

    def _day_of(self, one: Mention, text: str, sentence: Sentence) -> None:
        """Read "Thursday is her birthday", "the 27th is the party"."""
        found = _DAY_OF.match(text, one.end)
        if found is None:
            return
        whose, thing = found["whose"].lower().removesuffix("'s"), found["subject"]
        owner = (
            "user" if whose in ("my", "our") else self._person if whose in ("his", "her") else ""
        )
        if whose not in ("my", "our", "the", "his", "her"):
            owner = found["whose"].removesuffix("'s")
        if owner or whose == "the":
            subject, attribute = (owner, thing) if owner else (thing, "date")
            who = (
                f"{'The user' if owner == 'user' else owner}'s {thing}" if owner else f"The {thing}"
            )
            said = f"{who} is on {one.date}."
            self._put(
                Assertion(
                    subject=subject, attribute=attribute, value=one.date, text=said, turns=(sentence.turn,), sort="event",
                )
            )  # fmt: skip

    def _order(
        self, attribute: str, value: str, sentence: Sentence, *, is_ended: bool, is_member: bool
    ) -> None:
        if is_ended and not self._is_known("user", attribute):
            return
        text = (
            f"The assistant is asked no longer: {attribute}."
            if is_ended
            else f"The assistant is asked to: {value}."
        )
        self._put(
            Assertion(
                subject="user", attribute=attribute, value=value, text=text, turns=(sentence.turn,),
                sort="instruction", polarity="ended" if is_ended else "holds", is_member=is_member,
            )
        )  # fmt: skip

    def _correct(self, sentence: Sentence) -> bool:
        """Take "Oh sorry, Ransaart" for what was meant before, in this exchange."""
        for place in range(len(self.said) - 1, -1, -1):
            old = self.said[place]
            new = corrected(sentence.text, old.value)
            if new and sentence.turn - old.turns[0] <= 2:
                self.said[place] = replace(
                    old,
                    value=new,
                    text=old.text.replace(old.value, new),
                    turns=tuple(dict.fromkeys((*old.turns, sentence.turn))),
                )
                return True
        return False

    def _correct_date(self, sentence: Sentence) -> bool:
        """Take "No, hang on, June 20" for the date that was said right before it."""
        led = _CORRECTS.match(sentence.text)
        if led is None or not self.said:
            return False
        at, old = self._turns[sentence.turn].moment, self.said[-1]
        found = said_in(sentence.text[led.end() :], at, "future")
        if not found or found[0].start > 0 or not _DAY.fullmatch(old.value):
            return False
        new, turns = found[0].date, tuple(dict.fromkeys((*old.turns, sentence.turn)))
        since = new if old.since == old.value else old.since
        text = old.text.replace(old.value, new)
        self.said[-1] = replace(old, value=new, text=text, turns=turns, since=since)
        return False

    def _add(self, reading: Undated, sentence: Sentence) -> None:
        if reading.attribute == "given up":
            reading = self._given_up(reading)
        who = (
            "The user"
            if reading.subject == "user"
            else reading.subject[:1].upper() + reading.subject[1:]
        )
        is_dated = reading.is_dated and reading.attribute != "birthday"  # that is of every year
        since, until = self._dates(reading, sentence) if is_dated else ("", "")
        several = has_several(reading.attribute)
        self._put(
            Assertion(
                subject=reading.subject, attribute=reading.attribute, value=reading.value,
                text=f"{who} {reading.said}.", turns=(sentence.turn,), sort=reading.sort, polarity=reading.polarity,
                is_member=reading.is_member if several is None else several, since=since, until=until,
            )
        )  # fmt: skip

    def _put_new(self, new: Assertion) -> None:
        """Keep what was not read of the same turn already."""
        if not any(is_same(new, one) for one in self.said):
            self._put(new)

    def _thing(self) -> str:
        """Return what was spoken of last, and is nobody."""
        named = (one for one in reversed(self.said) if one.subject not in ("user", self._person))
        return next((one.subject for one in named), "")

    def _put(self, new: Assertion) -> None:
        new = self._as_held(new)
        slot, key = slot_of(new.subject, new.attribute), value_key(new.value)
        for place, old in enumerate(self.said):
            is_same = (
                slot_of(old.subject, old.attribute) == slot
                and value_key(old.value) == key
                and old.polarity == new.polarity
            )
            if is_same and (old.turns == new.turns or not (new.since or new.until)):
                self.said[place] = replace(
                    old,
                    turns=tuple(sorted({*old.turns, *new.turns})),
                    since=old.since or new.since,
                    until=old.until or new.until,
                )
                return
        self.said.append(new)

    def _as_held(self, new: Assertion) -> Assertion:
        """Return the end of something that nobody spoke of before as what held until then: "I sold the van last week"."""
        if new.polarity != "ended" or not new.value or self._is_known(new.subject, new.attribute):
            return new
        until = new.until or new.since or self._turns[new.turns[0]].moment.date().isoformat()
        return replace(new, polarity="holds", since="", until=until)

    def _given_up(self, reading: Undated) -> Undated:
        """Return what ends with what is given up, if it is known: the newest that the words are about."""
        words = set(terms(reading.value))
        newest: list[Assertion | Statement] = [*reversed(self.said), *reversed(self._known)]
        for one in newest:
            if (
                one.subject == "user"
                and one.polarity == "holds"
                and words & set(terms(one.value))
                and has_several(one.attribute)
            ):
                return replace(
                    reading,
                    attribute=one.attribute,
                    value=one.value,
                    said=f"gave up {one.value}",
                    polarity="ended",
                )
        return reading

    def _is_known(self, subject: str, attribute: str) -> bool:
        slot = slot_of(subject, attribute)
        return any(one.slot == slot for one in self._known) or any(
            slot_of(one.subject, one.attribute) == slot for one in self.said
        )

    # When it holds

    def _dates(self, reading: Undated, sentence: Sentence) -> tuple[str, str]:
        """Return since when and until when something holds, as the clause says that tells it."""
        text, at = sentence.text, self._turns[sentence.turn].moment
        start, end = reading.spots
        after = _CLAUSE.search(text, end)
        begin = max((found.end() for found in _CLAUSE.finditer(text, 0, start + 1)), default=0)
        clause = text[begin : after.start() if after else len(text)]
        tense: Tense = "future" if _is_coming(reading, clause) else "past"
        found = said_in(clause, at, tense)
        if not found and (lasted := _FOR.search(clause)):
            since = resolve(f"{lasted['span']} ago", at)
            return (since or "", "")
        return _of_mentions(found, reading, at)


def _is_coming(reading: Undated, clause: str) -> bool:
    if reading.sort == "event":
        return not _OVER.search(clause)
    return reading.sort == "plan" or _COMING.search(clause) is not None


_PRONOUNS: Final = frozenset(
    """
    now it that this he she they we i you there what which who everything here mine one today
    """.split()  # noqa: SIM905  # as a list it takes many lines
)


def _of_mentions(found: Sequence[Mention], reading: Undated, at: datetime) -> tuple[str, str]:
    until = next((one.date for one in found if one.role == "until"), "")
    since = next((one.date for one in found if one.role != "until"), "")
    if reading.polarity == "ended" and since:
        is_to_come = period(since, at.tzinfo).start > at
        return ("", since) if is_to_come else (since, "")
    return since, until
