"""The grammar of plain English clauses: where one begins, what its subject is, and which of its words is the verb."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Final

from agentcl.statements.dates.dating import said_in, tense_of
from agentcl.statements.english.open_verbs import FINITE, lemma_of
from agentcl.statements.english.patterns import PEOPLE
from agentcl.statements.english.verbs import LEMMA

_FORMS: Final = sorted(LEMMA, key=lambda form: (-len(form), form))
FORM: Final = "|".join(_FORMS)
_ADVERBS: Final = (
    r"just|also|now|already|still|really|currently|actually|recently|finally|only|always|both|officially|even|usually|then|"
    r"never|not|no longer|don't|doesn't|didn't|won't|isn't|aren't|wasn't"
)
_AUX: Final = rf"(?:can|am|is|are|was|were|been|being|have|has|had|will|do|does|did|got|going to|used to|{_ADVERBS})"
GROUP: Final = rf"(?P<aux>(?:{_AUX}\s+){{0,4}})(?P<verb>{FORM})(?![\w'-])"
_FORM_OF_OTHERS: Final = "|".join(one for one in _FORMS if one not in LEMMA.values())
_GROUP_OF_OTHERS: Final = rf"(?P<aux>(?:{_AUX}\s+){{0,4}})(?P<verb>{_FORM_OF_OTHERS})(?![\w'-])"
_CAPITAL: Final = r"[A-Z\u00c0-\u00de][\w&-]{0,40}(?:\.\w{1,10})?"
_NOT_NAMES: Final = (
    r"(?!(?:I|We|He|She|It|They|You|The|This|That|These|Those|My|Our|His|Her|Their|And|But|So|Also|Yes|No|Not|Now|Then|Please|Thanks|What|Who|How|"
    r"When|Where|Why|There|Here|In|On|At|For|From|With|If|Ok|Okay|Oh|Well|Good|Great|Right|Just|Next|Any|Some|All|User)\b)"
)
NAMED: Final = rf"{_NOT_NAMES}{_CAPITAL}(?: {_CAPITAL}){{0,3}}"
WORD: Final = r"(?!(?:I|says?|thinks?|said|thought|and|or|that|who|which|is|are|was|were|has|have|had|to|for)\b)[^\W\d_][\w-]{0,40}"
_SELF: Final = r"(?P<user>I|we|We|[Tt]he user)|(?P<pronoun>[Tt]hey)"
_OTHERS: Final = (
    rf"(?P<user>[Tt]he user)"
    rf"|(?P<whose>[Mm]y|[Oo]ur|[Tt]he user's|{NAMED}'s|(?:[Mm]y|[Oo]ur)\s(?:{PEOPLE})'s|[Tt]he\s{WORD}'s)\s(?P<own>{WORD}(?:\s{WORD}){{0,3}}?)(?:,?\s(?P<called>{NAMED}),?)?"
    rf"|(?P<kin>Mum|Mom|Dad|Gran|Granny|Grandma|Grandad|Grandpa|mum|mom|dad|gran|grandma|grandad|grandpa)"
    rf"|(?P<named>{NAMED}(?:\sand\s{NAMED})?)(?:,\s(?:my|our|the user's)\s(?P<relation>{WORD}(?:\s{WORD})?),)?"
    rf"|(?P<pronoun>[Hh]e|[Ss]he|[Ii]t)"
    rf"|(?:[Tt]he|[Tt]his)\s(?P<thing>(?:\d[\d,.]{{0,9}}\s)?{WORD}(?:\s{WORD}){{0,3}}?)(?<! one)"
)
# "My driving test is ...": behind such a subject no verb stands in its plain form.
_MAIN: Final = (
    re.compile(rf"(?:{_SELF})\s+{GROUP}\s*(?P<rest>.*)$"),
    re.compile(rf"(?:{_OTHERS})\s+{_GROUP_OF_OTHERS}\s*(?P<rest>.*)$"),
)
# ... and with any verb at all: behind "I" and "she" it is the next word.
_ANY_OF_SELF: Final = re.compile(
    rf"(?:(?P<user>(?:{NAMED}\sand\s)?I(?:\sand\s{NAMED})?|[Ww]e|[Tt]he user)(?:\s(?:both|all))?|(?P<pronoun>[Hh]e|[Ss]he|[Tt]hey|[Ii]t))\s+"
    rf"(?P<aux>(?:{_AUX}\s+){{0,4}})(?P<verb>[a-z]{{2,20}})(?![\w'-])\s*(?P<rest>.*)$"
)
_AFTER_SUBJECT: Final = re.compile(r"(?<=\s)[a-z]{2,20}(?![\w'-])")
_WILL: Final = (" will ", " going to ", " can ")
_NO_VERBS: Final = frozenset({"not", "never", "also", "now", "only", "just", "still", "always"})
_HELPING: Final = frozenset({"be", "have", "get"})
_PARTICIPLE: Final = re.compile(rf"(?:(?:{_ADVERBS})\s+){{0,2}}([a-z]{{2,20}})(?![\w'-])")
_BEGINS_WITH_DATE: Final = re.compile(
    r"(?:from|since|as of|on|in|at|by|until|till|next|last|this|tomorrow|yesterday|today|starting|the|\d|[A-Z][a-z]+day\b)",
    re.IGNORECASE,
)
_SUBJECT_NEXT: Final = re.compile(r",?\s(?:I|we|he|she|they|it|my|our|the|[A-Z][a-z]+)\b")
_FURTHEST: Final = 90  # characters within which the verb of a clause is looked for
_BREAK: Final = re.compile(
    r"[;:\u2014]\s|\s-\s|,?\s(?:but|so|because|and then|while|although|though|which is why)\s"
    r"|(?:,\s(?:and\s)?|\sand\s)(?=(?:I|we|he|she|they|it|my|our)\b[ '])"
    rf"|,\s(?:who|which)\s|(?:,|\sand)\s(?=(?:[Tt]he|[Mm]y|[Oo]ur)\s)|,?\sand\s(?=(?:{_ADVERBS})?\s?(?:{FORM})\s)|,\s(?=(?:{FORM})\s)"
)
_OF_SOMEBODY: Final = re.compile(
    r"(?:now |still |also )?(?:my|our|the user's|an?|in|at|from|on|allergic|based|called|moving|back)\b",
    re.IGNORECASE,
)


def parts_of(sentence: str) -> Iterator[tuple[str, str]]:
    """Yield the clauses of a sentence, each with what it is joined by to the one before."""
    led_by, begin = "", 0
    for found in _BREAK.finditer(sentence):
        yield led_by, sentence[begin : found.start()]
        led_by, begin = found[0], found.end()
    yield led_by, sentence[begin:]


def taken_apart(text: str) -> re.Match[str] | None:
    """Return a clause as its subject, its verbs and what follows; None if it is no clause."""
    found = _MAIN[0].match(text) or _MAIN[1].match(text)
    if found is None:
        return _any_verb(text)
    # "I have decided", "The rent is going": the first of two verbs says little.
    led = _PARTICIPLE.match(found["rest"]) if lemma_of(found["verb"]) in _HELPING else None
    if led is None or led[1] in LEMMA or not (led[1] in FINITE or led[1].endswith(("ing", "ed"))):
        return found
    return _ANY_OF_SELF.match(text) or _behind(led[1]).match(text) or found


def date_behind(text: str, at: datetime) -> str:
    """Return a clause with the date that it begins with at its end: "From May I work four days"."""
    if not _BEGINS_WITH_DATE.match(text):
        return text
    dates = said_in(text, at, tense_of(text))
    if not dates or dates[0].start > 0 or not _SUBJECT_NEXT.match(text, dates[0].end):
        return text
    date, rest = text[: dates[0].end], text[dates[0].end :].strip(" ,.")
    return f"{rest} {date[:1].lower()}{date[1:]}"


def _any_verb(text: str) -> re.Match[str] | None:
    """Return a clause with a verb of no list, taken apart; None if no verb is seen."""
    if found := _ANY_OF_SELF.match(text):
        return found
    for one in _AFTER_SUBJECT.finditer(text, 0, _FURTHEST):
        is_verb = (one[0] in FINITE and one[0] not in LEMMA) or text.endswith(_WILL, 0, one.start())
        if is_verb and one[0] not in _NO_VERBS and (found := _behind(one[0]).match(text)):
            return found
    return None


@lru_cache(maxsize=256)  # any word in -ing or -ed may be asked for
def _behind(form: str) -> re.Pattern[str]:
    """Return the pattern of a clause whose subject is a noun or a name, with one form of a verb."""
    return re.compile(
        rf"(?:{_OTHERS})\s+(?P<aux>(?:{_AUX}\s+){{0,4}})(?P<verb>{form})(?![\w'-])\s*(?P<rest>.*)$"
    )


def is_no_name(found: re.Match[str]) -> bool:
    """Return whether one capital at the beginning of a sentence makes no name: "Rate is 9 cents"."""
    name = found.groupdict().get("named")
    is_plain = lemma_of(found["verb"]) in ("be", "have") and not _OF_SOMEBODY.match(found["rest"])
    return name is not None and " " not in name and is_plain


def is_past_form(form: str) -> bool:
    """Return whether a form of a verb of the list is its past or its participle."""
    lemma = LEMMA[form]
    is_present = form in (lemma, f"{lemma}s") or form.endswith("ing") or lemma in ("be", "have")
    return not is_present
