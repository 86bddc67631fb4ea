"""What may be stored: every value from outside passes here once, and is kept exactly or refused."""

from __future__ import annotations

import inspect
import json
import math
import re
import sys
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from numbers import Real
from operator import index
from types import FrameType
from typing import Any, Final, TypedDict, TypeVar, cast

from agentcl.errors import InvalidInput
from agentcl.store.records import ANY, SCOPE_FIELDS, AnyScope, Scope, ScopeView, to_micros
from agentcl.store.usage import Usage
from agentcl.text.suggesting import did_you_mean
from agentcl.text.visible import shown

MAX_TEXT: Final = 50_000_000  # characters; a text is held in memory several times while it is added
MAX_LABEL: Final = 4_000  # characters of a title or uri
MAX_SCOPE: Final = 1_000  # characters of a tenant, user, agent or session
MAX_METADATA: Final = 262_144  # characters of metadata as JSON
MAX_DEPTH: Final = 32  # levels of nesting in metadata
_INT64: Final = 1 << 63
_EXACT: Final = 1 << 53  # up to here every reader of JSON has whole numbers exactly
_LOCK: Final = re.compile("[a-z0-9-]+")
_MOST_BITS: Final = 1_024  # of a whole number that is kept as a text
_MOST: Final = 1 << 31  # of anything that is counted
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
T = TypeVar("T")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")


def check_unicode(text: object, what: str) -> str:
    """Return `text` if it is a string that Unicode can encode.

    Raises:
        InvalidInput: if it is not a string, or holds half of a surrogate pair.
    """
    if not isinstance(text, str):
        raise InvalidInput(f"{what} must be a string, not {type(text).__name__}")
    if text.isascii():
        return text
    lone = _SURROGATE.search(text)
    if lone:
        raise InvalidInput(
            f"{what} holds a lone surrogate at character {lone.start()}, which is not valid Unicode; "
            "decode its bytes with errors='replace', or remove it"
        )
    return text


def check_text(text: object, what: str = "text") -> str:
    """Return a text that can be remembered.

    Raises:
        InvalidInput: if it is not Unicode, holds nothing but white space, or is too long.
    """
    checked = check_unicode(text, what)
    if not checked.strip():
        raise InvalidInput(f"{what} is empty: there is nothing to remember")
    if len(checked) > MAX_TEXT:
        raise InvalidInput(
            f"{what} has {len(checked):,} characters; at most {MAX_TEXT:,} fit, so add it in parts"
        )
    return checked


def check_label(text: object, what: str) -> str:
    """Return a title or uri: Unicode, without NUL, of bounded length; it may be empty."""
    checked = check_unicode(text, what)
    if len(checked) > MAX_LABEL:
        raise InvalidInput(f"{what} has {len(checked):,} characters; at most {MAX_LABEL:,} fit")
    if "\0" in checked:
        raise InvalidInput(f"{what} holds a NUL character")
    return checked


def check_lock(name: str) -> str:
    """Return the name of a lock. Raises InvalidInput."""
    if not _LOCK.fullmatch(name):
        raise InvalidInput(f"{name!r} names no lock: use lower-case letters, digits and hyphens")
    return name


def check_a(value: object, kind: type[T], what: str) -> T:
    """Return a value of a type. Raises InvalidInput."""
    if not isinstance(value, kind):
        raise InvalidInput(f"{what} must be a {kind.__name__}, not {shown(value)}")
    return value


def check_each(values: object, what: str, kinds: str) -> Iterable[Any]:
    """Return what holds several values; a single one, which could be taken apart, is none.

    Args:
        values: what was given.
        what: the argument.
        kinds: what it must hold, in words.

    Raises:
        InvalidInput: if it is a string, bytes, a mapping, or holds nothing at all.
    """
    if isinstance(values, str | bytes | bytearray | Mapping) or not isinstance(values, Iterable):
        raise InvalidInput(f"{what} must be a list of {kinds}, not {shown(values)}")
    return values


def check_count(value: object, what: str, *, least: int = 1) -> int:
    """Return a whole number, and at most two billion. Raises InvalidInput."""
    try:
        number = index(value)  # type: ignore[arg-type]  # numpy's numbers have it too
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise InvalidInput(f"{what} must be a whole number, not {shown(value)}")
    if number < least:
        raise InvalidInput(f"{what} must be at least {least}, and is {shown(number)}")
    return min(number, _MOST)


def check_writable(number: int, what: str) -> int:
    """Return a whole number that can be written out: Python writes no thousands of digits. Raises InvalidInput."""
    if number.bit_length() > _MOST_BITS:
        raise InvalidInput(f"{what} is a whole number of very many digits; give it as a text")
    return number


def check_choice(value: object, choices: Collection[str], what: str) -> str:
    """Return one of several words. Raises InvalidInput."""
    if not isinstance(value, str) or value not in choices:
        raise InvalidInput(f"{what} must be one of {', '.join(choices)}, not {shown(value)}")
    return value


def _check_scope_field(value: object, what: str) -> str:
    if value == "":
        raise InvalidInput(f"{what} is an empty string; leave it out to mean shared memory")
    checked = check_unicode(value, what)
    if len(checked) > MAX_SCOPE:
        raise InvalidInput(f"{what} has {len(checked):,} characters; at most {MAX_SCOPE:,} fit")
    control = _CONTROL.search(checked)
    if control:
        raise InvalidInput(f"{what} holds a control character at position {control.start()}")
    return checked


def check_number(value: object, what: str, *, least: float = -math.inf) -> float:
    """Return a finite number as a float. Raises InvalidInput."""
    number = math.nan
    if isinstance(value, Real) and not isinstance(value, bool):
        with suppress(OverflowError):  # a whole number beyond all floats
            number = float(value)
    if not (math.isfinite(number) and number >= least):
        bound = "" if least == -math.inf else f", {least:g} or more"
        raise InvalidInput(f"{what} must be a finite number{bound}, not {shown(value)}")
    return number


def check_score(score: float | None) -> float | None:
    """Return a score that can be kept. Raises InvalidInput."""
    if score is None:
        return None
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise InvalidInput(
            f"a score of {shown(score)}; give a number from 0 to 1, or None if nobody knows it yet"
        )
    return float(score)


def check_usage(usage: Usage) -> Usage:
    """Return what calls to models took. Raises InvalidInput if it is no `Usage`, or counts less than nothing."""
    if not isinstance(usage, Usage):
        raise InvalidInput(f"usage must be a Usage, not {shown(usage)}")
    for name in ("calls", "prompt_tokens", "completion_tokens"):
        count: object = getattr(usage, name)
        if type(count) is not int or not 0 <= count < _EXACT:
            raise InvalidInput(f"{name} must be a whole number, 0 or more, not {shown(count)}")
    check_number(usage.duration_s, "duration_s", least=0)
    return usage


class WriteScope(TypedDict, total=False):
    """The scope that a write names: each field an id, or left out for shared memory."""

    tenant: str
    user: str
    agent: str
    session: str


class ReadScope(TypedDict, total=False):
    """The scope that a read sees from: each field an id, left out, or `ANY`."""

    tenant: str | AnyScope
    user: str | AnyScope
    agent: str | AnyScope
    session: str | AnyScope


# What other libraries call the fields of a scope, and what reads take beside them.
# Whose wrappers take any keyword, for the verbs behind them
_WATCHING: Final = "agentcl.memory.watching"
_SYNONYMS: Final = {
    "user_id": "user",
    "agent_id": "agent",
    "session_id": "session",
    "thread_id": "session",
    "conversation_id": "session",
    "run_id": "session",
    "tenant_id": "tenant",
    "namespace": "tenant",
    "k": "limit",
    "n": "limit",
    "top_k": "limit",
    "n_results": "limit",
    "filter": "filters",
    "where": "filters",
}


def _named(scope: WriteScope | ReadScope) -> dict[str, object]:
    """Return the fields that are named, and refuse what is none: a verb with `**scope` takes any keyword."""
    for name, value in scope.items():
        if name not in SCOPE_FIELDS:
            known = dict.fromkeys((*SCOPE_FIELDS, *_keywords_of_verb()))
            meant = did_you_mean(_SYNONYMS.get(name, name), known)
            raise TypeError(f"unexpected keyword argument {name!r}{meant}")
        refuse_nobody(name, value)
    return dict(scope)


def refuse_nobody(name: str, value: object) -> None:
    """Refuse None, as a lookup that found nobody returns, for a field of a scope: it must not become everybody's.

    Raises:
        InvalidInput: saying what to write instead.
    """
    if value is None:
        raise InvalidInput(
            f"{name}=None names nobody; name one {name}, or leave {name} out to mean shared memory"
        )


def _keywords_of_verb() -> tuple[str, ...]:
    """Return what the verb that was called takes beside its scope: only that may be suggested."""
    found: tuple[str, ...] = ()
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        module = str(frame.f_globals.get("__name__"))
        is_ours = module.startswith("agentcl.") and module != _WATCHING
        if is_ours and code.co_flags & inspect.CO_VARKEYWORDS:
            found = names  # the outermost one is what somebody called
        frame = frame.f_back
    return tuple(name for name in found if name != "self")


def named_scope(scope: Scope) -> WriteScope:
    """Return the fields of a scope that are not empty, as keywords for any verb."""
    named = {name: value for name in SCOPE_FIELDS if (value := getattr(scope, name))}
    return cast(WriteScope, named)


def check_scope(scope: WriteScope) -> Scope:
    """Return the one scope that a write names; fields left out are shared.

    Raises:
        InvalidInput: if a field is `ANY`, empty, not a string, too long or holds control characters.
    """
    named = _named(scope)
    for what, value in named.items():
        if isinstance(value, AnyScope):
            raise InvalidInput(f"{what}=ANY can be read but not written; name one {what}")
    return Scope(**{what: _check_scope_field(value, what) for what, value in named.items()})


def check_view(scope: ReadScope) -> ScopeView:
    """Return what a read sees: its own scope and what is shared with it; `ANY` opens a field."""
    named = _named(scope)

    def allowed(what: str) -> frozenset[str] | None:
        value = named.get(what)
        if isinstance(value, AnyScope):
            return None
        own = "" if what not in named else _check_scope_field(value, what)
        # Nothing is shared across tenants: there, the named value alone is seen.
        return frozenset({own} if what == "tenant" else {"", own})

    return ScopeView(**{what: allowed(what) for what in SCOPE_FIELDS})


def check_subtree(scope: ReadScope) -> ScopeView:
    """Return a scope with everything below it: fields left out are open."""
    named = _named(scope)

    def allowed(what: str) -> frozenset[str] | None:
        value = named.get(what, ANY)
        if isinstance(value, AnyScope):
            return None
        return frozenset({_check_scope_field(value, what)})

    return ScopeView(**{what: allowed(what) for what in SCOPE_FIELDS})


def check_metadata(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return metadata that JSON can hold exactly.

    Raises:
        InvalidInput: naming the first field that JSON would change or cannot hold.
    """
    return {} if metadata is None else check_json_object(metadata, "metadata")


def check_json_object(value: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Return a mapping that JSON can hold exactly, of bounded length. Raises InvalidInput."""
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{what} must be a mapping, not {type(value).__name__}")
    checked = check_json(dict(value), what)
    assert isinstance(checked, dict)
    return checked


def check_json(value: object, what: str, *, most: int = MAX_METADATA) -> Any:  # noqa: ANN401  # any JSON
    """Return a value that JSON can hold exactly, in at most so many characters. Raises InvalidInput."""
    checked = _check_json(value, what, 0)
    if len(canonical_json(checked)) > most:
        raise InvalidInput(f"{what} is longer than {most:,} characters of JSON")
    return checked


def _check_json(value: object, where: str, depth: int) -> object:
    if depth > MAX_DEPTH:
        raise InvalidInput(f"{where} is nested more than {MAX_DEPTH} levels deep, or holds itself")
    if value is None or isinstance(value, bool):
        return value
    if type(value) is str:
        return check_unicode(value, where)
    if type(value) is int:
        if not -_INT64 <= value < _INT64:
            raise InvalidInput(f"{where} is an integer beyond 64 bits; store it as a string")
        return value
    if type(value) is float:
        if not math.isfinite(value):
            raise InvalidInput(f"{where} is {value}, which JSON cannot hold")
        return value
    if type(value) is list:
        return [_check_json(item, f"{where}[{n}]", depth + 1) for n, item in enumerate(value)]
    if type(value) is dict:
        for key in value:
            check_unicode(key, f"a key of {where}")
        return {
            key: _check_json(item, f"{where}[{key!r}]", depth + 1) for key, item in value.items()
        }
    remedy = {
        datetime: "use .isoformat()",
        tuple: "use a list",
        set: "use a list",
        bytes: "encode it, e.g. as base64",
    }
    advice = next((text for kind, text in remedy.items() if isinstance(value, kind)), "convert it")
    raise InvalidInput(
        f"{where} is a {type(value).__name__}, which JSON would not give back as it was: {advice}"
    )


def check_time(moment: object, what: str) -> datetime | None:
    """Return an aware datetime in UTC, or None.

    Raises:
        InvalidInput: if it is not a datetime, has no time zone, or leaves the years 1 to 9999 in UTC.
    """
    if moment is None:
        return None
    if not isinstance(moment, datetime):
        raise InvalidInput(f"{what} must be a datetime, not {type(moment).__name__}")
    to_micros(moment)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise InvalidInput(f"{what} {moment!r} lies outside the years 1 to 9999 in UTC") from error


def check_micros(moment: object, what: str) -> int | None:
    """Return an aware datetime as microseconds since 1970, or None. Raises as `check_time`."""
    checked = check_time(moment, what)
    return None if checked is None else to_micros(checked)


def check_validity(valid_from: object, valid_to: object) -> tuple[datetime | None, datetime | None]:
    """Return a validity interval [valid_from, valid_to).

    Raises:
        InvalidInput: if it would end before, or when, it begins.
    """
    begin, end = check_time(valid_from, "valid_from"), check_time(valid_to, "valid_to")
    if begin is not None and end is not None and end <= begin:
        raise InvalidInput(
            f"valid_to {end.isoformat()} is not after valid_from {begin.isoformat()}"
        )
    return begin, end


def canonical_json(value: object) -> str:
    """Return JSON in one spelling: sorted keys, no spaces, Unicode unescaped."""
    return _CANONICAL.encode(value)


def _plain(value: object) -> object:
    """Return the JSON form of what has none of its own: a usage."""
    if isinstance(value, Usage):
        return value.stored()
    raise TypeError(f"a {type(value).__name__} has no form in JSON")


_CANONICAL: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False, default=_plain
)
