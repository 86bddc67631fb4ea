"""`agentcl context` and `agentcl profile`: blocks for a prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import click

from agentcl.cli.options import on_memory
from agentcl.cli.screen import Screen
from agentcl.retrieval.framing import Form

if TYPE_CHECKING:
    from agentcl.memory.context.context import Context, ContextForm
    from agentcl.memory.memory import Memory


@click.command()
@click.argument("query")
@click.option(
    "--budget", type=click.IntRange(1), default=800, show_default=True, help="Tokens at most."
)
@click.option(
    "--form",
    type=click.Choice([*get_args(Form), "statements"]),
    default="auto",
    show_default=True,
    help="Texts whole, or their sentences for the question; auto: sentences where not all fit; statements: no texts.",
)
@click.option(
    "--hops",
    type=click.IntRange(1, 2),
    default=1,
    show_default=True,
    help="2 asks again with what the first look found.",
)
@on_memory(may_be_empty=True)
def context(
    screen: Screen,
    memory: Memory,
    query: str,
    budget: int,
    form: ContextForm,
    hops: int,
    scope: dict[str, Any],
) -> None:
    """Print what a model should be shown before it answers.

    It is what holds of the user, and the statements, turns and documents that QUERY finds, as a block for a prompt.
    """
    found = memory.context(query, budget_tokens=budget, form=form, hops=hops, **scope)
    if found.warning:
        screen.note(found.warning)
    _tell(screen, found, "nothing is found; --user, --agent and --session say whose memory it is")


@click.command()
@click.option(
    "--budget", type=click.IntRange(1), default=300, show_default=True, help="Tokens at most."
)
@on_memory(may_be_empty=True)
def profile(screen: Screen, memory: Memory, budget: int, scope: dict[str, Any]) -> None:
    """Print what holds about somebody, as a block for a prompt.

    Instructions and preferences come first. Without --user it is what belongs to nobody.
    """
    _tell(
        screen,
        memory.profile(budget_tokens=budget, **scope),
        "nothing is known to hold; `agentcl digest` reads what was said for it, --user says about whom",
    )


def _tell(screen: Screen, found: Context, nothing: str) -> None:
    """Print a block, and what had no room in it."""
    value = {
        "text": found.text,
        "tokens": found.tokens,
        "shown": [{"id": one.id, "kind": one.kind, "text": one.text} for one in found.shown],
        "left_out": found.left_out,
    }
    empty = "nothing of what was found has room" if found.left_out else nothing
    screen.answer(value, found.text.rstrip() or empty)
    if found.left_out and not screen.as_json:
        screen.note(f"{found.left_out} had no room; raise --budget")
