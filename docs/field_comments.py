"""An extension of griffe: the comment beside a field of a class is what the reference says of it."""

from __future__ import annotations

import io
import tokenize
from typing import Any

import griffe


class FieldComments(griffe.Extension):
    """Add the comments at the ends of fields' lines to the class's docstring, as its attributes."""

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:  # noqa: ANN401  # of griffe
        """Called for each class when its members are known."""
        lines = [
            f"    {name}: {comment}"
            for name, member in cls.members.items()
            if isinstance(member, griffe.Attribute) and not name.startswith("_")
            if member.docstring is None and (comment := _comment(member))
        ]
        if lines and cls.docstring and "\nAttributes:\n" not in cls.docstring.value:
            cls.docstring.value += "\n\nAttributes:\n" + "\n".join(lines)


def _comment(attribute: griffe.Attribute) -> str:
    source = attribute.source.lstrip() if attribute.annotation else ""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (tokenize.TokenError, IndentationError):
        return ""
    comments = [token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT]
    return " ".join(one for one in comments if not one.startswith(("type:", "noqa", "fmt:")))
