"""A made-up company: what it says of itself, and what its people learned; nobody can guess either.

Names, numbers and which advice belongs to which situation are drawn by a seed. So a model can know them from its
memory or from an adapter, and from nowhere else.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final, NamedTuple

from agentcl import Lesson, Memory

SAID_AT: Final = datetime.now(UTC) - timedelta(days=90)
_FIRST: Final = (
    "Orla", "Ilka", "Tomas", "Nuria", "Bram", "Sefa", "Jorik", "Maren", "Idris", "Petra", "Calum", "Yara",
    "Lenz", "Dunja", "Ruben",
)  # fmt: skip
_LAST: Final = (
    "Venn", "Toft", "Marsh", "Okoro", "Lind", "Haas", "Quill", "Brandt", "Sorel", "Aydin", "Frost", "Kemp",
    "Doyle", "Ibsen", "Castro",
)  # fmt: skip
_SERVICES: Final = (
    "Heron", "Lantern", "Quarry", "Mosaic", "Ferry", "Sable", "Thicket", "Beacon", "Gravel", "Orchard",
    "Pylon", "Skylark", "Tundra", "Velvet", "Wharf",
)  # fmt: skip
_WHENS: Final = (
    "an invoice has no order number", "a customer asks for a copy of a contract", "a parcel comes back unopened",
    "the night backup fails", "a guest has no badge", "a supplier raises a price", "a laptop gets lost",
    "a meeting room is double booked", "a refund is above 500 euros", "the label printer jams",
    "a contract ends within a month", "somebody asks for a day off in December", "a delivery comes before eight",
    "a customer complains twice", "the heating goes out", "a test fails only at night", "a form comes in handwriting",
    "a key does not fit", "an order is for a school", "a password was sent by mail", "a truck waits longer than an hour",
    "a sample breaks", "a newspaper calls", "an invoice is in dollars", "a customer moves abroad",
    "a new colleague starts", "the stock list is wrong", "a sensor reports below zero", "a pallet is too high",
    "a discount was promised by phone", "a fire drill is announced", "a bill is paid twice",
    "a server runs out of disk space", "a visitor brings a dog", "a translation is missing", "a machine smells burnt",
    "the web shop is slow", "a signature is missing", "a customer pays in cash", "a project is late",
)  # fmt: skip
_WHATS: Final = (
    "send it to the blue desk", "call Harbor Street first", "write it into the green book", "wait until Thursday",
    "ask the porter", "use form 27", "tell the second shift", "put it on shelf nine", "copy the legal team",
    "restart the relay", "take the side entrance", "note the serial number", "offer a voucher", "ring the lab twice",
    "fill in the yellow card", "send two photos", "move it to hall C", "book it under code K4", "ask for a witness",
    "seal it with red tape", "open a ticket for Nordlicht", "weigh it again", "print three copies",
    "hand it to the night guard", "check the south gate", "freeze the account", "round it down",
    "send a courier", "mark it with a star", "keep it for nine days", "use the spare key", "turn off line two",
    "inform the works council", "read page 12 aloud", "swap the filter", "charge it to Marketing",
    "cancel the Friday run", "store it in the cellar", "ask Accounting for a seal", "reply within two hours",
)  # fmt: skip


class SaidFact(NamedTuple):
    """What the company says of somebody or something."""

    subject: str
    attribute: str
    value: str


def facts(count: int, *, seed: int = 0) -> list[SaidFact]:
    """Return up to 60 facts about people and services, both sorts in turn."""
    rng = Random(f"facts {seed}")
    last = rng.sample(_LAST, len(_LAST))
    people = [f"{one} {other}" for one, other in zip(_FIRST, last, strict=True)]
    rooms = rng.sample(range(101, 990), len(people))
    ports = rng.sample(range(2000, 9999), len(_SERVICES))
    mentors = [*people[7:], *people[:7]]
    found: list[SaidFact] = []
    for n, (person, service) in enumerate(zip(people, _SERVICES, strict=True)):
        owner = people[rng.randrange(len(people))]
        found += [
            SaidFact(person, "office", f"room {rooms[n]}"),
            SaidFact(f"Service {service}", "port", str(ports[n])),
            SaidFact(person, "mentor", mentors[n]),
            SaidFact(f"Service {service}", "owner", owner),
        ]
    return found[:count]


def lessons(count: int, *, seed: int = 0) -> list[Lesson]:
    """Return up to 40 lessons; which advice belongs to which situation is drawn."""
    whats = Random(f"lessons {seed}").sample(_WHATS, len(_WHATS))
    return [
        Lesson(when, "do", what) for when, what in zip(_WHENS[:count], whats[:count], strict=True)
    ]


def live(memory: Memory, said: list[SaidFact], learned: list[Lesson]) -> dict[str, str]:
    """Let a memory hold all of it, proved: facts that held for 90 days and were used, lessons that outcomes bore out.

    Returns:
        For each record's id what must stand in an answer.
    """
    wanted: dict[str, str] = {}
    for one in said:
        held = memory.statements.add(*one, said_at=SAID_AT)
        memory.store.credit(held.id, uses=2)
        wanted[held.id] = one.value
    for lesson in learned:
        wanted[_prove(memory, lesson)] = lesson.what
    return wanted


def _prove(memory: Memory, lesson: Lesson, *, times: int = 4) -> str:
    """Let episodes state a lesson again and again; return its id."""
    stated = ""
    for seed in range(times):
        with memory.episode(
            lesson.when, application="company", family=lesson.when, world="here", seed=seed,
            goal=f"{lesson.when}, case {seed}",
        ) as episode:  # fmt: skip
            episode.recall(lesson.when)
            episode.step(lesson.when, lesson.what, "it is settled")
            played = episode.finish(1.0)
        (found,) = memory.lessons.reflect([lesson], episode=played).stated
        stated = found.guidance
    return stated
