"""How our errors are told by a server of the Model Context Protocol."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import cleandoc
from typing import ParamSpec, TypeVar

from agentcl.errors import AgentclError, needs

with needs("the server for editors", "mcp"):
    from mcp.server.mcpserver.exceptions import MCPServerError, ResourceError, ToolError
    from mcp_types import ToolAnnotations

P = ParamSpec("P")
T = TypeVar("T")

READING = ToolAnnotations(read_only_hint=True, open_world_hint=False)
ADDING = ToolAnnotations(destructive_hint=False, idempotent_hint=True, open_world_hint=False)
CHANGING = ToolAnnotations(destructive_hint=False, open_world_hint=False)
REMOVING = ToolAnnotations(destructive_hint=True, idempotent_hint=True, open_world_hint=False)


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
