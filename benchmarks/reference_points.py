"""What nothing, chance and perfect knowledge score in every domain that is installed, and score again when replayed.

    python benchmarks/reference_points.py [--excytin FOLDER] [--domain NAME] [-n EPISODES]

Every score of an agent stands between these. Episodes are drawn evenly from all families of the test split.
"""

from __future__ import annotations

import argparse
import statistics
from itertools import islice
from typing import Any

from parts.results import FOLDER, machine, save, table

from agentcl.envs.base import Bounded, Domain, Environment
from agentcl.envs.policies import Played, ReplayPolicy, play, policies_of
from agentcl.envs.registry import domain_names, open_domain
from agentcl.envs.streams.builders import interleaved_stream, pools_of
from agentcl.errors import AgentclError

FEW = {"scienceworld": 10, "household": 12, "textworld": 24}  # of slow domains
DEFAULT = 60


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--excytin", help="the folder of ExCyTIn-Bench's questions and rows")
    parser.add_argument("--tau-bench", help="a checkout of tau-bench")
    parser.add_argument("--domain", action="append", help="only this one; may be given again")
    parser.add_argument("-n", type=int, help="episodes of a domain and policy")
    arguments = parser.parse_args()
    result: dict[str, Any] = {
        "machine": machine("textworld", "minigrid", "scienceworld"),
        "domains": {},
    }
    given = {
        "excytin-lite": {"data": arguments.excytin},
        "tau-bench": {"checkout": arguments.tau_bench},
    }
    for name in arguments.domain or domain_names():
        options = given.get(name, {})
        if not all(options.values()):
            print(f"{name}: left out, its data was not given")
            continue
        try:
            domain = open_domain(name, {key: str(value) for key, value in options.items()})
            domain.make().close()
        except AgentclError as error:
            print(f"{name}: left out: {error}")
            continue
        result["domains"][name] = _measured(domain, arguments.n or FEW.get(name, DEFAULT))
    rows = [
        [name, policy, f"{one['score']:.3f}", f"{one['success']:.3f}", f"{one['steps']:.1f}", str(one["episodes"]), str(one["failed"]), f"{one['the same when replayed']:.0%}"]
        for name, policies in result["domains"].items()
        for policy, one in policies["policies"].items()
    ]  # fmt: skip
    table(
        ["domain", "policy", "score", "success", "steps", "episodes", "failed", "same again"], rows
    )
    if arguments.domain:
        print(f"\nnot written to {FOLDER.name}: some domains only")
        return
    save("reference_points", result)


def _measured(domain: Domain, episodes: int) -> dict[str, Any]:
    pools = pools_of(domain, "test")
    each = -(-episodes // len(pools))
    items = list(islice(interleaved_stream("points", pools, episodes=each, seed=0), episodes))
    oracle = domain.oracle()
    environment = domain.make()
    policies: dict[str, Any] = {}
    try:
        first = environment.reset(items[0].task, seed=items[0].seed)
        print(f"{domain.name}: {first.goal[:100]}", flush=True)
        names = ["null", *(["random"] if environment.admissible_actions(1) is not None else []),
                 *(["oracle"] if oracle else [])]  # fmt: skip
        for policy in policies_of(names, oracle):
            played = [play(environment, policy, item.task, seed=item.seed) for item in items]
            policies[policy.name] = _summary(played)
            again = [_again(environment, one) for one in played]
            policies[policy.name]["the same when replayed"] = statistics.fmean(
                one.score == other.score for one, other in zip(played, again, strict=True)
            )
    finally:
        environment.close()
    bounds = {}
    if isinstance(domain, Bounded):
        bounds = {family: domain.bounds(family).without_memory for family in pools}
    return {"policies": policies, "families": len(pools), "best expected without memory": bounds}


def _again(environment: Environment, played: Played) -> Played:
    """Play the actions of an episode once more."""
    policy = ReplayPolicy([action for action, _ in played.steps])
    return play(environment, policy, played.task, seed=played.seed)


def _summary(played: list[Played]) -> dict[str, Any]:
    scores = [one.score for one in played if one.score is not None]
    return {
        "episodes": len(played),
        "failed": len(played) - len(scores),
        "score": statistics.fmean(score.value for score in scores) if scores else None,
        "success": statistics.fmean(score.is_success for score in scores) if scores else None,
        "steps": statistics.fmean(len(one.steps) for one in played),
    }


if __name__ == "__main__":
    main()
