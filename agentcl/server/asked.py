"""A verb with what a request sends for it: read, checked, run once, and answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from agentcl.errors import InvalidInput, needs
from agentcl.server.access import Access
from agentcl.server.parts import Parts
from agentcl.server.resolving import check_named, resolved
from agentcl.store.checks import refuse_nobody
from agentcl.store.records import SCOPE_FIELDS
from agentcl.text.parsing import parsed_json
from agentcl.text.suggesting import did_you_mean
from agentcl.wire.codec import from_json, to_json
from agentcl.wire.verbs import Begun, Verb

with needs("the server", "serve"):
    from starlette.responses import Response

_DEEPEST: Final = 100  # levels of a body: what may be stored has fewer


@dataclass(frozen=True, slots=True)
class Asked:
    """A verb with what was sent for it."""

    verb: Verb
    access: Access
    parts: Parts
    sent: Mapping[str, Any]

    def bound(self) -> Asked:
        """Return this with the scope that was sent for a verb that takes none bound to its handle."""
        named = {name: self.sent[name] for name in self.verb.binds if name in self.sent}
        if not named:
            return self
        fields = {name: from_json(str, value, name) for name, value in named.items()}
        sent = {name: value for name, value in self.sent.items() if name not in named}
        return replace(self, access=self.access.narrowed(fields), sent=sent)

    def once(self, key: str | None) -> Callable[..., object]:
        """Return what runs it, once for an idempotency key; what reads needs none."""
        if key is None or self.verb.right == "read":
            return self.run

        def run(**callbacks: Callable[..., Any]) -> object:
            call = partial(self.run, **callbacks)
            return self.parts.once.run(key, self.access, self.verb, self.sent, call)

        return run

    def run(self, **callbacks: Callable[..., Any]) -> object:
        """Run it. Raises what the verb raises, and InvalidInput for an argument that it cannot take."""
        if self.verb.scope:
            self.access.check_tenant(self.sent)
        verb, given = self.verb, self._given()
        if verb.is_under_way:
            return self._step(given)
        each = [
            value for one in verb.parameters if one.is_each for value in given.pop(one.name, ())
        ]
        memory = self.access.memory
        room = getattr(memory, verb.room) if verb.room else memory
        answer = getattr(room, verb.name)(*each, **given, **callbacks)
        if verb.key == "episodes.begin":
            return Begun(self.parts.underway.keep(answer, self.access.memory.scope), answer.record)
        return answer

    def _step(self, given: dict[str, Any]) -> object:
        """Go on with an episode under way: one that this key's scope has."""
        id = given.pop("id")
        with self.parts.underway.at(id, self.access.memory.scope) as held:
            if self.verb.name == "why_not":
                if held.recalled is None:
                    raise InvalidInput(
                        "nothing was recalled for this episode yet; call recall first"
                    )
                return held.recalled.why_not(**given)
            answer = self.verb.call(held.recorder, **given)
            if self.verb.name == "recall":
                held.recalled = answer
            return answer

    def _given(self) -> dict[str, Any]:
        verb, hints = self.verb, self.verb.hints
        for name in self.sent:
            if name not in hints:
                meant = did_you_mean(name[:60], hints, f"it takes {', '.join(hints) or 'nothing'}")
                raise InvalidInput(f"{verb.key} takes no {name[:60]!r}{meant}")
        missing = [
            one.name for one in verb.parameters if one.is_needed and one.name not in self.sent
        ]
        if missing:
            raise InvalidInput(f"{verb.key} needs {', '.join(map(repr, missing))}")
        for name in {*SCOPE_FIELDS} & {*self.sent} - {one.name for one in verb.parameters}:
            refuse_nobody(name, self.sent[name])
        given = {name: from_json(hints[name], value, name) for name, value in self.sent.items()}
        if verb.key in ("store.reembed", "jobs.enqueue", "jobs.price"):
            check_named(given)
        for one in verb.parameters:
            if one.stands_for and given.get(one.name) is not None:
                given[one.name] = resolved(self.access.memory, one.stands_for, given[one.name])
        return given


def arguments_of(body: bytes) -> dict[str, Any]:
    """Return the object that a body holds; an empty one holds no argument. Raises InvalidInput."""
    try:
        value = parsed_json(body.decode("utf-8"), parse_constant=_no_number) if body.strip() else {}
    except ValueError as error:
        raise InvalidInput(f"the body is no JSON: {error}") from error
    if body.count(b"{") + body.count(b"[") > _DEEPEST and _depth(value) > _DEEPEST:
        raise InvalidInput(f"the body is nested more than {_DEEPEST} levels deep")
    if not isinstance(value, dict):
        raise InvalidInput("the body must be a JSON object: the verb's arguments by name")
    return value


def _depth(value: object) -> int:
    """Return how deeply JSON is nested."""
    depth, level = 0, [value]
    while level := [
        one
        for held in level
        if isinstance(held, dict | list)
        for one in (held.values() if isinstance(held, dict) else held)
    ]:
        depth += 1
    return depth


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number in JSON")


def json_response(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an answer as JSON."""
    # Half a surrogate pair, which UTF-8 cannot hold, becomes the escape that JSON has for it.
    text = json.dumps(to_json(value), ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Response(text, status, dict(headers or {}), "application/json")
