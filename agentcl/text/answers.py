"""Reading what a model answered: thoughts are told from what is said, and the answer from the words around it."""

from __future__ import annotations

import re
from typing import Final

from agentcl.text.json_values import unfenced
from agentcl.text.parsing import parsed_json

_NAMES: Final = (
    "think|thinking|thoughts?|reasoning|reason|reflection|scratchpad|analysis|seed:think|antthinking"
    "|inner_monologue"
)
# How models mark where a thought begins and ends: DeepSeek and Qwen, Magistral, Kimi, Command, Sky, Gemma.
_BEGINS: Final = (
    rf"<\s?\|?(?:{_NAMES})(?:\s[^<>]*)?\|?>|\[THINK\]|◁think▷|<\|START_THINKING\|>|<\|begin_of_thought\|>"
    r"|<\|channel>\s*thought\b|<unused94>(?:thought\b)?"
)
_ENDS: Final = (
    rf"<\s?\|?/\s?(?:{_NAMES})\s*\|?>|\[/THINK\]|◁/think▷|<\|END_THINKING\|>|<\|end_of_thought\|>|<channel\|>"
    r"|<unused95>"
)
_MARK: Final = re.compile(rf"(?P<begin>{_BEGINS})|{_ENDS}", re.IGNORECASE)
# gpt-oss speaks in messages with a channel each; only what is said in "final" is meant for others.
_CHANNEL: Final = "<|channel|>"
_MESSAGE_END: Final = re.compile(r"<\|(?:start|end|return|call)\|>")
# Its marks are lost in some servers.
_BARE_FINAL: Final = "assistantfinal"
_BARE_ANALYSIS: Final = re.compile(rf"\A\s*analysis(?=[A-Z]|\w.*{_BARE_FINAL})", re.DOTALL)
_TAG: Final = re.compile(
    r"<(?P<end>/?)(?P<name>answer|action|final)>|<\|(?P<edge>begin|end)_of_solution\|>",
    re.IGNORECASE,
)
_SOLUTION: Final = "solution"
_MARKS: Final = r"(?:[^\w\n]|_)*"  # what may stand before a label in its line
_NUMBER: Final = r"(?:\s?\d{1,3})?"  # as in "Thought 1:"
_COLON: Final = r"[*_`\s]*[:\uff1a]"  # the second is as wide as a Chinese character
_ANSWERS: Final = rf"(?:final\s+answer|answer|action){_NUMBER}"
_THOUGHTS: Final = rf"(?:thoughts?|thinking|reasoning){_NUMBER}"


def _heading(names: str) -> str:
    """Return a pattern of a line that is a heading, as Markdown has them: `### Action`, `**Action**`."""
    return rf"^[ \t]*(?:\#{{1,6}}[ \t]*\**|\*\*|__)(?:{names})[*_]*[ \t]*$"


_ANSWER: Final = re.compile("Answer[:\uff1a]")
_LABEL: Final = re.compile(
    rf"^{_MARKS}{_ANSWERS}{_COLON}[*_`]*|{_heading(_ANSWERS)}", re.MULTILINE | re.IGNORECASE
)
_THOUGHT: Final = re.compile(
    rf"\A(?:[\W_]*{_THOUGHTS}{_COLON}|\s*{_heading(_THOUGHTS)})", re.MULTILINE | re.IGNORECASE
)
_SEEN: Final = re.compile(
    rf"^{_MARKS}observation{_NUMBER}{_COLON}|{_heading('observation')}",
    re.MULTILINE | re.IGNORECASE,
)


def without_thoughts(text: str) -> str:
    """Return a text without the thoughts that are marked in it.

    A thought that does not end takes all of the text with it: who was cut off while thinking said nothing.
    An end without a beginning ends a thought that began with the text, as where the template opened it.
    """
    if _CHANNEL in text:
        return _final_message(text)
    if _BARE_ANALYSIS.match(text):
        return text.rpartition(_BARE_FINAL)[2] if _BARE_FINAL in text else ""
    kept: list[str] = []
    place, is_thought = 0, False
    for mark in _MARK.finditer(text):
        if mark["begin"]:
            if not is_thought:
                kept.append(text[place : mark.start()])
            is_thought = True
            continue
        if not is_thought:
            kept.clear()
        place, is_thought = mark.end(), False
    return "" if is_thought else "".join([*kept, text[place:]])


def said_aloud(text: str) -> str:
    """Return what a model said, where it began with a thought; any other text as it is, marks and all."""
    mark = _MARK.search(text)
    if mark is None:
        is_thought = text.lstrip().startswith((_CHANNEL, "<|start|>"))
    elif mark["begin"]:
        is_thought = not text[: mark.start()].strip()
    else:  # the template opened the thought, and its end stands in a line's end
        is_thought = text[mark.end() : mark.end() + 1] in ("", "\n")
    return without_thoughts(text).strip() if is_thought else text


def spoken(text: str) -> str:
    """Return what was said for others; empty where a text is only a thought."""
    said = without_thoughts(text)
    if not _THOUGHT.match(said) or _LABEL.search(said) or _ANSWER.search(said):
        return said if said.strip() else ""
    # "Thought: ..." and no "Action: ...": at best, the answer is a paragraph of its own.
    return said.strip().partition("\n\n")[2].strip()


def is_marked(text: str) -> bool:
    """Return whether an answer is marked in a text: by a line's "Answer:" or "Action:", or by a tag."""
    return bool(_LABEL.search(text)) or _framed(text) is not None


def final_answer(text: str) -> str:
    """Return what `text` gives as its answer, thoughts left out.

    That is what follows its last "Answer:" (or a line's "Action:"), what stands in an answer's tag, or else
    all of it.
    """
    said = spoken(text)
    framed = _framed(said)
    said = said if framed is None else framed
    fenced = unfenced(said)
    said = said if fenced is None else fenced
    if answers := list(_ANSWER.finditer(said)):
        said = said[answers[-1].end() :]
    elif labels := list(_LABEL.finditer(said)):
        said = _labelled(said, labels)
    return said.strip().rstrip(".")


def unwrapped(answer: str) -> str:
    """Return what a JSON object names as its "action" or "answer"; any other answer as it is."""
    try:
        found = parsed_json(answer)
    except ValueError:
        return answer
    named = [found.get(name) for name in ("action", "answer")] if isinstance(found, dict) else []
    return next((value.strip() for value in named if isinstance(value, str)), answer)


def _framed(text: str) -> str | None:
    """Return what stands in the last pair of tags for an answer, or begins as a solution; None if nothing does."""
    ends: dict[str, int] = {
        _SOLUTION: len(text)
    }  # by a tag's name, where its next end is, seen from behind
    pairs: list[tuple[re.Match[str], int]] = []
    for tag in reversed(list(_TAG.finditer(text))):
        name = (tag["name"] or _SOLUTION).lower()
        if tag["end"] or (tag["edge"] or "").lower() == "end":
            ends[name] = tag.start()
        elif name in ends:
            pairs.append((tag, ends[name]))
    found, place = None, 0
    for tag, end in reversed(pairs):
        if tag.start() >= place:  # a tag within a frame begins none
            found, place = text[tag.end() : end], end
    return found


def _labelled(said: str, labels: list[re.Match[str]]) -> str:
    """Return what follows the last label that comes before a first observation: a model may invent one."""
    seen = _SEEN.search(said, labels[0].end())
    end = seen.start() if seen else len(said)
    return said[[label for label in labels if label.start() < end][-1].end() : end]


def _final_message(text: str) -> str:
    """Return the last message of the channel "final"; empty if there is none."""
    said = ""
    for message in _MESSAGE_END.split(text):
        head, mark, body = message.partition("<|message|>")
        if mark and head.rpartition(_CHANNEL)[2].strip().casefold().startswith("final"):
            said = body
    return said
