"""The words of a clause: contractions written out, where a value ends, and the dates that stand in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from agentcl.statements.dates.periods import period
from agentcl.statements.dates.resolving import Mention

_STOP: Final = re.compile(
    r"\s*(?:,(?!\d)|(?<!\bDr)(?<!\bMr)(?<!\bMs)(?<!\bSt)(?<!\bMrs)\.(?!\d)|[;!?()\u2026\u2013\u2014]|$)|\s+(?:because|since|when|while|who|which|where|that|if|although|though|instead|until|till|"
    r"by the way|anyway|please|for now|thinks?|says?)\b"
)
_TRAILING: Final = re.compile(
    r"(?:(?:^|\s)(?:now|too|again|already|anyway|instead|either|though|then|also|any more|anymore|on|in|at|from|to|for|since|until|of|and|with|last|this|next|as|the)){1,8}$",
    re.IGNORECASE,
)
_ARTICLE: Final = re.compile(
    r"^(?:(?:now|also|just|still) )?(?:an?|the|my|our|some|now|also|just|still|the user's|his|her|their)\s+",
    re.IGNORECASE,
)
# Behind these "'s" is a verb: nobody owns an "allergic". Nor does a word in -ing that nothing follows as a thing.
_IS: Final = re.compile(
    r"(\w)'s(?= (?:(?:just|now|not|also|still|already|finally|really|both|only|back|off|away|here|there|an?|the|in|at|from|on|"
    r"my|our|his|her|their|out|up|over|done|due|called|named|based|born|allergic|married|pregnant|retired|vegan|vegetarian|"
    r"closed|open|cancelled|canceled|fixed|broken|sold|set|\d[\w.,:]*)\b|[a-z]{2,20}ing (?:in|at|to|from|on|for|with|over|off|out|down|away|part|an?|the|my|our|back|up|us|me)\b))"
)
_HAS: Final = re.compile(
    r"(\w)'s(?= (?:(?:just|now|also|already|finally|only) )?(?:been|gone|got|had|moved|left|started|joined|bought|sold|finished|passed|taken|become)\b)"
)
_TELLING: Final = re.compile(
    r"\b((?:number|code|name|address|password|reference|rate|price|rent|fee|salary|deadline|budget|size|weight|height|plate|pin|id))'s(?= [\w#])",
    re.IGNORECASE,
)
_MOST_WORDS: Final = 9


def is_told(value: str) -> bool:
    """Return whether a value has a name or a number: what is worth to be asked for."""
    return any(char.isupper() or char.isdigit() for char in value)


def span_of(dates: Sequence[Mention], *, ended: bool, at: datetime) -> tuple[str, str]:
    """Return since when and until when a clause with these dates holds, each empty where it does not say."""
    until = next((one.date for one in dates if one.role == "until"), "")
    since = next((one.date for one in dates if one.role != "until"), "")
    if ended and since and period(since, at.tzinfo).start > at:
        return "", since
    return since, until


def without(rest: str, text: str, dates: Sequence[Mention]) -> str:
    """Return the end of a clause without the dates in it."""
    begin = len(text) - len(rest)
    for one in reversed(dates):
        if one.start >= begin:
            rest = rest[: one.start - begin] + rest[one.end - begin :]
    return " ".join(rest.split())


def value_in(rest: str) -> str:
    """Return the object with which the rest of a clause begins; nothing where it is too long for one."""
    stop = _STOP.search(rest)
    value = rest[: stop.start()] if stop else rest
    value = _ARTICLE.sub("", _TRAILING.sub("", value.strip(" ,.;:!?'\"")))
    value = _TRAILING.sub("", value).strip(" ,.;:!?'\"")
    return value if len(value.split()) <= _MOST_WORDS else ""


def written_out(text: str) -> str:
    """Return a sentence without contractions."""
    text = text.replace("\u2019", "'")
    text = re.sub(r"\bI'm\b", "I am", text)
    text = re.sub(r"\b([Tt]hey|[Ww]e|[Yy]ou)'re\b", r"\1 are", text)
    text = re.sub(r"(\w)'ve\b", r"\1 have", text)
    text = re.sub(r"(\w)'ll\b", r"\1 will", text)
    text = re.sub(r"\b([Hh]e|[Ss]he|[Ii]t|[Tt]hat|[Ww]ho|[Tt]here)'s\b", r"\1 is", text)
    text = _HAS.sub(r"\1 has", text)
    text = _IS.sub(r"\1 is", text)
    text = _TELLING.sub(r"\1 is", text)
    text = re.sub(r"\bhave got\b", "have", text)
    return re.sub(r"\b(?:is|has) got\b", "has", text)
