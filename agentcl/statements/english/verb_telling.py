"""What the verb of a clause tells of its subject: an attribute, a value, since when and until when; or nothing that lasts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from agentcl.statements.dates.dating import said_in, tense_of
from agentcl.statements.dates.periods import period
from agentcl.statements.dates.resolving import Mention
from agentcl.statements.english.grammar import FORM
from agentcl.statements.english.open_verbs import MENTAL, lemma_of
from agentcl.statements.english.patterns import PEOPLE, is_vague
from agentcl.statements.english.verbs import ENDING, KEPT_UP, LASTING, LEMMA, TOLD, forms, s_form
from agentcl.statements.english.words import is_told, span_of, value_in, without
from agentcl.statements.slots import USER


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


_PREPOSITION: Final = re.compile(
    r"(?P<word>up for|back on|back at|back in|down to|up to|off|in|at|to|for|as|from|on|with|of|near|into)\s+"
)
_OBJECT: Final = re.compile(
    r"(?:it|that|this|those|these|them|him|her|you|your|me|us|one|how|what|why|when|where|so|all|both|not|nothing|everything|anything|something|"
    r"some|more|enough|no|there|here|well|fine|ok|good|sure|glad|sorry|right|wrong|done|little|much|a (?:bit|lot|few|question|problem|look|go|chance))\b",
    re.IGNORECASE,
)
_CHAT: Final = re.compile(
    r"\b(?:it|that|this|them|you|your|questions?|problems?|things?|options?|fan|nothing|everything|anything|something|somebody|someone)\b|^(?:lunch|home|work|bed)$",
    re.IGNORECASE,
)
# "I'm on 20 mg", "I'm back on dairy", "I'm down to 10 mg"
_STATES: Final = {
    "on": "on",
    "back on": "on",
    "off": "off",
    "down to": "at",
    "up to": "at",
    "back at": "at",
    "back in": "in",
}
_IDLE: Final = re.compile(
    r"(?:it|to|with|way|phone|my way|the way|time|topic|top|board|fire|call|fence|road|go|run|tram|train|bus|couch|sofa|my own|your|hand|hold|track)\b",
    re.IGNORECASE,
)
_TELLING: Final = re.compile(r"(allergic|called|named|based|born)\s+", re.IGNORECASE)
_VAGUE: Final = re.compile(r"(?:(?:right |just )?now|today|tonight|this \w+)$", re.IGNORECASE)
_LASTING_TRAITS: Final = re.compile(
    r"(?:half |part |originally |very )?(?:married|engaged|divorced|widowed|single|separated|pregnant|retired|unemployed|self-employed|freelance|left-handed|right-handed|"
    r"colou?r-?blind|deaf|blind|vegan|vegetarian|diabetic|asthmatic|dyslexic|autistic|\d[\d.,]*\s?(?:m|cm|ft|feet|kilos?|kg)\b|"
    r"[A-Z][a-z]{2,14}(?:ish|ese|ian|ean|an|ch|ic|i)\b)(?!\s(?:is|are|was)\b)"
)
_BEING: Final = frozenset({"am", "is", "are", "was", "were", "been", "got"})
_MODAL: Final = frozenset({"be", "have", "get"})  # "I have to"
_PHASES: Final = frozenset({"start", "begin", "stop", "quit", "give up", "keep"})
_DOING: Final = re.compile(rf"(?P<verb>(?=\w+ing\b)(?:{FORM}))(?![\w'-])\s*")
_NOT: Final = re.compile(r"(?:not|no longer)\s+")
_ANY_MORE: Final = re.compile(r"\bany ?more\b", re.IGNORECASE)
_CHANGES: Final = frozenset(
    {
        "move",
        "switch",
        "change",
        "slip",
        "rename",
        "postpone",
        "push",
        "extend",
        "bring",
        "go",
        "rise",
        "drop",
        "fall",
        "reschedule",
        "double",
        "raise",
    }
)
PERSON: Final = re.compile(rf"(?:\w{{1,40}} )?(?:{PEOPLE})", re.IGNORECASE)
_BESIDE: Final = re.compile(
    r"(?:my|our|the user's)\s+(?P<relation>(?:new |old )?[a-z-]+(?: [a-z-]+)?)", re.IGNORECASE
)
_ANEW: Final = re.compile(r"\b(?:now|again|back|these days|since|still|currently)\b")
_ARTICLE: Final = re.compile(r"(?:an?|the|my|our|all|both)\s", re.IGNORECASE)
_CHANGED_TO: Final = re.compile(r"(?:^|\s)to\s")
_CHANGED: Final = re.compile(r"^(?:from\s.{1,60}?\s)?to\s+(?=\S)")
_THIRD: Final = {
    "am": "is",
    "are": "is",
    "were": "was",
    "have": "has",
    "do": "does",
    "don't": "doesn't",
}
_AS_THEY_ARE: Final = frozenset(
    """
    is was has had will can could did does got been going used just also now already still really currently actually recently finally
    only always both officially even usually then never not no don't doesn't didn't won't isn't aren't wasn't
    """.split()  # noqa: SIM905  # as a list it takes many lines
)
_THEIRS: Final = {
    "my": "the user's",
    "our": "the user's",
    "me": "the user",
    "us": "the user",
    "i": "the user",
    "we": "the user",
}
_MINE: Final = re.compile(r"\b(?:my|our|me|us|i|we)\b", re.IGNORECASE)


def told_by(
    subject: str, attribute: str, found: re.Match[str], text: str, at: datetime
) -> Clause | None:
    """Return what the verb of a clause tells of its object; None for what nobody asks later."""
    form, aux, rest = found["verb"], found["aux"].split(), found["rest"]
    lemma = lemma_of(form)
    if led := _NOT.match(rest):  # "I'm not in Ghent any more"
        aux, rest = [*aux, *led[0].split()], rest[led.end() :]
    if lemma == "end" and rest.startswith("up"):
        return None
    ended = _is_ended(lemma, aux, rest)
    if ended is None or (lemma in _MODAL and rest.startswith("to ")):
        return None
    is_open = form not in LEMMA
    # "Jettra walks our dog": she does so again and again.
    is_somebody = is_told(subject[:1]) or PERSON.fullmatch(subject) is not None
    is_habit = form == s_form(lemma) and is_somebody
    if is_open and lemma in MENTAL:
        return None
    if lemma in _PHASES and (led := _DOING.match(rest)):
        form, rest = led["verb"], rest[led.end() :]
        lemma = lemma_of(form)
    dates = [
        one for one in said_in(text, at, tense_of(text)) if one.role or not _VAGUE.match(one.said)
    ]
    if led := _OBJECT.match(rest):
        if not dates or led[0] not in ("it", "them") or lemma == "be":
            return None
        rest = rest[led.end() :]
    if not dates and (
        _is_passing(lemma, form, aux)
        or (_is_under_way(lemma, form) and not is_told(value_in(rest)))
    ):
        return None  # "I took them to a restaurant", "I'm writing a letter"
    rest = without(rest, text, dates)
    led = _CHANGED_TO.search(rest)
    set_to = value_in(rest[led.end() :]) if led and is_told(rest[led.end() :]) else ""
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
    is_to_come = bool(since) and period(since, at.tzinfo).start > at
    is_plan = bool({"will", "going"} & set(aux)) or (
        (form.endswith("ing") or is_open) and is_to_come
    )
    if TOLD.get(key) == "employer" and not value[:1].isupper():
        key = lemma
    is_state = key in ("be on", "be off")
    verb = TOLD.get(key, "" if lemma == "be" and not is_state else key)
    said = _retold(subject, attribute, found, text, dates)
    if attribute and dates and key in ("be in", "be at"):
        value = ""  # "it's this Saturday in Ghent": when
    is_thing = subject != USER and not is_somebody and subject == found.groupdict().get("thing")
    if lemma in _CHANGES and is_thing and key.endswith(" to") and is_told(value):
        return Clause(USER, subject, value, since, until, False, False, False, True, said)
    if lemma in _CHANGES and attribute and value and set_to:
        return Clause(subject, attribute, set_to, since, until, False, False, False, True, said)
    if lemma == "be" and is_thing and value[:1].isdigit() and not dates:  # "The budget is 12,000"
        return Clause(USER, subject, value, since, until, False, False, False, True, said)
    if lemma == "be" and dates and value == "due":
        value, attribute = "", attribute or value
    if not value:
        if ended and subject != USER:
            return Clause(
                subject, attribute or verb, "", since, until, True, False, False, False, said
            )
        is_once = subject == USER and not attribute and lemma not in LASTING and not is_plan
        name = attribute or ("date" if subject != USER else verb)
        if is_once or ended or not dates:
            return None  # "We met last night"
        return _on_a_day(subject, name, dates[-1].date, said, is_plan=is_plan)
    if (
        _CHAT.search(value)
        or is_vague(attribute)
        or not (key in TOLD or lemma == "be" or subject == USER or is_told(value) or is_habit)
    ):
        return None
    is_of_a_thing = (
        form == lemma and _ARTICLE.match(rest) is not None
    )  # "I walk the dog", not "I sleep late"
    if is_open and not dates and not is_told(value) and not (is_habit or is_of_a_thing):
        return None  # "I walked the dog": once, and nothing that has a name
    if is_state and not _is_state(key, value, text, is_dated=bool(dates)):
        return None
    if lemma == "be" and not verb:
        made = _is(attribute, value, rest, is_somebody=subject == USER or is_somebody)
        if made is None or (
            subject == USER and not attribute and is_told(value[:1]) and not value[:1].isdigit()
        ):
            return None  # "We're Orlo on bass and Jettra on keys"
        name, value = made
    else:
        name = " ".join(filter(None, (attribute, verb)))
    is_own = bool(attribute) or name in ("date", "place", "age")
    return Clause(subject, name, value, since, until, ended, is_plan, False, is_own, said)


def _on_a_day(subject: str, name: str, date: str, said: str, *, is_plan: bool) -> Clause | None:
    """Return what a clause says that says no more than when; None for a mere year, or a birthday: it is of every year."""
    if name in ("", "birthday") or len(date) < len("2025-01"):
        return None
    return Clause(subject, name, date, date, "", False, is_plan, True, True, said)


def _is_state(key: str, value: str, text: str, *, is_dated: bool) -> bool:
    """Return whether "I'm on", "I'm off" tells how things are: "on 20 mg", "off dairy", and not "on it"."""
    if _IDLE.match(value):
        return False
    return key == "be off" or is_dated or is_told(value) or _ANEW.search(text) is not None


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
    if PERSON.fullmatch(subject):
        who = f"the user's {subject}"
    elif not is_told(subject[:1]) and subject != USER:
        who = f"the {subject}"
    if attribute:
        who = f"{who}'s {attribute}"
    group = [*found["aux"].split(), found["verb"]]
    if subject == USER and not attribute:
        group[0] = _THIRD.get(group[0]) or (
            s_form(group[0])
            if lemma_of(group[0]) == group[0] and group[0] not in _AS_THEY_ARE
            else group[0]
        )
    words = _MINE.sub(lambda found: _THEIRS[found[0].lower()], words).rstrip(" .,;:!")
    said = " ".join(filter(None, (who, *group, words)))
    return f"{said[:1].upper()}{said[1:]}."


def _key(lemma: str, rest: str) -> tuple[str, str]:
    """Return a verb with the preposition or the participle that belongs to it, and what stands behind."""
    key = lemma
    if lemma == "be" and (led := _TELLING.match(rest)):
        key, rest = f"be {led[1].lower()}", rest[led.end() :]
    led = _PREPOSITION.match(rest)
    if led and lemma == "be" and led["word"] in _STATES:
        return f"be {_STATES[led['word']]}", rest[led.end() :]
    if led and (f"{key} {led['word']}" in TOLD or key not in ("be", "have", "get")):
        key, rest = f"{key} {led['word']}", rest[led.end() :]
    return key, rest


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


def _is(attribute: str, value: str, rest: str, *, is_somebody: bool) -> tuple[str, str] | None:
    """Return the attribute and the value of what "is" says; None for mere adjectives and places."""
    if found := _BESIDE.match(rest):
        return "relation", found["relation"]
    if re.fullmatch(r"\d{1,3}(?: years old)?", value) and not attribute:
        return ("age", value) if is_somebody else None
    if is_somebody and not attribute and _LASTING_TRAITS.match(value):
        return "is", value
    has_article = re.match(r"(?:(?:now|also|still) )?(?:an?|the)\s", rest) is not None
    if not (has_article or (attribute and is_told(value[:1]))):
        return None  # "better than the one in Ghent"
    if attribute:
        return attribute, value
    return None if _PREPOSITION.match(rest) else ("is", value)


def _is_ended(lemma: str, aux: Sequence[str], rest: str) -> bool | None:
    """Return whether what a verb tells of is over; None where it says that something was never so."""
    said = " ".join(aux)
    if (
        "longer" in aux
        or "used to" in said
        or (re.search(r"\bnot\b|n't\b", said) and _ANY_MORE.search(rest))
    ):
        return True
    if re.search(r"\b(?:not|never|\w+n't)\b", said):
        return None
    return lemma in ENDING
