"""Episodes as data for trainers: conversations that succeeded (sft), and pairs that parted ways (dpo).

The forms are those that TRL reads: `messages`, and `prompt`, `chosen`, `rejected`. Beside them stands what the memory
knows: how the episode went, and which lessons were in its prompt, with their credit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, Unpack

from agentcl.consolidation.rows.building import prompt_of, steps_of
from agentcl.errors import NotFound
from agentcl.store.checks import ReadScope, check_choice
from agentcl.store.episodes import Episode, Step

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory

Format = Literal["sft", "dpo"]


def export_episodes(
    memory: Memory, format: Format, **scope: Unpack[ReadScope]
) -> Iterator[Mapping[str, Any]]:
    """Yield rows for a trainer, in the order of episodes.

    - "sft": each episode that succeeded, as one conversation: what was seen is the user's, what was done the
      assistant's.
    - "dpo": where of two attempts at one task in one world one succeeded and one failed, the first situation
      that both met and acted on differently.

    Args:
        memory: whose episodes.
        format: "sft" or "dpo".
        scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

    Raises:
        InvalidInput: if there is no such format.
    """
    check_choice(format, ("sft", "dpo"), "format")
    episodes = list(memory.episodes.list(**scope))
    labels = _Labels(memory, scope)
    return _sft(memory, episodes, labels) if format == "sft" else _dpo(memory, episodes, labels)


def _sft(
    memory: Memory, episodes: Iterable[Episode], labels: _Labels
) -> Iterator[Mapping[str, Any]]:
    for one in episodes:
        steps = steps_of(memory, one) if one.is_success else []
        if not steps:
            continue
        messages = []
        for place, step in enumerate(steps):
            asked = step.seen if place else prompt_of(one, step)
            messages += [_message("user", asked), _message("assistant", step.action)]
        yield {"messages": messages, **labels.of(one)}


def _dpo(
    memory: Memory, episodes: Iterable[Episode], labels: _Labels
) -> Iterator[Mapping[str, Any]]:
    attempts: dict[tuple[object, ...], list[Episode]] = defaultdict(list)
    for one in episodes:
        if one.is_success is not None:
            key = (one.scope, one.application, one.world, one.goal or one.task)
            attempts[key].append(one)
    for held in attempts.values():
        good = [one for one in held if one.is_success]
        for failed in (one for one in held if not one.is_success):
            for won in good:
                if parted := _parting(steps_of(memory, won), steps_of(memory, failed)):
                    better, worse = parted
                    yield {
                        "prompt": [_message("user", prompt_of(won, better))],
                        "chosen": [_message("assistant", better.action)],
                        "rejected": [_message("assistant", worse.action)],
                        **labels.of(won),
                        "rejected_episode": failed.id,
                    }
                    break


def _parting(won: Sequence[Step], failed: Sequence[Step]) -> tuple[Step, Step] | None:
    """Return the first situation that both met and acted on differently."""
    first = {step.seen: step for step in reversed(failed)}
    for step in won:
        other = first.get(step.seen)
        if other is not None and other.action != step.action:
            return step, other
    return None


class _Labels:
    """What the memory knows of an episode, beside its texts."""

    def __init__(self, memory: Memory, scope: ReadScope) -> None:
        self._memory, self._scope = memory, scope
        self._known: dict[str, Mapping[str, Any] | None] = {}

    def of(self, one: Episode) -> Mapping[str, Any]:
        lessons = [
            {**known, "shown": exposure.is_shown, "followed": exposure.is_followed}
            for exposure in one.exposures
            if (known := self._lesson(exposure.guidance))
        ]
        return {
            "episode": one.id,
            "score": one.score,
            "judge": one.judge,
            "scope": {name: value for name, value in asdict(one.scope).items() if value},
            "lessons": lessons,
        }

    def _lesson(self, id: str) -> Mapping[str, Any] | None:
        """Return a lesson with its credit; None for one that is gone."""
        if id not in self._known:
            try:
                held = self._memory.lessons.get(id, **self._scope)
            except NotFound:
                self._known[id] = None
            else:
                belief = held.belief
                self._known[id] = {
                    "id": id, "sentence": held.sentence, "stage": belief.stage,
                    "trust": round(belief.trust, 4), "uplift": round(belief.uplift, 4), "sd": round(belief.sd, 4),
                }  # fmt: skip
        return self._known[id]


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}
