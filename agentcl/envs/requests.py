"""What a domain is asked for, checked: splits, families, tasks and options."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from agentcl.envs.base import SPLITS, Split, Task
from agentcl.errors import InvalidInput


def families_of(split: Split, family: str | None, families: Sequence[str]) -> Sequence[str]:
    """Return which families to list: all of them, or the one that is asked for.

    Raises:
        InvalidInput: if there is no such split or family.
    """
    if split not in SPLITS:
        raise InvalidInput(f"there is no split {split!r}; choose train, dev or test")
    if family is None:
        return families
    require_family(family, families)
    return (family,)


def require_family(family: str, families: Collection[str]) -> None:
    """Raise InvalidInput if a domain has no such family."""
    if family not in families:
        raise InvalidInput(f"there is no family {family!r}; choose one of {', '.join(families)}")


def require_own(task: Task, name: str, families: Collection[str]) -> None:
    """Raise InvalidInput if a task is not one of a domain's."""
    if task.env != name or task.family not in families:
        raise InvalidInput(
            f"{task.id} is no task of {name}; its families are {', '.join(families)}"
        )


def step_limit(max_steps: int | str) -> int:
    """Return an option that may come as a text. Raises InvalidInput if it is no positive number."""
    if not str(max_steps).isdecimal() or int(max_steps) < 1:
        raise InvalidInput(f"max_steps is {max_steps!r}, not a number from 1")
    return int(max_steps)
