"""A trajectory as a short text that an agent can use: what was asked, what was done, and what came of it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

from agentcl.bench.state_bench.reading import CalledTool, Trajectory
from agentcl.text.visible import shortened

_OFTEN: Final = 3  # trajectories in which a value stands that is a choice, and no name of one case
_OPENING: Final = 400  # characters of what a customer says first ...
_LATER: Final = 160  # ... later ...
_LAST: Final = 240  # ... and of the agent's last words
_STAGES: Final = 8  # turns of a case that are told
_TOLD: Final = ("status", "reason", "error", "message")  # of a result
_CALLS: Final = 8  # of one turn
_CHOICE: Final = re.compile(r"[a-z]+([_ -][a-z]+){0,4}")  # what names a case has digits or capitals

Telling = Collection[tuple[str, str, str]]


def telling_of(trajectories: Iterable[Trajectory]) -> frozenset[tuple[str, str, str]]:
    """Return the arguments that are choices, as (tool, argument, value): they come in several trajectories.

    Numbers of orders and names of customers belong to one case. A topic of a policy or the reason of a return is what
    another case can learn from.
    """
    seen: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
    for one in trajectories:
        for call in one.calls:
            for name, value in call.arguments.items():
                if isinstance(value, bool | str) and _CHOICE.fullmatch(_plain(value)):
                    seen[call.name, name, _plain(value)].add(one.task)
    return frozenset(choice for choice, tasks in seen.items() if len(tasks) >= _OFTEN)


def case_of(trajectory: Trajectory, telling: Telling) -> str:
    """Return what happened in one trajectory, in a text of bounded length.

    Args:
        trajectory: of the benchmark's own agent.
        telling: the arguments to tell, as `telling_of` has them; others are left out.
    """
    lines = [f'A customer wrote: "{_cut(trajectory.opening, _OPENING)}"']
    stages = [*_stages(trajectory, telling)]
    lines += stages[:_STAGES]
    if len(stages) > _STAGES:
        lines.append("...")
    said = [turn.text for turn in trajectory.turns if turn.role == "assistant" and turn.text]
    if said:
        lines.append(f'The agent\'s last words: "{_cut(said[-1], _LAST)}"')
    return "\n".join(lines)


def _stages(trajectory: Trajectory, telling: Telling) -> Iterator[str]:
    """Yield what was done between what the customer said, and the latter where something was done upon it."""
    is_first, heard = True, ""
    for turn in trajectory.turns:
        if turn.role == "user":
            heard, is_first = ("" if is_first else turn.text), False
        elif turn.calls:
            if heard:
                yield f'Then the customer wrote: "{_cut(heard, _LATER)}"'
            calls = [*_runs(turn.calls, telling)]
            told = [*calls[:_CALLS], *(["..."] if len(calls) > _CALLS else [])]
            yield f"The agent called {'; '.join(told)}."
            heard = ""


def _runs(calls: Iterable[CalledTool], telling: Telling) -> Iterator[str]:
    """Yield calls in words, each once where it comes several times in a row."""
    last, times = "", 0
    for told in (*(_told(call, telling) for call in calls), ""):
        if told != last:
            if last:
                yield last if times == 1 else f"{last} ({times} times)"
            last, times = told, 0
        times += 1


def _told(call: CalledTool, telling: Telling) -> str:
    chosen = [
        f"{name}={_plain(value)}"
        for name, value in call.arguments.items()
        if (call.name, name, _plain(value)) in telling
    ]
    result = call.result if isinstance(call.result, dict) else {}
    came = [
        _cut(value, _LATER).rstrip(".")
        for name in _TOLD
        if isinstance(value := result.get(name), str) and value not in call.arguments.values()
    ]
    return f"{call.name}({', '.join(chosen)})" + (f" -> {': '.join(came)}" if came else "")


def _plain(value: Any) -> str:  # noqa: ANN401  # any of JSON
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _cut(text: str, most: int) -> str:
    return shortened(" ".join(text.split()), most)
