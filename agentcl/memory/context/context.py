"""What a model is shown of a memory before a call: what holds, what was said and what documents say, in one block.

Within a session the block only grows at its end, so that a server finds its beginning in its cache. What was shown
and holds no longer is followed by what does. When the budget is spent, a new block begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from agentcl.memory.context.blocks import ContextBlock, Showable
from agentcl.memory.context.search import ContextSearch
from agentcl.memory.context.showing import BEGINNING, Session, Shown
from agentcl.memory.context.turn_days import with_days
from agentcl.memory.context.weaving import Soft, as_turns, places_of, with_soft_tokens, with_texts
from agentcl.memory.conversations.messages import Messages, last_user, read_messages
from agentcl.memory.opened import Opened
from agentcl.models.base import Message
from agentcl.models.soft_tokens import Sending
from agentcl.retrieval.framing import Form
from agentcl.store.checks import check_choice, check_count
from agentcl.store.conversations import home_of
from agentcl.store.records import Scope
from agentcl.text.tokens import TokenCounter, estimate_tokens

_FOUND: Final = 12  # that a new block begins with at the most
_LATER: Final = 3  # that a call adds to it at the most
_CLOSE: Final = 0.5  # of the best one's score: what is less is not added to a block
_FRESH: Final = 0.7  # of the budget that a new block takes, so that later calls can add to it
_PROFILE: Final = 0.4  # of the budget for what holds of the user
_TELLING_ENOUGH: Final = 0.05  # of the best sentence's worth: what is less is not added to a block
_GONE: Final = ("turn", "document", "passage", "statement")

ContextForm = Literal[Form, "statements"]
"""In which form texts stand in a context; with "statements" none do."""


@dataclass(frozen=True, slots=True)
class Context:
    """A block for a prompt, and what it is made of."""

    text: str  # the whole block; empty if there is nothing to show
    added: str  # its new end: what the last context of this session did not have
    shown: tuple[Shown, ...]
    tokens: int  # of the block, and of what is shown as soft tokens
    kept: float  # share of the last block with which this one begins; 1 if it was only added to, or is the first
    is_new: bool  # the block began anew: it is the first, or the last one was full or showed what is gone
    warning: str = ""  # why it was searched by words alone
    left_out: int = 0  # how many of what this call found had no room
    cut_tokens: int = 0  # that what this call found would take besides
    placed: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # see `into`
    soft: Soft | None = None  # what is shown as soft tokens; None: nobody asked for that
    adapter: str = ""  # who is to be asked, as `model`; empty: the bare model

    def __str__(self) -> str:
        return self.text

    @property
    def report(self) -> str:
        """What is shown, what was cut of it, and how much: one line."""
        parts = sum(bool(one.spans) for one in self.shown)
        return (
            f"{len(self.shown)} shown, {parts} of them in part, {self.left_out} left out: "
            f"{self.tokens:,} tokens, {self.cut_tokens:,} cut"
        )

    def into(
        self, messages: Iterable[Mapping[str, Any]], *, sending: Sending = "torch"
    ) -> list[dict[str, Any]]:
        """Return messages for a model, each addition in front of the user's message that it was found for.

        So all that was sent before stays as it was, and a server finds it in its cache. Soft tokens are content parts
        of the type `prompt_embeds`, as vLLM takes them.

        Args:
            messages: as they would be sent without a memory.
            sending: "numpy" for a model that `agentcl chat` runs in its own process; vLLM reads PyTorch's format.

        Raises:
            MissingExtra: if there are soft tokens, and PyTorch, whose format they are sent in, is not installed.
            InvalidInput: if there are, and a message brings some of its own.
        """
        made = [dict(one) for one in messages]
        if self.soft is not None and self.soft.placed:
            soft = places_of(made, self.soft.placed)
            return with_soft_tokens(made, self.places(made), soft, sending=sending)
        return with_texts(made, self.places(made))

    def turns(self, messages: Iterable[Mapping[str, Any]]) -> list[Message]:
        """Return messages as `into` does, for a `ChatModel`: soft tokens are its `parts`, and its text stands alone, too.

        Raises:
            InvalidInput: if a message brings soft tokens of its own.
        """
        made = [dict(one) for one in messages]
        soft = () if self.soft is None else self.soft.placed
        return as_turns(made, self.places(made), places_of(made, soft))

    def places(self, messages: Messages) -> list[tuple[int | None, str]]:
        """Return in front of which message each addition belongs, by its number from 0, the last addition first.

        It is the user's message that it was found for; if that is no longer there, his first one; None if there
        is none of his.
        """
        return places_of(messages, self.placed)


def context(
    opened: Opened,
    messages: Messages,
    owner: Scope,
    *,
    budget_tokens: int,
    added_tokens: int | None = None,
    count_tokens: TokenCounter | None = None,
    hops: int = 1,
    form: ContextForm = "auto",
) -> Context:
    """Return what a model is to be shown; `Memory.context` documents the arguments."""
    budget = check_count(budget_tokens, "budget_tokens", least=0)
    added_most = budget if added_tokens is None else check_count(added_tokens, "added_tokens")
    hops = min(check_count(hops, "hops"), 2)
    check_choice(form, get_args(ContextForm), "form")
    count = count_tokens or estimate_tokens
    said = read_messages(messages)
    search = ContextSearch(opened, owner.view(), said, hops, with_texts=form != "statements")
    key = home_of(owner)
    seq = opened.journal.last_seq()
    last = opened.contexts.session(key)
    found = search.found()
    is_new = not last.shown or _shows_what_is_gone(opened, last)
    shape: Form = "whole" if form == "statements" else form
    asked = (search.query, search.weights)
    block = ContextBlock(last, budget, count, shape, asked)
    if not is_new:
        close = [one for one in found if one.score >= _CLOSE * found[0].score][:_LATER]
        close = [with_days(opened, owner.view(), one) for one in close]
        instead = [item for one in last.shown for item in search.instead(one)]
        is_new = not (block.fill(instead, budget) and _is_added(block, close, budget, added_most))
    if is_new:
        block = ContextBlock(Session(), budget, count, shape, asked)
        block.fill(search.profile(), budget * _PROFILE)
        best = [with_days(opened, owner.view(), one) for one in found[:_FOUND]]
        block.fill_best(best, budget * _FRESH)
    added = "".join(block.lines)
    kept = [] if is_new else last.pieces
    pieces = [*kept, (last_user(said), added)] if added else [*kept]
    session = Session(pieces, block.shown, seq)
    opened.contexts.keep(key, session)
    return Context(
        text=session.text,
        added=BEGINNING + added if is_new and added else added,
        shown=tuple(block.shown),
        tokens=count(session.text) if session.text else 0,
        kept=_kept(last.text, session.text),
        is_new=is_new,
        warning=search.warning,
        left_out=block.left_out,
        cut_tokens=block.cut_tokens,
        placed=tuple((text, BEGINNING + piece) for text, piece in pieces),
        adapter=opened.routes.route(owner).name,
    )


def _is_added(
    block: ContextBlock, found: Sequence[Showable], budget: int, added_tokens: int
) -> bool:
    """Add what a question finds to a block that goes on; return whether the very best is shown then."""
    most = min(budget, block.tokens + added_tokens)
    if block.fill_best(found, most, least=_TELLING_ENOUGH):
        return True
    return most < budget and block.fill_best(found[:1], budget, least=_TELLING_ENOUGH)


def profile(
    opened: Opened, owner: Scope, *, budget_tokens: int, count_tokens: TokenCounter | None = None
) -> Context:
    """Return what holds of a user; `Memory.profile` documents the arguments."""
    budget = check_count(budget_tokens, "budget_tokens", least=0)
    count = count_tokens or estimate_tokens
    block = ContextBlock(Session(), budget, count)
    items = list(ContextSearch(opened, owner.view(), ()).profile())
    block.fill(items, budget)
    added = "".join(block.lines)
    text = BEGINNING + added if added else ""
    left_out = sum(not block.has(item) for item in items)
    tokens = count(text) if text else 0
    return Context(text, text, tuple(block.shown), tokens, 1.0, True, left_out=left_out)


def _shows_what_is_gone(opened: Opened, session: Session) -> bool:
    """Return whether something that was shown was deleted, forgotten or rewritten since."""
    ids = {one.id for one in session.shown}
    rows = opened.journal.since(session.seq, kinds=_GONE)
    return any(row.id in ids and (row.op != "put" or row.kind == "document") for row in rows)


def _kept(before: str, after: str) -> float:
    """Return the share of a text with which another one begins."""
    if after.startswith(before):
        return 1.0
    pairs = enumerate(zip(before, after, strict=False))
    return next((at for at, (a, b) in pairs if a != b), len(after)) / len(before)
