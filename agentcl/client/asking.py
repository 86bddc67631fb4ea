"""From a call of a verb to what is sent, and from the answer to what the verb returns."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, cast

from agentcl.client.connection import Connection
from agentcl.errors import InvalidInput
from agentcl.memory.bound import Bound
from agentcl.memory.changing import Unchanged
from agentcl.retrieval.modes import SearchMode
from agentcl.retrieval.recall import Hit
from agentcl.store.checks import ReadScope, WriteScope, check_json_object, check_scope, check_view
from agentcl.store.conversations import Statement
from agentcl.store.jobs import Job
from agentcl.store.records import SCOPE_FIELDS, Record
from agentcl.text.suggesting import did_you_mean
from agentcl.wire.codec import from_json, to_json
from agentcl.wire.verbs import VERBS, Parameter, Verb

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
_TOLD: Final = ("progress", "encoded")  # callbacks that the server's events go to
_JSON: Final = ("metadata", "filters", "spec")  # what must be JSON already


@dataclass(frozen=True)
class Remote:
    """A room, or the memory itself, at a server.

    Attributes:
        connection: to the server.
        bound: fields of a scope that every call names by itself.
    """

    connection: Connection
    bound: Bound
    room = ""


def remote(verb: Callable[Concatenate[R, P], T]) -> Callable[Concatenate[Remote, P], T]:
    """Return a verb that is run at the server: with the same arguments, answer and errors."""
    name, signature = verb.__name__, inspect.signature(verb)

    @wraps(verb)
    def run(self: Remote, /, *args: P.args, **kwargs: P.kwargs) -> T:
        asked = VERBS[f"{self.room}.{name}".lstrip(".")]
        given = signature.bind(None, *args, **kwargs).arguments
        return cast(T, ask(self, asked, given))

    return run


def ask(self: Remote, verb: Verb, given: Mapping[str, Any]) -> Any:  # noqa: ANN401  # any answer
    """Return what a verb returns.

    Args:
        self: the room.
        verb: what is asked.
        given: its arguments by name, as `inspect` binds them.

    Raises:
        TypeError: for an argument that it does not take.
        AgentclError: what it raises at the server.
    """
    named: Any = given.get("scope", {})
    callbacks = {name: one for name in _TOLD if (one := given.get(name)) is not None}
    if verb.key == "jobs.run_all" and (progress := callbacks.get("progress")):
        callbacks["progress"] = lambda job, *numbers: progress(from_json(Job, job), *numbers)
    for name in verb.callbacks - {*_TOLD}:
        if given.get(name) is not None:
            raise InvalidInput(f"{name} is an object of this process, and does not go over HTTP")
    sent = {
        one.name: _sent(one, given[one.name])
        for one in verb.parameters
        if one.name in given and not isinstance(given[one.name], Unchanged)
    }
    sent.update(_scope(self.bound, verb, named))
    return from_json(verb.answer, self.connection.ask(verb, sent, callbacks))


def _sent(one: Parameter, value: object) -> object:
    """Return an argument as JSON; of what the server has itself, its id or its name."""
    if one.stands_for == "record" and isinstance(value, Record):
        return {"id": value.id, "version": value.version}
    if isinstance(value, Hit):
        return value.document_id
    if isinstance(value, Statement | Job):
        return value.id
    if one.stands_for in ("codec", "digester", "extractor", "summariser") or isinstance(
        value, SearchMode
    ):
        return getattr(value, "name", value)
    if one.name in _JSON and isinstance(value, Mapping):
        return check_json_object(value, one.name)
    if one.name == "encoder" and not isinstance(value, str):
        return to_json(getattr(value, "name", value))
    return to_json(value)


def _scope(bound: Bound, verb: Verb, named: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of a scope that are sent, checked as the memory itself checks them."""
    for name in named:
        if name not in SCOPE_FIELDS:
            raise TypeError(f"unexpected keyword argument {name!r}{did_you_mean(name, verb.hints)}")
    if verb.scope is None:
        return {name: value for name, value in bound.fields.items() if name in verb.binds}
    joined = bound.joined(cast(ReadScope, named))
    if verb.scope is str:
        check_scope(cast(WriteScope, joined))
    else:
        check_view(joined)
    return {name: to_json(value) for name, value in joined.items()}
