"""Statements as plain sentences."""

from __future__ import annotations

import re
from typing import Final

from agentcl.statements.slots import USER, subject_key

_VERB: Final = re.compile(
    r"(?:is|are|was|has|had|likes|loves|dislikes|hates|prefers|avoids|lives|works|speaks|plays|eats|drinks|owns|drives|uses|"
    r"wants|plans|comes|goes|takes|needs|knows|studies|learns|moves|starts|runs|pays|studied|moved|started)\b",
    re.IGNORECASE,
)


def sentence(subject: str, attribute: str, value: str, *, ended: bool = False) -> str:
    """Return a subject, an attribute and a value as one sentence."""
    is_user = subject_key(subject) == USER
    who = "the user" if is_user else subject
    if _VERB.match(attribute):
        said = f"{who} {attribute} {value}".strip()
    elif value:
        said = f"{who}'s {attribute} is {value}"
    else:
        said = f"{who}'s {attribute}"
    said = said[:1].upper() + said[1:]
    return f"No longer: {said}." if ended else f"{said}."
