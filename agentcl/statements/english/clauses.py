"""Plain clauses taken apart: who, what is said of him, and of what. "My sister lives in Ghent" and "The user's sister lives in Ghent" alike.

A clause has a subject, a verb of a closed list, and an object up to where the clause ends. What a verb tells of is an
attribute where everyday words name one (`home`, `employer`), and else the verb itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from agentcl.statements.dates.dating import said_in, tense_of
from agentcl.statements.english.grammar import (
    GROUP,
    NAMED,
    WORD,
    date_behind,
    is_no_name,
    is_past_form,
    parts_of,
    taken_apart,
)
from agentcl.statements.english.patterns import PEOPLE
from agentcl.statements.english.verb_telling import PERSON, Clause, told_by
from agentcl.statements.english.words import is_told, value_in, without, written_out
from agentcl.statements.slots import USER

_CARRIED: Final = re.compile(rf"{GROUP}\s*(?P<rest>.*)$")
_LEAD: Final = re.compile(
    r"^(?:(?:and|but|so|also|oh|ok|okay|well|yes|yeah|no|good|great|right|now|then|anyway|by the way|btw|thanks|thank you|perfect|lovely|hi|hello|hey|"
    r"ha|haha|nice|sure|actually|fine|super|true|exactly|i guess|the thing is|turns out|turned out|that|because|since)\b[,.!:]?\s+)+",
    re.IGNORECASE,
)
_CAPITAL_NEXT: Final = re.compile(r"(?:now |called )?(?:Mrs?|Ms|Dr|[A-Z])")
_LAST_NAME: Final = re.compile(rf"({NAMED}),?$")
_OF_MINE: Final = re.compile(r"^(?:[Mm]y|[Oo]ur|[Tt]he)\s(?=\S)")
_CHANGING: Final = re.compile(
    rf"(?:[Tt]he |[Mm]y |[Oo]ur )?[\w-]{{1,30}} (?:has |have |just )?(?:raised|lowered|increased|reduced|doubled|halved|extended|bumped|cut|changed|moved|pushed|postponed|put|brought forward|set|renamed|upgraded|dropped) "
    rf"(?:the|my|our) (?P<what>{WORD}(?: {WORD})?)(?: back| up| down)?(?: from [^,.;]{{1,40}}?)? to "
)
_FROM_THEN: Final = re.compile(r"\b(?:from|as of)\s")
_FROM: Final = re.compile(r"from\s(?P<value>.{1,60}?)\sto\s")
_MY_THING: Final = re.compile(
    rf"\b(?:[Mm]y|[Oo]ur)\s(?!(?:{PEOPLE})\b){WORD}(?=[,.]|$|\s(?:in|on|at|with|from|to|and|is|was)\b)"
)
_THEIR_THING: Final = re.compile(rf"({NAMED})'s ({WORD})")
_NAME_FIRST: Final = re.compile(rf"({NAMED}) (?:has |just |also )?[a-z]{{2,}}")
_SPOKEN_OF: Final = re.compile(
    rf"\b(?:[Mm]y|[Oo]ur|[Tt]he user's)\s(?:\w+\s)?(?P<who>{PEOPLE})\b(?:,?\s(?P<called>{NAMED}))?"
    rf"|(?P<before>{NAMED})(?:\s(?:is|was)|,)\s(?:my|our|the user's)\s(?:\w+\s)?(?:{PEOPLE})\b"
    rf"|(?:with|to|by|from|and)\s(?P<with>{NAMED})(?=[,.]|$)"
)
_MOST_OF_A_THING: Final = 4  # words


def clauses(sentence: str, at: datetime, person: str = "") -> Iterator[Clause]:
    """Yield the clauses of a sentence that are understood, in order.

    Args:
        sentence: in English, in the first person of the user or in the third.
        at: when it was said, in the speaker's own time.
        person: whom "she" means, where nobody is named before it.
    """
    subject = thing = named = ""
    for number, (led_by, part) in enumerate(parts_of(written_out(sentence))):
        text = _LEAD.sub("", part.strip())
        if led_by.strip(" ,") in ("who", "which"):
            subject = named  # "a friend, Jettra, who is ..."
        named = last[1] if (last := _LAST_NAME.search(text)) else named
        text = date_behind(text, at)
        found = taken_apart(text)
        if found is None and (subject or not number):
            text = text if number else f"{text[:1].lower()}{text[1:]}"
            found = _CARRIED.match(text)
            if found and not subject:  # "Ordered the bench.": nobody else is left unsaid
                found = found if is_past_form(found["verb"]) else None
                subject = USER if found else ""
        parts = found.groupdict() if found else {}
        subject, attribute = _about(parts, subject, person, thing)
        led = _NAME_FIRST.match(text)
        person = person_in(text) or (led[1] if led else person)
        if led := _CHANGING.match(text):
            yield from _changed(led, text, at)
            continue
        if found is None or not subject or (not number and is_no_name(found)):
            continue
        if parts.get("relation") and subject != USER:
            relation = parts["relation"] or ""
            text_of = f"{subject} is the user's {relation}."
            yield Clause(subject, "relation", relation, "", "", False, False, False, False, text_of)
        told = told_by(subject, attribute, found, text, at)
        if told is not None:
            yield told
            yield from _before(told, found["rest"], at)
            if told.value and not told.is_event and len(told.value.split()) <= _MOST_OF_A_THING:
                thing = told.value
            elif subject not in (USER, person):
                thing = subject
        if mine := _MY_THING.search(text) or _THEIR_THING.search(text):
            thing = mine[0]


def _changed(led: re.Match[str], text: str, at: datetime) -> Iterator[Clause]:
    """Yield what a thing was set to: "They raised our rent to 640 euros"."""
    thing, rest = led["what"], text[led.end() :]
    tense = "future" if _FROM_THEN.search(text, led.end()) else tense_of(text)
    dates = [one for one in said_in(text, at, tense) if one.start >= led.end("what")]
    value = value_in(without(rest, text, dates))
    since = dates[0].date if dates else ""
    if not value and dates:
        yield Clause(
            thing, "date", since, since, "", False, False, True, True, f"The {thing} is on {since}."
        )
    elif is_told(value):
        when = f" from {since}" if since else ""
        said = f"The user's {thing} is {value}{when}."
        yield Clause(USER, thing, value, since, "", False, False, False, True, said)


def _before(told: Clause, rest: str, at: datetime) -> Iterator[Clause]:
    """Yield what was so before a change "from X to Y"."""
    led = _FROM.match(rest)
    if led is None or told.is_plan:
        return
    until = told.since if not told.is_event else at.date().isoformat()
    dates = said_in(led["value"], at, "")
    old = dates[0].date if dates and told.is_event else value_in(led["value"])
    if is_told(old) and bool(dates) is told.is_event:
        whose = "user's" if told.subject == USER else f"{told.subject}'s"
        text = f"The {whose} {told.attribute} was {old} before."
        yield replace(told, value=old, since="", until=until or at.date().isoformat(), text=text)


def person_in(text: str) -> str:
    """Return the last person of the user's that a text speaks of, by name where there is one; else nothing."""
    found = [*_SPOKEN_OF.finditer(text)]
    return (
        (found[-1]["called"] or found[-1]["before"] or found[-1]["with"] or found[-1]["who"])
        if found
        else ""
    )


def _about(parts: dict[str, str | None], before: str, person: str, thing: str) -> tuple[str, str]:
    """Return the subject of a clause, and the attribute that it names itself ("my tent is ...")."""
    if parts.get("user"):
        return USER, ""
    if own := parts.get("own"):
        whose = (parts["whose"] or "").removesuffix("'s")
        is_user = whose.lower() in ("my", "our", "the user")
        whose = _OF_MINE.sub("", whose)
        if is_user and PERSON.fullmatch(own):
            return parts["called"] or own, ""
        if not is_user and PERSON.fullmatch(own):
            is_naming = parts["verb"] in ("is", "was") and _CAPITAL_NEXT.match(parts["rest"] or "")
            return (whose, own) if is_naming else (f"{whose}'s {own}", "")
        return (USER, own) if is_user else (whose, own)
    if pronoun := parts.get("pronoun"):
        if pronoun.lower() not in ("he", "she") and _MY_THING.fullmatch(thing):
            return USER, thing.partition(" ")[2]
        if pronoun.lower() == "it":
            theirs = _THEIR_THING.fullmatch(thing)
            return (theirs[1], theirs[2]) if theirs else (thing, "")
        return (person if pronoun.lower() in ("he", "she") else thing or person), ""
    if kin := parts.get("kin"):
        return kin.lower(), ""
    if parts.get("named") or parts.get("thing"):
        return parts["named"] or parts["thing"] or "", ""
    return before, ""
