"""What one part of a run needs: memories, opened where they are needed, and who plays with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from agentcl.agents.teacher import Distiller
from agentcl.bench.baseline_player import BaselinePlayer, MemoryOf
from agentcl.bench.baselines.base import Baseline, Item
from agentcl.bench.baselines.registry import (
    ORACLE,
    Options,
    guidance_options,
    guidance_rules,
    open_baseline,
)
from agentcl.bench.build import Leaving, make_actor, make_student, read_told
from agentcl.bench.episodes import Player
from agentcl.bench.guidance_player import GuidancePlayer
from agentcl.bench.kept_vectors import KeptVectors
from agentcl.bench.leaks import CheckedMemory
from agentcl.bench.settings import RunSettings
from agentcl.envs.acting import Actor
from agentcl.envs.base import Domain, Instructive
from agentcl.envs.streams.stream import StreamItem
from agentcl.errors import ConfigError
from agentcl.guidance.rules import GuidanceRules
from agentcl.memory.memory import Memory
from agentcl.models.base import ChatModel
from agentcl.retrieval.encoders import Encoder, open_encoder

# Baselines that give what they hold, without a search: how much is their own setting.
WHOLE: Final = ("full", "last-", "transcripts-", "notes-", ORACLE)
_WITHOUT_VECTORS: Final = ("none", "bm25", *WHOLE)
_MOST: Final = 10_000


class BaselineSetup:
    """The memories of one baseline with one seed, and who plays with them.

    Args:
        settings: of the run.
        baseline: what remembers.
        scratch: for what the rows bring back.
        kept: for a memory that outlives the process.
        vectors: a file for vectors of what the rows bring back; None keeps none.
    """

    def __init__(
        self,
        settings: RunSettings,
        baseline: str,
        *,
        scratch: Path,
        kept: Path,
        vectors: Path | None = None,
    ) -> None:
        self._settings, self._baseline = settings, baseline
        self._scratch, self._kept, self._vectors = scratch, kept, vectors
        self._open: list[Baseline | Memory | KeptVectors] = []
        self._about: Mapping[str, Any] = {}

    def baseline(self, place: int = 0) -> Baseline:
        """Return a baseline that remembers nothing yet; the one of that place among several."""
        return self._opened(place, self._settings.memory.options.get(self._baseline, {}))

    def _opened(self, place: int, options: Options) -> Baseline:
        memory = self._settings.memory
        has_vectors = not self._baseline.startswith(_WITHOUT_VECTORS)
        encoder = self._encoder() if has_vectors else memory.encoder
        folder = self._scratch / f"{place}"
        opened = open_baseline(self._baseline, encoder=encoder, folder=folder, options=options)
        self._open.append(opened)
        self._about = opened.settings()
        return opened

    def _encoder(self) -> Encoder:
        encoder = _encoder(self._settings.memory.encoder)
        if self._vectors is None or encoder.is_lexical:  # those cost nothing
            return encoder
        kept = KeptVectors(encoder, self._vectors)
        self._open.append(kept)
        return kept

    @property
    def shown(self) -> int:
        """How many items a prompt may hold."""
        return _MOST if self._baseline.startswith(WHOLE) else self._settings.memory.limit

    def player(self, domain: Domain, model: ChatModel | None) -> Player:
        """Return who plays the tasks of a domain.

        Raises:
            ConfigError: if the agent of the run cannot play with such a memory.
        """
        rules = guidance_rules(self._baseline)
        if rules is not None:
            return self._guidance_player(domain, model, rules)
        leaves = leaving(self._baseline, self._settings.agent.learn)
        actor, learner = make_actor(self._settings, domain, model, leaves=leaves)
        if self._baseline == ORACLE:
            return BaselinePlayer(self._oracle_of(domain), actor)
        if leaves == "nothing":
            untaught = CheckedMemory(self.baseline(), limit=self.shown)
            return BaselinePlayer(lambda item: untaught, actor)
        told = self._told()
        if leaves == "notes":
            return BaselinePlayer(self._by_family(told), actor, learner, are_notes=True)
        memory = self._checked(told)
        return BaselinePlayer(lambda item: memory, actor, learner)

    def settings(self) -> Mapping[str, Any]:
        """Return what a result must say of the memory."""
        return self._about

    def close(self) -> None:
        """Close what is open."""
        while self._open:
            self._open.pop().close()

    def _guidance_player(
        self, domain: Domain, model: ChatModel | None, rules: GuidanceRules
    ) -> GuidancePlayer:
        options = guidance_options(
            self._baseline, self._settings.memory.options.get(self._baseline, {})
        )
        student, teacher = self._student(model)
        memory = Memory(
            self._kept,
            encoder=_encoder(self._settings.memory.encoder),
            index="exact",
            durability="normal",
            busy_timeout_s=30.0,
        )
        memory.lessons.rules = rules
        self._open.append(memory)
        told = read_told(options.told) if options.told else ("", [])
        self._about = {
            "encoder": memory.store.encoder.name,
            **asdict(options),
            "told": len(told[1]),
            "agentcl": version("agentcl"),
        }
        return GuidancePlayer(
            memory,
            student,
            teacher,
            domain=domain,
            told=told,
            options=options,
            name=model.name if model else self._settings.agent.name,
            fingerprint=model.fingerprint() if model else "",
            instructions=getattr(student, "instructions", ""),
        )

    def _student(self, model: ChatModel | None) -> tuple[Actor, Distiller | None]:
        student, teacher = make_student(self._settings.agent, model)
        return student, None if self._settings.agent.learn == "nothing" else teacher

    def _by_family(self, told: Sequence[Item]) -> MemoryOf:
        memories: dict[str, CheckedMemory] = {}

        def memory_of(item: StreamItem) -> CheckedMemory:
            family = item.task.family
            if family not in memories:
                memories[family] = self._checked(told, len(memories))
            return memories[family]

        return memory_of

    def _told(self) -> list[Item]:
        """Return what a baseline that learns is told before the first episode."""
        path = self._settings.memory.options.get(self._baseline, {}).get("told", "")
        lessons = read_told(str(path))[1] if path else []
        return [Item(f"told.{n}", one.sentence()) for n, one in enumerate(lessons)]

    def _checked(self, told: Sequence[Item], place: int = 0) -> CheckedMemory:
        options = dict(self._settings.memory.options.get(self._baseline, {}))
        options.pop("told", None)
        memory = CheckedMemory(self._opened(place, options), limit=self.shown)
        memory.add(told)
        self._about = {**self._about, "told": len(told)}
        return memory

    def _oracle_of(self, domain: Domain) -> MemoryOf:
        if not isinstance(domain, Instructive):
            raise ConfigError(
                f"nobody can say what there is to know in {domain.name}; leave the baseline {ORACLE!r} out"
            )

        def memory_of(item: StreamItem) -> CheckedMemory:
            self.close()
            memory = CheckedMemory(self.baseline(), limit=self.shown)
            sentences = domain.lessons(item.task, seed=item.seed)
            memory.add([Item(f"oracle.{n}", text) for n, text in enumerate(sentences)])
            return memory

        return memory_of


def leaving(baseline: str, learn: Leaving) -> Leaving:
    """Return what an episode leaves for a baseline, if `learn` is what it leaves for most."""
    if baseline in ("none", ORACLE):
        return "nothing"  # so that nobody is charged for what is thrown away
    if baseline == "episodes" or baseline.startswith("transcripts-"):
        return "record"
    return "notes" if baseline.startswith("notes-") else learn


@cache
def _encoder(name: str) -> Encoder:
    """Return an encoder, loaded once in a process."""
    return open_encoder(name)


def are_for_tasks(baselines: Sequence[str]) -> list[str]:
    """Return the baselines among some that need episodes, and can answer no questions."""
    begins = ("notes-", "transcripts-")
    return [
        baseline
        for baseline in baselines
        if baseline in (ORACLE, "episodes")
        or guidance_rules(baseline)
        or baseline.startswith(begins)
    ]
