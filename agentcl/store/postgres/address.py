"""Where a memory in PostgreSQL is: a server, a database, and a schema in it."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from agentcl.errors import ConfigError

SCHEMES: Final = ("postgresql://", "postgres://")
_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,40}")
_WITH_AT: Final = ("user=", "password=")  # options that may have a raw @
_SHOWN: Final = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE?schema=NAME"


class Address(str):
    """A memory in a database. As text it has no password, so it may be shown, logged and written down."""

    url: str  # as libpq reads it
    schema: str  # that holds the memory's tables
    _password: str

    def __new__(cls, shown: str, *, url: str, schema: str, password: str = "") -> Address:
        """Make one of its text and of what that leaves out."""
        made = super().__new__(cls, shown)
        made.url, made.schema, made._password = url, schema, password
        return made

    def hidden(self, text: str) -> str:
        """Return a text, such as an error's, without the password."""
        for word in {self._password, quote(self._password, safe="")} - {""}:
            text = text.replace(word, "***")
        return text


def is_address(value: object) -> bool:
    """Return whether a value names a database and no folder."""
    return isinstance(value, str) and value.startswith(SCHEMES)


def parse(text: str) -> Address:
    """Return the address that a URL names; `?schema=` says which schema, "agentcl" if it does not.

    Raises:
        ConfigError: if it cannot be read. What is said never repeats the URL: it may hold a password.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
        words = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        parts, port, words = None, None, []
    if parts is None or parts.fragment or "@" in parts.path or _is_torn(parts.query):
        raise ConfigError(
            f"the address of the database cannot be read; write {_SHOWN}, and signs such as @, /, ? and # in "
            "a password as %40, %2F, %3F and %23"
        )
    options = dict(words)
    schema = options.pop("schema", "agentcl")
    if not _SCHEMA.fullmatch(schema) or schema.startswith("pg_"):
        raise ConfigError(
            f"schema={schema!r} names no schema: use lower-case letters, digits and underscores"
        )
    password = options.get("password", unquote(parts.password or ""))
    user = f"{quote(unquote(parts.username), safe='')}@" if parts.username else ""
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    place = f"{user}{host}{'' if port is None else f':{port}'}"
    open_ = {name: value for name, value in options.items() if "password" not in name}
    if schema != "agentcl":
        open_["schema"] = schema
    url = urlunsplit(
        ("postgresql", parts.netloc, parts.path, urlencode(options, quote_via=quote), "")
    )
    shown = urlunsplit(("postgresql", place, parts.path, urlencode(open_, quote_via=quote), ""))
    if (
        not parts.netloc
    ):  # a socket's folder is named in the query; urlunsplit would drop the slashes
        url, shown = (_with_slashes(one) for one in (url, shown))
    return Address(shown, url=url, schema=schema, password=password)


def _is_torn(query: str) -> bool:
    """Return whether a query has the end of a password: "u:12?secret@host/db" looks like a port and an option."""
    return any("@" in one and not one.startswith(_WITH_AT) for one in query.split("&"))


def _with_slashes(url: str) -> str:
    scheme, _, rest = url.partition(":")
    return f"{scheme}://{rest.removeprefix('//')}"
