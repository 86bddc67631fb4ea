"""What a user asks of the assistant for good, what he wishes to be forgotten, and what he corrects."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Final, NamedTuple

from agentcl.statements.english.hearing import Sentence

_FILLERS: Final = (
    r"^\W*(?:(?:ok|okay|and|also|but|so|please|by the way|btw|good|great|thanks|thank you|right|yes|no|one more thing|oh|hey|"
    r"actually|well|lovely|perfect|quick one|another thing|from now on|in (?:the )?future|going forward|whenever [^,]+)\b\W*)*+"
)
_REQUEST: Final = r"(?:(?:can|could|would|will) you (?:please |maybe )?|please |I(?:'d like| want| need) you to |you (?:should|must) )?"
_VERB: Final = (
    r"(?P<order>(?:always |never |please )?(?:answer|reply|respond|write|use|keep|give|put|call|address|speak|explain|format|show|list|"
    r"include|add|avoid|skip|end|start|begin|sign|spell|round|convert|remember|ask|make|be|talk|quote|mention|don't|do not|"
    r"leave out|stick to|correct|number|translate|warn|remind)\b[^.;!?]*)"
)
_ORDER: Final = re.compile(_FILLERS + _REQUEST + _VERB, re.IGNORECASE)
_FOR_GOOD: Final = re.compile(
    r"\b(?:always|never|from now on|from here on|going forward|in (?:the )?future|every time|whenever|each time|by default|"
    r"as a rule|any ?more|for (?:all|every) (?:answers?|replies|repl(?:y|ies)))\b",
    re.IGNORECASE,
)
_ABOUT_ANSWERS: Final = re.compile(
    r"\b(?:your|the|all)? ?(?:answers?|replies|responses|explanations)\b|\bmake (?:things|stuff|it) up\b|\bcall me\b",
    re.IGNORECASE,
)
_STOPPED: Final = re.compile(
    _FILLERS
    + r"(?:you can )?(?:stop (?:with )?|no more |enough (?:with|of) |drop |no need (?:for|to (?:use|give|write)) )(?:the |using |giving |writing |all (?:the |those )?|those )*"
    r"(?P<what>[\w' -]+)",
    re.IGNORECASE,
)
_AT_THE_END: Final = re.compile(r",\s(?:please,?\s)?(?:always|from now on)\W*$", re.IGNORECASE)
_BARE: Final = re.compile(
    _FILLERS + r"(?:always|only)\s(?P<what>(?:in\s)?[^.;,!?]{3,60})", re.IGNORECASE
)
_FREE_AGAIN: Final = re.compile(r"\byou (?:can|may) (?P<what>[^.;!?,]*?\bagain)\b", re.IGNORECASE)
_TOPICS: Final = (
    ("length", r"short|brief|concise|long|longer|detail|detailed|terse|long-winded|one sentence|one line|to the point|lengthy"),
    ("units", r"celsius|fahrenheit|metric|imperial|kilomet\w+|miles|units?|kilos?|pounds|24-hour"),
    ("format", r"(?:numbered |bullet(?:ed)? )?lists?|bullets?|bullet points?|paragraphs?|tables?|markdown|prose|headings?"),
    ("language", r"english|german|french|spanish|dutch|italian|portuguese|polish|chinese|japanese|arabic"),
    ("emoji", r"emojis?|smileys?"),
    ("tone", r"formal|informal|polite|casual|jokes?|sarcas\w+|swear\w*|flatter\w*|compliments?|exclamation marks?"),
    ("invention", r"make (?:things|stuff|it) up|guess\w*|invent\w*"),
)  # fmt: skip
_TRIM: Final = re.compile(
    r"\s{0,3},?\s{0,3}\b(?:from now on|from here on|going forward|in (?:the )?future|by default|as a rule|please|then|actually)\b\s{0,3},?\s{0,3}",
    re.IGNORECASE,
)
_WISH: Final = re.compile(
    _FILLERS + r"(?:(?:can|could) you (?:please )?|please )?(?:forget|delete|erase|remove)\s+"
    r"(?P<about>(?:(?:that|what|everything|all|anything)\b(?! case\b)[^.!?]*|(?:that )?about\b[^.!?]*|that"
    # "Delete my last commit" is work for a program.
    r"|(?<=forget\s)(?:my|our)\b(?! (?:last|previous|earlier|own)\b)[^.!?,]*)?)[.!?]*$",
    re.IGNORECASE,
)
_CORRECTION: Final = re.compile(
    r"(?:^|[,.;]\s*|\b)(?:(?:oh|ah|oops|no|wait|sorry|hang on|hold on|correction|scratch that|actually)[,:]?\s+)*"
    r"(?:sorry|no|hang on|correction|scratch that|I mean|I meant|make that|oops|wait)[,:]?\s+(?:no,? )?(?:hang on,? )?"
    r"(?:it's |that's |it is |make it |make that |I meant? )?(?P<value>[\w'&.@/-]+(?:\s[\w'&.@/-]+){0,3})",
    re.IGNORECASE,
)
_ALIKE: Final = 0.55  # of the characters of a correction and what it corrects


class StandingOrder(NamedTuple):
    """What is asked of the assistant for good, or no longer."""

    attribute: str
    value: str
    is_ended: bool = False
    is_member: bool = False


def order_of(sentence: Sentence) -> StandingOrder | None:
    """Return what a sentence asks of the assistant for good."""
    text = sentence.text
    if found := _FREE_AGAIN.search(text):
        topic = _topic(found["what"])
        return StandingOrder(f"instruction on {topic}", "", is_ended=True) if topic else None
    if (found := _STOPPED.match(text)) and (topic := _topic(found["what"])):
        return StandingOrder(f"instruction on {topic}", "", is_ended=True)
    found = _ORDER.match(text)
    if found is None:
        bare = _BARE.match(text)  # "Always numbered lists for steps"
        topic = _topic(bare["what"]) if bare else ""
        return (
            StandingOrder(f"instruction on {topic}", bare["what"].strip())
            if bare and topic
            else None
        )
    order = found["order"]
    topic = _topic(order)
    asked = text[: found.start("order")] + order.split(",")[0]
    is_for_good = _FOR_GOOD.search(asked) is not None or _AT_THE_END.search(text) is not None
    if not is_for_good and not (topic and _ABOUT_ANSWERS.search(order)):
        return None
    value = _TRIM.sub(" ", order.split(",")[0]).strip()
    if len(value.split()) < 2:
        return None
    return (
        StandingOrder(f"instruction on {topic}", value)
        if topic
        else StandingOrder("instruction", value, is_member=True)
    )


def wish_of(sentence: Sentence) -> str | None:
    """Return what a sentence wishes to be forgotten: "" for what was said right before; None if it wishes nothing."""
    found = _WISH.match(sentence.text)
    if found is None or not found["about"]:
        return None
    words = re.sub(
        r"^(?:that|what|everything|all|anything)?\s*(?:(?:I|we) (?:just )?(?:said|told you|mentioned)|that|about|of|on|,)*\s*",
        "",
        found["about"].strip(),
        flags=re.IGNORECASE,
    )
    return re.sub(r"^(?:about\s+)?(?:the|my|our)\s+", "", words, flags=re.IGNORECASE).strip()


def corrected(text: str, value: str) -> str | None:
    """Return what a sentence corrects a value to; None if it corrects another one, or none."""
    for found in _CORRECTION.finditer(text):
        said = found["value"].strip(" .")
        words, old = said.split(), value.split()
        for size in range(len(words), 0, -1):
            new = " ".join(words[:size])
            if new.casefold() == value.casefold():
                continue
            # "Ransaart" corrects the end of "Tibo Ransaert".
            if size < len(old) and _is_alike(new, " ".join(old[-size:])):
                return " ".join([*old[:-size], new])
            if _is_alike(new, value):
                return new
    return None


def _is_alike(one: str, other: str) -> bool:
    if one.casefold() == other.casefold():
        return False
    shapes = [re.sub(r"\d", "0", re.sub(r"[^\W\d_]", "a", text)) for text in (one, other)]
    if any(char.isdigit() for char in one + other):
        return shapes[0] == shapes[1]
    ratio = SequenceMatcher(None, one.casefold(), other.casefold()).ratio()
    return ratio >= _ALIKE and one[:1].isupper() == other[:1].isupper()


def _topic(text: str) -> str:
    for topic, words in _TOPICS:
        if re.search(rf"\b(?:{words})\b", text, re.IGNORECASE):
            return topic
    return ""
