"""Words and objects from a model: thoughts are no answers, and objects are always checked."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from agentcl.errors import MissingExtra, NoAnswer, RequestRefused, SchemaViolation
from agentcl.models.base import GREEDY, ChatModel, Message, Reply, Sampling, Schema
from agentcl.text.answers import is_marked, spoken, without_thoughts
from agentcl.text.escaping import Prompt, escape, prompt_of, quoted
from agentcl.text.json_values import json_values, unfenced, without_spare_commas, wrapped
from agentcl.text.parsing import parsed_json

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

_SHOWN: Final = 400  # characters of a broken answer that an error repeats
_SAY: Final = "Do not only think: say the answer."
_ROOM: Final = 8_192  # tokens for who was cut off while thinking; thoughts of 2,000 are common


def ask_text(
    model: ChatModel,
    messages: Sequence[Message],
    *,
    sampling: Sampling = GREEDY,
    is_enough: Callable[[str], object] = lambda said: False,
) -> Reply:
    """Return an answer in words, whose `text` is without its thoughts; at most two calls.

    A thought is no answer, and neither is what was cut off: a model that did not come to its answer is asked
    once more, with more tokens if it had too few. The reply's usage is that of both calls.

    Args:
        model: who is asked.
        messages: the conversation.
        sampling: how the answer is drawn.
        is_enough: whether what was cut off says all the same what is wanted.

    Raises:
        NoAnswer: if it does not come to one then either.
        ModelUnavailable: if the model cannot be asked.
    """
    first = model.chat(messages, sampling=sampling)
    if said := _said(first):
        return _heard(first, said)
    if first.finish == "length" and is_enough(first.text):
        return first
    if first.finish == "length":
        second = _with_room(model, messages, sampling)
    else:
        second = model.chat(_adding(messages, _SAY), sampling=sampling)
    said = _said(second) if second else ""
    if second is None or not said:
        raise NoAnswer(f"{model.name} gave no answer: {_silence(second or first)}")
    return _heard(_after(first, second), said)


def ask_object(
    model: ChatModel,
    messages: Sequence[Message],
    *,
    schema: Schema,
    sampling: Sampling = GREEDY,
    accept: Schema | None = None,
    is_partial: bool = False,
    is_constrained: bool = True,
) -> Reply:
    """Return an answer whose `value` fits a JSON Schema; at most two calls.

    The last value in the answer that fits counts, whatever stands around it, but for thoughts. An answer
    without one is shown to the model with what is wrong, once; a model that was cut off while thinking is
    asked again with more tokens. The reply's usage is that of both calls.

    Args:
        model: who is asked.
        messages: the conversation; it says that JSON is wanted.
        schema: what the answer is constrained by, where the backend can.
        sampling: how it is drawn.
        accept: what the answer has to fit; default: `schema`.
        is_partial: leave out what breaks the schema in the value's lists, where some of a list fits, and
            count it in the reply's `dropped`.
        is_constrained: whether the backend hears of the schema at all; the messages say what is wanted.

    Raises:
        SchemaViolation: if the second answer breaks it too.
        ModelUnavailable: if the model cannot be asked.
        MissingExtra: if `jsonschema` is not installed.
    """
    require_checker()  # before anything is asked and paid for
    wanted = schema if accept is None else accept
    held_to = schema if is_constrained else None
    first = model.chat(messages, sampling=sampling, schema=held_to)
    found, problem = _read(first, wanted, is_partial=is_partial)
    if found is not None:
        return found
    if _is_cut_off_thinking(first):
        second = _with_room(model, messages, sampling, held_to)
    else:
        again = _repairing(messages, first, ask_again(problem, wanted))
        second = model.chat(again, sampling=sampling, schema=held_to)
    if second is None:
        raise SchemaViolation(f"{model.name} gave no answer: {_silence(first)}")
    found, still = _read(second, wanted, is_partial=is_partial)
    if found is None:
        raise SchemaViolation(
            f"{model.name} broke the schema twice: first {problem}, then {still}. "
            f"Its last answer: {(second.text or second.thought)[:_SHOWN]!r}"
        )
    return _after(first, found)


def require_checker() -> None:
    """Look whether answers can be checked against a schema, without loading what does. Raises MissingExtra."""
    if find_spec("jsonschema") is None:
        raise MissingExtra("checking answers against a schema", "reference")


def ask_again(problem: str, schema: Schema) -> Prompt:
    """Return the prompt that shows a model what is wrong with its answer."""
    return prompt_of(
        f"That answer cannot be used: {quoted(problem)}. Answer again with one JSON value that fits this schema, "
        "and nothing else:",
        json.dumps(schema),
    )


def _said(reply: Reply) -> str:
    """Return what was said for others; empty if nothing was, or not all of it."""
    if reply.finish == "length":
        return ""
    # Some servers take the whole answer for reasoning: what is marked as the answer there is one.
    misplaced = reply.thought if is_marked(reply.thought) else ""
    return spoken(reply.text) or misplaced


def _heard(reply: Reply, said: str) -> Reply:
    """Return a reply with what was said as its text, and what was thought before it apart."""
    if said == reply.text:
        return reply
    thought = "" if said == reply.thought else reply.thought
    return replace(reply, text=said, thought=thought or reply.text.removesuffix(said).strip())


def _read(reply: Reply, schema: Schema, *, is_partial: bool) -> tuple[Reply | None, str]:
    """Return the reply with the last value that fits, or None and what is wrong with it."""
    from jsonschema import Draft202012Validator

    checker = Draft202012Validator(dict(schema))
    said = _readable(reply)
    values = json_values(said)
    for value in _candidates(said, values, schema):
        fitting = _fitting(value, checker, is_partial=is_partial)
        if fitting is not None:
            return replace(reply, value=fitting[0], dropped=fitting[1]), ""
    return None, _problem(reply, values, checker)


def _candidates(said: str, values: Sequence[Any], schema: Schema) -> Iterator[Any]:
    """Yield what may be meant as the answer, the likeliest first: of each sort what stands last."""
    yield from reversed(values)
    if schema.get("required"):  # else any part would fit
        for value in reversed(values):
            yield from wrapped(value)
    mended = without_spare_commas(said)
    if mended != said:
        yield from reversed(json_values(mended))


def _readable(reply: Reply) -> str:
    """Return the part of a reply in which its value may stand."""
    if _is_json(reply.text):  # whatever its strings say
        return reply.text
    said = without_thoughts(reply.text)
    if reply.finish == "length":
        return said if _begins_as_json(said) else ""  # else it was still being thought about
    return said if said.strip() or reply.text.strip() else reply.thought


def _fitting(
    value: Any,  # noqa: ANN401  # any JSON
    checker: Draft202012Validator,
    *,
    is_partial: bool,
) -> tuple[Any, int] | None:
    """Return a value that fits, and how many parts of its lists were left out for that; None if none does."""
    bad: dict[str, set[int]] = defaultdict(set)
    for error in checker.iter_errors(value):
        match list(error.absolute_path):
            case [] if is_partial and error.validator == "additionalProperties":
                continue  # more than was asked for does no harm
            case [str(name), int(place), *_] if is_partial:
                bad[name].add(place)
            case _:
                return None
    if any(len(places) == len(value[name]) for name, places in bad.items()):
        return None
    kept = {
        name: [part for place, part in enumerate(value[name]) if place not in places]
        for name, places in bad.items()
    }
    return ({**value, **kept} if kept else value), sum(map(len, bad.values()))


def _problem(reply: Reply, values: Sequence[Any], checker: Draft202012Validator) -> str:
    """Return what is wrong with a reply, as the model is told."""
    from jsonschema.exceptions import best_match

    fenced = unfenced(reply.text)
    try:
        values = [parsed_json(reply.text if fenced is None else fenced)]
    except ValueError as error:
        if not values or _begins_as_json(reply.text):
            cut = " (it was cut off at max_tokens)" if reply.finish == "length" else ""
            where = "" if reply.text or not reply.thought else ", and stands in reasoning_content"
            return f"it is not JSON{where}{cut}: {error}"
    wrong = best_match(checker.iter_errors(values[-1]))
    return f"at {wrong.json_path}: {wrong.message}" if wrong else "it is a thought and no answer"


def _is_json(text: str) -> bool:
    try:
        parsed_json(text)
    except ValueError:
        return False
    return True


def _begins_as_json(text: str) -> bool:
    return text.lstrip("\ufeff \n\r\t").startswith(("{", "[", "```"))


def _is_cut_off_thinking(reply: Reply) -> bool:
    if reply.finish != "length":
        return False
    said = without_thoughts(reply.text)
    return bool(reply.thought) or said != reply.text or not _begins_as_json(said)


def _with_room(
    model: ChatModel, messages: Sequence[Message], sampling: Sampling, schema: Schema | None = None
) -> Reply | None:
    """Ask with more tokens, as many as the endpoint allows; None if it allows no more."""
    room = max(_ROOM, 2 * sampling.max_tokens)
    while room > sampling.max_tokens:
        try:
            return model.chat(messages, sampling=replace(sampling, max_tokens=room), schema=schema)
        except RequestRefused:
            room //= 2
    return None


def _repairing(messages: Sequence[Message], first: Reply, wrong: Prompt) -> list[Message]:
    """Return the conversation that shows a model what is wrong with its answer."""
    said = without_thoughts(first.text)
    if not said.strip():
        return _adding(messages, wrong)
    return [*messages, Message("assistant", escape(said)), Message("user", wrong)]


def _adding(messages: Sequence[Message], words: str) -> list[Message]:
    """Return messages whose last one says something more: not all servers take two turns of one role."""
    *before, last = messages
    return [*before, replace(last, content=f"{last.content}\n\n{words}")]


def _silence(reply: Reply) -> str:
    """Return why there is no answer in a reply."""
    if reply.finish == "length":
        return (
            "it was cut off at max_tokens before it came to one; raise that, or have it think less"
        )
    if reply.thought:
        return f"all that it said stands in reasoning_content: {reply.thought[:_SHOWN]!r}"
    return f"it only thought: {reply.text[:_SHOWN]!r}" if reply.text else "it said nothing"


def _after(first: Reply, second: Reply) -> Reply:
    """Return the second of two replies, with what both took."""
    return replace(
        second, usage=first.usage + second.usage, is_cached=first.is_cached and second.is_cached
    )
