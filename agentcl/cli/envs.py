"""The commands about domains: which there are, whether one keeps the contract, and what policies score."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from itertools import islice
from typing import Any, get_args

import click

from agentcl.cli.options import DOMAIN_OPTIONS, command, domain_options
from agentcl.cli.screen import Screen
from agentcl.envs.base import Bounded, Split
from agentcl.envs.registry import domain_names, open_domain
from agentcl.envs.requests import require_family
from agentcl.errors import AgentclError


@click.group()
def envs() -> None:
    """Look at the domains that agents are tested in."""


@envs.command(name="list")
@command
def list_(screen: Screen) -> None:
    """List the domains, with their families and tasks."""
    rows: list[dict[str, Any]] = []
    for name in domain_names():
        try:
            domain = open_domain(name)
            tasks = {split: sum(1 for _ in domain.tasks(split)) for split in get_args(Split)}
        except AgentclError as error:  # one domain that needs something hides no other
            rows.append({"name": name, "needs": str(error)})
            continue
        rows.append({"name": name, "families": list(domain.families), "tasks": tasks})
    if screen.as_json:
        screen.json(rows)
        return
    for row in rows:
        if "needs" in row:
            screen.line(f"{row['name']}: {row['needs']}")
            continue
        counts = ", ".join(f"{count} {split}" for split, count in row["tasks"].items())
        screen.line(f"{row['name']}: {', '.join(row['families'])} ({counts})")


@envs.command()
@click.argument("domain")
@DOMAIN_OPTIONS
@click.option("--tasks", default=5, show_default=True, type=click.IntRange(1), help="How many.")
@command
def check(screen: Screen, domain: str, options: Sequence[str], tasks: int) -> None:
    """Find out whether a domain keeps the contract.

    DOMAIN is a name, or module:Class of your own. The exit status is 1 if it does not.
    """
    from agentcl.envs.checking import check as check_domain

    findings = check_domain(open_domain(domain, domain_options(options)), tasks=tasks)
    said = {True: "ok    ", False: "BROKEN"}
    lines = (": ".join(filter(None, [f"{said[f.is_kept]}  {f.name}", f.detail])) for f in findings)
    screen.answer(findings, *lines)
    if not all(finding.is_kept for finding in findings):
        sys.exit(1)


@envs.command()
@click.argument("domain")
@DOMAIN_OPTIONS
@click.option("--split", type=click.Choice(get_args(Split)), default="test", show_default=True)
@click.option("--family", help="Only this kind of task.")
@click.option("--policy", "names", multiple=True, help="random, null or oracle; default: all.")
@click.option("--episodes", "-n", default=100, show_default=True, type=click.IntRange(1))
@click.option("--seed", default=0, show_default=True)
@command
def play(
    screen: Screen,
    domain: str,
    options: Sequence[str],
    split: Split,
    family: str | None,
    names: tuple[str, ...],
    episodes: int,
    seed: int,
) -> None:
    """Let policies without a model play.

    They show what can be had by chance, by nothing, and at the best.
    """
    from agentcl.envs.policies import play as play_episode
    from agentcl.envs.policies import policies_of

    opened = open_domain(domain, domain_options(options))
    oracle = opened.oracle()
    chosen = policies_of(names or ("null", "random", *(["oracle"] if oracle else [])), oracle)
    if family:  # a domain of one's own may not look at the name
        require_family(family, opened.families)
    tasks = list(islice(opened.tasks(split, family=family), episodes))
    rows: list[dict[str, Any]] = []
    environment = opened.make()
    try:
        with screen.progress("playing", len(chosen) * episodes) as bar:
            for policy in chosen:
                started = time.perf_counter()
                played = []
                for n in range(episodes):
                    played.append(
                        play_episode(environment, policy, tasks[n % len(tasks)], seed=seed + n)
                    )
                    bar.advance()
                spent_s = time.perf_counter() - started
                scores = [one.score for one in played if one.score is not None]
                steps = sum(len(one.steps) for one in played)
                rows.append(
                    {
                        "policy": policy.name,
                        "episodes": len(played),
                        "failed": len(played) - len(scores),
                        "score": statistics.fmean(s.value for s in scores) if scores else None,
                        "success": statistics.fmean(s.is_success for s in scores)
                        if scores
                        else None,
                        "steps": steps / len(played),
                        "steps_per_s": steps / spent_s,
                    }
                )
    finally:
        environment.close()
    bounds = opened.bounds(family) if family and isinstance(opened, Bounded) else None
    if screen.as_json:
        screen.json({"rows": rows, "bounds": bounds})
        return
    for row in rows:
        score = "no score" if row["score"] is None else f"{row['score']:.3f}"
        failed = f", {row['failed']} failed" if row["failed"] else ""
        screen.line(
            f"{row['policy']:8} score {score}, success {row['success'] or 0:.0%}, {row['steps']:.1f} "
            f"steps, {row['steps_per_s']:,.0f} steps/s{failed}"
        )
    if bounds:
        screen.line(
            f"best expected: without memory {bounds.without_memory:.3f}, with full knowledge "
            f"{bounds.with_knowledge:.3f}"
        )
        if bounds.from_others is not None:
            screen.line(
                f"on a first attempt, from others that share rules: {bounds.from_others:.3f}"
            )
