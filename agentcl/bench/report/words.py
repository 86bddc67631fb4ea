"""How reports write numbers and texts."""

from __future__ import annotations

import re
from typing import Final

from agentcl.bench.report.estimates import Estimate
from agentcl.text.visible import visible

UNDEFINED: Final = "\N{EN DASH}"
_LONGEST: Final = 500  # characters of a name in a table
_MARKDOWN: Final = re.compile(r"([\\`*|~$]|\](?=[(\[:]))")  # what means something there


def number(value: float | None, *, digits: int = 2, is_signed: bool = False) -> str:
    """Return a number, or a dash for what is undefined."""
    if value is None:
        return UNDEFINED
    rounded = round(value, digits) + 0.0  # no -0.00
    return f"{rounded:{'+' if is_signed else ''},.{digits}f}"


def count(value: float | None) -> str:
    """Return a number of tokens or episodes."""
    if value is None:
        return UNDEFINED
    return number(value, digits=0 if value == int(value) or value >= 100 else 1)


def interval(found: Estimate | None, *, digits: int = 2, is_signed: bool = False) -> str:
    """Return a mean and its interval, such as "0.47 [0.35, 0.57]"."""
    if found is None:
        return UNDEFINED
    mean = number(found.mean, digits=digits, is_signed=is_signed)
    if found.low is None or found.high is None:
        return mean
    ends = (number(end, digits=digits, is_signed=is_signed) for end in (found.low, found.high))
    return f"{mean} [{', '.join(ends)}]"


def milliseconds(value_s: float | None) -> str:
    """Return a time in seconds as milliseconds."""
    return UNDEFINED if value_s is None else count(value_s * 1000)


def price(value: float | None) -> str:
    """Return a price in the currency of the price table."""
    return number(value, digits=4 if value is not None and value < 1 else 2)


def clean(text: str, longest: int = _LONGEST) -> str:
    """Return a text without characters that cannot be shown, cut where it is longer, saying so."""
    cut = visible(text[:longest])
    return cut if len(text) <= longest else f"{cut} … ({len(text):,} characters in all)"


def name(text: str) -> str:
    """Return a name on one line."""
    return " ".join(clean(text).split())


def markdown(text: str) -> str:
    """Return a text on one line that Markdown, and the HTML in it, take as it stands."""
    line = " ".join(visible(text).split())
    safe = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", safe)
