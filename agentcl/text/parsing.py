"""JSON and TOML that came from outside: whatever is wrong with them is a ValueError that says what.

Python's readers raise three kinds of errors. A value that is nested deeply is a RecursionError, and a whole number of
very many digits a ValueError that advises to change the interpreter.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_OF_DIGITS: Final = "Exceeds the limit"  # begins what Python says of a number


def parsed_json(text: str | bytes, **how: Any) -> Any:  # noqa: ANN401  # any JSON
    """Return the value of a JSON text, read as `json.loads` is told `how`. Raises ValueError, and nothing else."""
    with _one_error():
        return json.loads(text, **how)


def parsed_toml(text: str) -> dict[str, Any]:
    """Return the table of a TOML text. Raises ValueError, and nothing else."""
    import tomllib  # few memories have such a file

    with _one_error():
        return tomllib.loads(text)


@contextmanager
def _one_error() -> Iterator[None]:
    try:
        yield
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        if not str(error).startswith(_OF_DIGITS):
            raise
        raise ValueError("it holds a whole number of too many digits") from None
