"""How errors are told by a server of the Model Context Protocol: so that the model that called can mend its call."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from inspect import cleandoc
from io import StringIO
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from agentcl.errors import AgentclError, needs
from agentcl.mcp.lines import LONGEST_LINE, MessageLines, Replies, standard_input, without_id
from agentcl.text.escaping import inert_json, quoted
from agentcl.text.suggesting import did_you_mean

with needs("the server for editors", "mcp"):
    import anyio
    from mcp.server.mcpserver import MCPServer
    from mcp.server.mcpserver.exceptions import MCPServerError, ResourceError, ToolError
    from mcp.server.stdio import stdio_server
    from mcp_types import CallToolResult, TextContent, ToolAnnotations
    from pydantic import ValidationError
    from pydantic_core import from_json
    from starlette.responses import PlainTextResponse, Response

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context
    from mcp_types import InputRequiredResult
    from starlette.applications import Starlette
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

P = ParamSpec("P")
T = TypeVar("T")

READING = ToolAnnotations(read_only_hint=True, open_world_hint=False)
ADDING = ToolAnnotations(destructive_hint=False, idempotent_hint=True, open_world_hint=False)
CHANGING = ToolAnnotations(destructive_hint=False, open_world_hint=False)
REMOVING = ToolAnnotations(destructive_hint=True, idempotent_hint=True, open_world_hint=False)


_OURS: Final = b"x-agentcl-"


class _Unread:
    """Refuses requests that say in a header whose memory they mean, where headers say nothing: it would be everybody's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = scope.get("headers", ())
        named = [name.decode("latin-1") for name, _ in headers if name.startswith(_OURS)]
        if not named:
            await self._app(scope, receive, send)
            return
        told = (
            f"{named[0]} is read by `agentcl serve`, which has the same tools at /mcp, and not by `agentcl mcp --port`, "
            "which serves one scope: start it with --user, or let tools name user and session in their arguments"
        )
        await PlainTextResponse(told, 400)(scope, receive, send)


class Identified:
    """Refuses requests over HTTP whose id is none: as notifications they would be taken, and never answered.

    Args:
        app: what answers the others.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        parts = [await receive()]
        size = len(parts[-1].get("body", b""))
        while parts[-1].get("more_body") and size <= LONGEST_LINE:
            parts.append(await receive())
            size += len(parts[-1].get("body", b""))
        wrong = None
        with suppress(ValueError):  # which is told by who reads it next, as a body that is too long
            wrong = without_id(from_json(b"".join(part.get("body", b"") for part in parts)))
        if wrong is not None:
            answer = Response(wrong.model_dump_json(), 400, media_type="application/json")
            await answer(scope, receive, send)
            return

        async def replayed() -> Message:
            return parts.pop(0) if parts else await receive()

        await self._app(scope, replayed, send)


class TellingServer(MCPServer[Any]):
    """A server that says in a sentence which arguments of a call are wrong, and what a tool that is not there may be called.

    Over HTTP by itself it refuses headers that say whose memory is meant.
    """

    takes_others: bool = False  # arguments that a tool does not know: left out, and not refused

    def streamable_http_app(self, **given: Any) -> Starlette:  # noqa: ANN401  # as there
        """Return what answers over HTTP."""
        app = super().streamable_http_app(**given)
        app.add_middleware(Identified)
        app.add_middleware(_Unread)
        return app

    async def run_stdio_async(self) -> None:
        """Answer over standard streams, until standard input ends."""
        server = self._lowlevel_server
        options = server.create_initialization_options()
        nothing = anyio.wrap_file(
            StringIO()
        )  # theirs reads lines of any length, and gives up at their end
        with standard_input() as lines:
            async with stdio_server(stdin=nothing) as (_, outgoing):
                replies = Replies(outgoing)
                await server.run(MessageLines(lines, replies), replies, options)

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool. What a result or an error quotes is inert as text, and exact as data. Raises ToolError."""
        try:
            result = await self._called(name, arguments, context)
        except ToolError as error:
            error.args = (quoted(str(error)),)
            raise
        for one in result.content if isinstance(result, CallToolResult) else ():
            if isinstance(one, TextContent):
                one.text = inert_json(one.text)
        return result

    async def _called(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None
    ) -> CallToolResult | InputRequiredResult:
        known = {
            tool.name: list(tool.input_schema["properties"]) for tool in await self.list_tools()
        }
        if name not in known:
            raise ToolError(f"there is no tool {name!r}{did_you_mean(name, known)}")
        # Left out, a `user_id` for `user` would write into everybody's memory.
        other = next((one for one in arguments if one not in known[name]), None)
        if other is not None and not self.takes_others:
            advice = did_you_mean(
                other, known[name], f"it takes {', '.join(known[name])}", alike=0.5
            )
            raise ToolError(f"InvalidInput: {name} takes no {other!r}{advice}")
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            if isinstance(error.__cause__, ValidationError):
                raise ToolError(f"InvalidInput: {name}: {_wrong_in(error.__cause__)}") from error
            raise


def _wrong_in(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, one['loc']))} is missing"
        if one["type"] == "missing"
        else f"{'.'.join(map(str, one['loc']))} is {one['input']!r:.80} and {one['msg'].removeprefix('Input ')}"
        for one in error.errors(include_url=False)
    )


def told(tool: Callable[P, T]) -> Callable[P, T]:
    """Make our errors ones that the model is told."""
    return _as(ToolError, tool)


def read(resource: Callable[P, T]) -> Callable[P, T]:
    """Make our errors ones of a resource that cannot be read."""
    return _as(ResourceError, resource)


def _as(kind: type[MCPServerError], function: Callable[P, T]) -> Callable[P, T]:
    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except AgentclError as error:
            raise kind(f"{type(error).__name__}: {error}") from error

    # It stands in each prompt of the client's model; the indentation of this code need not.
    call.__doc__ = cleandoc(function.__doc__ or "")
    return call
