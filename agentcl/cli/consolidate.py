"""`agentcl consolidate`: proved memory as a LoRA adapter of the frozen model."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from agentcl.cli.options import Moment, ReadFile, on_memory
from agentcl.cli.screen import Screen, shorten
from agentcl.cli.stopping import stopping
from agentcl.errors import InvalidInput, LoadError
from agentcl.text.parsing import parsed_json
from agentcl.text.saving import opened

if TYPE_CHECKING:
    from agentcl.consolidation import (
        AdapterServer,
        ChoicePolicy,
        ConsolidationWish,
        Probe,
        RecordChoice,
        Selection,
    )
    from agentcl.memory.memory import Memory
    from agentcl.store.checks import WriteScope

_WIDTH = 60  # characters of a record in a line
_STOPPING = "stopping after the step under way; once more ends at once"


@click.command()
@click.option("--base", help="The frozen model: the name of a kept one, or a folder.")
@click.option("--dry-run", is_flag=True, help="Say what would be chosen and why; train nothing.")
@click.option("--held-days", type=click.FloatRange(0), default=30, show_default=True)
@click.option("--least-uses", type=click.IntRange(0), default=1, show_default=True)
@click.option("--most-of-a-source", type=click.FloatRange(0, 1), default=0.5, show_default=True)
@click.option("--personal", is_flag=True, help="Also what is said of the user that is named.")
@click.option("--at", type=Moment(), help="The moment at which statements hold; default: now.")
@click.option(
    "--objective",
    type=click.Choice(["supervised", "distillation"]),
    default="supervised",
    show_default=True,
    help="Learn answers, or what the model itself says with the memory in its prompt.",
)
@click.option(
    "--general",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="The share of general rows that the model itself answers, so that it stays as it is elsewhere.",
)
@click.option("--steps", type=click.IntRange(1), default=200, show_default=True)
@click.option("--batch", type=click.IntRange(1), default=8, show_default=True)
@click.option("--rank", type=click.IntRange(1, 64), default=16, show_default=True)
@click.option("--rate", type=float, default=1e-3, show_default=True, help="The learning rate.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--budget-s", type=click.FloatRange(0), help="At most so many seconds of training.")
@click.option(
    "--shards",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Parts that are trained apart, so that to forget a record trains one of them anew; their ranks add up.",
)
@click.option("--gate-url", help="Of the vLLM that will serve it; the gate asks that, too.")
@click.option("--gate-model", default="", help="The base there; default: the only one.")
@click.option("--parent", default="", help="Train on from this adapter; default: from the base.")
@click.option(
    "--forgotten",
    type=ReadFile(),
    help="JSON lines of what must not be known: prompt, answer, others.",
)
@on_memory()
def consolidate(
    screen: Screen,
    memory: Memory,
    base: str | None,
    dry_run: bool,
    scope: dict[str, Any],
    at: datetime | None,
    **given: Any,
) -> None:
    """Move proved memory into an adapter of the model.

    What outcomes proved, what held for long and was used, and what was solved is chosen. Everything else stays in the
    memory, with the reason. The adapter passes a gate, or it is not used. Ctrl-C stops after the step under way; the
    same command goes on.
    """
    from agentcl.consolidation import ChoicePolicy, select

    policy = ChoicePolicy(
        held_days=given["held_days"],
        least_uses=given["least_uses"],
        most_of_a_source=given["most_of_a_source"],
        with_personal=given["personal"],
    )
    if dry_run:
        print_selection(screen, select(memory, policy=policy, at=at, **scope))
        return
    if base is None:
        raise InvalidInput(
            "on which model? Name it with --base; --dry-run says what would be chosen without one"
        )
    wish = _wish(base, policy, at, given)
    with ExitStack() as stack:
        server = None
        if given["gate_url"]:
            from agentcl.consolidation import AdapterServer

            server = stack.enter_context(
                AdapterServer(given["gate_url"], model=given["gate_model"])
            )
        _train(screen, memory, wish, scope, server)


def _wish(
    base: str, policy: ChoicePolicy, at: datetime | None, given: dict[str, Any]
) -> ConsolidationWish:
    from agentcl.consolidation import ConsolidationWish, Recipe

    return ConsolidationWish(
        base=base,
        policy=policy,
        recipe=Recipe(
            rank=given["rank"],
            alpha=2 * given["rank"],
            learning_rate=given["rate"],
            steps=given["steps"],
            batch=given["batch"],
            seed=given["seed"],
            objective=given["objective"],
            general=given["general"],
            budget_s=given["budget_s"],
            shards=given["shards"],
        ),
        parent=given["parent"],
        forgotten=_probes(given["forgotten"]),
        at=at.isoformat() if at else "",
    )


def _probes(file: Path | None) -> tuple[Probe, ...]:
    from agentcl.consolidation import Probe

    if file is None:
        return ()
    try:
        with opened(file) as lines:
            held = [parsed_json(line) for line in lines if line.strip()]
        return tuple(Probe(one["prompt"], one["answer"], tuple(one["others"])) for one in held)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LoadError(
            f"{file} holds no lines of prompt, answer and others: {type(error).__name__} {error}"
        ) from error


def _train(
    screen: Screen,
    memory: Memory,
    wish: ConsolidationWish,
    scope: dict[str, Any],
    server: AdapterServer | None,
) -> None:
    from agentcl.consolidation import Consolidate, unfinished
    from agentcl.store.checks import check_scope

    doer = Consolidate(memory, server=server)
    memory.jobs.add_kind(doer)
    doer.confirm(wish.spec())
    job = unfinished(memory, wish, check_scope(cast("WriteScope", scope)))
    job = job or memory.jobs.enqueue(Consolidate.name, wish.spec(), **scope)
    with stopping(_STOPPING) as is_stopped, screen.progress("training", wish.recipe.steps) as bar:
        job = memory.jobs.run(job.id, progress=bar.update, should_stop=is_stopped)
    held = doer.result(job.id)
    if job.state != "done" or held is None:
        screen.note(f"job {job.id} is {job.state}; run the same command again to go on")
        return
    if screen.as_json:
        screen.json(held)
        return
    screen.line(f"{held.name}: {held.state}, {held.reason}")
    served = held.gate.get("served", ())
    for name, value in held.gate.get("measured", {}).items():
        screen.line(f"  {name}: {value}" + (", by the server" if name in served else ""))
    if held.state == "passed":
        screen.line(f"put it to use with: agentcl adapters route {held.name} --to canary")


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


def _plain(one: RecordChoice) -> dict[str, Any]:
    return {
        "id": one.record.id,
        "version": one.record.version,
        "sort": one.sort,
        "says": one.says,
        "source": one.source,
        "is_chosen": one.is_chosen,
        "reason": one.reason,
    }
