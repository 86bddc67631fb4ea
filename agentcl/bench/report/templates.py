"""Filling the templates of a report. Whatever is put into one is escaped, without being asked to."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from agentcl.bench.report.words import clean, markdown, milliseconds, name, number
from agentcl.text.svg import legend_key
from agentcl.text.visible import visible

if TYPE_CHECKING:
    from jinja2 import Environment


def fill(template: str, **values: object) -> str:
    """Return a template of this folder, such as "page.html.j2", with values put in."""
    templates = _environment(is_html=".html" in template)
    return templates.get_template(template).render(values).rstrip() + "\n"


@cache
def _environment(*, is_html: bool) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader(__package__, "."),
        autoescape=is_html,
        finalize=_shown if is_html else lambda value: markdown(str(value)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"clean": clean, "ms": milliseconds, "name": name, "number": number}
    templates.globals |= {"legend_key": legend_key}
    return templates


def _shown(value: object) -> object:
    """Return a value without characters that no page may hold."""
    return visible(value) if type(value) is str else value  # what is markup already is no plain str
