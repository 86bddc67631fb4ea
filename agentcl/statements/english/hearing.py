"""What of a turn its speaker says himself, and means: no quotes, no questions, nothing that is only supposed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from agentcl.store.conversations import Turn

_LONGEST: Final = 20_000  # characters of a turn that are read: nobody writes more himself
_LONGEST_SENTENCE: Final = 400
_FENCE: Final = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.DOTALL)
_QUOTED_LINE: Final = re.compile(r"^[ \t]*(?:>|\|).*$", re.MULTILINE)
# From such a line on, a text is somebody else's.
_FOREIGN: Final = re.compile(
    r"--\s{0,9}(?:forwarded|original) message|begin forwarded message|^(?:from|subject):\s|"
    r"\b(?:pasted|paste|forwarded?|here(?:'s| is)|following|below|this|summari[sz]e|translate|proofread|rewrite|edit|shorten|"
    r"correct|check|review|fix)\b[^\n]{0,80}:\s*$",
    re.IGNORECASE,
)
_ORDERS: Final = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b[^.!?\n]{0,30}\b(?:previous|prior|above|earlier|all|your|system)\b[^.!?\n]{0,30}"
    r"\b(?:instruction|prompt|rule|message|direction|context)s?\b|\bsystem prompt\b|<\|",
    re.IGNORECASE,
)
# What stands in quotation marks is said by somebody, unless it is a name or a word.
_QUOTE: Final = re.compile(
    r"\"[^\"\n]*\"|\u201c[^\u201d\n]*\u201d|\u00ab[^\u00bb\n]*\u00bb|(?<!\w)'[^'\n]{12,}'(?!\w)"
)
_WORDS_OF_A_NAME: Final = 3
_SENTENCE: Final = re.compile(
    r"(?:(?<=[!?\u2026])|(?<=(?<!\bDr)(?<!\bMr)(?<!\bMs)(?<!\bMrs)(?<!\bSt)(?<!\bno)(?<!\be\.g)(?<!\bi\.e)\.))[\"')\]]*\s+|\n+"
)
_HYPOTHETICAL: Final = re.compile(
    r"\b(?:if|unless|suppose|supposing|imagine|imagining|pretend|hypothetically|wish|dream(?:s|ed|ing)?|would|wouldn't|"
    r"might|maybe|perhaps|probably|possibly|hopefully|in theory|as if|role-?play|just kidding|kidding|joking|just joking|"
    r"in another life|one day|some ?day|considering|thinking (?:of|about)|toying|tempted|not sure|wonder(?:ing)?|"
    r"should i|could i|let's say|say i|for example|for instance|e\.g)\b|\b(?:i|we|he|she|they|you)'d\b|\b(?:lol|haha|jk)\b",
    re.IGNORECASE,
)
# What these say of one clause they say of the whole sentence.
_REACHING: Final = re.compile(
    r"\b(?:if|unless|suppose|supposing|imagine|imagining|pretend|hypothetically|wish|dream(?:s|ed|ing)?|in theory|as if|"
    r"role-?play|just kidding|kidding|joking|in another life|let's say|say i|lol|haha|jk|for example|for instance|e\.g)\b",
    re.IGNORECASE,
)
_BESIDE: Final = re.compile(r"[;\u2014]\s|\s-\s|,?\s(?:but|so|because|though|although)\s")
_SUPPOSING: Final = re.compile(
    r"^\W*(?:(?:and|so|but|ok|okay|well|oh|ha|haha|yes|no|by the way)\W+)*(?:if|suppose|supposing|imagine|pretend|say|let's say)\b",
    re.IGNORECASE,
)
# "I'd live in Lisbon", but neither "I'd like to" nor "I'd never been there".
_UNREAL: Final = re.compile(
    r"\bin (?:another life|theory|my dreams)\b|\bhypothetically\b|"
    r"\b(?:I|we|you|he|she|they|it)(?:'d| would)(?:n't| not)?\s(?:(?:also|already|ever|only|once|really|probably|always|never|still|just|rather)\s)*+"
    r"(?!(?:like|love|prefer|better|rather|appreciate|say|think|guess|call|recommend|suggest|been|had|got|gone|done|made|met|"
    r"left|lost|sold|bought|told|said|known|seen|taken|given|written|chosen|forgotten|eaten|driven|broken|fallen|spoken|stolen|"
    r"hidden|ridden|woken|frozen|grown|flown|worn|shown|thrown|drawn|blown|begun|won|spent|sent|built|lent|kept|slept|felt|dealt|"
    r"heard|paid|laid|held|found|led|fed|sat|stood|understood|brought|taught|caught|thought|fought|meant|stuck|hung|swum|drunk|"
    r"sung|\w{2,20}ed)\b)",
    re.IGNORECASE,
)
# "We'd go to Spain every summer" was so.
_HABIT: Final = re.compile(
    r"\b(?:every|each) (?:day|week|month|year|time|morning|evening|night|weekend|spring|summer|autumn|fall|winter|\w{3,9}day)\b|"
    r"\b(?:back then|in those days|as a (?:child|kid|boy|girl|student)|when (?:I|we) (?:was|were))\b",
    re.IGNORECASE,
)
_SHORT: Final = 2  # words: "Maybe.", "Ha, true."
_ASKING: Final = re.compile(
    r"^\W*(?:(?:and|so|but|ok|okay|right|well|oh|hey|also|quick one|next|please)\W+)*(?:can|could|do|does|did|is|are|was|were|what|what's|how|how's|why|"
    r"who|who's|where|when|which|whose|should|would|will|shall|have you|has|any|am i|may i|isn't|aren't|don't you)\b",
    re.IGNORECASE,
)
# Asked without a question mark: the verb stands in front, or somebody is told to tell.
_ASKED: Final = re.compile(
    r"^\W*(?:(?:and|so|but|ok|okay|well|oh|hey|hi|hello|please|also)\W+)*(?:"
    r"(?:(?:what|which|whose|how)(?:\W+(?!(?:i|you|we|they|he|she|it|the|my|your)\b)\w+){0,2}|who|where|when|why)\W+"
    r"(?:is|are|was|were|do|does|did|can|could|will|would|should|has|have|had)\b|"
    r"(?:what|who|where|when|how)'?s\W|"
    r"(?:is|are|was|were|do|does|did|can|could|will|would|should|has|have)\W+(?:i|you|we|they|he|she|it|the|my|your|our|there)\b|"
    r"(?:tell|remind|show)\W+me\b)",
    re.IGNORECASE,
)
_GREETING: Final = re.compile(
    r"\W*(?:(?:hi|hello|hey|dear|there|again|good|morning|evening|afternoon|please|thanks|thank|you|ok|okay|so|well|now|"
    r"quick|question|one|more|another|sorry)\b\W*)*",
    re.IGNORECASE,
)
_CURLY: Final = str.maketrans({"\u2019": "'", "\u2018": "'"})


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence that a speaker says himself."""

    text: str
    turn: int  # the place of its turn
    is_question: bool = False
    is_supposed: bool = False  # what it says need not be so

    @property
    def stated(self) -> str:
        """What it states: of a question only what stands before what is asked; nothing that is only supposed."""
        if self.is_supposed:
            return ", ".join(_stated_beside(self.text, is_question=self.is_question))
        if not self.is_question:
            return self.text
        if _ASKING.match(self.text):
            return ""
        return self.text.rpartition(",")[0]


def _stated_beside(text: str, *, is_question: bool) -> Iterator[str]:
    """Yield what stands beside what is supposed: "I might move, so I sold my car" sells one. An "if" reaches over all of it."""
    if _REACHING.search(text):
        return
    parts = _BESIDE.split(text)
    for part in parts[:-1] if is_question else parts:
        if not _HYPOTHETICAL.search(part) and not _ASKING.match(part):
            yield part.rstrip(" .,;!?")


def own_words(text: str) -> str:
    """Return what of a text is its writer's own, and not quoted, pasted, or an order that somebody slipped in."""
    if _ORDERS.search(text):
        return ""
    text = text[:_LONGEST]
    own = _FENCE.sub(" ", text.translate(_CURLY))
    own = "\n".join(takewhile(_is_own, _QUOTED_LINE.sub(" ", own).split("\n")))
    return _QUOTE.sub(_unquoted, own)


def asked_in(text: str) -> str:
    """Return what a text asks, without greetings; nothing if it states something beside it."""
    spoken = [part.strip() for part in _SENTENCE.split(text[:_LONGEST].translate(_CURLY))]
    spoken = [part for part in spoken if part and not _GREETING.fullmatch(part)]
    return " ".join(spoken) if all(map(_asks, spoken)) else ""


def _asks(sentence: str) -> bool:
    if sentence.rstrip("\"')]*_ ").endswith(("?", "\uff1f", "\u061f")):
        return True
    return not sentence.endswith("!") and _ASKED.match(sentence) is not None


def only_supposes(text: str) -> bool:
    """Return whether all that a text states is only supposed, as in "If I were rich I'd live in Lisbon"."""
    said = stated_in(text)
    return bool(said) and all(map(_supposes, said))


def _supposes(sentence: str) -> bool:
    if _SUPPOSING.match(sentence):
        return True
    parts = [one for one in _BESIDE.split(sentence) if len(one.split()) > _SHORT]
    return bool(parts) and all(map(_is_unreal, parts))


def _is_unreal(part: str) -> bool:
    return _UNREAL.search(part) is not None and _HABIT.search(part) is None


def stated_in(text: str) -> list[str]:
    """Return the sentences that the writer of a text says himself and that ask nothing, without mere interjections."""
    said = (one for one in _sentences(text, 0) if not one.is_question)
    return [one.text for one in said if len(one.text.split()) > _SHORT]


def sentences(turn: Turn, place: int) -> Iterator[Sentence]:
    """Yield the sentences of a turn that its speaker says himself."""
    yield from _sentences(turn.text, place)


def own_sentences(said: str) -> Iterator[str]:
    """Yield the sentences of a text that are its writer's own, without those that nobody writes so long."""
    for part in _SENTENCE.split(own_words(said)):
        text = " ".join(part.split())
        if text and len(text) <= _LONGEST_SENTENCE:
            yield text


def _sentences(said: str, place: int) -> Iterator[Sentence]:
    for text in own_sentences(said):
        is_question = text.rstrip("\"')]").endswith("?")
        yield Sentence(text, place, is_question, _HYPOTHETICAL.search(text) is not None)


def _is_own(line: str) -> bool:
    return _FOREIGN.search(line[:_LONGEST_SENTENCE]) is None


def _unquoted(found: re.Match[str]) -> str:
    inside = found.group()[1:-1].strip()
    is_name = len(inside.split()) <= _WORDS_OF_A_NAME and inside[:1].isupper()
    return inside if is_name else "\u2026"
