"""A context whose passages are soft tokens for the wide view, with text for names, numbers and quotes."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from agentcl.compression.bank import Bank
from agentcl.compression.base import Codec
from agentcl.errors import NotEquipped
from agentcl.memory import searching
from agentcl.memory.compressed.codecs import codec_named
from agentcl.memory.compressed.compressing import place_of, state_of
from agentcl.memory.context.context import Context, context
from agentcl.memory.context.weaving import Soft, SoftMemory
from agentcl.memory.conversations.messages import Messages, asked, last_user, read_messages
from agentcl.memory.opened import Opened
from agentcl.store.checks import check_count
from agentcl.store.conversations import home_of
from agentcl.store.records import Compression, Passage, Scope, ScopeView
from agentcl.text.tokens import TokenCounter

_SHARE: Final = 0.5  # of the budget for soft tokens; the rest is text
_ASKED: Final = 12  # hits looked at
# Passages that a question adds: as many as codecs are trained to be read side by side
_MOST: Final = 3
_FRAME: Final = 6  # tokens that stand around the soft tokens of a passage, at the most
# What is asked for in its exact words stays text: soft tokens lose names and figures first.
_EXACT: Final = re.compile(
    r"""["“”„«»`]|\d|\b(?:exact(?:ly)?|verbatim|literally|quot(?:e[ds]?|ation)|word(?:ing| for word)|spell(?:ed|ing)?
    |how[ ](?:many|much|old|long|far|tall|often)|when|what[ ](?:date|day|year|time|number)|which[ ](?:date|day|year|number)
    |phone|number|code|password|e-?mail|address|url|version|price|cost)\b""",
    re.IGNORECASE | re.VERBOSE,
)
NO_CODEC: Final = "no codec is at hand"
NOTHING: Final = "nothing is asked"
EXACT: Final = "the question asks for exact words or numbers"
NO_ROOM: Final = "the budget is too small for soft tokens"
UNCOMPRESSED: Final = "nothing that was found is compressed for this base"


def soft_context(
    opened: Opened,
    messages: Messages,
    owner: Scope,
    *,
    base: str | Codec | None,
    budget_tokens: int,
    added_tokens: int | None = None,
    count_tokens: TokenCounter | None = None,
    hops: int = 1,
) -> Context:
    """Return what a model is to be shown, part of it as soft tokens; `Memory.context` documents the arguments."""
    budget = check_count(budget_tokens, "budget_tokens", least=0)
    said = read_messages(messages)
    key = home_of(owner)
    share = int(budget * _SHARE)
    held = opened.contexts.session(key).soft
    soft = _softened(opened, asked(said), last_user(said), owner.view(), base, share, held)
    reason, _, _ = soft.way.partition(";")
    opened.ways["soft tokens" if soft.placed else reason] += 1
    found = context(
        opened, messages, owner,
        budget_tokens=budget - share if soft.placed else budget, added_tokens=added_tokens,
        count_tokens=count_tokens, hops=hops,
    )  # fmt: skip
    session = opened.contexts.session(key)
    opened.contexts.keep(key, replace(session, soft=soft.placed))
    tokens = found.tokens + sum(one.slots + _FRAME for one in soft.memories)
    return replace(found, tokens=tokens, soft=soft)


def _softened(
    opened: Opened,
    question: str,
    spoken: str,
    view: ScopeView,
    base: str | Codec | None,
    share: int,
    held: Sequence[tuple[str, tuple[SoftMemory, ...]]],
) -> Soft:
    """Return what is shown as soft tokens; what was shown so before stays, as long as there is room."""
    try:
        codec = codec_named(opened, base)
    except NotEquipped as error:
        return Soft(f"text: {NO_CODEC}; {error}")
    bank = opened.bank()
    nothing = Soft("", codec.name, codec.base, _salt(codec))
    why = _against(question, codec, share)
    if why:
        return replace(nothing, way=f"text: {why}")
    found, others = _found(opened, question, view, codec, bank)
    held = [*held] if _is_whole(opened, held, view, codec, bank) else []
    shown = {one.id for _, own in held for one in own}
    room = share - sum(one.slots + _FRAME for _, own in held for one in own)
    new = _sized(opened, codec, bank, [one for one in found if one.passage_id not in shown], room)
    if not new and any(one.passage_id not in shown for one in found):
        held = []  # no room beside what was shown before: begin anew with what answers now
        new = _sized(opened, codec, bank, found, share)
    placed = (*held, *([(spoken, new)] if new else []))
    if not placed:
        told = ", ".join(f"{count} by {name!r}" for name, count in others.items())
        made = (
            f"; compressed are {told}, which {codec.name!r} does not read: agentcl compress --base {codec.name}"
            " --reencode makes them anew"
            if told
            else f"; agentcl compress --base {codec.name} makes soft tokens"
        )
        return replace(nothing, way=f"text: {UNCOMPRESSED}{made}")
    made_soft = replace(nothing, placed=placed)
    many = len(made_soft.memories)
    way = (
        f"{many} passage{'s' * (many != 1)} as {made_soft.tokens} soft tokens of {codec.name}, {made_soft.saved:,} tokens "
        "fewer than their text; the rest is text"
    )
    return replace(made_soft, way=way)


def _against(question: str, codec: Codec, share: int) -> str:
    """Return why a question is answered from text alone; empty if it need not be."""
    if not question:
        return NOTHING
    if _EXACT.search(question):
        return EXACT
    return NO_ROOM if share < codec.sizes[0] + _FRAME else ""


def _found(
    opened: Opened, question: str, view: ScopeView, codec: Codec, bank: Bank | None
) -> tuple[list[Compression], Counter[str]]:
    """Return what of the passages that a question finds has sound soft tokens, and by whom others were compressed."""
    found: list[Compression] = []
    others: Counter[str] = Counter()
    for hit in searching.search(opened, question, view, limit=_ASKED):
        for one in _compressions(opened, hit.id, view):
            if one.codec != codec.fingerprint:
                others[one.codec_name] += bool(one.slots)
            elif _state(opened, one, view, bank) == "done":
                found.append(one)
    return found, others


def _compressions(opened: Opened, passage: str, view: ScopeView) -> list[Compression]:
    return [*opened.journal.records(Compression, view=view, source=passage)]


def _state(opened: Opened, one: Compression, view: ScopeView, bank: Bank | None) -> str:
    passage = opened.journal.get(one.passage_id, view=view)
    assert isinstance(passage, Passage)
    return state_of(passage, one, one.codec, bank)[0]


def _sized(
    opened: Opened, codec: Codec, bank: Bank | None, found: Sequence[Compression], room: int
) -> tuple[SoftMemory, ...]:
    """Return the best of what was found, each with as many soft tokens as fit for all."""
    if bank is None:
        return ()
    for many in range(min(_MOST, len(found)), 0, -1):
        for size in reversed(codec.sizes):
            if many * (size + _FRAME) <= room:
                chosen = [one for one in found if size <= one.slots and size < one.tokens][:many]
                if chosen:
                    return tuple(_memory(opened, codec, bank, one, size) for one in chosen)
    return ()


def _memory(opened: Opened, codec: Codec, bank: Bank, one: Compression, size: int) -> SoftMemory:
    # Slots are nested: the first ones are a smaller memory of the same passage.
    vectors = bank.read(place_of(one))[:size]
    passage = opened.journal.newest(one.passage_id, view=one.scope.exactly()).record()
    assert isinstance(passage, Passage)
    return SoftMemory(
        id=one.passage_id,
        document_id=passage.document_id,
        title=passage.title,
        tokens=one.tokens,
        slots=size,
        width=codec.width,
        digest=one.digest,
        data=SoftMemory.encoded(vectors),
    )


def _is_whole(
    opened: Opened,
    held: Sequence[tuple[str, tuple[SoftMemory, ...]]],
    view: ScopeView,
    codec: Codec,
    bank: Bank | None,
) -> bool:
    """Return whether all that was shown is still there, for this codec."""
    for one in (one for _, own in held for one in own):
        known = _compressions(opened, one.id, view)
        if not any(
            other.digest == one.digest
            and other.codec == codec.fingerprint
            and _state(opened, other, view, bank) == "done"
            for other in known
        ):
            return False
    return True


def _salt(codec: Codec) -> str:
    return hashlib.blake2b(codec.fingerprint.encode(), digest_size=8).hexdigest()
