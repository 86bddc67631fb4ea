"""How the scripted investigator reads a question: what is asked for, what is told, which alert is meant."""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ValueKind:
    """A kind of value."""

    name: str
    asked: re.Pattern[str]  # how a question asks for it
    shape: re.Pattern[str]  # how its values look
    columns: tuple[str, ...]  # what a column of it is likely to be called, in lower case


def _kind(name: str, asked: str, shape: str, *columns: str) -> ValueKind:
    return ValueKind(name, re.compile(asked, re.I), re.compile(shape, re.I | re.DOTALL), columns)


_GUID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_FILE: Final = r"[^/]*\.(?:exe|dll|ps1|bat|vbs|zip|txt|docx?|lnk|lockbit)\Z"  # no domain ends so
# The more special kind comes first: it is the one that is meant where two are found at one place.
KINDS: Final = (
    _kind("command line", r"(?:process )?command[ -]?lines?|command\b", r".*\S \S.*", "processcommandline", "commandline"),
    _kind("process id", r"process ?ids?\b|\bpid\b", r"\d{1,7}", "processid"),
    _kind("SID", r"\bsid\b|security (?:identif\w+|id)\b", r"S-\d+(?:-\d+)+", "accountsid", "sid"),
    _kind("device id", r"aad ?device ?id|(?:azure|aad)[^.?]{0,40}device id|device id", _GUID, "aaddeviceid",
          "deviceid"),
    _kind("user id", r"aad ?user ?id|(?:azure|aad)[^.?]{0,40}user id|object ?id|user id", _GUID, "aaduserid",
          "userid"),
    _kind("e-mail address", r"e-?mail(?: address)?|\bupn\b|user principal|mailbox|sender|recipient",
          r"[^\s@]+@[^\s@]+", "accountupn", "mailboxaddress", "emailsender", "emailrecipient"),
    _kind("hash", r"\bhash|\bsha-?\d|\bmd5", r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}", "hashvalue"),
    _kind("IP address", r"\bip(?: address(?:es)?)?\b", r"\d{1,3}(?:\.\d{1,3}){3}|(?=[^:]*:.)[0-9a-f:]+",
          "ipaddress"),
    _kind("URL", r"\burls?\b|\blink|domain|web ?site", rf"https?://\S+|(?!{_FILE})[\w-]+(?:\.[\w-]+)+(?:/\S*)?", "url"),
    _kind("display name", r"display name|full name", r"[^\d\W]\w*(?: \w+)+", "accountdisplayname"),
    _kind("host name", r"host(?: ?name)?|device(?: name)?|machine|endpoint|computer|server",
          r"[a-z0-9_]+(?:-[a-z0-9_]+)*", "hostname"),
    _kind("file name", r"\bfile(?: ?name)?|\btool|process|malware|program|executable|script",
          r"[\w$~-]+(?:\.[\w$~-]+)+", "filename"),
    _kind("account name", r"account(?: name)?|user(?: ?name)?|\bwho\b", r"[a-z0-9_.$-]+", "accountname"),
)  # fmt: skip
_ASKING: Final = re.compile(r"\b(?:what|which|who|identify|provide|find|determine|tell)\b", re.I)
_TOLD: Final = re.compile(
    rf"`([^`]+)`|(https?://[^\s`'\"]+)|\b(\d{{1,3}}(?:\.\d{{1,3}}){{3}})\b|\b({_GUID})\b|\b(S-\d+(?:-\d+){{3,}})\b",
    re.I,
)
_WORD: Final = re.compile(r"[a-z]{4,}")
_STEM: Final = 6  # letters
_STOP: Final = frozenset({"with", "this", "that", "from", "have", "been", "were", "alert", "which",
                          "incident", "security", "into", "might", "other", "during"})  # fmt: skip


def asked_kind(question: str) -> ValueKind:
    """Return what kind of value a question asks for: the first that it names after its asking word."""
    sentences = [s for s in re.split(r"(?<=[.?!])\s+", question) if s.strip()]
    asking = next((s for s in reversed(sentences) if _ASKING.search(s)), question)
    match = _ASKING.search(asking)
    tail = asking[match.start() :] if match else asking
    found = [(m.start(), n) for n, kind in enumerate(KINDS) if (m := kind.asked.search(tail))]
    return KINDS[min(found)[1]] if found else KINDS[-1]


def told_values(text: str) -> list[str]:
    """Return the values that a text tells, those in backticks and those of a plain shape, in their order."""
    found = (next(part for part in match.groups() if part) for match in _TOLD.finditer(text))
    return list(dict.fromkeys(value.strip().rstrip(".,") for value in found if value.strip()))


def kinds_of(value: str) -> list[ValueKind]:
    """Return which kinds a value may be of by its shape, the more special first."""
    return [kind for kind in KINDS if kind.shape.fullmatch(value)]


def rows_of(text: str) -> list[tuple[str, ...]]:
    """Return the rows of an observation; none if it is no complete list."""
    try:
        found = ast.literal_eval(text[: text.rfind("]") + 1])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return []
    is_rows = isinstance(found, list) and all(isinstance(row, tuple) for row in found)
    return [tuple("" if v is None else str(v) for v in row) for row in found] if is_rows else []


def best_titles(question: str, context: str, alerts: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the titles of alerts, the one that a question most likely speaks of first.

    By the words that they share, rarer ones counting more, the question's twice those of the context;
    the words of a description count half.
    """
    wanted, around = _stems(question), _stems(context)
    documents = [_stems(" ".join(alert)) for alert in alerts]
    counts = Counter(stem for document in documents for stem in document)
    weight = {stem: math.log(1 + len(documents) / count) for stem, count in counts.items()}

    def fit(number: int) -> float:
        title = _stems(alerts[number][0])
        shared = sum(
            weight[stem]
            * (1.0 if stem in title else 0.5)
            * (2 * (stem in wanted) + (stem in around))
            for stem in documents[number]
        )
        return shared / math.sqrt(1 + sum(weight[stem] for stem in documents[number]))

    order = sorted(range(len(alerts)), key=lambda n: (-fit(n), n))
    return list(dict.fromkeys(alerts[number][0] for number in order))


def _stems(text: str) -> set[str]:
    return {word[:_STEM] for word in _WORD.findall(text.lower()) if word not in _STOP}
