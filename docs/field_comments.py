"""An extension of griffe: the comment beside a field of a class is what the reference says of it."""

from __future__ import annotations

import ast
import io
import tokenize
from typing import Any

import griffe


class FieldComments(griffe.Extension):
    """Take the comment at the end of an attribute's line as its docstring."""

    def on_attribute_instance(
        self, *, node: Any, attr: griffe.Attribute, **_: Any  # noqa: ANN401  # what griffe passes
    ) -> None:
        """Called for each attribute that is found in a source."""
        if attr.docstring is None and isinstance(node, ast.AnnAssign) and attr.lineno and attr.endlineno:
            source = "".join(f"{line}\n" for line in attr.lines_collection[attr.filepath][attr.lineno - 1 : attr.endlineno])
            comments = _comments(source)
            if comments:
                attr.docstring = griffe.Docstring(" ".join(comments), parent=attr)


def _comments(source: str) -> list[str]:
    tokens = tokenize.generate_tokens(io.StringIO(source.lstrip()).readline)
    try:
        found = [token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT]
    except (tokenize.TokenError, IndentationError):
        return []
    return [comment for comment in found if not comment.startswith(("type:", "noqa"))]
