"""What a run keeps of each episode."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, Final

from agentcl.errors import InvalidInput
from agentcl.store.usage import Usage
from agentcl.text.parsing import parsed_json

# What differs between two runs of the same thing; the rest is the same after a resume.
UNREPEATED: Final = frozenset({"wall_s", "usage", "episode"})


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a run: a baseline with a seed, or an expert of one family beside it."""

    baseline: str
    seed: int  # of the stream
    alone: str = ""  # the family that an expert is trained on alone; empty: the whole stream


@dataclass(frozen=True, slots=True)
class StepRow:
    """One action, or one answer, and what was seen then."""

    action: str
    seen: str
    thought: str = ""  # what a model said before it


@dataclass(frozen=True, slots=True)
class Learned:
    """What an episode left to remember."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One episode, or one question, of one baseline and seed."""

    number: int  # its place in the stream, from 0
    baseline: str
    seed: int  # of the stream
    task: str  # its id, or the question's
    family: str  # or the question's category
    phase: str
    episode_seed: int = 0
    score: float | None = None  # None: the environment failed, or nobody answered
    raw: float | None = None
    is_success: bool | None = None
    measures: Mapping[str, float] = field(default_factory=dict)  # of a question: recall, F1 ...
    goal: str = ""
    first: str = ""  # what was seen first
    steps: tuple[StepRow, ...] = ()
    end: str = ""  # terminated, truncated, gave up, answered, failed
    error: str = ""  # the traceback of what failed
    episode: str = ""  # its id in the memory, where that keeps episodes
    recalled: tuple[str, ...] = ()  # ids, best first
    shown: tuple[str, ...] = ()  # what memory put into the prompt
    learned: tuple[Learned, ...] = ()
    leaks: tuple[str, ...] = ()  # what the leakage check found
    shifts: tuple[str, ...] = ()  # what memory noticed in this episode, in words
    usage: Mapping[str, Usage] = field(default_factory=dict)  # by role
    memory_tokens: int = 0  # of what memory put into the prompt, estimated
    wall_s: float = 0.0

    @property
    def tokens(self) -> int:
        """Tokens of all roles, read and written."""
        return sum(used.tokens for used in self.usage.values())

    def to_json(self) -> str:
        """Return the row as one line."""
        return json.dumps(_plain(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> ResultRow:
        """Return the row that `to_json` wrote. Raises InvalidInput if the line is none."""
        try:
            read: dict[str, Any] = parsed_json(line)
            return cls(
                **{
                    **read,
                    "steps": tuple(StepRow(**step) for step in read.get("steps", ())),
                    "learned": tuple(Learned(**one) for one in read.get("learned", ())),
                    "usage": {role: Usage(**used) for role, used in read.get("usage", {}).items()},
                    **{name: tuple(read.get(name, ())) for name in _TEXTS},
                }
            )
        except (ValueError, TypeError) as error:
            raise InvalidInput(f"{line[:60]!r} is no row of a run: {error}") from error

    def repeated(self) -> dict[str, Any]:
        """Return what another run of the same settings must have as well."""
        return {name: value for name, value in _plain(self).items() if name not in UNREPEATED}


def _plain(value: Any) -> Any:  # noqa: ANN401  # JSON
    """Return dataclasses as mappings, without empty parts that have a default."""
    if isinstance(value, ResultRow | StepRow | Learned):
        plain = {}
        for name, is_needed in _PARTS[type(value)]:
            one = getattr(value, name)
            if is_needed or one not in _EMPTY:
                plain[name] = _plain(one)
        return plain
    if isinstance(value, Usage):
        return {name: part for name, part in asdict(value).items() if part is not False}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return value


_TEXTS: Final = ("recalled", "shown", "leaks", "shifts")
_EMPTY: Final[tuple[object, ...]] = (None, "", (), {})
_PARTS: Final[Mapping[type, tuple[tuple[str, bool], ...]]] = {
    kind: tuple(
        (one.name, one.default is MISSING and one.default_factory is MISSING)
        for one in fields(kind)
    )
    for kind in (ResultRow, StepRow, Learned)
}
