"""What rules read out of an English sentence: patterns of what people say of themselves and of their own.

Each pattern names the parts it takes. A value is a name, or a few words up to where a clause ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from agentcl.store.conversations import Polarity, Sort


@dataclass(frozen=True, slots=True)
class Undated:
    """What a pattern reads: an assertion whose dates are still to be told."""

    attribute: str
    value: str
    said: str  # the sentence after its subject, e.g. "lives in Leuven"
    subject: str = "user"
    sort: Sort = "fact"
    polarity: Polarity = "holds"
    is_member: bool = False
    is_dated: bool = True  # a date in the sentence says since when
    spots: tuple[int, int] = (0, 0)  # where in the sentence


# Capitalised at the beginning of a sentence, and no names.
_NO_NAME: Final = (
    r"(?!(?:Also|And|But|So|The|This|That|These|Those|My|Our|His|Her|He|She|It|We|They|You|In|On|At|For|From|With|If|When|What|"
    r"Who|Why|How|Then|Now|Yes|No|Not|Please|Thanks|Ok|OK|Okay|Well|Just|Any|Some|All|Is|Are|Was|Do|Does|Can|Could|I|I'm|I've|I'll)\b)"
)
_NAME: Final = _NO_NAME + (
    r"[A-Z\u00c0-\u00de][\w'&.-]{0,40}(?:\s{1,3}(?:(?:&|of|de|van|der|den|von|la|le|du|da)\s{1,3})?(?:&\s{1,3})?[A-Z\u00c0-\u00de0-9][\w'&.-]{0,40}){0,6}"
)
_END: Final = (
    r"(?=\s*(?:[,.:](?!\d)|[;!?()\u2026\u2013\u2014]|$)|\s+(?:and|but|so|because|since|from|until|till|as|when|while|which|who|where|that|now|"
    r"these|right|by|although|though|anyway|to|on|in|at|for|with|any|after|before|last|next|this|again|too|also|then|or|"
    r"today|yesterday|tomorrow|instead|than|starting|yet)\b)"
)
_WIDE: Final = r"(?=\s*(?:[,.;:!?()\u2026\u2013\u2014]|$)|\s+(?:but|so|because|since|until|till|when|while|which|who|where|although|though|anyway|again|these days|now|then|any ?more|instead)\b)"
_I: Final = r"\b(?:I|i|we|We)"
_HAVE: Final = r"(?:'ve| have|)"
_BE: Final = r"(?:'m|'re| am| are)"
_ADVERB: Final = r"(?:\s+(?:also|already|now|just|really|absolutely|still|currently|actually|recently|finally|only|always|do|both|officially))*"
PEOPLE: Final = (
    "wife|husband|partner|girlfriend|boyfriend|fianc\u00e9e?|fiancee?|ex|sister|brother|mother|mum|mom|father|dad|son|"
    "daughter|grandmother|gran|granny|grandma|nan|grandfather|grandad|grandpa|granddaughter|grandson|aunt|uncle|cousin|"
    "niece|nephew|mother-in-law|father-in-law|sister-in-law|brother-in-law|stepson|stepdaughter|neighbour|neighbor|boss|"
    "manager|supervisor|colleague|coworker|co-worker|landlord|landlady|doctor|dentist|vet|therapist|lawyer|accountant|"
    "teacher|tutor|coach|trainer|best friend|friend|flatmate|roommate|housemate|client|assistant|associate|intern|"
    "apprentice|business partner|co-founder|mentor|midwife|physio|hairdresser"
)
PETS: Final = "cat|dog|puppy|kitten|hamster|parrot|budgie|horse|pony|rabbit|tortoise|turtle|goldfish|guinea pig|ferret|canary|hen|goat|donkey"
_SEVERAL_PEOPLE: Final = frozenset(
    """
    sister brother son daughter aunt uncle cousin niece nephew neighbour neighbor colleague coworker friend
    flatmate roommate housemate client granddaughter grandson teacher
    """.split()  # noqa: SIM905  # as a list it takes many lines
)
_TRADES: Final = re.compile(
    r"(?:[a-z-]+\s+){0,3}(?:nurse|chef|cook|clerk|pilot|vet|surgeon|judge|coach|guide|scientist|analyst|architect|plumber|"
    r"actress|waitress|midwife|consultant|accountant|assistant|student|apprentice|attorney|secretary|lead|head of [a-z ]+|"
    r"[a-z-]{3,}(?:er|or|ist|ian|eer|smith|man|woman))"
)
_NO_TRADES: Final = frozenset(
    """
    parent mother father brother sister daughter owner member reader user lover hater beginner newcomer
    stranger sucker believer number vegetarian winner loser eater drinker sleeper learner mentor whatever
    monster disaster customer better bigger later other another foreigner over mirror former killer keeper
    outsider insider human cyclist runner walker
    """.split()  # noqa: SIM905  # as a list it takes many lines
)
_EMPTY: Final = re.compile(
    r"^(?:it|that|this|those|these|them|him|her|you|your|me|us|one|how|what|when|the (?:idea|way|fact|look|sound)|to|not|being|"
    r"nothing|everything|anything|something|some|so|all|hearing|knowing|both|neither|either|myself)\b",
    re.IGNORECASE,
)
_VAGUE: Final = re.compile(
    r"^(?:question|point|idea|problem|issue|guess|concern|hope|fault|bad|thing|thought|understanding|feeling|opinion|view|answer|"
    r"only|main|biggest|next (?:question|step)|first question|turn|way|mind|head|back|wrists?|knees?|legs?|pleasure)\b",
    re.IGNORECASE,
)
_Builder = Callable[[re.Match[str]], Iterator[Undated]]


def read(sentence: str) -> list[Undated]:
    """Return what a sentence states, in the order of where it stands."""
    found: list[Undated] = []
    for pattern, build in _PATTERNS:
        for match in pattern.finditer(sentence):
            found += [_at(reading, match) for reading in build(match) if _is_sound(reading)]
    found.sort(key=lambda one: one.spots)
    return found


def is_vague(attribute: str) -> bool:
    """Return whether "my X is" tells nothing that lasts: a question, a point, a sore wrist."""
    return _VAGUE.match(attribute) is not None


def _at(reading: Undated, match: re.Match[str]) -> Undated:
    return replace(reading, spots=match.span())


def _is_sound(reading: Undated) -> bool:
    value = reading.value
    return (
        bool(value)
        and len(value.split()) <= 9
        and not _EMPTY.match(value)
        and "\u2026" not in value
    )


def _clean(text: str) -> str:
    text = re.sub(r"^(?:an?|the|my|our|some)\s+", "", text.strip(" ,.;:!?'\""), flags=re.IGNORECASE)
    return text.strip(" ,.;:!?'\"")


def _members(text: str) -> list[str]:
    """Return the parts of a list: "nuts, eggs and milk"."""
    return [
        _clean(part)
        for part in re.split(r",\s{0,3}(?:and\s{1,3})?|\s{1,3}and\s{1,3}|\s{0,3}&\s{0,3}", text)
        if _clean(part)
    ]


def _one(
    attribute: str,
    said: str,
    *,
    sort: Sort = "fact",
    polarity: Polarity = "holds",
    member: bool = False,
    dated: bool = True,
) -> _Builder:
    """Return what makes one reading of a value, of which `said` tells with {} for it."""

    def build(match: re.Match[str]) -> Iterator[Undated]:
        value = _clean(match["value"])
        yield Undated(
            attribute,
            value,
            said.format(value),
            sort=sort,
            polarity=polarity,
            is_member=member,
            is_dated=dated,
        )

    return build


def _each(
    attribute: str, said: str, *, sort: Sort = "fact", polarity: Polarity = "holds"
) -> _Builder:
    def build(match: re.Match[str]) -> Iterator[Undated]:
        for value in _members(match["value"]):
            yield Undated(
                attribute, value, said.format(value), sort=sort, polarity=polarity, is_member=True
            )

    return build


def _age(match: re.Match[str]) -> Iterator[Undated]:
    yield Undated("age", match["value"], f"is {match['value']} years old", is_dated=False)


def _trade(match: re.Match[str]) -> Iterator[Undated]:
    trade = match["value"].strip()
    held = _TRADES.fullmatch(trade)
    if held and trade.split()[-1] not in _NO_TRADES:
        yield Undated("job", trade, f"works as {trade}")
        if match.groupdict().get("firm"):
            yield Undated(
                "employer", match["firm"].strip(" ."), f"works for {match['firm'].strip(' .')}"
            )


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _person(match: re.Match[str]) -> Iterator[Undated]:
    who, name = match["who"].lower(), match["value"].strip(" .'")
    name = name.removesuffix("'s")
    yield Undated(
        who,
        name,
        f"has {_a(who)} called {name}",
        sort="relation",
        is_member=who in _SEVERAL_PEOPLE,
        is_dated=False,
    )


def _pet(match: re.Match[str]) -> Iterator[Undated]:
    name, who = match["value"].strip(" .'").removesuffix("'s"), match["who"].lower()
    yield Undated(
        "pet", f"{name}, a {who}", f"has {_a(who)} called {name}", sort="relation", is_member=True
    )


def _of_person(match: re.Match[str]) -> Iterator[Undated]:
    """Return what is said of somebody of the user's: where he lives, works, is from."""
    parts = match.groupdict()
    who = (parts.get("name") or parts["who"] or "").strip(" .,")
    verb, value = parts["verb"].lower(), _clean(parts["value"])
    for words, attribute, said in _OF_PEOPLE:
        if re.fullmatch(words, verb):
            yield Undated(attribute, value, f"{said} {value}", subject=who)
            return


_OF_PEOPLE: Final = (
    (
        r"(?:lives?|is living|are living|'s living|is based|'s based)(?: now)?(?: over)? (?:in|at|near)",
        "home",
        "lives in",
    ),
    (r"(?:has |have |just |'s )*moved (?:back )?to", "home", "moved to"),
    (r"(?:comes?|is|'s|are|'re) from", "origin", "is from"),
    (r"works? (?:at|for)|is working (?:at|for)", "employer", "works for"),
    (r"(?:works? as|is|'s) an?", "job", "is a"),
    (r"(?:is|'s) allergic to", "allergy", "is allergic to"),
)
_PERSON_VERB: Final = (
    r"(?P<verb>(?:lives?|is living|are living|'s living|is based|'s based)(?: now)?(?: over)? (?:in|at|near)|"
    r"(?:has |have |just |'s )*moved (?:back )?to|(?:comes?|is|'s|are|'re) from|works? (?:at|for)|is working (?:at|for)|(?:is|'s) allergic to)"
)


def _person_trade(match: re.Match[str]) -> Iterator[Undated]:
    trade = match["value"].strip()
    who = (match["name"] or match["who"]).strip(" .,")
    if _TRADES.fullmatch(trade) and trade.split()[-1] not in _NO_TRADES:
        yield Undated("job", trade, f"is {_a(trade)}", subject=who)


def _owned(match: re.Match[str]) -> Iterator[Undated]:
    """Return "my X is Y": of a closed kind of X, or where Y is a name, a number, or a thing."""
    attribute, value = match["what"].strip().lower(), match["value"].strip(" .,;!'\"")
    if (
        _VAGUE.match(attribute)
        or re.search(rf"\b(?:{PEOPLE}|{PETS})$", attribute)
        or _DATE_LIKE.match(value)
    ):
        return
    is_favourite = attribute.startswith(("favourite", "favorite"))
    is_thing = value[:1].isupper() or value[:1].isdigit() or re.match(r"an?\s+\w", value)
    is_told = re.search(
        r"\b(?:name|number|size|colour|color|address|code|diet|job|role|title|nickname)$", attribute
    )
    if is_favourite or is_thing or is_told:
        value = _clean(value)
        yield Undated(
            attribute,
            value,
            f"has as {attribute}: {value}",
            sort="preference" if is_favourite else "fact",
        )


_DATE_LIKE: Final = re.compile(
    r"(?:on |in |at |this |next |last |the \d|\d{1,2}(?:st|nd|rd|th)\b|(?:mon|tues|wednes|thurs|fri|satur|sun)day|tomorrow|today|"
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december)\b)",
    re.IGNORECASE,
)


def _identifier(match: re.Match[str]) -> Iterator[Undated]:
    attribute = re.sub(r"^(?:my|our|the|your|their)\s+", "", match["what"].strip().lower())
    value = match["value"].strip(" .,;!")
    if any(char.isdigit() for char in value):
        yield Undated(attribute, value, f"has as {attribute}: {value}", is_dated=False)


def _device(match: re.Match[str]) -> Iterator[Undated]:
    noun = (match["noun"] or "").strip()
    value = match["value"].strip(" .")
    yield Undated(noun or "has", value, f"has a {value} {noun}".strip(), is_member=not noun)


def _trade_of_mine(match: re.Match[str]) -> Iterator[Undated]:
    """Return a trade of "as a nurse, I ..." and "my job as a nurse"."""
    is_mine = match.group().startswith(("My", "my")) or match.group().endswith(" I")
    if is_mine:
        yield from _trade(match)


def _count(match: re.Match[str]) -> Iterator[Undated]:
    what, number = match["what"], match["number"]
    if what not in (
        "days",
        "weeks",
        "months",
        "years",
        "hours",
        "minutes",
        "questions",
        "things",
        "options",
        "problems",
    ):
        yield Undated(f"number of {what}", number, f"has {number} {what}")


def _dose(match: re.Match[str]) -> Iterator[Undated]:
    value = match["value"] or match["other"]
    yield Undated("medication", value, f"takes {value}", is_member=True)


def _move_between(match: re.Match[str]) -> Iterator[Undated]:
    value = _clean(match["value"])
    yield Undated("job", value, f"works as {value}")


def _given_up(match: re.Match[str]) -> Iterator[Undated]:
    value = _clean(match["value"])
    if re.search(r"\b(?:it|that|them|this|there)\b", value):
        return
    yield Undated("given up", value, f"gave up {value}", polarity="holds", is_member=True)


def _rule(pattern: str, build: _Builder) -> tuple[re.Pattern[str], _Builder]:
    return re.compile(pattern), build


_WEEKDAYS: Final = (
    r"(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?|weekends?|morning|evening|week)"
)
_FEW: Final = rf"(?P<value>[\w'&-]+(?:\s+[\w'&-]+){{0,5}}?){_END}"
_ITEM: Final = r"[\w'&-]+(?:\s(?!and\b|or\b|but\b|so\b|since\b|because\b)[\w'&-]+){0,2}"
_MANY: Final = rf"(?P<value>{_ITEM}(?:(?:,\s(?:and\s)?|\sand\s)(?!I\b|my\b|we\b|so\b|it\b|he\b|she\b){_ITEM})*){_WIDE}"
_AS_NAME: Final = rf"(?P<value>{_NAME})"
_PATTERNS: Final = (
    # Names and age
    _rule(rf"\b[Mm]y (?:full )?name(?:'s| is) {_AS_NAME}", _one("name", "is called {}", dated=False)),
    _rule(rf"\b[Ss]ign (?:it|them|that)(?: off)? (?:as |with )?{_AS_NAME}", _one("name", "is called {}", dated=False)),
    _rule(rf"\b[Ss]ign (?:it|them|that)(?: off)? (?:as |with )?{_NAME}, (?P<value>[a-z][a-z -]+?){_END}", _trade),
    _rule(rf"^(?:[Hh]i|[Hh]ello|[Hh]ey|[Gg]ood \w+)\b[^.]{{0,20}}?\bI(?:'m| am) {_AS_NAME}(?=[,.!]|$| here)", _one("name", "is called {}", dated=False)),
    _rule(rf"(?<![Nn]'t )(?<!never )\b(?:[Cc]all me|I go by|people call me|friends call me) {_AS_NAME}", _one("nickname", "goes by {}", dated=False)),
    _rule(r"\bI(?:'m| am)(?: only| already| now)? (?P<value>\d{2})(?: years old)?(?=[,.!]|$| and\b| now\b| already\b)", _age),
    _rule(r"\bI(?:'ve| have)?(?: just)? turn(?:ed|ing) (?P<value>\d{2})\b", _age),
    # Places
    _rule(rf"{_I}{_ADVERB} (?:live|reside) (?:here )?(?:in|at|near|out in|over in) {_AS_NAME}", _one("home", "lives in {}")),
    _rule(rf"{_I}(?:{_BE}|{_HAVE} been){_ADVERB} (?:living|based|settled) (?:in|at|near) {_AS_NAME}", _one("home", "lives in {}")),
    _rule(rf"{_I}{_HAVE} lived in {_AS_NAME}(?=[^.]*\b(?:since|for)\b)", _one("home", "lives in {}")),
    _rule(rf"{_I}{_HAVE}{_ADVERB} moved (?:back |over |house )?(?:from {_NAME} )?to {_AS_NAME}", _one("home", "moved to {}")),
    _rule(rf"{_I}{_BE}{_ADVERB} moving (?:back |over )?(?:from {_NAME} )?to {_AS_NAME}", _one("home", "is moving to {}", sort="plan")),
    _rule(rf"{_I}(?:'ll| will|{_BE} going to) move to {_AS_NAME}", _one("home", "is moving to {}", sort="plan")),
    _rule(rf"{_I}(?:{_BE} not (?:living )?in|(?: no longer| don't| do not) live in) {_AS_NAME}(?= any ?more| anymore|[,.]|$)", _one("home", "no longer lives in {}", polarity="ended")),
    _rule(rf"{_I} (?:used to live|lived) in {_AS_NAME}(?=[^.]*\buntil\b)", _one("home", "lived in {}")),
    _rule(rf"\bI(?:'m| am| come)(?: originally)? from {_AS_NAME}", _one("origin", "is from {}", dated=False)),
    _rule(rf"\bI (?:grew up|was born)(?: and raised)? (?:in|near|outside) {_AS_NAME}", _one("origin", "is from {}", dated=False)),
    _rule(rf"\b[Mm]y (?:home )?address is (?P<value>\d*[^,.;]{{3,60}}){_END}", _one("address", "has the address {}")),
    # Work
    _rule(rf"\bI(?:'m| am){_ADVERB} (?:an?|the) (?P<value>[a-z][a-z -]+?)(?:(?: at| for| with| in) (?:the )?(?P<firm>{_NAME}))?{_END}", _trade),
    _rule(rf"\bI{_ADVERB} work(?:ed)? as (?:an? |the )?(?P<value>[a-z][a-z -]+?)(?:(?: at| for| with) (?:the )?(?P<firm>{_NAME}))?{_END}", _trade),
    _rule(rf"\bI{_ADVERB} (?:work|test|teach|write|cook|drive|code) (?:at|for|with) (?:the )?{_AS_NAME}", _one("employer", "works for {}")),
    _rule(rf"\bI(?:'m| am| have been|'ve been) working (?:at|for) (?:the )?{_AS_NAME}", _one("employer", "works for {}")),
    _rule(rf"\bI(?:{_HAVE}|'ll| will|'m| am)?{_ADVERB} (?:start(?:ed|ing)?|join(?:ed|ing)?|got|took|landed|begin|began)(?: (?:an? )?(?:new )?(?:job|position|post|role))?(?: at| with|(?<=joined)|(?<=joining)|(?<=join)) (?:the )?{_AS_NAME}", _one("employer", "works for {}")),
    _rule(rf"\b(?:[Pp]romoted|[Pp]romotion) to (?:an? |the )?(?P<value>[a-z][a-z -]+?){_END}", _move_between),
    _rule(rf"(?:{_NAME}|[Tt]hey|[Mm]y boss|[Tt]he \w+) made me (?:an? |the )?(?P<value>[a-z][a-z -]+?){_END}", _move_between),
    _rule(rf"\bI(?: got| was|'ve been| have been)? moved from [a-z ]+? to (?P<value>[a-z][a-z -]+?){_END}", _move_between),
    _rule(rf"\bI(?:{_HAVE}|'ll| will|'m| am)?{_ADVERB} (?:quit(?: my job at)?|left|leave|leaving|finish(?:ed|ing)? at|resigned from|stopped working (?:at|for)|(?:no longer|don't) work (?:at|for)) (?:the )?{_AS_NAME}", _one("employer", "no longer works for {}", polarity="ended")),
    # People and pets
    _rule(rf"\b(?:[Mm]y|[Oo]ur) (?:\w+ )?(?P<who>{PEOPLE}),? {_AS_NAME}", _person),
    _rule(rf"\b[Mm]y (?:\w+ )?(?P<who>{PEOPLE})(?:'s name is|'s called| is called| is named| is) {_AS_NAME}", _person),
    _rule(rf"{_AS_NAME},? (?:is |who is )?my (?:\w+ )?(?P<who>{PEOPLE})\b", _person),
    _rule(rf"\b(?:[Mm]y|[Oo]ur) (?:\w+ )?(?P<who>{PETS})(?:'s name is|'s called| is called|,| is)? {_AS_NAME}", _pet),
    _rule(rf"{_I}{_HAVE}(?: got| have| adopted)? (?:an?|two|three) (?:\w+ )?(?P<who>{PETS})(?:s)?,? (?:called|named) {_AS_NAME}", _pet),
    _rule(rf"\b[Mm]y (?:\w+ )?(?P<who>{PEOPLE})(?:,? (?P<name>{_NAME}))?,? ?{_PERSON_VERB} (?P<value>{_NAME}|[a-z]+){_END}", _of_person),
    _rule(rf"\b[Mm]y (?:\w+ )?(?P<who>{PEOPLE})(?:,? (?P<name>{_NAME}))?,?(?: is|'s| works as) an? (?P<value>[a-z][a-z -]+?){_END}", _person_trade),
    # Food
    _rule(rf"\bI(?:'m| am){_ADVERB} (?:\w+ly )?allergic to {_MANY}", _each("allergy", "is allergic to {}")),
    _rule(r"\bI(?:'ve| have)(?: got)? an? (?P<value>[a-z]+(?: [a-z]+)?) allergy", _one("allergy", "is allergic to {}", member=True)),
    _rule(rf"\bI(?:'m| am|'ve gone| went| turned|'ve been|'ve become| became){_ADVERB} (?:an? )?(?P<value>vegan|vegetarian|pescatarian|coeliac|celiac|lactose intolerant|gluten[- ]free|keto|halal|kosher)\b", _one("diet", "is {}")),
    _rule(rf"{_I} (?:don't|do not|never|no longer|can't|cannot) (?:eat|drink)(?: any)? {_FEW}", _one("avoids", "does not eat or drink {}", member=True)),
    _rule(rf"{_I}{_HAVE}{_ADVERB} (?:stopped|quit|given up|gave up) (?:eating|drinking) {_FEW}", _one("avoids", "does not eat or drink {}", member=True)),
    _rule(rf"{_I}{_HAVE}(?: even)?{_ADVERB} (?:started )?(?:eating|drinking|eat|drink) (?P<value>[a-z]+(?: [a-z]+)?) again", _one("avoids", "eats or drinks {} again", polarity="ended", member=True)),
    # What is liked
    _rule(rf"\bI{_ADVERB} (?:like|love|adore|enjoy) {_FEW}", _one("likes", "likes {}", sort="preference", member=True, dated=False)),
    _rule(rf"\bI{_ADVERB} (?:hate|dislike|detest|can't stand|cannot stand|don't like|do not like) {_FEW}", _one("dislikes", "dislikes {}", sort="preference", member=True, dated=False)),
    _rule(rf"\bI{_ADVERB} prefer {_FEW}", _one("prefers", "prefers {}", sort="preference", member=True, dated=False)),
    # Skills and pastimes
    _rule(rf"\bI{_ADVERB} speak (?P<value>[A-Z]\w+(?:(?:, | and |, and )[A-Z]\w+)*)", _each("language", "speaks {}")),
    _rule(rf"\bI(?:'m| am|'ve started| started|'ve been){_ADVERB} learning (?:to (?:speak|play) )?(?:the )?(?P<value>[A-Z]\w+(?: [A-Z]\w+)*|[a-z]+){_END}", _one("language learnt", "is learning {}", member=True)),
    _rule(r"\bI(?:'ve| have)? (?:signed up|enrolled|registered) (?:for|in) (?:an? |the )?(?P<value>[\w ]+?)(?: classes| lessons| course| class)\b", _one("course", "takes a course in {}", sort="event", member=True, dated=False)),
    _rule(rf"\bI(?:'ve| have)?{_ADVERB} (?:taken up|took up|got into|gotten into) {_FEW}", _one("hobby", "has as a hobby {}", member=True)),
    _rule(rf"\bI(?:'m| am)(?: just)? getting into {_FEW}", _one("hobby", "has as a hobby {}", member=True)),
    _rule(rf"\bI{_ADVERB} (?:play|practise|practice)(?: the)? (?P<value>[a-z]+(?: in (?:an?|the) [a-z]+)?)(?=[,.!]|$| on\b| every\b| at\b| with\b| and\b| in\b)", _one("hobby", "plays {}", member=True, dated=False)),
    _rule(rf"{_I}{_HAVE}{_ADVERB} (?:gave up|given up|quit|stopped)(?: the| with the| doing| going to(?: the)?| playing(?: the)?)? {_FEW}", _given_up),
    # Ways of life
    _rule(rf"\b(?:[Hh]ere in|at home in|back home in|[Mm]y (?:flat|house|place|apartment|home) in) {_AS_NAME}", _one("home", "lives in {}", dated=False)),
    _rule(rf"\b[Mm]y (?:company|firm|employer|workplace)(?: is|,)?(?: called)? {_AS_NAME}", _one("employer", "works for {}", dated=False)),
    _rule(rf"\b(?:[Aa]s|[Mm]y (?:job|work) as) an? (?P<value>[a-z][a-z -]+?)(?:,? I\b|{_END})", _trade_of_mine),
    _rule(r"\bI(?: now| only|'ll| will)? work (?P<value>(?:\w+ days a week|nights|night shifts|part[- ]time|full[- ]time|from home|shifts|weekends|mornings|evenings|\w+ hours a week))\b", _one("work time", "works {}")),
    _rule(rf"\bI(?: now)? (?P<value>(?:do|sing|swim|run|paint|dance|bake|row|climb|box|knit|volunteer|train|teach|cook|cycle|hike|sew)(?: [a-z]+){{0,4}}? (?:on|every|each) {_WEEKDAYS})", _one("hobby", "regularly does this: {}", member=True, dated=False)),
    _rule(rf"\bI(?:'ve| have)?(?: just| recently)? started (?P<value>(?!being|having|using|feeling|thinking|to\b|work|eating|drinking)[a-z]+ing(?: [a-z]+)?){_END}", _one("hobby", "has started {}", member=True)),
    _rule(rf"{_I}(?:'ve got|'ve| have| keep| own| now have| now keep) (?P<number>\d+|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve) (?P<what>[a-z]+s)(?=[,.!]| now\b|$)", _count),
    _rule(r"\bI(?:'m| am) on (?P<value>\d+ ?(?:mg|mcg|ml) of [a-z]+)|\bI take (?P<other>\d+ ?(?:mg|mcg|ml) of [a-z]+)", _dose),
    _rule(rf"(?<![\w'&.-])(?P<value>{_NAME})[^.]{{0,120}}?\b(?:[Ss]he|[Hh]e)(?:'s| is) my (?:\w+ )?(?P<who>{PEOPLE})\b", _person),
    # Things
    _rule(rf"\bI(?:'ve| have)(?: just)?(?: got| bought)? an? (?P<value>(?:[A-Z]\w*|[A-Z]+\d+)(?: (?:[A-Z0-9][\w-]*))*)(?P<noun> (?:phone|laptop|tablet|car|bike|camera|tent|keyboard|printer|watch|van|guitar|piano))?{_END}", _device),
    _rule(rf"\bI(?: now)? drive an? (?P<value>[\w ]+?){_END}", _one("car", "drives a {}")),
    _rule(rf"\b(?:[Mm]y|[Oo]ur) (?P<what>(?:[a-z][\w-]*(?:'s)? ){{0,3}}[a-z][\w-]*?)(?: is|'s)(?: now| still| actually| called)? (?P<value>[\w#'\"&.,:@/-]+(?: [\w#'&.,:@/-]+){{0,6}}?){_END}", _owned),
    _rule(r"\b(?P<what>(?:[Mm]y|[Oo]ur|[Tt]he) (?:[A-Za-z][\w-]* ){0,3}(?:number|code|pin|PIN|id|ID|reference|plate|iban|IBAN))(?: is|'s|:)(?: now)? (?P<value>[A-Z0-9][\w./-]*)", _identifier),
    _rule(r"\b[Mm]y e-?mail(?: address)?(?: is|'s|:)(?: now)? (?P<value>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)", _one("email", "has the e-mail address {}", dated=False)),
)  # fmt: skip
