"""What a text says of a thing, as clauses that could stand after "when": without who wrote it, when, and in which form.

Tickets, chat, mail, logs and JSON wrap what they say in labels, times and names of people. These belong to one episode; a
condition that held them would hold nowhere else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import Final

_ARTICLE: Final = r"(?:the|an?|this|that|our|your|my|their|its)"
_SENTENCE: Final = re.compile(r"""(?:(?<=[.!?;])|(?<=[.!?]["'\u201d\u2019]))\s+|\n+""")
_FIELD: Final = re.compile(r"""(?<![\w.-])[\w.-]+=(?:"([^"]*)"|'([^']*)'|\S+)""")
_BEFORE: Final = re.compile(
    r"(?:[-*>\u2022|]{1,8}|\(?\d{1,3}[.)]|<\d{1,8}>|\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?Z?)?|\d\d:\d\d(?::\d\d)?"
    r"|(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|ALERT|CRIT(?:ICAL)?|FATAL)\b)[\s,:]{0,8}"
)
_MOMENT: Final = re.compile(
    r" ?\b(?:(?:since|at|from|by|until|till|on) )?(?:\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?Z?)?|\d{1,2}:\d\d(?::\d\d)?)\b",
    re.IGNORECASE,
)
_LABELLED: Final = 3  # words behind a label, at the least
_LED: Final = 3  # words of a chunk that only leads to what follows: "Heads up,"
_CONDITIONS: Final = frozenset(
    [
        "after",
        "although",
        "as",
        "because",
        "before",
        "if",
        "once",
        "since",
        "though",
        "unless",
        "until",
        "when",
        "whenever",
        "where",
        "while",
        "with",
        "without",
    ]
)


def sentences(text: str) -> list[str]:
    """Return the sentences and lines of a text; of a JSON object, those of its texts."""
    if text.lstrip().startswith("{"):
        with suppress(ValueError, RecursionError):
            text = "\n".join(said for said in json.loads(text).values() if isinstance(said, str))
    return [one.strip() for one in _SENTENCE.split(text) if one.strip()]


def clauses(text: str) -> list[str]:
    """Return the sentences of a text without what stands before them, such as a speaker, a time, or a level; headings are none."""
    told = (said for one in sentences(text) if not one.endswith(":") for said in _told(one))
    return [bare for said in told if (bare := _bare(said))]


def after_lead(clause: str, mention: re.Match[str]) -> str:
    """Return a clause from the thing on that it mentions, if only a lead stands before: of "Heads up, a queue ...", the rest."""
    lead, comma, _ = clause[: mention.start()].rpartition(",")
    words = lead.split()
    is_all = not clause[len(lead) + len(comma) : mention.start()].strip()
    is_lead = all(
        len(part.split()) <= _LED
        and part.split()[:1]
        and part.split()[0].lower() not in _CONDITIONS
        for part in lead.split(",")
    )
    return clause[mention.start() :] if words and is_all and is_lead else clause


def kind_of(name: str, texts: Collection[str]) -> str:
    """Return the one word that says what a name is the name of, if texts agree: of "the queue Orvo", or "Orvo, a queue", queue."""
    kinds: set[str] = set()
    for form in _forms(r"(?P<kind>[^\W\d_]\w*)", re.escape(name)):
        kinds |= {found["kind"].lower() for text in texts for found in form.finditer(text)}
    return kinds.pop() if len(kinds) == 1 else ""


def mention_of(name: str, kind: str) -> re.Pattern[str]:
    """Return what finds a name, with or without its kind beside it; a number alone is nobody's name."""
    forms = [form.pattern for form in _forms(re.escape(kind), re.escape(name))] if kind else []
    if not name.isdigit():
        forms.append(rf"#?\b{re.escape(name)}\b")
    elif kind:
        forms.append(rf"\b{re.escape(kind)}\s+#?{re.escape(name)}\b")
    return re.compile("|".join(forms) or r"(?!)", re.IGNORECASE)


def with_kinds(text: str, kinds: Mapping[str, str]) -> str:
    """Return a text with names as what they are names of: "the queue Orvo" as "a queue"."""
    for name, kind in kinds.items():
        text = mention_of(name, kind).sub(a(kind), text) if kind else text
    return text


def a(kind: str) -> str:
    """Return a kind with its article."""
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _forms(kind: str, name: str) -> Iterator[re.Pattern[str]]:
    """Yield how a text may name a thing together with its kind, the longest first."""
    for form in (
        rf"\b{name}\b\s*,\s*(?:which|who)\s+is\s+{_ARTICLE}\s+{kind}\b,?",
        rf"\b{name}\b\s*\(\s*(?:{_ARTICLE}\s+)?{kind}\s*\)",
        rf"\b{name}\b\s*,\s*{_ARTICLE}\s+{kind}\b,",
        rf"\b{_ARTICLE}\s+{kind}\s+(?:called|named)\s+#?{name}\b",
        rf"\b{_ARTICLE}\s+{kind}\s+#?{name}\b",
    ):
        yield re.compile(form, re.IGNORECASE)


def _told(sentence: str) -> Iterator[str]:
    """Yield what a sentence tells; of a line of fields such as `level=warn msg="..."`, what the fields hold."""
    quoted = [found[1] or found[2] or "" for found in _FIELD.finditer(sentence)]
    if quoted:
        yield from (one for one in quoted if one)
    else:
        yield sentence


def _bare(said: str) -> str:
    """Return a sentence without the labels and moments before and in it."""
    at = 0
    while found := _BEFORE.match(said, at):
        at = found.end()
    said = _unlabelled(said[at:])
    said = _MOMENT.sub("", said).strip(" ,;:|\"'")
    return said.rstrip(".!? ")


def _unlabelled(said: str) -> str:
    """Return what stands behind the last label that something is said of: of "Ines (03:06): it is slow", the rest."""
    at = len(said)
    while (at := said.rfind(": ", 0, at)) >= 0:
        if len((rest := said[at + 2 :]).split()) >= _LABELLED:
            return rest
    return said
