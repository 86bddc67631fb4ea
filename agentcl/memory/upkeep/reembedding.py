"""Embedding a folder anew, as a kind of job: all vectors of another encoder are made before they count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from agentcl.errors import ConfigError, InvalidInput, NotEquipped, NotTrusted
from agentcl.jobs.runner import Progress
from agentcl.jobs.workplace import Workplace, as_workplace
from agentcl.memory.opened import Opened
from agentcl.retrieval.encoders import Encoder, open_encoder
from agentcl.retrieval.encoders.naming import identity
from agentcl.store.jobs import Job, Price
from agentcl.store.records import Scope
from agentcl.store.rows import EncoderSpec, readable
from agentcl.store.writing import Reembedding

_BATCH: Final = 256  # texts embedded at a time
_Texts = tuple[list[int], list[str]]  # the numbers of rows, and their texts


def _embedded(encoder: Encoder, batch: _Texts) -> tuple[list[int], Sequence[bytes]]:
    seqs, texts = batch
    return seqs, encoder.encode(texts, role="passage")


class Reembed:
    """Replaces all vectors of a folder by another encoder's. Its spec: `encoder`, a name.

    Args:
        opened: the memory.
        encoder: the one of the spec; default: opened by its name.
        on: where texts are encoded; default: here.
    """

    name = "reembed"

    def __init__(
        self, opened: Opened, encoder: Encoder | None = None, on: Workplace | None = None
    ) -> None:
        self._opened = opened
        self._on = as_workplace(on)
        self._encoder = encoder

    @staticmethod
    def spec(encoder: str) -> dict[str, Any]:
        """Return the spec of such a job."""
        return {"encoder": encoder}

    def price(self, spec: Mapping[str, Any], *, scope: Scope) -> Price:
        """Count the rows that have no vector of the encoder yet."""
        if scope != Scope():
            raise InvalidInput("a folder has one encoder, so a reembed job has no scope")
        return Price(self._change(self._open(spec)).remaining())

    def run(self, job: Job, *, progress: Progress, should_stop: Callable[[], bool]) -> None:
        """Embed what is left, then put all new vectors in force at once."""
        new = self._open(job.spec)
        change = self._change(new)
        total, done = change.remaining(), 0

        def missing() -> Iterator[_Texts]:
            seqs = [0]
            while seqs := change.missing(limit=_BATCH, after=seqs[-1]):
                rows = self._opened.journal.rows(seqs)
                # A damaged row gets any vector: it must not keep the others from theirs.
                texts = {
                    seq: next((one.search_text() or "" for one in readable([row])), row.id)
                    for seq, row in rows.items()
                }
                yield [*texts], [*texts.values()]

        def keep(results: Sequence[tuple[list[int], Sequence[bytes]]]) -> None:
            nonlocal done
            for seqs, vectors in results:
                change.keep(seqs, vectors)
                done += len(seqs)
                progress(done, max(total, done))

        while self._on.work(
            missing(),
            partial(_embedded, new),
            keep=keep,
            job=job.id,
            key=lambda batch: ",".join(map(str, batch[0])),
            computes=True,
            should_stop=should_stop,
        ):
            if change.swap():  # else rows came meanwhile
                self._opened.use_encoder(new)
                return

    def _open(self, spec: Mapping[str, Any]) -> Encoder:
        name = spec.get("encoder")
        if not isinstance(name, str):
            raise InvalidInput(f"a reembed job needs `encoder`, a name; {dict(spec)} has none")
        if self._encoder is None or self._encoder.name != identity(name):
            try:
                self._encoder = open_encoder(self._opened.opened_by(name))
            except NotTrusted as error:
                raise NotEquipped(
                    f"the job names the encoder {name!r}, and you never did; nothing was asked or loaded. If you "
                    f"want it, say so: agentcl reembed --path {self._opened.place} --encoder ..."
                ) from error
            except ConfigError as error:
                raise NotEquipped(
                    f"{error}; one of your own is handed over by `memory.store.reembed(...)`"
                ) from error
        return self._encoder

    def _change(self, encoder: Encoder) -> Reembedding:
        return self._opened.journal.reembedding(EncoderSpec(encoder.name, encoder.dim))
