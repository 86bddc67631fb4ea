"""Plain clauses taken apart: who, what is said of him, and of what. "My sister lives in Ghent" and "The user's sister lives in Ghent" alike.

A clause has a subject, a verb of a closed list, and an object up to where the clause ends. What a verb tells of is an
attribute where everyday words name one (`home`, `employer`), and else the verb itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from agentcl.statements.clause_words import is_told, span_of, value_in, without, written_out
from agentcl.statements.dates import Mention
from agentcl.statements.dating import said_in, tense_of
from agentcl.statements.patterns import PEOPLE, is_vague
from agentcl.statements.periods import period
from agentcl.statements.slots import USER
from agentcl.statements.verbs import ENDING, KEPT_UP, LASTING, LEMMA, TOLD, forms, s_form


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause, taken apart."""

    subject: str  # "user", or whom or what it is about
    attribute: str
    value: str  # a day or month as ISO 8601, where the clause says no more than when
    since: str  # ISO 8601; empty: not said
    until: str
    ended: bool  # it is so no longer
    is_plan: bool  # it is still to be so
    is_event: bool  # its value is its day
    is_own: bool  # the attribute is named by the clause itself: it has one value
    text: str  # one sentence in the third person, with its days as ISO 8601


_FORMS: Final = sorted(LEMMA, key=lambda form: (-len(form), form))
_FORM: Final = "|".join(_FORMS)
_ADVERBS: Final = (
    r"just|also|now|already|still|really|currently|actually|recently|finally|only|always|both|officially|even|usually|then|"
    r"never|not|no longer|don't|doesn't|didn't|won't|isn't|aren't|wasn't"
)
_AUX: Final = rf"(?:am|is|are|was|were|been|being|have|has|had|will|do|does|did|got|going to|used to|{_ADVERBS})"
_GROUP: Final = rf"(?P<aux>(?:{_AUX}\s+){{0,4}})(?P<verb>{_FORM})(?![\w'-])"
_FORM_OF_OTHERS: Final = "|".join(one for one in _FORMS if one not in LEMMA.values())
_GROUP_OF_OTHERS: Final = rf"(?P<aux>(?:{_AUX}\s+){{0,4}})(?P<verb>{_FORM_OF_OTHERS})(?![\w'-])"
_CAPITAL: Final = r"[A-Z\u00c0-\u00de][\w&-]{0,40}(?:\.\w{1,10})?"
_NOT_NAMES: Final = (
    r"(?!(?:I|We|He|She|It|They|You|The|This|That|These|Those|My|Our|His|Her|Their|And|But|So|Also|Yes|No|Not|Now|Then|Please|Thanks|What|Who|How|"
    r"When|Where|Why|There|Here|In|On|At|For|From|With|If|Ok|Okay|Oh|Well|Good|Great|Right|Just|Next|Any|Some|All|User)\b)"
)
_NAMED: Final = rf"{_NOT_NAMES}{_CAPITAL}(?: {_CAPITAL}){{0,3}}"
_WORD: Final = r"(?!(?:I|says?|thinks?|said|thought|and|or|that|who|which|is|are|was|were|has|have|had|to|for)\b)[^\W\d_][\w-]{0,40}"
_SELF: Final = r"(?P<user>I|we|We|[Tt]he user)|(?P<pronoun>[Tt]hey)"
_OTHERS: Final = (
    rf"(?P<user>[Tt]he user)"
    rf"|(?P<whose>[Mm]y|[Oo]ur|[Tt]he user's|{_NAMED}'s)\s(?P<own>{_WORD}(?:\s{_WORD}){{0,3}}?)(?:,?\s(?P<called>{_NAMED}),?)?"
    rf"|(?P<named>{_NAMED}(?:\sand\s{_NAMED})?)(?:,\s(?:my|our|the user's)\s(?P<relation>{_WORD}(?:\s{_WORD})?),)?"
    rf"|(?P<pronoun>[Hh]e|[Ss]he|[Ii]t)"
    rf"|(?:[Tt]he|[Tt]his)\s(?P<thing>{_WORD}(?:\s{_WORD}){{0,3}}?)(?<! one)"
)
# "My driving test is ...": behind such a subject no verb stands in its plain form.
_MAIN: Final = (
    re.compile(rf"(?:{_SELF})\s+{_GROUP}\s*(?P<rest>.*)$"),
    re.compile(rf"(?:{_OTHERS})\s+{_GROUP_OF_OTHERS}\s*(?P<rest>.*)$"),
)
_CARRIED: Final = re.compile(rf"{_GROUP}\s*(?P<rest>.*)$")
_LEAD: Final = re.compile(
    r"^(?:(?:and|but|so|also|oh|ok|okay|well|yes|yeah|no|good|great|right|now|then|anyway|by the way|btw|thanks|thank you|perfect|lovely|hi|hello|hey|"
    r"ha|haha|nice|sure|actually|fine|super|true|exactly|i guess|the thing is|turns out|turned out|that|because|since)\b[,.!:]?\s+)+",
    re.IGNORECASE,
)
_BREAK: Final = re.compile(
    r"[;:\u2014]\s|\s-\s|,?\s(?:but|so|because|and then|while|although|though|which is why)\s"
    r"|(?:,\s(?:and\s)?|\sand\s)(?=(?:I|we|he|she|they|it|my|our)\b[ '])"
    rf"|,\s(?:who|which)\s|(?:,|\sand)\s(?=(?:[Tt]he|[Mm]y|[Oo]ur)\s)|,?\sand\s(?=(?:{_ADVERBS})?\s?(?:{_FORM})\s)|,\s(?=(?:{_FORM})\s)"
)
_PREPOSITION: Final = re.compile(r"(?P<word>up for|in|at|to|for|as|from|on|with|of|near|into)\s+")
_OBJECT: Final = re.compile(
    r"(?:it|that|this|those|these|them|him|her|you|your|me|us|one|how|what|why|when|where|so|all|both|not|nothing|everything|anything|something|"
    r"some|more|enough|no|there|here|well|fine|ok|good|sure|glad|sorry|right|wrong|done|little|much|a (?:bit|lot|few|question|problem|look|go|chance))\b",
    re.IGNORECASE,
)
_CHAT: Final = re.compile(
    r"\b(?:it|that|this|them|you|your|questions?|problems?|things?|options?|fan|nothing|everything|anything|something|somebody|someone)\b|^(?:lunch|home|work|bed)$",
    re.IGNORECASE,
)
_TELLING: Final = re.compile(r"(allergic|called|named|based|born)\s+", re.IGNORECASE)
_VAGUE: Final = re.compile(r"(?:(?:right |just )?now|today|tonight|this \w+)$", re.IGNORECASE)
_BEING: Final = frozenset({"am", "is", "are", "was", "were", "been", "got"})
_MODAL: Final = frozenset({"be", "have", "get"})  # "I have to"
_PHASES: Final = frozenset({"start", "begin", "stop", "quit", "give up", "keep"})
_DOING: Final = re.compile(rf"(?P<verb>(?=\w+ing\b)(?:{_FORM}))(?![\w'-])\s*")
_NOT: Final = re.compile(r"(?:not|no longer)\s+")
_ANY_MORE: Final = re.compile(r"\bany ?more\b", re.IGNORECASE)
_CHANGES: Final = frozenset({"move", "switch", "change", "slip", "rename", "postpone"})
_PERSON: Final = re.compile(rf"(?:\w{{1,40}} )?(?:{PEOPLE})", re.IGNORECASE)
_BESIDE: Final = re.compile(
    r"(?:my|our|the user's)\s+(?P<relation>(?:new |old )?[a-z-]+(?: [a-z-]+)?)", re.IGNORECASE
)
_CHANGING: Final = re.compile(
    rf"(?:[Tt]he |[Mm]y |[Oo]ur )?[\w-]{{1,30}} (?:has |have |just )?(?:raised|lowered|increased|cut|changed|moved|pushed|postponed|put|brought forward|set|renamed) "
    rf"(?:the|my|our) (?P<what>{_WORD}(?: {_WORD})?)(?: back| up| down)?(?: from [^,.;]{{1,40}}?)? to "
)
_FROM_THEN: Final = re.compile(r"\b(?:from|as of)\s")
_FROM: Final = re.compile(r"from\s(?P<value>.{1,60}?)\sto\s")
_MY_THING: Final = re.compile(
    rf"\b(?:[Mm]y|[Oo]ur)\s(?!(?:{PEOPLE})\b){_WORD}(?=[,.]|$|\s(?:in|on|at|with|from|to|and|is|was)\b)"
)
_THEIR_THING: Final = re.compile(rf"({_NAMED})'s ({_WORD})")
_NAME_FIRST: Final = re.compile(rf"({_NAMED}) (?:has |just |also )?[a-z]{{2,}}")
_OF_SOMEBODY: Final = re.compile(
    r"(?:now |still |also )?(?:my|our|the user's|an?|in|at|from|on|allergic|based|called|moving|back)\b",
    re.IGNORECASE,
)
_CHANGED: Final = re.compile(r"^(?:from\s.{1,60}?\s)?to\s+(?=\S)")
_SPOKEN_OF: Final = re.compile(
    rf"\b(?:[Mm]y|[Oo]ur|[Tt]he user's)\s(?:\w+\s)?(?P<who>{PEOPLE})\b(?:,?\s(?P<called>{_NAMED}))?"
    rf"|(?P<before>{_NAMED})(?:\s(?:is|was)|,)\s(?:my|our|the user's)\s(?:\w+\s)?(?:{PEOPLE})\b"
    rf"|(?:with|to|by|from|and)\s(?P<with>{_NAMED})(?=[,.]|$)"
)
_THIRD: Final = {
    "am": "is",
    "are": "is",
    "were": "was",
    "have": "has",
    "do": "does",
    "don't": "doesn't",
}
_BASE: Final = frozenset(LEMMA.values())
_THEIRS: Final = {
    "my": "the user's",
    "our": "the user's",
    "me": "the user",
    "us": "the user",
    "i": "the user",
    "we": "the user",
}
_MINE: Final = re.compile(r"\b(?:my|our|me|us|i|we)\b", re.IGNORECASE)
_MOST_OF_A_THING: Final = 4  # words


def clauses(sentence: str, at: datetime, person: str = "") -> Iterator[Clause]:
    """Yield the clauses of a sentence that are understood, in order.

    Args:
        sentence: in English, in the first person of the user or in the third.
        at: when it was said, in the speaker's own time.
        person: whom "she" means, where nobody is named before it.
    """
    subject = thing = ""
    for number, part in enumerate(_BREAK.split(written_out(sentence))):
        text = _LEAD.sub("", (part or "").strip())
        found = _MAIN[0].match(text) or _MAIN[1].match(text)
        if found is None and (subject or not number):
            found = _CARRIED.match(text)
            if found and not subject:  # "Ordered the bench.": nobody else is left unsaid
                found = found if _is_past(found["verb"]) else None
                subject = USER if found else ""
        parts = found.groupdict() if found else {}
        subject, attribute = _about(parts, subject, person, thing)
        led = _NAME_FIRST.match(text)
        person = person_in(text) or (led[1] if led else person)
        if led := _CHANGING.match(text):
            yield from _changed(led, text, at)
            continue
        if found is None or not subject or (not number and _is_no_name(found)):
            continue
        if parts.get("relation") and subject != USER:
            relation = parts["relation"] or ""
            text_of = f"{subject} is the user's {relation}."
            yield Clause(subject, "relation", relation, "", "", False, False, False, False, text_of)
        told = _told(subject, attribute, found, text, at)
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
        if is_user and _PERSON.fullmatch(own):
            return parts["called"] or own, ""
        if not is_user and _PERSON.fullmatch(own):
            return f"{whose}'s {own}", ""
        return (USER, own) if is_user else (whose, own)
    if pronoun := parts.get("pronoun"):
        if pronoun.lower() not in ("he", "she") and _MY_THING.fullmatch(thing):
            return USER, thing.partition(" ")[2]
        if pronoun.lower() == "it":
            theirs = _THEIR_THING.fullmatch(thing)
            return (theirs[1], theirs[2]) if theirs else (thing, "")
        return (person if pronoun.lower() in ("he", "she") else thing or person), ""
    if parts.get("named") or parts.get("thing"):
        return parts["named"] or parts["thing"] or "", ""
    return before, ""


def _told(
    subject: str, attribute: str, found: re.Match[str], text: str, at: datetime
) -> Clause | None:
    """Return what the verb of a clause tells of its object; None for what nobody asks later."""
    form, aux, rest = found["verb"], found["aux"].split(), found["rest"]
    lemma = LEMMA[form]
    if led := _NOT.match(rest):  # "I'm not in Ghent any more"
        aux, rest = [*aux, *led[0].split()], rest[led.end() :]
    ended = _is_ended(lemma, aux, rest)
    if ended is None or (lemma in _MODAL and rest.startswith("to ")):
        return None
    if lemma in _PHASES and (led := _DOING.match(rest)):
        form, rest = led["verb"], rest[led.end() :]
        lemma = LEMMA[form]
    dates = [
        one for one in said_in(text, at, tense_of(text)) if one.role or not _VAGUE.match(one.said)
    ]
    if led := _OBJECT.match(rest):
        if not dates or led[0] not in ("it", "them") or lemma == "be":
            return None
        rest = rest[led.end() :]
    if not dates and (_is_passing(lemma, form, aux) or _is_under_way(lemma, form)):
        return None  # "I took them to a restaurant", "I'm writing a letter"
    rest = without(rest, text, dates)
    if lemma in _CHANGES and (led := _CHANGED.match(rest)):
        rest = f"to {rest[led.end() :]}"
    is_passive = not form.endswith("ing") and bool(_BEING & set(aux))
    key, rest = _key(f"be {form}" if is_passive and lemma != "be" else lemma, rest)
    ended = ended and (key == lemma or key in TOLD)
    value = value_in(rest)
    if is_passive and lemma != "be" and key not in TOLD and not dates:
        return None  # "I'm lost in the forms"
    since, until = span_of(dates, ended=ended, at=at)
    ended = ended and not until  # it is still so until then
    is_plan = bool({"will", "going"} & set(aux)) or (
        form.endswith("ing") and bool(since) and period(since, at.tzinfo).start > at
    )
    if TOLD.get(key) == "employer" and not value[:1].isupper():
        key = lemma
    verb = TOLD.get(key, "" if lemma == "be" else key)
    said = _retold(subject, attribute, found, text, dates)
    if attribute and dates and key in ("be in", "be at"):
        value = ""  # "it's this Saturday in Ghent": when
    if not value:
        if ended and subject != USER:
            return Clause(
                subject, attribute or verb, "", since, until, True, False, False, False, said
            )
        name = attribute or ("date" if subject != USER else verb)
        if subject == USER and not attribute and lemma not in LASTING:
            return None  # "We met last night"
        if not dates or ended or name in ("", "birthday") or len(dates[-1].date) < len("2025-01"):
            return None
        date = dates[-1].date
        return Clause(subject, name, date, date, "", False, is_plan, True, True, said)
    if (
        _CHAT.search(value)
        or is_vague(attribute)
        or not (key in TOLD or lemma == "be" or subject == USER or is_told(value))
    ):
        return None
    if lemma == "be" and not verb:
        made = _is(attribute, value, rest)
        if made is None or (
            subject == USER and not attribute and is_told(value[:1]) and not value[:1].isdigit()
        ):
            return None  # "We're Orlo on bass and Jettra on keys"
        name, value = made
    else:
        name = " ".join(filter(None, (attribute, verb)))
    is_own = bool(attribute) or name in ("date", "place", "age")
    return Clause(subject, name, value, since, until, ended, is_plan, False, is_own, said)


def _retold(
    subject: str, attribute: str, found: re.Match[str], text: str, dates: Sequence[Mention]
) -> str:
    """Return a clause in the third person, with the days that its words mean."""
    words, begin = found["rest"], len(text) - len(found["rest"])
    for one in reversed(dates):
        if one.start >= begin and one.date not in one.said:
            end = one.end - begin
            words = f"{words[:end].rstrip('.')} ({one.date}){words[end:]}"
    who = "the user" if subject == USER else subject
    if _PERSON.fullmatch(subject):
        who = f"the user's {subject}"
    elif not is_told(subject[:1]) and subject != USER:
        who = f"the {subject}"
    if attribute:
        who = f"{who}'s {attribute}"
    group = [*found["aux"].split(), found["verb"]]
    if subject == USER and not attribute:
        group[0] = _THIRD.get(group[0]) or (s_form(group[0]) if group[0] in _BASE else group[0])
    words = _MINE.sub(lambda found: _THEIRS[found[0].lower()], words).rstrip(" .,;:!")
    said = " ".join(filter(None, (who, *group, words)))
    return f"{said[:1].upper()}{said[1:]}."


def _key(lemma: str, rest: str) -> tuple[str, str]:
    """Return a verb with the preposition or the participle that belongs to it, and what stands behind."""
    key = lemma
    if lemma == "be" and (led := _TELLING.match(rest)):
        key, rest = f"be {led[1].lower()}", rest[led.end() :]
    led = _PREPOSITION.match(rest)
    if led and (f"{key} {led['word']}" in TOLD or key not in ("be", "have", "get")):
        key, rest = f"{key} {led['word']}", rest[led.end() :]
    return key, rest


def _is_no_name(found: re.Match[str]) -> bool:
    """Return whether one capital at the beginning of a sentence makes no name: "Rate is 9 cents"."""
    name = found.groupdict().get("named")
    is_plain = LEMMA[found["verb"]] in ("be", "have") and not _OF_SOMEBODY.match(found["rest"])
    return name is not None and " " not in name and is_plain


def _is_past(form: str) -> bool:
    lemma = LEMMA[form]
    is_present = form in (lemma, f"{lemma}s") or form.endswith("ing") or lemma in ("be", "have")
    return not is_present


def _is_passing(lemma: str, form: str, aux: Sequence[str]) -> bool:
    """Return whether a verb tells of what happened once, and left nothing that lasts."""
    if lemma == "be":
        return form in ("was", "were")
    is_past = form not in (lemma, f"{lemma}s") and form not in forms(lemma) - {
        f"{lemma}ed",
        f"{lemma}d",
    }
    return (
        is_past
        and not aux
        and lemma not in LASTING
        and lemma not in ENDING
        and not form.endswith("ing")
    )


def _is_under_way(lemma: str, form: str) -> bool:
    return (
        form.endswith("ing")
        and lemma not in LASTING
        and lemma not in ENDING
        and lemma not in KEPT_UP
    )


def _is(attribute: str, value: str, rest: str) -> tuple[str, str] | None:
    """Return the attribute and the value of what "is" says; None for mere adjectives and places."""
    if found := _BESIDE.match(rest):
        return "relation", found["relation"]
    if re.fullmatch(r"\d{1,3}(?: years old)?", value) and not attribute:
        return "age", value
    has_article = re.match(r"(?:(?:now|also|still) )?(?:an?|the)\s", rest) is not None
    if not (has_article or (attribute and is_told(value[:1]))):
        return None  # "better than the one in Ghent"
    if attribute:
        return attribute, value
    return None if _PREPOSITION.match(rest) else ("is", value)


def _is_ended(lemma: str, aux: Sequence[str], rest: str) -> bool | None:
    """Return whether what a verb tells of is over; None where it says that something was never so."""
    said = " ".join(aux)
    if "longer" in aux or "used to" in said or ("not" in said and _ANY_MORE.search(rest)):
        return True
    if re.search(r"\b(?:not|never|\w+n't)\b", said):
        return None
    return lemma in ENDING
