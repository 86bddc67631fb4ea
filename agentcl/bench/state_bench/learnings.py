"""What a memory keeps of STATE-Bench's trajectories, and what it answers when an agent asks for learnings."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final, Self

from agentcl.bench.state_bench.cases import case_of, telling_of
from agentcl.bench.state_bench.reading import Trajectory
from agentcl.store.checks import check_count
from agentcl.store.records import Document

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory

_URI: Final = "state-bench:"
_CASE: Final = "case"  # the field that holds what is told
_ALL: Final = 1_000_000
_SHOWN: Final = ("candidate", "trial", "active")  # stages of lessons that nothing speaks against
_PASSAGES: Final = 3  # that are asked for, of each case; a long one has several


@dataclass(frozen=True, slots=True)
class CasesLearned:
    """What a memory took up."""

    cases: int  # that are new or changed
    known: int  # that it had already


def learn_cases(
    memory: Memory,
    trajectories: Sequence[Trajectory],
    *,
    progress: Callable[[int], None] | None = None,
) -> CasesLearned:
    """Keep each trajectory as a case that can be found. The same ones again change nothing.

    No model is asked. A case is a document, so that it is searched, shown and forgotten like any other. What is searched is
    what the customer wrote first: a request is compared with requests, and not with what was done upon them.

    Args:
        memory: opened for writing.
        trajectories: of one domain or of several; each domain is a session of its own.
        progress: called with how many were taken up.
    """
    cases = 0
    for domain in dict.fromkeys(one.domain for one in trajectories):
        of = [one for one in trajectories if one.domain == domain]
        telling = telling_of(of)
        held = {
            one.uri: one.metadata.get(_CASE)
            for one in memory.list(prefix=f"{_URI}{domain}/", limit=_ALL, agent=domain)
            if isinstance(one, Document)
        }
        for one in of:
            uri, case = f"{_URI}{domain}/{one.task}", case_of(one, telling)
            if held.get(uri) != case and one.opening:
                told = {"kind": one.kind, _CASE: case}
                if uri in held:
                    memory.update(uri=uri, text=one.opening, metadata=told, agent=domain)
                else:
                    memory.add(one.opening, uri=uri, metadata=told, duplicates="keep", agent=domain)
                cases += 1
            if progress is not None:
                progress(1)
    return CasesLearned(cases, len(trajectories) - cases)


class Learnings:
    """Answers `retrieve_learnings` of STATE-Bench from a memory. It only reads, and serves all threads.

        class AgentclAgent(StateBenchAgent):
            learnings = Learnings("agentcl-memory", domain="travel")

            def retrieve_learnings(self, query, top_k=3):
                return self.learnings.retrieve(query, top_k)

    Args:
        memory: the one that `learn_cases` filled, or where it is.
        domain: whose cases are found, with those lessons of the memory that are shared or the domain's own.
    """

    def __init__(self, memory: Memory | str | os.PathLike[str], *, domain: str) -> None:
        from agentcl.memory.memory import Memory

        self._owns = not isinstance(memory, Memory)
        self._memory = memory if isinstance(memory, Memory) else Memory(memory, read_only=True)
        self._domain = domain

    def retrieve(self, query: str, top_k: int = 3) -> list[str]:
        """Return what helps with a request: lessons that speak of it first, then past cases like it, best first.

        Args:
            query: the request, in the agent's words.
            top_k: how many at most; the benchmark says 3.

        Raises:
            InvalidInput: if `top_k` is no number from 1 on, or the query is no text.
        """
        check_count(top_k, "top_k")
        memory, domain = self._memory, self._domain
        standing = {
            one.guidance.id: one.sentence
            for one in memory.lessons.list(stages=_SHOWN, agent=domain)
        }
        matched = memory.lessons.matching(query, agent=domain) if standing else ()
        lessons = [standing[id] for one in matched if (id := one.lesson.id) in standing]
        # What else stands in the memory is no case.
        only = {_CASE: {"exists": True}}
        hits = memory.search(query, limit=_PASSAGES * top_k, filters=only, agent=domain).hits
        cases = [
            memory.get(id, agent=domain) for id in dict.fromkeys(hit.document_id for hit in hits)
        ]
        told = (str(one.metadata[_CASE]) for one in cases if isinstance(one, Document))
        return [*islice(dict.fromkeys((*lessons, *told)), top_k)]

    def close(self) -> None:
        """Close the memory, if it was not given open."""
        if self._owns:
            self._memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
