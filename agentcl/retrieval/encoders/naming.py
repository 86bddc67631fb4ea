"""Names of encoders: what they say, and which of them mean the same vectors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qsl, urlencode

from agentcl.errors import ConfigError
from agentcl.store.rows import MOST_DIMENSIONS
from agentcl.text.suggesting import did_you_mean

KINDS: Final = ("hashing", "minilm", "sentence-transformers", "openai", "given")
HASHED_DIM: Final = 512  # of vectors of `hashing`, where the name says nothing else
PREFIXES: Final = ("query_prefix", "passage_prefix")
_OWN: Final = ("hashing", "minilm", "given")
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_DIGITS: Final = len(str(MOST_DIMENSIONS))


def is_own(name: str) -> bool:
    """Return whether opening an encoder asks nobody, and loads nothing that its name chooses.

    A name that no encoder has is opened by nobody.
    """
    kind = name.partition(":")[0]
    return kind in _OWN or kind not in KINDS


def is_complete(name: str) -> bool:
    """Return whether a name says all that opening takes: of a model behind an endpoint, the address too."""
    kind, _, rest = name.partition(":")
    return kind != "openai" or bool(parts_of(rest)[1])


def check_named(name: str) -> None:
    """Refuse an address that cannot be asked, or holds a password. Raises ConfigError."""
    kind, _, rest = name.partition(":")
    model, url, _ = parts_of(rest)
    if kind == "openai" and url:
        from agentcl.text.endpoint import check_address

        check_address(url, f"the encoder openai:{model}")


def check_known(name: str) -> None:
    """Refuse a name that no encoder has. Raises ConfigError."""
    kind = name.partition(":")[0]
    if kind not in KINDS:
        raise unknown(name)


def unknown(name: str) -> ConfigError:
    """Return the error that says which encoders there are."""
    kind = name.partition(":")[0]
    advice = "choose hashing[:DIM], minilm, sentence-transformers:NAME_OR_PATH, openai:MODEL@URL or given:DIM"
    return ConfigError(f"unknown encoder {name!r}{did_you_mean(kind, KINDS, advice)}")


def identity(name: str) -> str:
    """Return the `name` that an encoder has when it is open, without opening it.

    It is the same however the name is spelled, and wherever the model is served.
    """
    kind, _, rest = name.partition(":")
    if kind in ("hashing", "given") and rest:
        with suppress(ConfigError):
            dim = dimension_of(name, rest)
            return hashing_name(dim) if kind == "hashing" else f"given:{dim}"
    if kind == "openai":
        model, _, prefixes = parts_of(rest)
        return openai_name(model, dict(parse_qsl(prefixes)))
    return name


def hashing_name(dim: int) -> str:
    """Return the name of the encoder that hashes words into `dim` places."""
    return "hashing" if dim == HASHED_DIM else f"hashing:{dim}"


def openai_name(model: str, prefixes: Mapping[str, str]) -> str:
    """Return the name of a model behind an endpoint: the model, and what stands before texts."""
    told = urlencode({name: prefixes[name] for name in PREFIXES if prefixes.get(name)})
    return f"openai:{model}" + (f"#{told}" if told else "")


def parts_of(rest: str) -> tuple[str, str, str]:
    """Return model, address and prefixes of MODEL@URL#PREFIXES; empty is what is not there."""
    named, _, prefixes = rest.partition("#")
    model, at, url = named.partition("@")
    while at and not _URL.match(url):  # a model may have an @ in its name
        more, at, url = url.partition("@")
        model = f"{model}@{more}"
    return model, url, prefixes


def dimension_of(name: str, text: str) -> int:
    """Return the dimension that a name says. Raises ConfigError if it is none."""
    is_number = text.isascii() and text.isdigit() and len(text) <= _DIGITS
    if not is_number or not 0 < int(text) <= MOST_DIMENSIONS:
        raise ConfigError(
            f"encoder {name!r}: the dimension must be a number from 1 to {MOST_DIMENSIONS}"
        )
    return int(text)
