"""`SentenceDigester`: a small language model says in plain sentences what a user states, and rules take those apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from agentcl.models.base import ChatModel, Message, Sampling, conversation
from agentcl.models.structured import ask_text
from agentcl.statements.dates.dating import dated
from agentcl.statements.digesters.grounding import is_borne_out
from agentcl.statements.digesters.rules import RuleDigester
from agentcl.statements.english.asserting import is_same, told_of
from agentcl.statements.english.clauses import clauses, person_in
from agentcl.statements.english.hearing import sentences
from agentcl.statements.english.patterns import PEOPLE
from agentcl.statements.english.words import is_told
from agentcl.statements.reading import Assertion, Digested
from agentcl.statements.slots import USER
from agentcl.store.conversations import Statement, Turn
from agentcl.text.escaping import Prompt, prompt_of, quoted, unescape
from agentcl.text.function_words import FUNCTION_WORDS
from agentcl.text.terms import terms
from agentcl.text.tokens import estimate_tokens

INSTRUCTIONS: Final = """\
You write down what a user tells about himself, his people and his things, in short plain sentences, one a line.
Say "The user" for I. Say names, not he or she. Use the user's own words. Dates in brackets are worked out already: copy them.
Write only what the user says is so. Leave out questions, tasks, jokes, wishes and what stands behind "if". Of a correction write only what is right.
If the message only asks or chats, write: nothing"""
# Of invented people with invented names: what a demonstration says is in no other turn, and so is never borne out by one.
DEMONSTRATIONS: Final = (
    ("User (Monday 2031-03-10): Thanks, that helps a lot. The wax is all over the rug.", "nothing"),
    (
        "Before: Shall I add a closing line?\n"
        "User (Tuesday 2031-05-06): Yes, sign it Rosk Umbrey, beekeeper. We moved the hives from Stell to Orvane last Friday [2031-05-02].",
        "The user's name is Rosk Umbrey.\nThe user is a beekeeper.\nThe hives are in Orvane since 2031-05-02.",
    ),
    (
        "User (Friday 2031-08-15): Will do. My cousin Jettra, she runs a smithy in Quill, says I'm mad.",
        "Jettra is the user's cousin.\nJettra runs a smithy.\nJettra lives in Quill.",
    ),
    ("User (Thursday 2031-10-30): Perfect, that worked. Now something else, a rhyme for my card.", "nothing"),
    (
        "User (Wednesday 2031-10-01): OK. The regatta is on October 18 [2031-10-18]. No, wait, October 19 [2031-10-19]. "
        "I gave up the oboe, but I've sung in the choir since June [2031-06].",
        "The regatta is on 2031-10-19.\nThe user no longer plays the oboe.\nThe user sings in the choir since 2031-06.",
    ),
    (
        "Before: What is the number of the locker?\nUser (Sunday 2031-11-09): It's TR-5519. I broke my flute, so it's a Parl 3 now.",
        "The user's locker number is TR-5519.\nThe user's flute is a Parl 3.",
    ),
)  # fmt: skip
_MOST_TOKENS: Final = 96  # of an answer
_MOST_SENTENCES: Final = 6  # of an answer: more are said when a model repeats itself
_LAST_WORDS: Final = 200  # characters of what was said before
_BORNE_OUT: Final = 0.6  # of a sentence's words that the user said
_MARK: Final = re.compile(r"^\s{0,3}(?:[-*\u2022]|\d{1,2}[.)])\s{1,3}")
_DAY: Final = re.compile(r"\[?(\d{4}-\d\d(?:-\d\d)?)\]?")
_ANY: Final = re.compile(
    r"(?P<subject>[Tt]he user(?:'s (?P<own>[^\W\d_][\w-]*(?: [^\W\d_][\w-]*)?))?|[A-Z][\w&'-]*(?: [A-Z][\w&-]*){0,2}|[Tt]he [\w-]+(?: [\w-]+)?)"
    r" (?P<verb>(?!is|are|was|has|needs|wants)[a-z]+(?:s|ed))(?: (?P<word>in|at|to|for|as|from|on|with|of))? (?P<value>[^.;]{2,80})\.?$"
)


class SentenceDigester:
    """Reads statements by rules, and asks a language model for the rest. Safe for threads.

    What a model of one or two billion parameters does well is to say a turn again in plain sentences. So it is asked for
    these and no more, one turn of the user at a time, without the questions and suppositions in it and with each relative
    date worked out beside its words; rules take the sentences apart. A turn that states nothing, or that rules have read
    whole, is not asked about. A sentence whose words, names or numbers the user did not say is left out and counted.

    Args:
        model: any chat model.
        max_tokens: of an answer.
        name: what statements are noted as read by; default: the model's.
    """

    def __init__(
        self, model: ChatModel, *, max_tokens: int = _MOST_TOKENS, name: str | None = None
    ) -> None:
        self.name = name or f"sentences:{model.name}"
        self._model = model
        self._sampling = Sampling(max_tokens=max_tokens)
        self._rules = RuleDigester()

    def tokens(self, turns: Sequence[Turn], known: Sequence[Statement]) -> int:
        """Estimate what reading turns takes, rather too much."""
        said = self._rules.digest(turns, known).said
        return sum(
            sum(estimate_tokens(one.content) for one in _messages(prompt))
            + self._sampling.max_tokens // 2
            for _, prompt, _ in _asked(turns, said)
        )

    def digest(self, turns: Sequence[Turn], known: Sequence[Statement]) -> Digested:
        """Return what the turns say, by rules and by the model.

        Raises:
            NoAnswer: if the model answers nothing.
            ModelUnavailable: if it cannot be asked.
        """
        by_rule = self._rules.digest(turns, known)
        said, dropped = list(by_rule.said), by_rule.dropped
        for place, prompt, person in _asked(turns, by_rule.said):
            reply = ask_text(self._model, _messages(prompt), sampling=self._sampling)
            for line in _lines(reply.text, prompt):
                made = [
                    _of_user(one, [*known, *said])
                    for one in _assertions(line, turns, place, person)
                ]
                kept = [one for one in made if is_borne_out(one, turns)]
                dropped += not kept
                said += [one for one in kept if not any(is_same(one, other) for other in said)]
        return Digested(tuple(said), dropped, by_rule.wishes)


def ask_sentences(text: str, at: datetime, before: str) -> Prompt:
    """Return the prompt for what a text states.

    Args:
        text: of a user, in his own words.
        at: when it was said.
        before: what it answers or goes on with; empty for nothing.
    """
    lines = [f"Before: {quoted(before)}"] if before else []
    return prompt_of(*lines, f"User ({at:%A %Y-%m-%d}): {quoted(text)}")


def _messages(prompt: Prompt) -> list[Message]:
    return conversation(INSTRUCTIONS, prompt, DEMONSTRATIONS)


def _asked(turns: Sequence[Turn], said: Sequence[Assertion]) -> Iterator[tuple[int, Prompt, str]]:
    """Yield the places of turns to ask about, with what is asked and whom "she" means there."""
    before = person = ""
    for place, turn in enumerate(turns):
        if turn.role != "user":
            before = _question(turn.text)
            continue
        stated = [one.stated for one in sentences(turn, place) if one.stated]
        unread = [one for one in stated if not _is_read(one, place, said)]
        text = " ".join(stated)
        if unread and any(len(terms(one)) > 2 for one in unread):
            yield place, ask_sentences(_with_days(text, turn), turn.moment, before), person
        person = person_in(text) or person
        before = text[-_LAST_WORDS:]


def _question(text: str) -> str:
    """Return what the assistant asks at the end of a turn: "It's KV-2" answers that."""
    last = text[-_LAST_WORDS:].strip()
    return re.split(r"(?<=[.!?])\s", last)[-1] if last.endswith("?") else ""


def _is_read(sentence: str, place: int, said: Sequence[Assertion]) -> bool:
    """Return whether rules have read something of a sentence already."""
    words = set(terms(sentence))
    return any(
        place in one.turns and one.value and set(terms(one.value)) - FUNCTION_WORDS <= words
        for one in said
    )


def _with_days(text: str, turn: Turn) -> str:
    """Return a text with the day behind each date in it."""
    for one in reversed(dated(text, turn.moment)):
        if one.date not in one.said:
            text = f"{text[: one.end]} [{one.date}]{text[one.end :]}"
    return text


def _lines(answer: str, prompt: Prompt) -> list[str]:
    """Return the sentences of an answer, each once."""
    plain = [" ".join(unescape(line, seen_in=prompt).split()) for line in answer.split("\n")]
    told = [_DAY.sub(r"\1", _MARK.sub("", line)) for line in plain]
    told = [line for line in told if line and line.strip(" .").lower() != "nothing"]
    return list(dict.fromkeys(told))[:_MOST_SENTENCES]


def _assertions(line: str, turns: Sequence[Turn], place: int, person: str) -> list[Assertion]:
    """Return what a sentence of a model asserts; nothing if the user's words do not bear it out."""
    turn = turns[place]
    line = _turned(line)
    heard = set(terms(" ".join(one.text for one in turns[: place + 1] if one.role == "user")))
    days = {one.date for one in dated(turn.text, turn.moment)}
    told = _DAY.sub(lambda found: "" if found[1] in days else found[0], line)
    words = set(terms(told)) - FUNCTION_WORDS - _OURS
    if not words or len(words & set(terms(turn.text))) < _BORNE_OUT * len(words):
        return []
    # A capital at the beginning of a sentence makes no name.
    names = _NAMES.findall(re.sub(r"^(?:The|A|An|His|Her|Their) ", "", told))
    if not set(terms(" ".join(names))) <= heard | _OURS:
        return []
    if line.startswith("The user") and not _is_of_user(words, turn, place):
        return []
    made = [told_of(one, place) for one in clauses(line, turn.moment, person)]
    made = made or _by_any_verb(line, place)
    return [one for one in made if one.attribute != "name" or _NAMING.search(turn.text)]


def _of_user(one: Assertion, known: Sequence[Statement | Assertion]) -> Assertion:
    """Return what a model says of somebody as said of the user, if that is the user's name."""
    names = {other.value for other in known if (other.subject, other.attribute) == (USER, "name")}
    return replace(one, subject=USER) if one.subject in names else one


def _turned(line: str) -> str:
    """Return "Orlo is the user's name" as "The user's name is Orlo"."""
    found = _BEHIND.match(line)
    if found is None or re.fullmatch(rf"(?:\w+ )?(?:{PEOPLE})", found["what"]):
        return line
    return f"The user's {found['what']} is {found['value']}."


def _is_of_user(words: set[str], turn: Turn, place: int) -> bool:
    """Return whether the user speaks of himself where he says some words: not where it is "she" who does something."""
    said = [one.text for one in sentences(turn, place)]
    nearest = max(said, key=lambda one: len(words & set(terms(one))), default="")
    return _ITSELF.search(nearest) is not None or not _OTHERS.search(nearest)


_OURS: Final = frozenset(terms("The user user's lives works is has no longer since on until"))
_NAMES: Final = re.compile(r"\b[A-Z][\w-]+|\S{0,40}\d\S{0,40}")
_BEHIND: Final = re.compile(r"(?P<value>[^,.;]{1,60}) is the user's (?P<what>[^,.;]{1,40})\.?$")
_NAMING: Final = re.compile(
    r"\b(?:names?|sign|call|called|I am|I'm|soy|llamo|hei\u00dfe|bin)\b", re.IGNORECASE
)
_ITSELF: Final = re.compile(r"\b(?:I|me|my|we|us|our)\b|\b[Ii]'")
_OTHERS: Final = re.compile(r"\b(?:he|she|his|her|they|their)\b|\b(?:he|she|they)'", re.IGNORECASE)


def _by_any_verb(line: str, place: int) -> list[Assertion]:
    """Return what a sentence says with a verb that clauses are not taken apart by, if it has a name or a number."""
    found = _ANY.match(line)
    if found is None or not is_told(found["value"]):
        return []
    own, verb = found["own"], " ".join(filter(None, (found["verb"], found["word"])))
    is_user = found["subject"].lower().startswith("the user")
    subject = "user" if is_user else re.sub(r"^[Tt]he ", "", found["subject"])
    return [
        Assertion(
            subject=subject, attribute=own or verb, value=found["value"].strip(), text=line, turns=(place,), is_member=not own,
        )
    ]  # fmt: skip
