"""What a question is asked with, and not about: words that full text does not look for."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from agentcl.text.terms import terms

_WORD: Final = re.compile(r"[^\W_]+")
# Closed classes of English: articles, pronouns, question words, auxiliaries, prepositions, conjunctions,
# negation, and what an apostrophe leaves of them. Words of other languages are left to the frequent-term cut.
FUNCTION_WORDS: Final = frozenset(
    """
    a an the this that these those
    i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his himself
    she her hers herself it its itself they them their theirs themselves one ones
    who whom whose which what when where why how
    am is are was were be been being do does did doing done have has had having
    can could may might must shall should will would ought
    about above across after against along among around as at before behind below beneath beside
    between beyond by down during for from in inside into of off on onto out over since than through
    to toward towards under until up upon with within without
    and or but nor so yet if because although though while whether
    not no there here then also just
    s t d ll m re ve don doesn didn isn aren wasn weren hasn haven hadn won wouldn couldn shouldn cannot
    """.split()  # noqa: SIM905  # as a list it takes 160 lines
)


def content_terms(question: str) -> list[str]:
    """Return the terms of a question, each once, without its function words.

    A capitalised function word is part of a name ("The Who", "You're Next") and stays, unless it begins the
    question or is "I". Where only function words are left, all are returned.
    """
    return list(_content_terms(question))


@lru_cache(maxsize=64)  # a search looks for them, and then weighs them
def _content_terms(question: str) -> tuple[str, ...]:
    kept: set[str] = set()
    left_out: set[str] = set()
    for place, word in enumerate(_WORD.findall(question)):
        is_in_name = place > 0 and word != "I" and not word.islower()
        is_telling = is_in_name or word.casefold() not in FUNCTION_WORDS
        (kept if is_telling else left_out).update(terms(word))
    asked = list(dict.fromkeys(terms(question)))
    telling = tuple(term for term in asked if term in kept or term not in left_out)
    return telling or tuple(asked)
