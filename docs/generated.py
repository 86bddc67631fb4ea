"""What the site generates from the code while it is built, so that nothing can go stale.

A page asks for it by a comment: `<!-- names of agentcl.models -->` for the reference of a room's face,
`<!-- names of agentcl -->` for a table of the public names, `<!-- tree of errors -->`, `<!-- commands -->`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, Final

import click

ROOMS: Final = (
    "memory", "store", "retrieval", "guidance", "agents", "models", "envs", "bench", "files", "jobs",
    "testing", "errors",
)  # fmt: skip
_NAMES: Final = re.compile(r"<!-- names of ([\w.]+) -->")


def on_page_markdown(markdown: str, **_: Any) -> str:  # noqa: ANN401  # what mkdocs passes
    """Fill a page's comments; called by mkdocs for each page."""
    markdown = _NAMES.sub(lambda found: names(found[1]), markdown)
    if "<!-- commands -->" in markdown:
        markdown = markdown.replace("<!-- commands -->", commands())
    if "<!-- tree of errors -->" in markdown:
        tree = inspect.getdoc(import_module("agentcl.errors")) or ""
        block = f"```text\n{tree.split(chr(10) * 2, 1)[1]}\n```"
        markdown = markdown.replace("<!-- tree of errors -->", block)
    return markdown


def names(module: str) -> str:
    """Return the reference of a room's public names; of the package, a table of its own."""
    face = import_module(module)
    if module != "agentcl":
        return "\n\n".join(f"::: {module}.{name}" for name in _public(face))
    lines = ["| name | what it is |", "| --- | --- |"]
    for name in _public(face):
        if not isinstance(getattr(face, name), ModuleType):
            lines.append(f"| [`{name}`][{_home(name, face)}.{name}] | {_summary(getattr(face, name))} |")
    return "\n".join(lines)


def _public(face: ModuleType) -> list[str]:
    if hasattr(face, "__all__"):
        return list(face.__all__)
    return [name for name, value in vars(face).items()
            if inspect.isclass(value) and value.__module__ == face.__name__]  # fmt: skip


def _home(name: str, face: ModuleType) -> str:
    """Return the room whose face has a name of the package."""
    for room in ROOMS:
        module = import_module(f"agentcl.{room}")
        if name in _public(module) and getattr(module, name) is getattr(face, name):
            return module.__name__
    raise LookupError(f"agentcl.{name} is in no room's face, so it has no reference")


def _summary(value: object) -> str:
    is_own = inspect.isclass(value) or inspect.isroutine(value)
    text = (inspect.getdoc(value) or "") if is_own else ""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")


def commands() -> str:
    """Return the reference of the command line, one section a command."""
    from agentcl.cli.main import main

    return "\n".join(_section(path, command) for path, command in walk(main, "agentcl"))


def walk(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and all below it, with what is typed to call each."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from walk(inner, f"{path} {name}")


def _section(path: str, command: click.Command) -> str:
    context = click.Context(command, info_name=path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    depth = min(2 + path.count(" "), 4)
    lines = [f"{'#' * depth} `{path}` {{ #{path.replace(' ', '-')} }}", ""]
    lines += [inspect.cleandoc(command.help or "").replace("\b\n", ""), ""]
    lines += ["```text", usage, "```", ""]
    rows = [
        record
        for option in command.get_params(context)
        if option.name != "help" and (record := option.get_help_record(context))
    ]
    if rows and not isinstance(command, click.Group):
        lines += ["| option | meaning |", "| --- | --- |"]
        lines += [f"| `{_cell(name)}` | {_cell(meaning)} |" for name, meaning in rows] + [""]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
