"""tau-bench (arXiv:2406.12045) from a user's own checkout: its tools, its data, its reward.

Only the user is ours to choose. In the benchmark a language model plays the customer; here it is whatever
callable is given, and without one a *scripted user*, who tells the whole instruction at once and leaves at
the agent's first answer. Scores with the scripted user are never to be compared with published ones.

The checkout's code is imported and run; what it needs for its own models (litellm and others) is not.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal

from agentcl.envs.base import Determinism, Observation, Oracle, Score, Split, Task
from agentcl.envs.engines import EngineEnvironment, Happened
from agentcl.envs.requests import families_of, require_own, step_limit
from agentcl.errors import InvalidInput, needs
from agentcl.text.parsing import parsed_json
from agentcl.text.paths import check_path

NAME: Final = "tau-bench"
FAMILIES: Final = ("airline", "retail")
MAX_STEPS: Final = 30  # as in the benchmark's own runs
STOP: Final = "###STOP###"  # what the user says to end a conversation
_RESPOND: Final = "respond"
_CALL: Final = re.compile(r"\s*(\w+)\s*(\{.*\})\s*", re.DOTALL)
_DOMAINS: Final = {"airline": "MockAirlineDomainEnv", "retail": "MockRetailDomainEnv"}
_PACKAGE: Final = "tau_bench"
_BROKEN: Final = (
    ImportError,
    AttributeError,
    SyntaxError,
    OSError,
    TypeError,
    json.JSONDecodeError,
)
_IMPORTING: Final = threading.Lock()  # the names of imported modules are the whole process's


@dataclass(frozen=True, slots=True)
class Utterance:
    """Something said in a conversation."""

    speaker: Literal["user", "agent"]
    text: str


UserSimulator = Callable[[str, Sequence[Utterance]], str]
"""Plays the user: from the instruction and all that was said so far to what the user says next. The first
call has no turns; an answer with `STOP` in it ends the conversation."""


def scripted_user(instruction: str, turns: Sequence[Utterance]) -> str:
    """Tell the instruction, and leave at the first answer."""
    return STOP if turns else instruction


class TauBenchEnvironment(EngineEnvironment):
    """A conversation with a user, and tools that read and change a shop's or an airline's records.

    An action is a call of a tool, `name {"argument": "value"}`, and anything else is said to the user. A
    conversation ends when the user leaves or is handed over; then the checkout compares its records with
    those that the right calls would have left. One that is cut off scores 0, as in the benchmark.
    """

    name = NAME

    def __init__(self, checkout: str | os.PathLike[str], user: UserSimulator) -> None:
        super().__init__()
        # Of a user whom we do not know nothing can be promised.
        self.determinism: Determinism = "bitwise" if user is scripted_user else "none"
        self._checkout = _Checkout(check_path(checkout, "checkout"))
        self._user = user
        self._domains: dict[tuple[str, Split], Any] = {}
        self._domain: Any = None
        self._reward = 0.0

    def _check(self, task: Task) -> None:
        self._checkout.require(task)

    def _begin(self, task: Task, seed: int) -> Observation:
        key = (task.family, task.split)
        if key not in self._domains:
            self._domains[key] = self._checkout.open(*key, self._user)
        self._domain, self._reward = self._domains[key], 0.0
        # Always with an index: without one the checkout draws it, and may draw one past the last.
        said = self._domain.reset(task_index=task.variation).observation
        return Observation(
            said,
            goal=_goal(self._domain),
            structured={"policy": self._domain.wiki, "tools": self._domain.tools_info},
        )

    def _act(self, action: str) -> Happened:
        name, arguments = _RESPOND, {"content": action}
        if call := _CALL.fullmatch(action):
            name = call[1]
            try:
                arguments = parsed_json(call[2])
            except ValueError as error:
                return Happened(f"the arguments of {name} are no JSON: {error}", 0.0, False)
        if name == _RESPOND and not isinstance(arguments.get("content"), str):
            return Happened('say it as respond {"content": "..."}, or as plain text', 0.0, False)
        response = self._domain.step(self._checkout.action(name, arguments))
        self._reward = float(response.reward)
        return Happened(str(response.observation), self._reward, bool(response.done))

    def _admissible(self) -> None:
        return None

    def _score(self) -> Score:
        return Score(self._reward, self._reward, self._reward >= 1)

    def _release(self) -> None:
        self._domains.clear()
        self._domain = None


class TauBenchOracle:
    """Reads the right calls from the checkout's tasks."""

    def __init__(self, checkout: Path) -> None:
        self._checkout = _Checkout(checkout)

    def actions(self, task: Task, *, seed: int) -> Sequence[str]:
        """Return the calls, and an answer with all that the user is to be told."""
        self._checkout.require(task)
        domain = self._checkout.known(task.family, task.split)
        wanted = domain.tasks[task.variation]
        left_out = {_RESPOND, *domain.terminate_tools}  # they change no records
        calls = [
            f"{call.name} {json.dumps(call.kwargs, ensure_ascii=False)}"
            for call in wanted.actions
            if call.name not in left_out
        ]
        told = json.dumps({"content": " ".join(wanted.outputs)}, ensure_ascii=False)
        return [*calls, f"{_RESPOND} {told}"]


class TauBenchDomain:
    """The tasks of a checkout: retail has train, dev and test, airline test alone."""

    name = NAME
    families: Sequence[str] = FAMILIES

    def __init__(
        self,
        checkout: str | os.PathLike[str] | None = None,
        user: UserSimulator = scripted_user,
        max_steps: int | str = MAX_STEPS,
    ) -> None:
        """Choose the folder that `git clone https://github.com/sierra-research/tau-bench` made.

        Args:
            checkout: that folder; the domain can be named without it, but nothing else.
            user: who plays the customer.
            max_steps: after which an episode is cut off.

        Raises:
            InvalidInput: if the limit is no positive number.
        """
        self._folder = None if checkout is None else check_path(checkout, "checkout")
        self._user = user
        self._max_steps = step_limit(max_steps)

    def make(self) -> TauBenchEnvironment:
        """Return a fresh environment.

        Raises:
            InvalidInput: if there is no checkout.
            MissingExtra: if what its tasks are written with is not installed.
        """
        return TauBenchEnvironment(self._required(), self._user)

    def tasks(self, split: Split, *, family: str | None = None) -> Iterator[Task]:
        """Yield the tasks of a split as the checkout has them."""
        chosen = families_of(split, family, FAMILIES)
        checkout = _Checkout(self._required())
        for kind in chosen:
            for index in range(checkout.size(kind, split)):
                yield Task(NAME, kind, index, split, self._max_steps, {"split": split})

    def oracle(self) -> Oracle | None:
        """Return what knows the right calls; None where there is no checkout, or a user of your own.

        How the right calls are to be reached in a conversation with such a user nobody knows.
        """
        if self._folder is None or self._user is not scripted_user:
            return None
        return TauBenchOracle(self._folder)

    def _required(self) -> Path:
        if self._folder is None:
            raise InvalidInput(
                "tau-bench is played from a checkout of your own: clone "
                "https://github.com/sierra-research/tau-bench and give its folder as checkout=FOLDER"
            )
        return self._folder


class _User:
    """Our user as the checkout asks for it."""

    def __init__(self, simulator: UserSimulator) -> None:
        self._simulator = simulator
        self._instruction = ""
        self._turns: list[Utterance] = []

    def reset(self, instruction: str) -> str:
        self._instruction, self._turns = instruction, []
        return self._next()

    def step(self, content: str) -> str:
        self._turns.append(Utterance("agent", content))
        return self._next()

    def get_total_cost(self) -> float:
        return 0.0

    def _next(self) -> str:
        said = self._simulator(self._instruction, tuple(self._turns))
        self._turns.append(Utterance("user", said))
        return said


class _Checkout:
    """The parts of a checkout that run without its models."""

    def __init__(self, folder: Path) -> None:
        if not (folder / _PACKAGE / "envs" / "base.py").is_file():
            raise InvalidInput(
                f"{folder} is no checkout of tau-bench: it has no {_PACKAGE}/envs/base.py; clone "
                "https://github.com/sierra-research/tau-bench"
            )
        with needs("tau-bench", "taubench"):
            import_module("pydantic")
        self._folder = folder
        self._known: dict[tuple[str, Split], Any] = {}
        self._modules: dict[str, ModuleType] = {}

    def open(self, family: str, split: Split, user: UserSimulator) -> Any:  # noqa: ANN401
        """Return the checkout's environment of a family.

        Raises:
            InvalidInput: if the checkout is broken: files are missing, cut short, or of another version.
            ValueError: the checkout's own, if it has no such split.
        """
        try:
            with self._imported():
                module = import_module(f"{_PACKAGE}.envs.{family}")
                domain = getattr(module, _DOMAINS[family])
                # What is given as strategy reaches `load_user`, which is ours and gives it back.
                return domain(
                    user_strategy=_User(user), user_model="", task_split=split, task_index=0
                )
        except _BROKEN as error:
            raise InvalidInput(
                f"{self._folder} cannot be used as a checkout of tau-bench: {type(error).__name__}: {error}"
            ) from error

    def known(self, family: str, split: Split) -> Any:  # noqa: ANN401
        """Return an environment to read tasks from; None where the checkout has no such split."""
        key = (family, split)
        if key not in self._known:
            try:
                self._known[key] = self.open(family, split, scripted_user)
            except InvalidInput:
                raise
            except ValueError:
                self._known[key] = None
        return self._known[key]

    def size(self, family: str, split: Split) -> int:
        """Return how many tasks there are."""
        known = self.known(family, split)
        return 0 if known is None else len(known.tasks)

    def require(self, task: Task) -> None:
        """Raise InvalidInput if the task is not one of this checkout."""
        require_own(task, NAME, FAMILIES)
        size = self.size(task.family, task.split)
        if not 0 <= task.variation < size:
            raise InvalidInput(
                f"{task.family} has no {task.split} task {task.variation}; it has {size} of them"
            )

    def action(self, name: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401
        """Return an action of the checkout's own kind."""
        return self._modules[f"{_PACKAGE}.types"].__dict__["Action"](name=name, kwargs=arguments)

    @contextmanager
    def _imported(self) -> Iterator[None]:
        """Let `tau_bench` mean this checkout, without what it imports for its models; then take it back."""
        with _IMPORTING:
            theirs = _taken_out()
            sys.modules.update(self._modules or _stand_ins(self._folder))
            try:
                yield
            finally:
                self._modules = _taken_out()
                sys.modules.update(theirs)


def _taken_out() -> dict[str, ModuleType]:
    """Take the checkout's modules, whosever they are, from those that are imported."""
    names = [name for name in sys.modules if name.partition(".")[0] == _PACKAGE]
    return {name: sys.modules.pop(name) for name in names}


def _stand_ins(folder: Path) -> dict[str, ModuleType]:
    """Return a package that imports nothing by itself, and a module of users that asks no model."""
    package, users = ModuleType(_PACKAGE), ModuleType(f"{_PACKAGE}.envs.user")
    package.__path__ = [str(folder / _PACKAGE)]

    def load_user(user_strategy: _User, **_: object) -> _User:
        return user_strategy

    class UserStrategy:
        LLM = "llm"  # the default, which is never used here

    users.__dict__.update(load_user=load_user, UserStrategy=UserStrategy)
    return {package.__name__: package, users.__name__: users}


def _goal(domain: Any) -> str:  # noqa: ANN401
    tools = []
    for tool in domain.tools_info:
        function = tool["function"]
        arguments = json.dumps(function["parameters"].get("properties", {}), ensure_ascii=False)
        tools.append(f"- {function['name']}: {function['description']} Arguments: {arguments}")
    return (
        'Help the user as far as the policy allows. Call a tool as `name {"argument": "value"}`; '
        "whatever else you write is said to the user.\n\n"
        f"The policy:\n\n{domain.wiki.strip()}\n\nThe tools:\n\n" + "\n".join(tools)
    )
