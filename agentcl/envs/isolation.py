"""An environment in a process of its own: one that leaks, hangs or crashes takes nothing else with it."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any, Final

from agentcl.envs.base import Determinism, Observation, Outcome, Score, Task
from agentcl.errors import EnvironmentFailed, InvalidInput, MissingExtra, ProcessFailed
from agentcl.process import ChildProcess

_ENDING_S: Final = 5.0  # for a process that was asked to end
# What the child may raise that says something of the request, not of the environment.
_REFUSALS: Final = ("InvalidInput",)


class IsolatedEnvironment:
    """An environment whose every call is answered by a child process, within a time limit.

    A child that dies or hangs is killed with all that it started, and the call raises
    `EnvironmentFailed`; the next `reset` begins with a fresh one.

    Args:
        domain: as `open_domain` takes it: a name, or `module:Class` of your own.
        options: keywords of the domain's class.
        timeout_s: how long one call may take; the first includes starting the child and the engine.
        restarts: how many episodes in a row may fail before `reset` refuses to start another child.
        recycle_after: episodes after which the child is replaced, for engines that leak; default: never.
        variables: environment variables of the child, such as a limit on a Java heap.
    """

    def __init__(
        self,
        domain: str,
        options: Mapping[str, str] | None = None,
        *,
        timeout_s: float = 60.0,
        restarts: int = 3,
        recycle_after: int | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        if timeout_s <= 0 or restarts < 1 or (recycle_after is not None and recycle_after < 1):
            raise InvalidInput("timeout_s must be above 0, restarts and recycle_after at least 1")
        self._domain, self._options = domain, dict(options or {})
        self._timeout_s, self._restarts, self._recycle_after = timeout_s, restarts, recycle_after
        self._variables = dict(variables or {})
        self._child: _Child | None = None
        self._failed = 0  # episodes in a row
        self._episodes = 0  # of this child
        self._is_closed = False
        self.name: str
        self.determinism: Determinism
        try:
            self.name, self.determinism = self._call("about")
        except BaseException:
            self._end(is_asked=False)
            raise

    def reset(self, task: Task, *, seed: int) -> Observation:
        """Begin an episode, with a fresh child if the last one failed. Raises EnvironmentFailed."""
        if self._recycle_after is not None and self._episodes >= self._recycle_after:
            self._end()
        seen: Observation = self._call("reset", task=task, seed=seed)
        self._episodes += 1
        return seen

    def step(self, action: str) -> Outcome:
        """Act."""
        outcome: Outcome = self._call("step", action=action, is_within=True)
        return outcome

    def admissible_actions(self, limit: int | None = None) -> Sequence[str] | None:
        """Return actions that do something now."""
        actions: Sequence[str] | None = self._call(
            "admissible_actions", limit=limit, is_within=True
        )
        return actions

    def changes(self, action: str) -> bool:
        """Return whether an action may change something, as far as the child's environment says (`Foreseen`)."""
        return bool(self._call("changes", action=action, is_within=True))

    def score(self) -> Score:
        """Return how well the episode went so far."""
        score: Score = self._call("score", is_within=True)
        self._failed = 0
        return score

    def close(self) -> None:
        """End the child; calling it twice is allowed."""
        self._is_closed = True
        self._end()

    @property
    def pid(self) -> int | None:
        """The child's process id; None while there is none."""
        return None if self._child is None else self._child.pid

    def __enter__(self) -> IsolatedEnvironment:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, method: str, *, is_within: bool = False, **arguments: object) -> Any:  # noqa: ANN401  # the method's
        if self._is_closed:
            raise InvalidInput(f"the environment {self._domain!r} is closed")
        if self._child is None:
            if is_within:
                raise InvalidInput(f"no episode of {self._domain!r} has begun; call reset first")
            if self._failed >= self._restarts:
                raise EnvironmentFailed(
                    f"{self._domain} failed {self._failed} times in a row and is not started again"
                )
            self._child = _Child(self._domain, self._options, self._variables)
            self._episodes = 0
        try:
            kind, told = self._child.ask(method, arguments, self._timeout_s)
        except EnvironmentFailed:
            self._failed += 1
            self._end(is_asked=False)
            raise
        if kind == "error":
            self._raise(*told)
        return told

    def _raise(self, name: str, message: str, trace: str) -> None:
        if name in _REFUSALS:
            raise InvalidInput(message)
        if name == "MissingExtra":
            raise _Missing(message)
        self._failed += 1
        self._end()
        if name == "EnvironmentFailed":
            raise EnvironmentFailed(message)
        raise EnvironmentFailed(f"{self._domain} raised {name}: {message}\n{trace}")

    def _end(self, *, is_asked: bool = True) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.end(is_asked=is_asked)


class _Missing(MissingExtra):
    """The child's own words on what is not installed."""

    def __init__(self, message: str) -> None:
        ImportError.__init__(self, message)


class _Child:
    """The process and the socket to it."""

    def __init__(
        self, domain: str, options: Mapping[str, str], variables: Mapping[str, str]
    ) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            command = (sys.executable, "-m", "agentcl.envs.child", str(theirs.fileno()), domain)
            # A class of the user's own is found where this process would find it.
            path = os.pathsep.join(filter(None, ["", *sys.path]))
            try:
                self._process = ChildProcess(
                    [*command, json.dumps(dict(options))],
                    variables={"PYTHONPATH": path, **variables},
                    descriptors=[theirs.fileno()],
                )
            except ProcessFailed as error:
                raise EnvironmentFailed(str(error)) from error
            self._connection = Connection(ours.detach())
        self.pid = self._process.pid

    def ask(
        self, method: str, arguments: Mapping[str, object], timeout_s: float
    ) -> tuple[str, Any]:
        """Return the child's answer. Raises EnvironmentFailed if none comes."""
        try:
            self._connection.send((method, dict(arguments)))
            if not self._connection.poll(timeout_s):
                raise EnvironmentFailed(
                    f"it did not answer {method!r} within {timeout_s:g} s, and was ended; give it "
                    "a longer timeout_s if that is how slow it is"
                )
            answer: tuple[str, Any] = self._connection.recv()
        except (EOFError, OSError) as error:
            self._process.wait(_ENDING_S)
            said = self._process.tail()
            raise EnvironmentFailed(
                f"its process ended in {method!r} ({self._process.fate()})"
                + (f"; it said:\n{said}" if said else "")
            ) from error
        return answer

    def end(self, *, is_asked: bool) -> None:
        """End it and all that it started; one that is asked may close its environment first."""
        self._connection.close()
        if is_asked:
            self._process.close(patience_s=_ENDING_S)
        else:
            self._process.kill()
