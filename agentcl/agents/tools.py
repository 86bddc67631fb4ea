"""Tools of an agent: what they are called with, and what comes of a call."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass
from inspect import getdoc, iscoroutinefunction
from typing import Any, Final, Literal, Self, cast

from agentcl.errors import InvalidInput, needs
from agentcl.models.base import Schema, ToolCall
from agentcl.text.escaping import unescape
from agentcl.text.parsing import parsed_json

# What became of a call. "unusable": there is no such tool, or its arguments do not fit. "held": lessons were told
# first. "refused": whoever was asked said no. "repeated": the same change was made before.
Fate = Literal["done", "raised", "timed out", "unusable", "held", "refused", "repeated"]

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ERROR: Final = 500  # characters of an error that a model is told


@dataclass(frozen=True, slots=True)
class Tool:
    """Something that an agent can do.

        Tool.of(look_up, changes=False)  # from a function's name, docstring and type hints
        Tool("refund", "Pay an order back.", {"type": "object", "properties": {...}}, refund)

    A tool with a timeout runs in a thread of its own. Python cannot end a thread: one that is given up goes on,
    and may still take effect. What it returns then is dropped, and the model is told so.

    Raises:
        InvalidInput: if the name, the timeout or the function cannot be used.
    """

    name: str  # letters, digits, _ and -
    description: str  # what the model is told of it
    parameters: Schema  # what its arguments have to fit: a JSON Schema of an object
    run: Callable[..., object]  # called with the arguments by name; returns what the model is told
    changes: bool = True  # whether it may change something; lessons are recalled, and approval is asked, before it
    timeout_s: float | None = 60.0  # None: it runs in the thread of `ToolAgent.run`
    repeats: bool = False  # whether one task may make the same change twice

    def __post_init__(self) -> None:
        """Refuse what no model can call."""
        if not _NAME.fullmatch(self.name):
            raise InvalidInput(
                f"a tool cannot be called {self.name!r}: take up to 64 letters, digits, _ and -"
            )
        if self.timeout_s is not None and not self.timeout_s > 0:
            raise InvalidInput(f"timeout_s of {self.name!r} must be above 0, or None")
        if iscoroutinefunction(self.run):
            raise InvalidInput(
                f"the tool {self.name!r} is a coroutine function, and nobody would await it; give a function "
                "that runs it to its end"
            )

    @classmethod
    def of(
        cls,
        function: Callable[..., object],
        *,
        changes: bool = True,
        timeout_s: float | None = 60.0,
        repeats: bool = False,
    ) -> Self:
        """Return a function as a tool; its name, docstring and type hints say what the model is told.

        Args:
            function: any that takes its arguments by name.
            changes: whether it may change something.
            timeout_s: after which it is given up; None: it is waited for.
            repeats: whether one task may make the same change twice.

        Raises:
            InvalidInput: if its parameters cannot be described.
            MissingExtra: if `pydantic` is not installed.
        """
        with needs("describing a function to a model", "openai"):
            from pydantic import TypeAdapter, validate_call
            from pydantic.errors import PydanticUserError
        name = getattr(function, "__name__", type(function).__name__)
        try:
            described: TypeAdapter[Any] = TypeAdapter(cast(Any, function))  # a function is one
            parameters = described.json_schema()
            checked = validate_call(function)
        except (PydanticUserError, NameError) as error:
            raise InvalidInput(
                f"the parameters of {name!r} cannot be described: {str(error).splitlines()[0]}; give them as "
                "Tool(name, description, parameters, run)"
            ) from error
        for parameter in parameters.get("properties", {}).values():
            parameter.pop("title", None)  # it says the name again
        run = function if iscoroutinefunction(function) else checked
        return cls(name, getdoc(function) or "", parameters, run, changes, timeout_s, repeats)

    @property
    def offer(self) -> Schema:
        """What a model is told of it."""
        return {
            "name": self.name,
            "description": self.description,
            "parameters": dict(self.parameters),
        }

    def check(self) -> None:
        """Refuse parameters that are no JSON Schema.

        Raises:
            InvalidInput: saying what is wrong with them.
            MissingExtra: if `jsonschema` is not installed.
        """
        with needs("checking the arguments of tools", "openai"):
            from jsonschema import Draft202012Validator, SchemaError
        try:
            Draft202012Validator.check_schema(dict(self.parameters))
        except SchemaError as error:
            raise InvalidInput(
                f"the parameters of the tool {self.name!r} are no JSON Schema: at {error.json_path}: {error.message}"
            ) from error

    def read(self, arguments: str, *, seen_in: str = "") -> tuple[dict[str, Any], str]:
        """Return the arguments that a model wrote, or what is wrong with them.

        Args:
            arguments: JSON; empty for none.
            seen_in: what the model was shown. References in it that the model repeats are read as their characters.
        """
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import best_match

        try:
            found = _unescaped(parsed_json(arguments.strip() or "{}", strict=False), seen_in)
        except ValueError as error:
            return {}, f"the arguments are no JSON: {error}"
        if not isinstance(found, dict):
            return {}, "the arguments must be one JSON object"
        wrong = best_match(Draft202012Validator(dict(self.parameters)).iter_errors(found))
        if wrong is None:
            return found, ""
        return {}, f"the arguments do not fit: at {wrong.json_path}: {wrong.message[:_ERROR]}"

    def call(self, arguments: Mapping[str, Any]) -> tuple[Fate, str]:
        """Call it, and return what became of that, and what came of it as text."""
        if self.timeout_s is None:
            return _called(self.run, arguments)
        came: list[tuple[Fate, str]] = []
        context = copy_context()
        thread = threading.Thread(
            target=lambda: came.append(context.run(_called, self.run, arguments)),
            name=f"agentcl-tool-{self.name}",
            daemon=True,  # a tool that hangs must not keep a program from ending
        )
        thread.start()
        thread.join(self.timeout_s)
        if came:
            return came[0]
        return "timed out", (
            f"error: no answer within {self.timeout_s:g} s. It was given up, and may still take effect: look "
            "before you call it again"
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call that a model wants made."""

    name: str
    arguments: Mapping[str, Any]  # empty where they cannot be used
    line: str  # the call as text: the name, and the arguments as JSON
    tool: Tool | None  # None: there is none of that name
    problem: str = ""  # why it cannot be made


def read_call(call: ToolCall, tools: Mapping[str, Tool], *, seen_in: str) -> Wanted:
    """Return what a call means.

    Args:
        call: as a model made it.
        tools: by name.
        seen_in: what the model was shown; see `unescape`.
    """
    name, line = storable(call.name), storable(f"{call.name} {call.arguments}")
    tool = tools.get(call.name)
    if tool is None:
        problem = f"error: there is no tool {name!r}; there are: {', '.join(tools)}"
        return Wanted(name, {}, line, None, problem)
    arguments, wrong = tool.read(call.arguments, seen_in=seen_in)
    if wrong:
        return Wanted(name, {}, line, tool, storable(f"error: {wrong}"))
    return Wanted(name, arguments, f"{name} {shown(arguments)}", tool)


def shown(value: object) -> str:
    """Return what a tool returned as text: words as they are, else JSON, else its `repr`."""
    if isinstance(value, str):
        return storable(value)
    try:
        return storable(json.dumps(value, ensure_ascii=False, default=_printed))
    except (TypeError, ValueError, RecursionError):
        return storable(_printed(value))


def storable(text: str) -> str:
    """Return a text with its lone surrogates written out: no file and no request can hold them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _unescaped(value: Any, seen_in: str) -> Any:  # noqa: ANN401  # any JSON
    if isinstance(value, str):
        return unescape(value, seen_in=seen_in)
    if isinstance(value, list):
        return [_unescaped(one, seen_in) for one in value]
    if isinstance(value, dict):
        return {name: _unescaped(one, seen_in) for name, one in value.items()}
    return value


def _called(run: Callable[..., object], arguments: Mapping[str, Any]) -> tuple[Fate, str]:
    try:
        return "done", shown(run(**arguments))
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it is, the model is to hear of it
        return "raised", storable(f"error: {type(error).__name__}: {_printed(error, str)[:_ERROR]}")


def _printed(value: object, how: Callable[[object], str] = repr) -> str:
    try:
        return how(value)
    except Exception:  # noqa: BLE001  # of a stranger's class
        return f"<{type(value).__name__} that cannot be printed>"
