"""`agentcl consolidate`: proved memory as a LoRA adapter of the frozen model."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from agentcl.cli.options import Moment, on_memory
from agentcl.cli.screen import Screen, shorten
from agentcl.errors import InvalidInput

if TYPE_CHECKING:
    from agentcl.consolidation import Choice, Selection
    from agentcl.memory.memory import Memory

_WIDTH = 60  # characters of a record in a line


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be chosen and why; train nothing.")
@click.option("--held-days", type=click.FloatRange(0), default=30, show_default=True)
@click.option("--least-uses", type=click.IntRange(0), default=1, show_default=True)
@click.option("--most-of-a-source", type=click.FloatRange(0, 1), default=0.5, show_default=True)
@click.option("--personal", is_flag=True, help="Also what is said of the user that is named.")
@click.option("--at", type=Moment(), help="The moment at which statements hold; default: now.")
@on_memory()
def consolidate(
    screen: Screen,
    memory: Memory,
    dry_run: bool,
    held_days: float,
    least_uses: int,
    most_of_a_source: float,
    personal: bool,
    at: datetime | None,
    scope: dict[str, Any],
) -> None:
    """Move proved memory into an adapter of the model.

    What outcomes proved, what held for long and was used, and what was solved is chosen. Everything else stays in the
    memory, with the reason.
    """
    from agentcl.consolidation import Policy, select

    if not dry_run:
        raise InvalidInput("training is not built yet; ask what would be chosen with --dry-run")
    policy = Policy(
        held_days=held_days,
        least_uses=least_uses,
        most_of_a_source=most_of_a_source,
        with_personal=personal,
    )
    found = select(memory, policy=policy, at=at, **scope)
    print_selection(screen, found)


def print_selection(screen: Screen, found: Selection) -> None:
    """Print what was chosen and refused, each with its reason."""
    if screen.as_json:
        screen.json(
            {
                "scope": found.scope,
                "at": found.at,
                "policy": found.policy,
                "counts": {
                    sort: {"chosen": pair[0], "refused": pair[1]}
                    for sort, pair in found.counts().items()
                },
                "shares": found.shares(),
                "choices": [_plain(one) for one in found.choices],
            }
        )
        return
    for title, choices in (("chosen", found.chosen), ("refused", found.refused)):
        screen.line(f"{title}: {len(choices)}")
        for one in choices:
            screen.line(f"  {one.record.id}  {one.sort:9}  {shorten(one.says, _WIDTH)}")
            screen.line(f"    {one.reason}")
    for sort, (chosen, refused) in found.counts().items():
        screen.line(f"{sort}: {chosen} chosen, {refused} refused")
    for source, share in found.shares().items():
        screen.line(f"source {source}: {share:.0%} of what was chosen")


def _plain(one: Choice) -> dict[str, Any]:
    return {
        "id": one.record.id,
        "version": one.record.version,
        "sort": one.sort,
        "says": one.says,
        "source": one.source,
        "is_chosen": one.is_chosen,
        "reason": one.reason,
    }
