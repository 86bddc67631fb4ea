"""The desk as tools: Python functions that an agent with tools can call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from agentcl.envs.domains.desk.domain import DeskEnvironment, said
from agentcl.envs.domains.desk.policy import LOOK_AT_ORDER, MOVE, PHOTO

_CLOSED: Final = "The ticket is closed already."
_ABOUT_ORDERS: Final = {  # by name: what is done, and what a model is told of it
    "ask_for_photo": (PHOTO, "Ask the customer for a photo of what was ordered."),
    "refund": ("refund it", "Pay back what an order cost, and close the ticket."),
    "replace": ("replace it", "Send the same item again, and close the ticket."),
    "give_store_credit": (
        "give store credit for it",
        "Give store credit for an order, and close the ticket.",
    ),
    "give_discount": (
        "give a discount on it",
        "Pay back a fifth of the price, and close the ticket.",
    ),
    "cancel": ("cancel it", "Cancel an order that is not delivered, and close the ticket."),
    "recall": ("recall it", "Call a parcel back to the warehouse, and close the ticket."),
    "decline": ("decline it", "Decline the customer's request, and close the ticket."),
    "escalate": ("escalate it", "Hand the ticket to the supervisor, and close it."),
}
_PROOFS: Final = {
    "code": "send the customer a code",
    "call": "call the customer",
    "birth date": "ask the customer for the birth date",
    "last invoice": "ask the customer for the last invoice",
}


Tools = list[Callable[..., str]]


def desk_tools(desk: DeskEnvironment) -> tuple[Tools, Tools]:
    """Return the tools that only look something up, and those that change something.

        desk = DeskDomain().make()
        seen = desk.reset(task, seed=1)
        looking, changing = desk_tools(desk)
        tools = [*(Tool.of(one, changes=False) for one in looking), *changing]
        ToolAgent(memory, model, tools, application="desk").run(f"{seen.goal} {seen.text}")
        desk.score()

    A call is a step of the environment's episode, like an action in words.
    """

    def act(action: str) -> str:
        if not desk.admissible_actions():
            return _CLOSED
        return desk.step(action).observation.text

    def look_up_customer(name: str) -> str:
        """Show the record of a customer, by first and last name."""
        return act(f"look up {name}")

    def verify_customer(by: Literal["code", "call", "birth date", "last invoice"]) -> str:
        """Find out whether the customer is who he or she claims to be."""
        return act(_PROOFS[by])

    def change_address(order: str, address: str) -> str:
        """Have an order delivered to another address, and close the ticket."""
        return act(f"{said(MOVE, order)} to {address}")

    look_up_order = _about_order(
        act, "look_up_order", LOOK_AT_ORDER, "Show the record of an order."
    )
    about_orders = [_about_order(act, name, *told) for name, told in _ABOUT_ORDERS.items()]
    return [look_up_order, look_up_customer], [*about_orders, verify_customer, change_address]


def _about_order(act: Callable[[str], str], name: str, verb: str, told: str) -> Callable[..., str]:
    def tool(order: str) -> str:
        return act(said(verb, order))

    tool.__name__, tool.__doc__ = name, told
    return tool
