"""What a run is: tasks or questions, who acts, which memories are compared, with which seeds."""

from __future__ import annotations

import json
import os
import types
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from agentcl.envs.base import Split
from agentcl.envs.own import is_own as is_own_class
from agentcl.envs.streams.builders import RECURRENCE
from agentcl.errors import ConfigError
from agentcl.retrieval.encoders.naming import is_own
from agentcl.text.parsing import parsed_json, parsed_toml
from agentcl.text.paths import check_path, unread
from agentcl.text.suggesting import did_you_mean

Shape = Literal["random", "blocks", "interleaved", "changing", "alternating", "two-passes", "reuse",
                "adapt", "gen-env", "gen-task", "revisited", "recurring"]  # fmt: skip
Learning = Literal["lessons", "record", "nothing"]
Teaching = Literal["agent", "outcomes"]
Option = str | int | float | bool
UNNAMED: Final = "run"
EACH: Final = "each"  # a value of `where`: another one for each seed


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """Episodes in a domain."""

    domain: str = ""  # a name, or module:Class of your own
    options: Mapping[str, str] = field(default_factory=dict)  # keywords of the domain
    file: str = ""  # a saved stream of tasks, instead of building one
    stream: Shape = "random"
    split: Split = "test"
    families: tuple[str, ...] = ()  # all, if none is named
    # Parameters that a task must have; several of them for a stream that goes from one to the other.
    where: tuple[Mapping[str, Option], ...] = ()
    # Of a family, in blocks, alternating and of gen-task; of a trial of adapt; of a known set of rules of
    # gen-env; of a visit; otherwise in all.
    episodes: int = 50
    # Of each test of an alternating stream; first attempts of gen-env and gen-task at most.
    test_episodes: int = 10
    rule_changes: int = 1  # of a stream whose rules change, where the domain can change them
    trials: int = 5  # of adapt
    places: int = 5  # sets of rules: that are visited again, or known in gen-env at most
    recurrence: float = RECURRENCE  # exponent of the gaps of recurring
    order: Literal["given", "difficulty", "similarity", "random"] = "given"
    isolated: bool = False  # each domain in a process of its own
    timeout_s: float = 60.0  # of one step of an isolated domain


@dataclass(frozen=True, slots=True)
class QuestionSettings:
    """A stream of documents and questions."""

    source: str = ""  # squad, hotpotqa, musique, locomo, longmemeval, memory-agent-bench, fact-consolidation, or a saved stream
    path: str = ""  # where a source's data lies
    options: Mapping[str, Option] = field(default_factory=dict)  # keywords of the source
    limit: int = 0  # questions of each stream at most; 0: all
    # Show the reader, of the numbered facts that were recalled, those that no later one overrides.
    is_newest_shown: bool = False


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """Who acts or reads."""

    # model, responder, investigator, clerk, random, null, oracle, or module:Class of your own; for questions model, or ""
    # (nobody reads)
    name: str = "model"
    model: str = "reference"  # the reference model in this process, a folder, or a name at `url`
    url: str = ""  # of an OpenAI-compatible endpoint
    learn: Learning = (
        "lessons"  # what an episode leaves: lessons that the agent draws, its record, nothing
    )
    # Of baselines of guidance: who acts (agent), what followed what (outcomes), or module:Class of your own.
    teacher: str = "agent"
    instructions: str = ""  # said before everything else; empty: those that fit the model
    max_tokens: int = 128  # of one answer


@dataclass(frozen=True, slots=True)
class MemorySettings:
    """The memories that are compared."""

    baselines: tuple[str, ...] = ("none", "ours")  # names, or module:Class of your own
    limit: int = 5  # items that a prompt may hold
    encoder: str = "auto"  # for all baselines alike
    # Of baselines by their names, such as the Python of a peer's environment.
    options: Mapping[str, Mapping[str, Option]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunSettings:
    """One run: every baseline with every seed."""

    name: str = UNNAMED
    seeds: tuple[int, ...] = (0,)
    workers: int = 1  # processes
    experts: bool = (
        False  # each baseline is trained on each family of an alternating stream alone, too
    )
    budget_tokens: int = 0  # of one baseline and seed, and of each expert; 0: no limit
    budget_s: float = 0.0  # of the whole run; 0: no limit
    tasks: TaskSettings = field(default_factory=TaskSettings)
    questions: QuestionSettings = field(default_factory=QuestionSettings)
    agent: AgentSettings = field(default_factory=AgentSettings)
    memory: MemorySettings = field(default_factory=MemorySettings)

    def __post_init__(self) -> None:
        """Refuse what cannot be run. Raises ConfigError."""
        has_tasks = bool(self.tasks.domain or self.tasks.file)
        if has_tasks == bool(self.questions.source):
            raise ConfigError(
                "a run needs either tasks (a domain, or a saved stream) or questions (a source), and not both"
            )
        if self.experts and self.questions.source:
            raise ConfigError("experts are trained on tasks, and a run of questions has none")
        if self.agent.teacher not in get_args(Teaching) and not is_own_class(self.agent.teacher):
            raise ConfigError(
                f"agent.teacher is {' or '.join(get_args(Teaching))}, or module:Class of your own, not {self.agent.teacher!r}"
            )
        for name, values in (("seeds", self.seeds), ("memory.baselines", self.memory.baselines)):
            if not values or len(set(values)) < len(values):
                raise ConfigError(f"{name} must be some, each once, and is {list(values)}")
        limits = {
            "workers": (self.workers, 1), "memory.limit": (self.memory.limit, 1),
            "tasks.episodes": (self.tasks.episodes, 1), "agent.max_tokens": (self.agent.max_tokens, 1),
            "questions.limit": (self.questions.limit, 0), "budget_tokens": (self.budget_tokens, 0),
            "tasks.rule_changes": (self.tasks.rule_changes, 1), "tasks.trials": (self.tasks.trials, 2),
            "tasks.places": (self.tasks.places, 1),
            "tasks.test_episodes": (self.tasks.test_episodes, 1), "budget_s": (self.budget_s, 0),
        }  # fmt: skip
        for name, (value, least) in limits.items():
            if value < least:
                raise ConfigError(f"{name} must be at least {least}, and is {value}")
        if not self.tasks.recurrence > 1:  # nor "nan"
            raise ConfigError(f"tasks.recurrence must be above 1, and is {self.tasks.recurrence}")
        if self.tasks.timeout_s <= 0:
            raise ConfigError(f"tasks.timeout_s must be above 0, and is {self.tasks.timeout_s}")

    def to_json(self) -> str:
        """Return the settings as a results folder keeps them."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    def outside(self) -> dict[str, str]:
        """Return what the settings name that is asked, loaded or run, beyond what comes with the package."""
        model = self.agent.model if self.agent.name == "model" else ""
        named = {
            "agent.url": self.agent.url,
            "agent.model": "" if model == "reference" or self.agent.url else model,
            "memory.encoder": "" if is_own(self.memory.encoder) else self.memory.encoder,
            "tasks.domain": self.tasks.domain if ":" in self.tasks.domain else "",
            "agent.name": self.agent.name if ":" in self.agent.name else "",
            "agent.teacher": self.agent.teacher if ":" in self.agent.teacher else "",
            "memory.baselines": ", ".join(one for one in self.memory.baselines if ":" in one),
            "tasks.options": json.dumps(dict(self.tasks.options)) if self.tasks.options else "",
            "memory.options": json.dumps(asdict(self.memory)["options"])
            if self.memory.options
            else "",
        }
        return {name: value for name, value in named.items() if value}

    @classmethod
    def from_json(cls, text: str, *, where: str) -> RunSettings:
        """Return the settings that `to_json` wrote. Raises ConfigError naming `where`."""
        try:
            read = parsed_json(text)
        except ValueError as error:
            raise ConfigError(f"{where} is damaged: {error}") from error
        return from_mapping(read, where=where)


def load_settings(path: str | os.PathLike[str]) -> RunSettings:
    """Return the settings of a TOML file.

    Raises:
        ConfigError: naming the file, what is wrong in it, and what is near to it.
        InvalidInput: if `path` is no path.
    """
    path = check_path(path)
    try:
        read = parsed_toml(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"there is no file {path}: a run is told in a TOML file, or by options such as --domain and --questions"
        ) from error
    except OSError as error:
        raise ConfigError(f"the run {path} cannot be read: {unread(error)}") from error
    except ValueError as error:
        raise ConfigError(f"the run {path} is not TOML: {error}") from error
    return from_mapping(read, where=str(path))


def from_mapping(read: Mapping[str, Any], *, where: str) -> RunSettings:
    """Return settings from tables as TOML and JSON have them. Raises ConfigError naming `where`."""
    settings: RunSettings = _fill(RunSettings, read, where, "")
    return settings


def _fill(kind: Any, read: object, where: str, prefix: str) -> Any:  # noqa: ANN401  # any of the classes above
    if not isinstance(read, Mapping):
        raise ConfigError(f"{where}: {prefix.rstrip('.')} must be a table")
    hints = get_type_hints(kind)
    given: dict[str, Any] = {}
    for key, value in read.items():
        if key not in hints:
            meant = did_you_mean(key, hints, f"there are {', '.join(hints)}")
            raise ConfigError(f"{where}: there is no setting {prefix + key!r}{meant}")
        given[key] = _fitted(hints[key], value, where, prefix + key)
    return kind(**given)


def _fitted(hint: Any, value: object, where: str, name: str) -> Any:  # noqa: ANN401  # what the hint says
    if hint in (TaskSettings, QuestionSettings, AgentSettings, MemorySettings):
        return _fill(hint, value, where, f"{name}.")
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        if value not in arguments:
            raise ConfigError(f"{where}: {name} is one of {', '.join(arguments)}, not {value!r}")
        return value
    if origin is tuple:
        values = value if isinstance(value, list | tuple) else [value]
        return tuple(_fitted(arguments[0], one, where, name) for one in values)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where}: {name} must be a table")
        return {str(key): _fitted(arguments[1], one, where, name) for key, one in value.items()}
    kinds = arguments if origin in (Union, types.UnionType) else (hint,)
    if (
        float in kinds
        and isinstance(value, int)
        and not isinstance(value, bool)
        and int not in kinds
    ):
        return float(value)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        wanted = " or ".join(one.__name__ for one in kinds)
        raise ConfigError(f"{where}: {name} must be of type {wanted}, not {value!r}")
    return value


def merge(settings: Mapping[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """Return tables with `name.of.setting=value` changes, values as in TOML or plain texts.

    Raises:
        ConfigError: if a change has no name or no value.
    """
    merged: dict[str, Any] = {
        key: dict(v) if isinstance(v, Mapping) else v for key, v in settings.items()
    }
    for change in changes:
        name, sign, text = change.partition("=")
        if not sign or not name:
            raise ConfigError(
                f"{change!r} changes nothing; write name=value, such as memory.limit=3"
            )
        *path, last = name.split(".")
        table = merged
        for part in path:
            table[part] = dict(table.get(part, {}))
            table = table[part]
        table[last] = _value(text)
    return merged


def _value(text: str) -> Any:  # noqa: ANN401  # what TOML says
    try:
        return parsed_toml(f"value = {text}")["value"]
    except ValueError:
        return text
