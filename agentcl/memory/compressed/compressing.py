"""Compressing: passages become soft tokens of a base model, batch by batch, each stored before the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any, Final, Literal, cast

import numpy as np

from agentcl.compression.bank import FORMS, Bank, Form, ShardRow
from agentcl.compression.base import Codec, Vectors
from agentcl.errors import InvalidInput, NotEquipped, StoreCorrupt, StoreUnavailable
from agentcl.jobs.runner import Progress
from agentcl.jobs.workplace import Workplace, as_workplace
from agentcl.memory.opened import Opened
from agentcl.retrieval.folders import claim
from agentcl.store.base import Store
from agentcl.store.checks import check_subtree, named_scope
from agentcl.store.jobs import Job, Price
from agentcl.store.records import Compression, Passage, Scope, ScopeView
from agentcl.store.rows import content_hash
from agentcl.text.tokens import estimate_tokens

_BATCH: Final = 16  # passages encoded at a time; what a kill loses
_EVERYBODY: Final = ScopeView(None, None, None, None)
_MOST_REASON: Final = 200  # characters
EMPTY: Final = "empty"
State = Literal["new", "other", "text", "damaged", "done"]
SHORT: Final = "shorter than its soft tokens would be"
LONG: Final = "longer than the codec reads"


@dataclass(frozen=True, slots=True)
class _Spec:
    codec: str
    reencode: bool
    limit: int | None
    slots: int | None
    form: Form


@dataclass(frozen=True, slots=True)
class _Made:
    """What became of one passage."""

    passage: Passage
    tokens: int
    memory: Vectors | None  # of shape (slots, width)
    reason: str = ""


class Compress:
    """Compresses every passage of a scope and below that a codec has not compressed yet.

    Its spec: `codec`, a name; `reencode`, whether also those whose memory another codec of the base made, or with
    another number of soft tokens; `limit`, how many passages at most in one run; `slots`, how many soft tokens a
    passage becomes, or null: all that the codec has; `form`, how they are kept: "float16" or "int8".

    Args:
        opened: the memory.
        codecs: by name.
        on: where passages are compressed; default: here.
    """

    name = "compress"

    def __init__(
        self, opened: Opened, codecs: Mapping[str, Codec], on: Workplace | None = None
    ) -> None:
        self._on = as_workplace(on)
        self._opened = opened
        self._codecs = codecs
        self.totals: Counter[str] = Counter()  # of the newest run
        self.reasons: Counter[str] = Counter()  # why passages were left as text

    @staticmethod
    def spec(
        codec: str,
        *,
        reencode: bool = False,
        limit: int | None = None,
        slots: int | None = None,
        form: Form = "float16",
    ) -> dict[str, Any]:
        """Return the spec of such a job."""
        return {
            "codec": codec, "reencode": reencode, "limit": limit, "slots": slots, "form": form,
        }  # fmt: skip

    def price(self, spec: Mapping[str, Any], *, scope: Scope) -> Price:
        """Estimate what is still to be compressed: passages, and the tokens that the codec reads."""
        wanted = _checked(spec)
        codec = self._codecs.get(wanted.codec)
        if codec is None:  # somebody else may have it; its price is that of all
            view = _view(scope)
            passages = self._opened.journal.records(Passage, view=view)
            texts = [*map(_text, islice(passages, wanted.limit))]
            return Price(len(texts), sum(map(estimate_tokens, texts)))
        _check_slots(codec, wanted.slots)
        texts = [_text(one) for one in self._todo(codec, wanted, scope)]
        return Price(len(texts), sum(map(codec.count, texts)))

    def run(self, job: Job, *, progress: Progress, should_stop: Callable[[], bool]) -> None:
        """Compress what is still to be compressed, and clear what nobody names any more."""
        wanted = _checked(job.spec)
        codec = self._codecs.get(wanted.codec)
        if codec is None:
            raise NotEquipped(
                f"nobody here has the codec {wanted.codec!r}; hand it over with `memory.jobs.add_codec(...)`"
            )
        _check_slots(codec, wanted.slots)
        bank = self._opened.bank()
        if bank is None:
            raise StoreUnavailable(
                f"there is no place for soft tokens in {self._opened.path}: what lies under our names there is not "
                "ours; `agentcl doctor` names it"
            )
        claim(bank.folder, mode=self._opened.journal.mode())
        todo = self._todo(codec, wanted, job.scope)
        self.totals, self.reasons = Counter(), Counter()
        used = {name: max(rows) + 1 for name, rows in rows_named(self._opened.journal).items()}

        batches = (todo[at : at + _BATCH] for at in range(0, len(todo), _BATCH))

        def keep(results: Sequence[list[_Made]]) -> None:
            for made in results:
                used.update(self._keep(bank, codec, made, used, wanted.form))
                progress(self.totals["read"], len(todo))

        if self._on.work(
            batches,
            partial(_encoded, codec, wanted.slots),
            keep=keep,
            job=job.id,
            key=lambda batch: ",".join(f"{one.id}/{one.version}" for one in batch),
            computes=True,
            should_stop=should_stop,
        ):
            self._opened.clear_bank()

    def _todo(self, codec: Codec, wanted: _Spec, scope: Scope) -> list[Passage]:
        bank = self._opened.bank()
        slots = wanted.slots or codec.sizes[-1]
        found: list[Passage] = []
        for passage, held in compressions(self._opened.journal, codec.base, _view(scope)):
            state, _ = state_of(passage, held, codec.fingerprint, bank)
            is_other = held is not None and held.slots not in (0, slots)
            if state in ("new", "damaged") or (
                wanted.reencode and (state == "other" or (state == "done" and is_other))
            ):
                found.append(passage)
        return found[: wanted.limit]

    def _keep(
        self, bank: Bank, codec: Codec, made: Sequence[_Made], used: Mapping[str, int], form: Form
    ) -> dict[str, int]:
        """Store what became of some passages; return the shards that rows came to, with how many they have."""
        journal = self._opened.journal
        with journal.writing() as writing:
            alive = writing.live_versions([one.passage.id for one in made])
            left = [one for one in made if alive.get(one.passage.id) == one.passage.version]
            memories = [one.memory for one in left if one.memory is not None]
            try:
                places = (
                    bank.append(codec, np.stack(memories), used=used, form=form) if memories else []
                )
            except OSError as error:
                raise StoreUnavailable(
                    f"cannot keep soft tokens in {bank.folder}: {error.strerror or error}"
                ) from error
            coming = iter(places)
            for one in left:
                record = _record(codec, one, next(coming) if one.memory is not None else None)
                held = journal.find(
                    kind=Compression.kind, scope=record.scope, key=cast(str, record.key)
                )
                if held is None:
                    writing.create(record)
                else:
                    writing.revise(replace(record, id=held.id))
        self.totals["read"] += len(made)
        for one in left:
            self.totals["tokens"] += one.tokens
            self.totals["compressed"] += one.memory is not None
            self.totals["slots"] += 0 if one.memory is None else len(one.memory)
            self.reasons.update([one.reason] if one.reason else ())
        found: dict[str, int] = {}
        for place in places:
            found[place.shard] = place.row + 1
        return found


def state_of(
    passage: Passage, held: Compression | None, codec: str, bank: Bank | None
) -> tuple[State, str]:
    """Return how a passage stands with a codec, named by its fingerprint, and why, if its soft tokens do not count.

    "new": it was not compressed, or says something else now. "other": another codec of the base did it. "text": it is
    left as text. "damaged": its soft tokens are missing, or are not what was written.
    """
    if held is None:
        return "new", "it was not compressed"
    if held.text_hash != hash_of(passage):
        return "new", "its text changed since"
    if held.codec != codec:
        return "other", f"the codec {held.codec_name!r} compressed it"
    if not held.slots:
        return "text", held.reason
    if bank is None:
        return "damaged", "what lies in the folder of the bank is not ours"
    try:
        bank.read(place_of(held))
    except StoreCorrupt as error:
        return "damaged", str(error)
    return "done", ""


def compressions(
    journal: Store, base: str, view: ScopeView
) -> Iterator[tuple[Passage, Compression | None]]:
    """Yield the live passages of a view, oldest first, each with what says that it was compressed for a base."""
    done = {
        one.passage_id: one for one in journal.records(Compression, view=view) if one.base == base
    }
    for passage in journal.records(Passage, view=view):
        yield passage, done.get(passage.id)


def rows_named(journal: Store) -> dict[str, set[int]]:
    """Return by shard the rows that live records name."""
    return by_shard(journal.records(Compression, view=_EVERYBODY))


def by_shard(records: Iterable[Compression]) -> dict[str, set[int]]:
    """Return by shard the rows that records name."""
    found: dict[str, set[int]] = {}
    for one in records:
        if one.slots:
            found.setdefault(one.shard, set()).add(one.row)
    return found


def hash_of(passage: Passage) -> str:
    """Return what tells the text of a passage from another one, as it is compressed."""
    return content_hash(_text(passage)).hex()


def place_of(record: Compression) -> ShardRow:
    """Return where the soft tokens of a passage lie."""
    return ShardRow(record.shard, record.row, record.digest)


def _text(passage: Passage) -> str:
    return passage.search_text()


def _encoded(codec: Codec, slots: int | None, batch: Sequence[Passage]) -> list[_Made]:
    """Compress some passages; what cannot be, is left as text with the reason."""
    made: list[_Made] = []
    for passage in batch:
        text = _text(passage)
        tokens = codec.count(text)
        made.append(_Made(passage, tokens, None, _reason(codec, text, tokens)))
    fit = [place for place, one in enumerate(made) if not one.reason]
    texts = [_text(made[place].passage) for place in fit]
    for place, memory in zip(fit, _memories(codec, texts, slots), strict=True):
        is_made = not isinstance(memory, str)
        made[place] = replace(
            made[place],
            memory=cast(Vectors, memory) if is_made else None,
            reason="" if is_made else str(memory),
        )
    return made


def _reason(codec: Codec, text: str, tokens: int) -> str:
    if not text.strip():
        return EMPTY
    if tokens > codec.limit:
        return LONG
    return SHORT if tokens <= codec.sizes[0] else ""


def _memories(codec: Codec, texts: Sequence[str], slots: int | None) -> list[Vectors | str]:
    """Return the soft tokens of texts; of one that the codec does not take, why."""
    if not texts:
        return []
    try:
        made = codec.encode(texts, slots=slots)
    except InvalidInput as error:
        if len(texts) == 1:
            return [f"the codec does not take it: {error}"[:_MOST_REASON]]
        return [one for text in texts for one in _memories(codec, [text], slots)]
    wanted = (len(texts), slots or codec.sizes[-1], codec.width)
    if made.shape != wanted:
        raise InvalidInput(
            f"the codec {codec.name!r} gave an array of shape {made.shape} where it promises {wanted}; nothing was "
            "kept of it"
        )
    return [*made]


def _record(codec: Codec, made: _Made, place: ShardRow | None) -> Compression:
    passage = made.passage
    return Compression(
        id="",
        scope=passage.scope,
        sources=(passage.id,),
        key=f"{passage.id}/{codec.base}",
        codec=codec.fingerprint,
        codec_name=codec.name,
        base=codec.base,
        text_hash=hash_of(passage),
        tokens=made.tokens,
        slots=0 if made.memory is None else len(made.memory),
        shard="" if place is None else place.shard,
        row=0 if place is None else place.row,
        digest="" if place is None else place.digest,
        reason=made.reason,
    )


def _view(scope: Scope) -> ScopeView:
    return check_subtree({**named_scope(scope)})


def _check_slots(codec: Codec, slots: int | None) -> None:
    if slots is not None and slots not in codec.sizes:
        sizes = ", ".join(map(str, codec.sizes))
        raise InvalidInput(
            f"the codec {codec.name!r} makes {sizes} soft tokens of a passage, not {slots}"
        )


def _checked(spec: Mapping[str, Any]) -> _Spec:
    match {**Compress.spec(""), **spec}:
        case {
            "codec": str(codec),
            "reencode": bool(reencode),
            "limit": None | int() as limit,
            "slots": None | int() as slots,
            "form": str(form),
        } if codec and (limit is None or limit >= 0) and form in FORMS:
            return _Spec(codec, reencode, limit, slots, form)
    raise InvalidInput(
        "a compress job needs `codec`, a name, and perhaps `reencode`, true or false, `limit` and `slots`, numbers, and "
        f"`form`, float16 or int8; {dict(spec)} cannot be used"
    )
