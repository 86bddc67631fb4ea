"""What the site generates from the code while it is built, so that nothing can go stale.

A page asks for it by a comment: `<!-- names of agentcl.models -->` for the reference of a room's face,
`<!-- names of agentcl -->` for a table of the public names, `<!-- tree of errors -->`, `<!-- commands -->`, and
`<!-- file: PATH -->` for a file of the repository.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import click

ROOT: Final = Path(__file__).resolve().parent.parent
ROOMS: Final = (
    "memory", "store", "retrieval", "statements", "guidance", "agents", "models", "envs", "bench", "consolidation", "files", "compression", "jobs", "mcp",
    "server", "client", "testing", "errors",
)  # fmt: skip
_SHARED: Final = (
    "all_scopes", "tenant", "user", "agent", "session", "path", "encoder", "index", "as_json",
)  # fmt: skip
_REMOTE: Final = re.compile(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"']?https?:[^\s>]+")
_FILE: Final = re.compile(r"<!-- file: (\S+) -->")
_NAMES: Final = re.compile(r"<!-- names of ([\w.]+) -->")


def on_page_markdown(markdown: str, **_: Any) -> str:  # noqa: ANN401  # what mkdocs passes
    """Fill a page's comments; called by mkdocs for each page."""
    markdown = _NAMES.sub(lambda found: names(found[1]), markdown)
    markdown = _FILE.sub(lambda found: _file(ROOT / found[1]), markdown)
    if "<!-- commands -->" in markdown:
        markdown = markdown.replace("<!-- commands -->", commands())
    if "<!-- tree of errors -->" in markdown:
        tree = inspect.getdoc(import_module("agentcl.errors")) or ""
        block = f"```text\n{tree.split(chr(10) * 2, 1)[1]}\n```"
        markdown = markdown.replace("<!-- tree of errors -->", block)
    return markdown


def on_post_build(config: Any, **_: Any) -> None:  # noqa: ANN401  # what mkdocs passes
    """Refuse a site that needs a network to be read; called by mkdocs at the end."""
    for page in Path(config["site_dir"]).rglob("*.html"):
        if found := _REMOTE.search(page.read_text("utf-8")):
            raise SystemExit(f"{page} loads {found[0]}; put a copy into docs/assets")


def _file(path: Path) -> str:
    text = path.read_text("utf-8")
    return f"```python\n{text}```" if path.suffix == ".py" else text


def names(module: str) -> str:
    """Return the reference of a room's public names; of the package, a table of its own."""
    face = import_module(module)
    if module != "agentcl":
        return _described(module, _public(face))
    lines, homeless = ["| name | what it is |", "| --- | --- |"], []
    for name in _public(face):
        value = getattr(face, name)
        if isinstance(value, ModuleType) or name.startswith("_"):
            continue
        home = _home(name, value)
        if home == module:
            homeless.append(name)
        lines.append(f"| [`{name}`][{home}.{name}] | {_summary(value)} |")
    return "\n".join(lines) + "\n\n" + _described(module, homeless)


def _described(module: str, names: Iterable[str]) -> str:
    return "\n\n".join(f"::: {module}.{name}" for name in names)


def _public(face: ModuleType) -> list[str]:
    """Return a face's names: what the room is named after first, constants last."""
    own = [
        n for n, value in vars(face).items() if getattr(value, "__module__", "") == face.__name__
    ]
    room = face.__name__.rpartition(".")[2]
    names = getattr(face, "__all__", own)
    return sorted(names, key=lambda name: (name.isupper(), name.lower() != room))


def _home(name: str, value: object) -> str:
    """Return the room whose face has a name; the package, if none has."""
    for room in map(import_module, (f"agentcl.{room}" for room in ROOMS)):
        if name in _public(room) and getattr(room, name) is value:
            return room.__name__
    return "agentcl"


def _summary(value: object) -> str:
    is_own = inspect.isclass(value) or inspect.isroutine(value)
    text = (inspect.getdoc(value) or "") if is_own else ""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")


def commands() -> str:
    """Return the reference of the command line, one section a command."""
    from agentcl.cli.main import main

    every = list(walk(main, "agentcl"))
    search = dict(every)["agentcl search"]
    shared = [option for option in search.params if option.name in _SHARED]
    return "\n".join(
        [
            "## Options of many commands { #shared-options }\n",
            *_table(shared, click.Context(search)),
            *(_section(path, command) for path, command in every),
        ]
    )


def walk(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and all below it, with what is typed to call each."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            _, inner, _ = command.resolve_command(context, [name])  # also imports a lazy one
            assert inner is not None
            yield from walk(inner, f"{path} {name}")


def _section(path: str, command: click.Command) -> str:
    context = click.Context(command, info_name=path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    depth = min(2 + path.count(" "), 4)
    lines = [f"{'#' * depth} `{path}` {{ #{path.replace(' ', '-')} }}", ""]
    lines += [inspect.cleandoc(command.help or "").replace("\b\n", ""), ""]
    lines += ["```text", usage, "```", ""]
    options = [] if isinstance(command, click.Group) else command.params
    own = [option for option in options if option.name not in _SHARED]
    if own:
        lines += _table(own, context)
    if shared := [f"`{option.opts[0]}`" for option in options if option.name in _SHARED]:
        lines += [f"[Also](#shared-options): {', '.join(shared)}.", ""]
    return "\n".join(lines)


def _table(options: Iterable[click.Parameter], context: click.Context) -> list[str]:
    rows = [f"| `{' '.join(name.split())}` | {_cell(meaning)} |"
            for option in options if (record := option.get_help_record(context))
            for name, meaning in [record] if name.startswith("-")]  # fmt: skip
    return ["| option | meaning |", "| --- | --- |", *rows, ""] if rows else []


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
