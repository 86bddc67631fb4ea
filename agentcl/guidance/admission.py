"""The gate that a proposed lesson passes before it is tried.

It looks at form alone and calls no model. It keeps out what no evidence has to be spent on: texts that are no
lesson, instructions to the reader, answers learned by heart, and names of a single episode. What comes through
is a candidate, and nothing more: a lesson that is merely wrong is found out by evidence, and so is one that is
malicious in words that are not known here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from typing import Final

from agentcl.lessons import CLAIMS, Lesson, folded
from agentcl.text.addresses import address_in
from agentcl.text.function_words import FUNCTION_WORDS
from agentcl.text.lookalikes import looks
from agentcl.text.tokens import estimate_tokens
from agentcl.text.unseen import WRITTEN, is_ignorable

MAX_TOKENS: Final = 80  # of a lesson's sentence, estimated
_READ: Final = (
    16 * MAX_TOKENS
)  # characters of it, which are more tokens than that whatever they are
_LONG_WORD: Final = 40  # letters; longer "words" are data
_SHORT_ANSWER: Final = 4  # letters; shorter answers are in any text
_COPIED_WORDS: Final = 5  # in a row
_REFUSED_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

_WORD: Final = re.compile(r"\w+")
_MARKUP: Final = re.compile(
    r"<\||\|>|<!--|```|\{\{|\{%|\]\(|\[\[|\[/?(?:inst|system|user|assistant)\]|<<|>>|#{2,}"
    r"|</?[a-z][\w:-]*(?:\s+[\w:-]+\s*=[^<>]*|\s*/?)>"
    r'|"(?:name|arguments|function|tool|parameters|role|content)"\s*:'
    r"|\b(?:tool|function)_(?:call|use)s?\b"
)
# What ends a sentence before another one begins; the word before it tells whether it is only shortened.
_SENTENCE_END: Final = re.compile(
    r"(?<![.!?])[.!?]+[\"')\]]*\s+(?=\S)|(?<![!?])[!?]+(?=\w)|[\u3002\uff01\uff1f]\s*(?=\S)"
)
# A name with which a text begins: another one follows, as in Maria Lopez, or what is hers.
_BEGINS_NAME: Final = re.compile(r"(?:^|[.!?:]\s+)([^\W\d_]+)(?=\s+[^\W\d_a-z]|['\u2019]s\b)")
_MARKS: Final = "\"'([{<*_"
_ODD_MARK: Final = re.compile(
    r"[^\w\s.,;:!?'\"()\[\]/\u2026\u2018-\u201d\u2013\u2014-]"
)  # no mark of a sentence
_COUNTED: Final = (
    r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w{3,6}teen|twenty|thirty|forty|fifty"
    r"|sixty|seventy|eighty|ninety|hundred)"
)
_NUMBER_WORDS: Final = re.compile(rf"\b{_COUNTED}(?:[\s,.-]+{_COUNTED}){{2,}}\b")
_BEFORE_WORD: Final = re.compile(r"\.(?=\.)|[\s!?]")
_OPTION: Final = re.compile(r"(?<!\S)-{1,2}\w[\w-]* $")
_FEW_WORDS: Final = 2  # no second sentence
_SHORTENED: Final = frozenset(
    [
        "e.g",
        "i.e",
        "etc",
        "vs",
        "cf",
        "no",
        "nr",
        "approx",
        "ca",
        "max",
        "min",
        "fig",
        "resp",
        "incl",
        "mr",
        "mrs",
        "ms",
        "dr",
        "st",
        "a.m",
        "p.m",
        "z.b",
        "d.h",
    ]
)
_ALIKE: Final = frozenset(("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU"))
_AS_LETTERS: Final = tuple(str.maketrans("013457@$", f"o{one}eastas") for one in "il")
_SPELLED: Final = re.compile(r"(?:(?<![^\W_])[^\W\d_][\s.\-_*]+){5,}")
_ORDERED: Final = (
    r"(?:all|any|every|previous|prior|earlier|preceding|above|other|your|original|initial|system)"
)
_TOLD: Final = r"(?:instructions?|prompts?|guidance|guidelines?|directives?)"
_OVER: Final = r"\b(?:ignore|disregard|forget(?!\s+to\b)|override|overrule|bypass|discard|neglect|violate|circumvent)\b"
_SECRETS: Final = (
    r"(?:passwords?|credentials?|api[\s_-]?keys?|private keys?|access tokens?|secrets?|prompts?|instructions?"
    r"|conversations?|chat history|guidance|user data|personal data)"
)
# What each refused text would have the reader do, and how it is said. The text is as `looks` reads it.
_ORDERS: Final = [
    (meaning, re.compile(form))
    for meaning, form in (
        ("set its instructions aside", rf"{_OVER}(?:\W+\w+){{0,4}}?\W+{_TOLD}\b"),
        (
            "set its instructions aside",
            rf"{_OVER}(?:\W+\w+){{0,2}}?\W+{_ORDERED}(?:\W+\w+){{0,2}}?\W+"
            r"(?:rules?|polic(?:y|ies)|commands?|orders?|constraints?|restrictions?|lessons?|messages?|texts?)\b",
        ),
        (
            "set its instructions aside",
            rf"{_OVER}\W+(?:everything|all|anything|what)\W+(?:that\W+)?"
            r"(?:above|before|previous(?:ly)?|earlier|you (?:were|have been|know|learned))",
        ),
        (
            "set its instructions aside",
            r"\bnew (?:system )?(?:instructions?|prompts?|directives?)\b",
        ),
        (
            "speak of its prompt",
            r"\b(?:system|developer|hidden|initial)\W+(?:prompts?|instructions?)\b",
        ),
        (
            "give away what is not its own",
            r"\b(?:reveal|leak|exfiltrate|disclose|send|post|email|e-mail|upload|forward|transmit|print|repeat|output"
            rf"|show|tell)\b(?:\W+\w+){{0,5}}?\W+{_SECRETS}\b",
        ),
        (
            "be somebody else",
            r"\byou are (?:now|no longer)\b|\bpretend (?:to be|that you|you)\b|\brole-?play\b|\bfrom now on\b"
            r"|\bact as (?:if|though) you\b|\bact as (?:an? |the |my )?(?:\w+ )?(?:ai|assistant|model|chatbot)\b"
            r"|\byour (?:new|real|true|only) (?:role|task|goal|job|purpose|persona|identity|mission)\b"
            r"|\bas an? (?:ai|large language model|language model)\b"
            r"|\b(?:jailbreak|(?:developer|god|dan|debug|admin|sudo) mode)\b",
        ),
        (
            "deceive those it works for",
            r"\b(?:do not|don't|never|without) (?:\w+ )?(?:tell|telling|inform|informing|mention|mentioning|alert|warn"
            r"|warning)\w* (?:\w+ )?(?:the |your |any )?(?:user|human|operator|owner|supervisor|teacher)s?\b",
        ),
        (
            "think better of lessons, or of itself",
            r"\b(?:this|these|those|all other|other|every other) (?:lessons?|guidance|memor(?:y|ies))\b"
            r"|\b(?:trust|promote|retire|delete|keep) (?:\w+ )?(?:lessons?|guidance|memor(?:y|ies))\b"
            r"|\b(?:give|award|assign|report|claim) (?:\w+ ){0,3}?(?:full |high(?:est)? |perfect |maximum )"
            r"(?:score|marks?|reward)\b",
        ),
        (
            "run a program of somebody else's",
            r"\brm\s+-[rf]{1,2}\b|\|\s*(?:ba|z)?sh\b|\bos\.system\b|\beval\s*\(",
        ),
        (
            "take it for a turn of the conversation",
            r"(?:^|[.!?;,\u2013\u2014]\s*)(?:system|assistant|user|human|developer|ai|answer|observation|action|actions|thought"
            r"|goal|guidance|history)\s*:|\b(?:assistant|answer)\s*:",
        ),
    )
]


def refusal(
    lesson: Lesson, *, answers: Collection[str] = (), names: Collection[str] = ()
) -> str | None:
    """Return why a lesson is not admitted, in words; None if it is.

    Args:
        lesson: what was proposed. No text makes this raise.
        answers: right answers of the tasks at hand, which no lesson may carry; those of fewer than four letters
            are in any text, and are not looked for.
        names: names of the one episode that it was drawn from. Leave them out for a lesson that is meant for this
            very instance.
    """
    if lesson.claim not in CLAIMS:
        return f"its claim is {lesson.claim!r}; a claim is one of {', '.join(CLAIMS)}"
    for part, text in (("when it applies", lesson.when), ("what it claims", lesson.what)):
        if not folded(text):
            return f"it does not say {part}"
    if not lesson.is_whole:
        return f"it does not say what it claims, only {lesson.what!r}"
    said = lesson.sentence()
    tokens = estimate_tokens(said[:_READ])
    if tokens > MAX_TOKENS:
        least = "at least" if len(said) > _READ else "about"
        return f"it is too long: {least} {tokens} tokens, where a lesson has at most {MAX_TOKENS}"
    for text in (lesson.when, lesson.what):
        if reason := _form(text) or _order(text):
            return reason
    said = folded(looks(f"{lesson.when} | {lesson.what}"))
    if reason := _order(lesson.sentence()):
        return reason
    for answer in sorted(answers):
        if _is_copied(folded(looks(answer)), said):
            return f"it gives an answer away: {answer!r}"
    for name in sorted(names):
        bare = folded(looks(name))
        if bare and _is_in(bare, said):
            return f"it names {name!r}, which only this one episode knows"
    return None


class PrivateWords:
    """Words by which an episode, or who lived through it, could be known; no shared lesson may have one.

    Args:
        words: as `folded` reads them.
        plain: words that are written small, and so are no names where a text begins with them.
        first: words that texts begin with, small; of a person, perhaps.
    """

    def __init__(
        self, words: Collection[str] = (), plain: Collection[str] = (), first: Collection[str] = ()
    ) -> None:
        self._words = frozenset(words)
        self._plain = frozenset(plain) | FUNCTION_WORDS
        self._first = frozenset(first)

    @classmethod
    def of(cls, told: Iterable[str], owners: Iterable[str]) -> PrivateWords:
        """Return those of an episode's texts: its names, and what its user, agent and session are called."""
        texts = [*told]
        names = {word for text in texts for word in _capitalised(text)}
        names |= {found[1] for text in texts for found in _BEGINS_NAME.finditer(text)}
        names |= {word for owner in owners for word in (owner, *_WORD.findall(owner))}
        plain = {word for text in texts for word in _WORD.findall(text) if word.islower()}
        first = {found.group().casefold() for text in texts if (found := _WORD.search(text))}
        return cls({bare for name in names if (bare := folded(looks(name)))}, plain, first)

    def is_in(self, lesson: Lesson) -> bool:
        """Return whether a lesson names somebody or something, or holds an identifier."""
        for text in (lesson.when, lesson.what):
            if _capitalised(text) or _NUMBER_WORDS.search(text.casefold()):
                return True
            if any(map(_is_identifier, text.split())):
                return True
        # Both stand within a sentence; only an order begins with a verb, which some write with a capital.
        begun = (lesson.when, lesson.what) if lesson.claim == "expect" else (lesson.when,)
        if any(map(self._begins_with_name, begun)):
            return True
        said = folded(looks(f"{lesson.when} | {lesson.what}"))
        return any(_is_in(word, said) for word in self._words)

    def _begins_with_name(self, text: str) -> bool:
        found = _WORD.search(text)
        if found is None or (word := found.group().casefold()) in self._plain:
            return False
        return found.group()[0].isupper() or word in self._first


def _is_identifier(word: str) -> bool:
    """Return whether a word has the form of an id, an address, a path, a password or a number that tells one thing."""
    digits = sum(character.isdigit() for character in word)
    if digits > 2 or (digits > 0 and not word.strip(".,;:!?%()").isdecimal()) or "@" in word:
        return True
    return any(map(str.isupper, word.lstrip(_MARKS)[1:])) or len(_ODD_MARK.findall(word)) > 2


def names_of(goal: str, first: str) -> set[str]:
    """Return the names that an episode's goal and first observation share.

    A name is a word that begins with a capital within a sentence, or holds a digit. What only one of the two
    has may be a name that is common to many episodes, such as that of an error.
    """
    return _capitalised(goal) & _capitalised(first)


def _form(text: str) -> str | None:
    """Return what is wrong with how a text is written."""
    drawn = "".join(char for char in text if char not in WRITTEN)
    for char in drawn:
        if unicodedata.category(char) in _REFUSED_CATEGORIES or is_ignorable(char):
            return f"it holds a character that cannot be seen, or a line break: {char!r}"
    plain = looks(text)
    if found := _MARKUP.search(plain):
        return f"it holds markup: {found.group()!r}"
    if address := address_in(plain):
        return f"it holds an address: {address!r}"
    if end := _second_sentence(plain):
        return f"it has more than one sentence: one ends with {end!r}"
    if _SPELLED.search(plain):
        return "it spells words letter by letter"
    for word in unicodedata.normalize("NFKC", drawn).split():
        if len(word) > _LONG_WORD:
            return f"it holds a word of more than {_LONG_WORD} letters: {word[:_LONG_WORD]!r}"
        if len(_alphabets(word)) > 1:
            return f"it mixes alphabets in one word: {word!r}"
    return None


def _second_sentence(plain: str) -> str | None:
    """Return how a sentence ends before another one begins; None if there is one only."""
    for end in _SENTENCE_END.finditer(plain):
        before = plain[max(0, end.start() - _LONG_WORD) : end.start()]
        said = _BEFORE_WORD.split(before)[-1]
        word = said.strip("(\"'")
        if not said and end.group().startswith("..."):  # something left out
            continue
        is_folder = not said and _OPTION.search(before)  # as in `pip install -e .`
        if is_folder and len(plain[end.end() :].split()) <= _FEW_WORDS:
            continue
        if word not in _SHORTENED and not (len(word) == 1 and word.isalpha()):
            return f"{said}{end.group().strip()}"
    return None


def _order(text: str) -> str | None:
    """Return what a text would have its reader do beside the task."""
    plain = " ".join(looks(text).split())
    for said in dict.fromkeys((plain, *map(plain.translate, _AS_LETTERS))):
        for meaning, form in _ORDERS:
            if found := form.search(said):
                return f"it tells the reader to {meaning}: {found.group()!r}"
    return None


def _alphabets(word: str) -> set[str]:
    """Return which of the alphabets that look alike a word is written in."""
    names = {
        unicodedata.name(char, "").partition(" ")[0]
        for char in word
        if char.isalpha() and char != "\u03bc"  # stands for "micro"
    }
    return names & _ALIKE


def _is_copied(answer: str, said: str) -> bool:
    if len(answer) >= _SHORT_ANSWER and _is_in(answer, said):
        return True
    words = answer.split()
    runs = range(len(words) - _COPIED_WORDS + 1)
    return any(_is_in(" ".join(words[at : at + _COPIED_WORDS]), said) for at in runs)


def _is_in(part: str, said: str) -> bool:
    """Return whether whole words are said; of scripts without spaces, whether characters are."""
    return f" {part} " in f" {said} " if part.isascii() else part in said


def _capitalised(text: str) -> set[str]:
    names = set()
    for found in _WORD.finditer(text):
        word, before = found.group(), text[: found.start()].rstrip()[-1:]
        is_inside = before not in ("", ".", "!", "?", ":")
        if (word[0].isupper() and is_inside) or any(letter.isdigit() for letter in word):
            names.add(word)
    return names
