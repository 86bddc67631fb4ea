"""Does a domain keep the contract? A check that anybody can run on their own."""

from __future__ import annotations

import math
import pickle
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Final

from agentcl.envs.base import SPLITS, Domain, Environment, Oracle, Outcome, Task
from agentcl.envs.policies import NullPolicy, OraclePolicy, RandomPolicy, ReplayPolicy, play
from agentcl.errors import AgentclError, InvalidInput

LONGEST_TEXT: Final = 100_000  # characters of one observation; more fits no prompt
SLOWEST_STEP_S: Final = 30.0
_SOLVED: Final = 1 - 1e-9
_ODD: Final = ("", "\0", "no such action", "🦉" * 200, "x" * 10_000)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the contract asks for, and whether it is so."""

    name: str
    is_kept: bool
    detail: str = ""  # what was seen instead


class _Broken(Exception):
    """What was seen instead of what the contract asks for."""


def check(domain: Domain, *, tasks: int = 5) -> list[Finding]:
    """Play some tasks of a domain and return what was found, in the order of the contract.

    Args:
        domain: any domain; the domains of agentcl all pass.
        tasks: how many tasks of the first split that has some.
    """
    chosen: list[Task] = []
    findings = [
        _try("tasks are listed, the same each time", lambda: chosen.extend(_tasks(domain, tasks)))
    ]
    if not chosen:
        return findings
    findings.append(_try("a family lists its own tasks", lambda: _families(domain, tasks)))
    names: dict[str, Callable[[Environment, Sequence[Task]], None]] = {
        "tasks can be stored and compared": _tasks_are_values,
        "nothing can be done before reset": _needs_reset,
        "reset shows the goal": _shows_goal,
        "the same seed begins alike": _begins_alike,
        "the same actions lead to the same": _repeats,
        "admissible actions are distinct texts, in the same order": _admissible,
        "odd actions take a step and break nothing": _odd_actions,
        "scores lie between 0 and 1": _scores,
        "the step limit truncates": _truncates,
        "nothing can be done when it is over": _ends,
        "observations fit a prompt": _texts,
        "steps are fast enough to wait for": _is_fast,
        "it can be closed twice": _closes,
    }
    for name, act in names.items():
        findings.append(_try(name, lambda act=act: _with(domain, chosen, act)))  # type: ignore[misc]
    oracle = domain.oracle()
    if oracle is not None:
        known = oracle
        findings.append(
            _try("the oracle solves every task", lambda: _solves(domain, chosen, known))
        )
    return findings


def _try(name: str, act: Callable[[], None]) -> Finding:
    try:
        act()
    except _Broken as broken:
        return Finding(name, False, str(broken))
    except Exception as error:  # noqa: BLE001  # whatever a stranger's domain raises is to be found here
        return Finding(name, False, f"it raised {type(error).__name__}: {error}")
    return Finding(name, True)


def _with(
    domain: Domain, tasks: Sequence[Task], act: Callable[[Environment, Sequence[Task]], None]
) -> None:
    environment = domain.make()
    try:
        act(environment, tasks)
    finally:
        environment.close()


def _expect(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise _Broken(otherwise)


def _tasks(domain: Domain, count: int) -> list[Task]:
    for split in SPLITS:
        found = list(islice(domain.tasks(split), count))
        if found:
            again = list(islice(domain.tasks(split), count))
            _expect(found == again, f"split {split!r} lists other tasks the second time")
            return found
    raise _Broken("no split has a task")


def _families(domain: Domain, count: int) -> None:
    for split, family in product(SPLITS, domain.families):
        for task in islice(domain.tasks(split, family=family), count):
            _expect(
                task.family == family,
                f"asked for {family!r} alone, split {split!r} lists {task.id}, a task of {task.family!r}",
            )


def _tasks_are_values(environment: Environment, tasks: Sequence[Task]) -> None:
    for task in tasks:
        _expect(Task.from_json(task.to_json()) == task, f"{task.id} changes when stored as JSON")
        _expect(pickle.loads(pickle.dumps(task)) == task, f"{task.id} changes when pickled")
        _expect(
            task.env == environment.name, f"{task.id} names another domain than its environment"
        )
    _expect(len({task.id for task in tasks}) == len(tasks), "two tasks have the same id")


def _needs_reset(environment: Environment, tasks: Sequence[Task]) -> None:
    for name, act in (("step", lambda: environment.step("x")), ("score", environment.score)):
        try:
            act()
        except InvalidInput:
            continue
        raise _Broken(f"{name} works before reset")


def _shows_goal(environment: Environment, tasks: Sequence[Task]) -> None:
    for task in tasks:
        seen = environment.reset(task, seed=0)
        _expect(bool(seen.goal.strip()), f"{task.id} has no goal")
        _expect(bool(seen.text.strip()), f"{task.id} begins with nothing to see")


def _begins_alike(environment: Environment, tasks: Sequence[Task]) -> None:
    for task in tasks:
        first, second = environment.reset(task, seed=3), environment.reset(task, seed=3)
        if environment.determinism == "bitwise":
            _expect(first == second, f"{task.id} begins with {first.text!r}, then {second.text!r}")


def _repeats(environment: Environment, tasks: Sequence[Task]) -> None:
    if environment.determinism == "none":
        return
    for task in tasks:
        first = play(environment, RandomPolicy(), task, seed=1)
        if environment.determinism == "bitwise":
            second = play(environment, RandomPolicy(), task, seed=1)
            _expect(first == second, f"{task.id} went otherwise the second time")
        else:  # what is offered may be worded otherwise; what is promised is for the same actions
            same = ReplayPolicy([action for action, _ in first.steps])
            second = play(environment, same, task, seed=1)
        _expect(first.score == second.score, f"{task.id}: {first.score}, then {second.score}")


def _admissible(environment: Environment, tasks: Sequence[Task]) -> None:
    for task in tasks:
        environment.reset(task, seed=0)
        actions = environment.admissible_actions()
        if actions is None:
            return
        _expect(all(isinstance(a, str) and a for a in actions), f"{task.id} offers an empty action")
        _expect(len(set(actions)) == len(actions), f"{task.id} offers an action twice")
        _expect(list(actions) == list(environment.admissible_actions() or ()),
                f"{task.id} offers other actions when asked again")  # fmt: skip
        few = environment.admissible_actions(limit=1)
        _expect(few is not None and len(few) <= 1, f"{task.id} offers more than its limit")


def _odd_actions(environment: Environment, tasks: Sequence[Task]) -> None:
    for action in _ODD:
        environment.reset(tasks[0], seed=0)
        outcome = environment.step(action)
        _expect(isinstance(outcome, Outcome), f"{action[:20]!r} gives {outcome!r}")
        _expect(
            math.isfinite(outcome.reward), f"{action[:20]!r} gives a reward of {outcome.reward}"
        )


def _scores(environment: Environment, tasks: Sequence[Task]) -> None:
    for task in tasks:
        for policy in (NullPolicy(), RandomPolicy()):
            played = play(environment, policy, task, seed=2)
            _expect(played.score is not None, f"{task.id}: {played.end}")
            assert played.score is not None
            _expect(
                math.isfinite(played.score.raw), f"{task.id} has a raw score of {played.score.raw}"
            )


def _truncates(environment: Environment, tasks: Sequence[Task]) -> None:
    for task in tasks:
        played = play(environment, NullPolicy(), task, seed=0)
        _expect(len(played.steps) <= task.max_steps, f"{task.id} takes {len(played.steps)} steps")
        _expect(played.end != "gave up", f"{task.id} goes on for ever")


def _ends(environment: Environment, tasks: Sequence[Task]) -> None:
    play(environment, NullPolicy(), tasks[0], seed=0)
    try:
        environment.step("x")
    except InvalidInput:
        return
    raise _Broken("step works when the episode is over")


def _texts(environment: Environment, tasks: Sequence[Task]) -> None:
    for task in tasks:
        longest = max(map(len, _seen(environment, task)), default=0)
        _expect(longest <= LONGEST_TEXT, f"{task.id} shows {longest:,} characters at once")


def _seen(environment: Environment, task: Task) -> Iterator[str]:
    yield environment.reset(task, seed=0).text
    yield from (text for _, text in play(environment, RandomPolicy(), task, seed=0).steps)


def _is_fast(environment: Environment, tasks: Sequence[Task]) -> None:
    started = time.monotonic()
    played = play(environment, RandomPolicy(), random.Random(0).choice(tasks), seed=0)
    seconds = (time.monotonic() - started) / max(1, len(played.steps))
    _expect(seconds < SLOWEST_STEP_S, f"a step takes {seconds:.0f} s")


def _closes(environment: Environment, tasks: Sequence[Task]) -> None:
    environment.reset(tasks[0], seed=0)
    environment.close()
    environment.close()


def _solves(domain: Domain, tasks: Sequence[Task], oracle: Oracle) -> None:
    environment = domain.make()
    try:
        for task in tasks:
            played = play(environment, OraclePolicy(oracle), task, seed=4)
            is_solved = played.score is not None and played.score.value >= _SOLVED
            _expect(is_solved, f"{task.id}: {played.end}, {played.score}")
    except AgentclError as error:
        raise _Broken(str(error)) from error
    finally:
        environment.close()
