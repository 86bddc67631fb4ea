"""Reading passages for facts, as a kind of job: each result is stored before the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from agentcl.errors import InvalidInput, NotEquipped, RequestRefused
from agentcl.jobs.runner import Progress
from agentcl.jobs.workplace import Workplace, as_workplace
from agentcl.memory.facts import writing as fact_writing
from agentcl.memory.facts.writing import Reading
from agentcl.memory.opened import Opened
from agentcl.retrieval.graph.names import Extracted, Extractor
from agentcl.store.checks import check_subtree, named_scope
from agentcl.store.jobs import Job, Price
from agentcl.store.records import Passage, Scope
from agentcl.text.tokens import estimate_tokens

_MOST_ERROR: Final = 200  # characters of why a passage could not be read
_MOST_ALIKE: Final = 10  # refusals at the beginning of a run, all in the same words


class Extract:
    """Reads every passage of a scope and below that an extractor has not read yet.

    Its spec: `extractor`, a name; `retry`, whether also those that it failed on; `limit`, how many at most of one run
    in one run (None: all).

    Args:
        opened: the memory.
        extractors: by name, each with how many passages it reads at once.
        on: where they are read; default: here.
    """

    name = "extract"

    def __init__(
        self,
        opened: Opened,
        extractors: Mapping[str, tuple[Extractor, int]],
        on: Workplace | None = None,
    ) -> None:
        self._opened = opened
        self._on = as_workplace(on)
        self._extractors = extractors
        self.totals = {"read": 0, "failed": 0, "facts": 0, "dropped": 0}  # of the newest run

    @staticmethod
    def spec(extractor: str, *, retry: bool = False, limit: int | None = None) -> dict[str, Any]:
        """Return the spec of such a job."""
        return {"extractor": extractor, "retry": retry, "limit": limit}

    def price(self, spec: Mapping[str, Any], *, scope: Scope) -> Price:
        """Estimate what is still to be read, as if by a language model that is told what to do."""
        from agentcl.memory.facts.extraction import expected_usage  # slow to import

        todo = self._todo(spec, scope)
        texts = sum(estimate_tokens(passage.search_text()) for passage in todo)
        return Price(len(todo), expected_usage(len(todo), texts).tokens)

    def run(self, job: Job, *, progress: Progress, should_stop: Callable[[], bool]) -> None:
        """Read what is still to be read."""
        name = job.spec["extractor"]
        if name not in self._extractors:
            raise NotEquipped(
                f"nobody here can read as {name!r}; hand over its extractor with "
                "`memory.jobs.add_extractor(...)` (on the command line, name its endpoint with --url)"
            )
        extractor, workers = self._extractors[name]
        todo = self._todo(job.spec, job.scope)
        self.totals = totals = dict.fromkeys(self.totals, 0)

        held: list[Reading] = []  # while every answer is the same refusal: perhaps none can be read

        def keep(readings: Sequence[Reading]) -> None:
            held.extend(readings)
            if totals["read"] or not _are_refused_alike(held):
                note(held)
                held.clear()
            elif len(held) >= _MOST_ALIKE:
                raise _all_refused(held)

        def note(readings: Sequence[Reading]) -> None:
            fact_writing.store(self._opened, readings)
            for reading in readings:
                totals["read"] += 1
                totals["failed"] += bool(reading.error)
                totals["facts"] += len(reading.found.facts)
                totals["dropped"] += reading.dropped
                progress(totals["read"], len(todo))

        read = partial(_read, extractor)
        is_done = self._on.work(
            todo,
            read,
            keep=keep,
            job=job.id,
            key=lambda passage: f"{passage.id}/{passage.version}",
            workers=workers,
            should_stop=should_stop,
        )
        if is_done and len(held) > 1:
            raise _all_refused(held)
        note(held)

    def _todo(self, spec: Mapping[str, Any], scope: Scope) -> list[Passage]:
        match {**self.spec(""), **spec}:
            case {"extractor": str(name), "retry": bool(retry), "limit": None | int() as limit} if (
                name and (limit is None or limit >= 0)
            ):
                pass
            case _:
                raise InvalidInput(
                    f"an extract job needs `extractor`, a name, and perhaps `retry`, true or false, and "
                    f"`limit`, a number; {dict(spec)} cannot be used"
                )
        view = check_subtree({**named_scope(scope)})
        journal = self._opened.journal
        pending = fact_writing.pending(journal, view=view, extractor=name, retry=retry)
        return list(pending)[:limit]


def _read(extractor: Extractor, passage: Passage) -> Reading:
    """Read one passage; what is wrong with it alone is noted, and the others go on."""
    try:
        found, dropped = fact_writing.clean(extractor.extract(passage.title, passage.text))
    except fact_writing.UNREADABLE as error:
        message = f"{type(error).__name__}: {error}"[:_MOST_ERROR]
        refusal = str(error) if isinstance(error, RequestRefused) else ""
        return Reading(passage, extractor.name, Extracted(()), error=message, refusal=refusal)
    return Reading(passage, extractor.name, found, dropped)


def _are_refused_alike(readings: Sequence[Reading]) -> bool:
    return len({reading.refusal for reading in readings}) == 1 and bool(readings[0].refusal)


def _all_refused(readings: Sequence[Reading]) -> RequestRefused:
    return RequestRefused(
        f"{len(readings)} passages, and each was refused in the same words: {readings[0].refusal}. They are "
        "still to be read; run it again when that is mended"
    )
