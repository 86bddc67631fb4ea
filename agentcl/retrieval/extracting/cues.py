"""What sort of answer a question asks for, and whether a sentence holds something of that sort. No model is asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Set
from typing import Final

from agentcl.text.terms import UNSPACED, terms

# Interrogatives of English, German, French, Spanish and Chinese; the first that is found counts.
_ASKS: Final = {
    "number": re.compile(
        r"\bhow (?:many|much|long|old|far|large|big|tall|high|deep|fast|often)\b|\bpercent(?:age)?\b|\b(?:number|amount)"
        r" of\b|\bpopulation\b|\bwie ?viele?\b|\bwie (?:lange|oft|hoch|weit|alt|gro\u00df)\b|\bcombien\b"
        r"|\bcu\u00e1nt[oa]s?\b|\u591a\u5c11|\u51e0[\u4e2a\u5929\u5c81\u6b21]",
        re.IGNORECASE,
    ),
    "time": re.compile(
        r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|century|decade|time)\b|\bwann\b|\bwelche[mns]? (?:jahr|tag"
        r"|monat)\b|\bquand\b|\bquelle (?:ann\u00e9e|date)\b|\bcu\u00e1ndo\b|\bqu\u00e9 (?:a\u00f1o|fecha|d\u00eda)\b"
        r"|\u4f55\u65f6|\u4ec0\u4e48\u65f6\u5019|\u54ea[\u4e00]?[\u5e74\u5929]",
        re.IGNORECASE,
    ),
    "name": re.compile(
        r"\bwho(?:m|se)?\b|\bwhere\b|\b(?:what|which) (?:city|country|state|place|town|river|county|region|continent"
        r"|company|team|band|person|man|woman|actor|author|king|president)\b|\bwer\b|\bwe[mn]\b|\bwo(?:her|hin)?\b"
        r"|\bqui\b|\bo\u00f9\b|\bqui\u00e9n(?:es)?\b|\bd\u00f3nde\b",
        re.IGNORECASE,
    ),
}
_NUMBER: Final = re.compile(
    r"\d|%|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred|thousand|[mb]illion|half"
    r"|zwei|drei|vier|f\u00fcnf|sechs|sieben|acht|neun|zehn|deux|trois|quatre|cinq|dos|tres|cuatro|cinco)\b"
    r"|[\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d\u5341\u767e\u5343\u4e07]",
    re.IGNORECASE,
)
_TIME: Final = re.compile(
    r"\b\d{3,4}\b|\d{1,2}[:.]\d\d|\d[\u5e74\u6708\u65e5]|\b(?:jan|feb|m[a\u00e4]r[cz]|apr|ma[iy]|june?|juni|jul[iy]|aug|sept?|o[ck]t"
    r"|nov|de[cz])\w*\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day|\bcentur|\bjahrhundert|\byesterday|\btomorrow"
    r"|\btoday|\bmorning|\bevening|\bnoon|\bo'clock|\byears? ago|\bnext (?:week|month|year)|\blast (?:week|month|year)",
    re.IGNORECASE,
)
# A word that no sentence begins with; capitalised, it is a name.
_INNER: Final = re.compile(
    r"(?<=[^\W_][\s(\u201c\"'-])[^\W\d_][\w'\u2019.-]*|(?<=[,;:] )[^\W\d_][\w'\u2019.-]*"
)
_UNCASED: Final = re.compile(f"[{UNSPACED}\u0590-\u08ff\u0900-\u0dff]")
UNKNOWN: Final = 0.5  # where the question does not tell, or the script does not show what a name is


def cue_of(question: str) -> Callable[[str], float]:
    """Return what tells of a sentence whether it holds the sort of answer that a question asks for: 1, 0, or 0.5."""
    asked = next((sort for sort, words in _ASKS.items() if words.search(question)), "")
    if asked == "number":
        return lambda sentence: float(bool(_NUMBER.search(sentence)))
    if asked == "time":
        return lambda sentence: float(bool(_TIME.search(sentence)))
    if asked == "name":
        said = set(terms(question))
        return lambda sentence: _has_name(sentence, said)
    return lambda _: UNKNOWN


def _has_name(sentence: str, said: Set[str]) -> float:
    """Return whether a sentence has a name that the question does not have."""
    if _UNCASED.search(sentence):
        return UNKNOWN
    names = (word for word in _INNER.findall(sentence) if word[0].isupper())
    return float(any(not set(terms(name)) <= said for name in names))
