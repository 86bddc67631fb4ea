"""The order database of a shop: customers, orders, stock, payments, deliveries, and the ticket that is worked on."""

from __future__ import annotations

from dataclasses import dataclass, field

from agentcl.envs.domains.desk.policy import MOVE, PHOTO


@dataclass(slots=True)
class Customer:
    """A customer's record."""

    name: str
    kind: str
    payment: str  # how he or she pays
    credit: int = 0  # euros that may be spent in the shop


@dataclass(slots=True)
class Order:
    """One item that somebody ordered."""

    code: str
    customer: str
    item: str
    goods: str
    price: int  # euros
    state: str  # what the system says of where it is
    address: str
    status: str = "open"


@dataclass(slots=True)
class Work:
    """What was done about the ticket."""

    is_closed: bool = False
    files: list[str] = field(default_factory=list)  # what the customer sent
    verified: str = ""  # by what it was found out who writes
    returned: int = 0  # actions that were in vain: refused, or not needed
    complaints: int = 0  # actions that did harm and were undone


@dataclass(slots=True)
class OrderDatabase:
    """All tables. Amounts are in euros."""

    customers: dict[str, Customer]
    orders: dict[str, Order]
    stock: dict[str, int]  # by item
    payments: list[tuple[str, int]] = field(default_factory=list)  # order; negative: paid back
    deliveries: list[tuple[str, str, str]] = field(default_factory=list)  # order, item, address
    work: Work = field(default_factory=Work)

    def book(self, verb: str, code: str, *, to: str = "") -> str:
        """Do what the policy wants with an order, and return what the system says.

        Args:
            verb: one of those that settle a ticket, `PHOTO`, or one that verifies a customer.
            code: of the order.
            to: where it is to go from now on.
        """
        order = self.orders[code]
        customer = self.customers[order.customer]
        if verb == PHOTO:
            self.work.files.append(code)
            return "The photo is filed with the ticket."
        if verb == MOVE:
            order.address = to
            return self._closed(f"{code} goes to {to} now")
        match verb:
            case "refund it":
                self.payments.append((code, -order.price))
                order.status, said = "refunded", f"{order.price} euros go back {customer.payment}"
            case "replace it":
                said = f"another {order.item} is sent"
                self.stock[order.item] -= 1
                self.deliveries.append((code, order.item, order.address))
                order.status = "replaced"
            case "give store credit for it":
                customer.credit += order.price
                order.status, said = "credited", f"{order.price} euros of store credit are given"
            case "give a discount on it":
                less = order.price // 5
                self.payments.append((code, -less))
                order.status, said = "discounted", f"{less} euros are taken off"
            case "escalate it":
                order.status, said = "escalated", "the supervisor takes it over"
            case "cancel it":
                self.payments.append((code, -order.price))
                order.status, said = "cancelled", f"{code} is cancelled"
            case "recall it":
                self.deliveries.append((code, order.item, "warehouse"))
                order.status, said = "recalled", "the parcel is on its way back"
            case "decline it":
                order.status, said = "declined", "the request is declined"
            case _:
                self.work.verified = verb
                return "The system marks the customer as verified."
        return self._closed(said)

    def _closed(self, said: str) -> str:
        self.work.is_closed = True
        return f"Booked: {said}. The ticket is closed."
