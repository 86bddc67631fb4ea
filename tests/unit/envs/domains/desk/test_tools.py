"""The desk's tools: they do what the actions in words do, and an agent with tools plays by them."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from agentcl import Memory, ScriptedModel
from agentcl.agents import Tool, ToolAgent
from agentcl.envs import DeskDomain, desk_tools
from agentcl.envs.base import Task
from agentcl.envs.domains.desk.domain import DeskEnvironment, policy_of
from agentcl.envs.domains.desk.policy import (
    MOVE,
    PHOTO,
    SETTLING,
    STOPPING,
    VERIFYING,
)
from agentcl.envs.domains.desk.tickets import draw_ticket

DOMAIN = DeskDomain()
NAMES = {"refund it": "refund", "replace it": "replace", "give store credit for it": "give_store_credit",
         "give a discount on it": "give_discount", "escalate it": "escalate", "cancel it": "cancel",
         "recall it": "recall", "decline it": "decline", PHOTO: "ask_for_photo", MOVE: "change_address"}  # fmt: skip
PROOFS = dict(zip(VERIFYING, ("code", "call", "birth date", "last invoice"), strict=True))


def made(desk: DeskEnvironment) -> list[Tool]:
    looking, changing = desk_tools(desk)
    return [*(Tool.of(one, changes=False) for one in looking), *map(Tool.of, changing)]


def calls(task: Task, seed: int) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the calls of one who knows the policy."""
    ticket = draw_ticket(task, seed)
    code = ticket.orders[-1]
    yield "look_up_customer", {"name": ticket.customer}
    yield "look_up_order", {"order": code}
    wanted = policy_of(task, seed).settlement(ticket.cases[-1])
    for verb in filter(None, (wanted.before, wanted.verb)):
        if verb in PROOFS:
            yield "verify_customer", {"by": PROOFS[verb]}
        else:
            yield (
                NAMES[verb],
                {"order": code, **({"address": ticket.address} if verb == MOVE else {})},
            )


@pytest.mark.parametrize("family", DOMAIN.families)
def test_an_agent_with_tools_that_knows_the_policy_settles_every_ticket(
    family: str, tmp_path: Path
) -> None:
    desk = DOMAIN.make()
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        for seed, task in enumerate(islice(DOMAIN.tasks("test", family=family), 6)):
            seen = desk.reset(task, seed=seed)
            said = [f"Call: {name} {json.dumps(given)}" for name, given in calls(task, seed)]
            agent = ToolAgent(
                memory, ScriptedModel([*said, "Done."]), made(desk), tool_calls="prompt"
            )
            done = agent.run(f"{seen.goal}\n{seen.text}")
            assert {call.fate for call in done.calls} == {"done"}
            assert desk.score().value == 1.0


def test_there_is_a_tool_for_everything_that_can_be_done() -> None:
    names = {tool.name for tool in made(DOMAIN.make())}
    assert {NAMES[verb] for verb in (*SETTLING, *STOPPING, PHOTO, MOVE)} < names
    assert {"look_up_order", "look_up_customer", "verify_customer"} < names
    assert all(tool.description for tool in made(DOMAIN.make()))
    assert [tool.name for tool in made(DOMAIN.make()) if not tool.changes] == [
        "look_up_order",
        "look_up_customer",
    ]


def test_any_record_can_be_looked_up_and_only_this_ticket_can_be_settled() -> None:
    desk = DOMAIN.make()
    task = next(DOMAIN.tasks("test", family="return"))
    desk.reset(task, seed=1)
    tools = {tool.name: tool for tool in made(desk)}
    other = [*desk.database.orders][-1]
    assert "euros" in tools["look_up_order"].call({"order": other})[1]
    owner = desk.database.orders[other].customer
    assert other in tools["look_up_customer"].call({"name": owner})[1]
    assert "not what this ticket is about" in tools["refund"].call({"order": other})[1]
    assert "no such action" in tools["refund"].call({"order": "Z000"})[1]
    assert desk.database.work.returned == 2
    assert desk.score().value == 0.0


def test_a_closed_ticket_stays_closed() -> None:
    desk = DOMAIN.make()
    task = next(DOMAIN.tasks("test", family="return"))
    desk.reset(task, seed=1)
    tools = {tool.name: tool for tool in made(desk)}
    told = [tools[name].call(given)[1] for name, given in calls(task, 1)]
    assert told[-1].endswith("The ticket is closed.")
    assert tools["refund"].call({"order": "A100"}) == ("done", "The ticket is closed already.")
    assert desk.score().value == 1.0
