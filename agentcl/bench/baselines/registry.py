"""Baselines by name."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from agentcl.bench.baselines.base import Baseline
from agentcl.bench.baselines.lexical import Bm25
from agentcl.bench.baselines.own import OwnMemory
from agentcl.bench.baselines.plain import FullContext, LastItems, NoMemory
from agentcl.bench.peers.remote import TIMEOUT_S, RemoteBaseline
from agentcl.envs.own import is_own, open_own
from agentcl.errors import InvalidInput, MissingPeer
from agentcl.guidance.rules import BUDGET_TOKENS, GuidanceRules
from agentcl.retrieval.encoders import Encoder, open_encoder
from agentcl.retrieval.modes import Mode
from agentcl.text.paths import check_path
from agentcl.text.suggesting import did_you_mean

Value = str | int | float | bool
Options = Mapping[str, Value]

# Without dense vectors our memory is full text with its frequent-term cut; without full text, the dense baseline.
_OWN: Final[Mapping[str, Mode]] = {
    "dense": "dense",
    "ours": "hybrid",
    "graph": "graph",
    "ours-no-dense": "text",
    "ours-no-fulltext": "dense",
    "episodes": "hybrid",
}
GUIDANCE: Final = "guidance"
# No baselines that are asked for items, but agents with memories of their own; the others lack one part each.
_GUIDANCE: Final[Mapping[str, GuidanceRules]] = {
    GUIDANCE: GuidanceRules(),
    **{
        f"{GUIDANCE}-no-{part.name}": GuidanceRules(**{part.name: False})
        for part in fields(GuidanceRules)
    },
}
ORACLE: Final = "oracle"
_LAST: Final = re.compile(r"(?:last|transcripts|notes)-([1-9][0-9]{0,8})")
_PARTS: Final = ("name", "add", "recall", "settings", "close")  # of a memory of a user's own
_OWN_OPTIONS: Final = {"index": str, "durability": str, "passage_limit": int}
_PEER_OPTIONS: Final = {"python": str, "timeout_s": float}


@dataclass(frozen=True, slots=True)
class Peer:
    """A program that ours is compared with."""

    module: str  # of `agentcl.bench.peers`
    imports: str  # its package
    install: str  # what makes its environment
    options: Mapping[str, type]  # of its module


PEERS: Final[Mapping[str, Peer]] = {
    "mem0": Peer(
        "mem0_store",
        "mem0",
        "`pip install 'mem0ai[nlp]' fastembed` and `python -m spacy download en_core_web_sm`",
        {"bm25_model": str},
    ),
    "langmem": Peer("langmem_store", "langmem", "`pip install langmem`", {}),
    "lightrag": Peer("lightrag_store", "lightrag", "`pip install lightrag-hku`", {}),
    "hipporag": Peer(
        "hipporag_store",
        "hipporag",
        "`pip install torch numpy pandas pyarrow igraph networkx tqdm openai pydantic tenacity httpx "
        "filelock packaging` and `pip install --no-deps hipporag==2.0.0a4`",
        {"facts": str},
    ),
}


def baseline_names() -> list[str]:
    """Return the names of all baselines, peers last; K is any number."""
    plain = ["none", "full", "last-K", "bm25"]
    return [*plain, *_OWN, "transcripts-K", "notes-K", *_GUIDANCE, ORACLE, *PEERS]


def is_baseline(name: str) -> bool:
    """Return whether a name is that of a baseline, or of a class of your own."""
    return name in baseline_names() or _LAST.fullmatch(name) is not None or is_own(name)


def guidance_rules(name: str) -> GuidanceRules | None:
    """Return the rules of a baseline of guidance, such as "guidance-no-credit"; None if it is none."""
    return _GUIDANCE.get(name)


@dataclass(frozen=True, slots=True)
class GuidanceOptions:
    """The options of a baseline of guidance."""

    budget_tokens: int = BUDGET_TOKENS  # for lessons in one prompt
    told: str = ""  # a file of lessons, one as JSON a line, that are told before the first episode
    supervised: bool = False  # reflect on episodes that promise something new, and not on all
    demonstrations: int = 0  # past stretches that are taken for each situation
    looks_again: bool = False  # recall once more before something is changed


def guidance_options(name: str, options: Options) -> GuidanceOptions:
    """Return the options of a baseline of guidance. Raises InvalidInput if there is no such option."""
    given: dict[str, Any] = dict(options)
    kinds = {field.name: type(field.default) for field in fields(GuidanceOptions)}
    _check(name, options, kinds)
    return GuidanceOptions(**given)


def open_baseline(
    name: str,
    *,
    encoder: str | Encoder,
    folder: str | os.PathLike[str],
    options: Options | None = None,
) -> Baseline:
    """Return a baseline that remembers nothing yet.

    Args:
        name: as `baseline_names` has it, e.g. "ours" or "last-5"; or `module:Class` of your own, which gets `folder` and
            `encoder` if it takes them, and its options.
        encoder: makes the vectors of every baseline that has some; a name is opened only where it is needed.
        folder: the baseline's own, absent or empty; a baseline is not opened a second time.
        options: of this baseline. Peers take `python`, the Python of the environment that they are installed in
            (default: this one), and `timeout_s`.

    Raises:
        InvalidInput: if there is no such baseline, it takes no such option, or the folder is no path or holds something.
        MissingPeer: if a peer is not installed; says which environment to make.
        MissingExtra: if a baseline of ours needs a part that is not installed.
        BaselineFailed: if a peer does not start.
    """
    given, folder = dict(options or {}), check_path(folder, "folder")
    last = _LAST.fullmatch(name)
    make: Callable[[], Baseline]
    if name == "none":
        _check(name, given, {})
        make = NoMemory
    elif name == "full":
        _check(name, given, {"budget_characters": int})
        make = partial(FullContext, **given)  # type: ignore[arg-type]  # their types were just checked
    elif last:
        _check(name, given, {})
        make = partial(LastItems, int(last.group(1)), name=name)
    elif name == ORACLE:
        _check(name, given, {})
        make = partial(FullContext, name=name)
    elif name in _GUIDANCE:
        raise InvalidInput(
            f"the baseline {name!r} is an agent that plays tasks; nobody can ask it for items"
        )
    elif name == "bm25":
        _check(name, given, {})
        make = partial(Bm25, folder)
    elif name in _OWN:
        _check(name, given, _OWN_OPTIONS)
        make = partial(_own, name, encoder, folder, given)
    elif is_own(name):
        make = partial(_users, name, encoder, folder, given)
    elif name in PEERS:
        _check(name, given, {**_PEER_OPTIONS, **PEERS[name].options})
        make = partial(_peer, name, PEERS[name], encoder, folder, given)
    else:
        advice = f"choose one of {', '.join(baseline_names())}, or name your own as module:Class"
        raise InvalidInput(
            f"there is no baseline {name!r}{did_you_mean(name, baseline_names(), advice)}"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidInput(f"{folder} is not empty; a baseline begins with a folder of its own")
    return make()


def _own(name: str, encoder: str | Encoder, folder: Path, options: Options) -> Baseline:
    arguments: dict[str, Any] = dict(options)
    return OwnMemory(name, folder, encoder=_opened(encoder), mode=_OWN[name], **arguments)


def _users(name: str, encoder: str | Encoder, folder: Path, options: Options) -> Baseline:
    given = {"folder": folder, "encoder": _opened(encoder)}
    made: Baseline = open_own(name, "memory", _PARTS, options=options, given=given)
    return made


def _peer(
    name: str, peer: Peer, encoder: str | Encoder, folder: Path, options: Options
) -> Baseline:
    rest = dict(options)
    python = rest.pop("python", "")
    if not python:
        if find_spec(peer.imports) is None:
            raise MissingPeer(
                f"baseline {name!r} is not installed here; make an environment of its own with "
                f"{peer.install}, and give its Python as option python=ENVIRONMENT/bin/python"
            )
        python = sys.executable
    return RemoteBaseline(
        name,
        peer=peer.module,
        python=str(python),
        encoder=_opened(encoder),
        folder=folder,
        install=peer.install,
        timeout_s=float(rest.pop("timeout_s", TIMEOUT_S)),
        options=rest,
    )


def _opened(encoder: str | Encoder) -> Encoder:
    return open_encoder(encoder) if isinstance(encoder, str) else encoder


def _check(name: str, options: Options, known: Mapping[str, type]) -> None:
    """Refuse options that a baseline does not take, or of another type. Raises InvalidInput."""
    for option, value in options.items():
        if option not in known:
            takes = ", ".join(known) or "none"
            raise InvalidInput(
                f"baseline {name!r} takes no option {option!r}; its options: {takes}"
            )
        wanted = known[option]
        fits = isinstance(value, wanted) or (wanted is float and isinstance(value, int))
        if not fits or (isinstance(value, bool) and wanted is not bool):
            raise InvalidInput(
                f"option {option!r} of baseline {name!r} must be of type {wanted.__name__}, and is {value!r}"
            )
